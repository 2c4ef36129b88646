package emulate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/story"
)

// Request implements [story.World].
func (w *World) Request(ctx context.Context, r *scenario.Request) (story.Response, error) {
	h, err := w.host(r.From)
	if err != nil {
		return story.Response{}, err
	}
	limit, cancel := context.WithTimeout(ctx, r.Timeout.Duration())
	defer cancel()
	req, err := r.HTTP(limit)
	if err != nil {
		return story.Response{}, err
	}
	res := w.exchange(h, req, r.Timeout.Duration())
	return res, ctx.Err()
}

// exchange sends a request on a connection of its own and reads the answer.
func (w *World) exchange(h *host, req *http.Request, limit time.Duration) story.Response {
	d := &dialer{world: w, host: h}
	transport := &http.Transport{DialContext: d.dial, DisableKeepAlives: true, TLSClientConfig: w.ca.clientConfig()}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport,
		// A redirect is an answer, and the scenario's to follow.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return story.Response{Failure: classify(err, d.peer(req.URL.Host), limit)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, service.MaxBody))
	if err != nil {
		return story.Response{Failure: classify(err, d.peer(req.URL.Host), limit)}
	}
	return story.Response{Status: resp.StatusCode, Headers: resp.Header, Body: string(body)}
}

// Connect implements [story.World].
func (w *World) Connect(ctx context.Context, c *scenario.Connections) (*story.Tally, error) {
	h, err := w.host(c.From)
	if err != nil {
		return nil, err
	}
	var (
		tally story.Tally
		mu    sync.Mutex // guards tally
		wg    sync.WaitGroup
		next  = make(chan struct{})
	)
	for range min(c.Concurrency, c.Count) {
		wg.Go(func() {
			for range next {
				began := time.Now()
				res := w.connectOnce(ctx, h, c)
				mu.Lock()
				tally.Respond(res, time.Since(began))
				mu.Unlock()
			}
		})
	}
	for range c.Count {
		// Where nobody answers, hundreds of timeouts tell no more than the first.
		mu.Lock()
		hopeless := tally.Succeeded == 0 && tally.Failed >= max(hopelessAfter, c.Concurrency)
		if hopeless {
			tally.Failed++
			tally.Untried++
		}
		mu.Unlock()
		if !hopeless {
			next <- struct{}{}
		}
	}
	close(next)
	wg.Wait()
	return &tally, ctx.Err()
}

// hopelessAfter is how many requests must fail, and none succeed, before the
// rest are given up.
const hopelessAfter = 16

func (w *World) connectOnce(ctx context.Context, h *host, c *scenario.Connections) story.Response {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout.Duration())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.To+"/", nil)
	if err != nil {
		return story.Response{Failure: story.Failure{Kind: story.HTTP, Detail: err.Error()}}
	}
	return w.exchange(h, req, c.Timeout.Duration())
}

// dialer opens connections from an instance, names resolved by its VPC.
type dialer struct {
	world *World
	host  *host

	mu   sync.Mutex
	last string // the address that was tried last
}

// dial tries the addresses of a name one after the other, as clients do; one that
// stays silent takes all the time there is.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := d.host.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		to := net.JoinHostPort(a.String(), port)
		d.mu.Lock()
		d.last = to
		d.mu.Unlock()
		var c net.Conn
		if c, err = d.host.ns.Dial(ctx, network, to); err == nil || ctx.Err() != nil {
			return c, err
		}
	}
	return nil, err
}

// peer returns the address that was tried last, or what was to be reached.
func (d *dialer) peer(address string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != "" {
		return d.last
	}
	return address
}

// classify says how an exchange failed.
func classify(err error, peer string, limit time.Duration) story.Failure {
	var (
		errno    syscall.Errno
		name     *story.NameError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		op       *net.OpError
	)
	switch {
	case errors.As(err, &name):
		return name.Failure()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return story.TimedOut(peer, limit)
	case errors.As(err, &errno):
		switch errno {
		case syscall.ECONNREFUSED:
			return story.ConnectionRefused(peer)
		case syscall.ECONNRESET, syscall.EPIPE:
			return story.ConnectionReset(peer)
		case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EACCES:
			return story.NotReachable(peer, errno.Error())
		case syscall.EADDRNOTAVAIL:
			return story.OutOfPorts(peer)
		}
	case errors.Is(err, errClosed):
		return story.ConnectionClosed(peer)
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &invalid),
		errors.As(err, &op) && op.Op == "remote error": // an alert of TLS
		return story.Failure{Kind: story.TLS, Detail: fmt.Sprintf("TLS handshake with %s: %s", peer, innermost(err))}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return story.HalfAnswer(peer)
	}
	return story.Failure{Kind: story.HTTP, Detail: fmt.Sprintf("%s: %s", peer, innermost(err))}
}

// innermost is the message of the error that began it.
func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
