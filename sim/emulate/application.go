package emulate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/topology"
)

// How long an Application Load Balancer waits, by AWS's documentation, in time of the
// lab.
const (
	connectLimit  = 10 * time.Second // for a target's SYN-ACK
	responseLimit = 60 * time.Second // for a target's answer, and for a client's next request
)

// reverseProxy is the server of an Application Load Balancer's listener at one node.
type reverseProxy struct {
	topology.HTTPListener
	world     *World
	node      *node
	transport *http.Transport
	turn      atomic.Uint32 // which target's turn it is
}

// openHTTP starts a listener of an Application Load Balancer, and returns what ends it.
func (w *World) openHTTP(l topology.HTTPListener) (stop func(), err error) {
	p := &reverseProxy{HTTPListener: l, world: w, node: w.nodes[l.Node.Index]}
	p.transport = &http.Transport{
		DialContext:           p.dial,
		ResponseHeaderTimeout: p.patience(responseLimit),
		IdleConnTimeout:       p.patience(responseLimit),
		DisableCompression:    true, // what the client accepts is the client's to say
	}
	server := &http.Server{
		Handler: p, ReadHeaderTimeout: p.patience(responseLimit), IdleTimeout: p.patience(responseLimit),
		BaseContext: func(net.Listener) context.Context { return w.life },
		ErrorLog:    log.New(io.Discard, "", 0), // what a client does wrong is the client's to tell
	}
	if l.TLS != nil {
		cert, err := w.ca.listenerCertificate(l.TLS)
		if err != nil {
			return nil, err
		}
		server.TLSConfig = &tls.Config{
			MinVersion: l.TLS.Versions[0], MaxVersion: l.TLS.Versions[1], Certificates: []tls.Certificate{*cert},
		}
	}
	listener, err := p.node.ns.Listen("tcp", net.JoinHostPort("", strconv.Itoa(int(l.Port))))
	if err != nil {
		return nil, fmt.Errorf("load balancer %s: %w", l.Balancer, err)
	}
	w.wg.Go(func() {
		if server.TLSConfig != nil {
			_ = server.ServeTLS(listener, "", "") // it ends when it is closed
		} else {
			_ = server.Serve(listener)
		}
	})
	return func() {
		_ = server.Close() // it only stops listening
		p.transport.CloseIdleConnections()
	}, nil
}

// patience is how long a time of the lab lasts at least: the sockets are real.
func (p *reverseProxy) patience(d time.Duration) time.Duration {
	return max(p.world.wall(d), leastPatience)
}

// dial connects to a target, from the node's address.
func (p *reverseProxy) dial(ctx context.Context, _, target string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.patience(connectLimit))
	defer cancel()
	from := p.node.source(parseAddrPort(target).Addr())
	return p.node.ns.DialFrom(ctx, netip.AddrPortFrom(from, 0), "tcp", target)
}

// ServeHTTP forwards a request to the target whose turn it is.
func (p *reverseProxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	targets := p.world.Backends().Of(p.HTTPListener)
	if len(targets) == 0 {
		refuse(rw, http.StatusServiceUnavailable)
		return
	}
	target := targets[int(p.turn.Add(1)-1)%len(targets)]
	forward := httputil.ReverseProxy{
		Rewrite:   func(pr *httputil.ProxyRequest) { p.rewrite(pr, target) },
		Transport: p.transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, err error) {
			refuse(rw, failure(err))
		},
	}
	forward.ServeHTTP(rw, r)
}

// rewrite addresses a request to its target: the client's own, but for the headers
// that say who the client is.
func (p *reverseProxy) rewrite(pr *httputil.ProxyRequest, target netip.AddrPort) {
	pr.Out.URL.Scheme, pr.Out.URL.Host, pr.Out.Host = "http", target.String(), pr.In.Host
	for _, name := range []string{"Forwarded", "X-Forwarded-Host"} {
		if values := pr.In.Header.Values(name); len(values) > 0 {
			pr.Out.Header[name] = values // the proxy of the library takes them away
		}
	}
	client := parseAddrPort(pr.In.RemoteAddr).Addr().String()
	pr.Out.Header.Set(service.ForwardedFor, strings.Join(append(slices.Clone(pr.In.Header.Values(service.ForwardedFor)), client), ", "))
	scheme := "http"
	if p.TLS != nil {
		scheme = "https"
	}
	pr.Out.Header.Set(service.ForwardedProto, scheme)
	pr.Out.Header.Set(service.ForwardedPort, strconv.Itoa(int(p.Port)))
}

// failure is the status code for a target that did not answer: 504 where it stayed
// silent, else 502.
func failure(err error) int {
	var silent net.Error
	if errors.As(err, &silent) && silent.Timeout() {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// refuse answers for the load balancer itself.
func refuse(rw http.ResponseWriter, status int) {
	rw.Header().Set("Server", "awselb/2.0")
	http.Error(rw, strconv.Itoa(status)+" "+http.StatusText(status), status)
}
