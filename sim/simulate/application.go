package simulate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/topology"
)

// How long an Application Load Balancer waits, by AWS's documentation.
const (
	connectLimit  = 10 * time.Second // for a target's SYN-ACK
	responseLimit = 60 * time.Second // for a target's answer, and for a client's next request
)

// mostIdle is how many connections to one target a node keeps for later requests.
const mostIdle = 2

// reverseProxy is the server of an Application Load Balancer's listener at one node.
type reverseProxy struct {
	topology.HTTPListener
	world *World
	node  *node
	turn  int // which target's turn it is
	idle  map[netip.AddrPort][]*upstream
}

// proxy starts the Application Load Balancers.
func (w *World) proxy() []error {
	var errs []error
	for _, l := range w.lab.HTTPListeners() {
		p := &reverseProxy{HTTPListener: l, world: w, node: w.nodes[l.Node], idle: map[netip.AddrPort][]*upstream{}}
		s := w.newWebServer(p.forward, false)
		_, err := p.node.host.Listen(netip.AddrPortFrom(netip.Addr{}, l.Port), s.accept)
		errs = append(errs, err)
	}
	return errs
}

// forward sends a request to the target whose turn it is.
func (p *reverseProxy) forward(v *service.Visit, answer func(*service.Response)) {
	targets := p.world.Backends().Of(p.HTTPListener)
	if len(targets) == 0 {
		answer(refusal(http.StatusServiceUnavailable))
		return
	}
	target := targets[p.turn%len(targets)]
	p.turn++
	req := p.rewrite(v, target)
	u := p.upstream(target)
	u.request(req, answer)
}

// upstream returns a connection to a target: one that is idle, or a new one.
func (p *reverseProxy) upstream(to netip.AddrPort) *upstream {
	if idle := p.idle[to]; len(idle) > 0 {
		u := idle[len(idle)-1]
		p.idle[to] = idle[:len(idle)-1]
		p.world.queue.Cancel(u.limit)
		return u
	}
	u := &upstream{proxy: p, to: to}
	u.client = client{
		attempt:   attempt{from: p.node.host, port: to.Port(), addrs: []netip.Addr{to.Addr()}},
		connected: u.send, received: u.receive, ended: u.end,
	}
	return u
}

// upstream is a connection to a target, with one request at a time.
type upstream struct {
	proxy  *reverseProxy
	to     netip.AddrPort
	client client
	limit  event.Timer
	req    *http.Request // being answered; nil while idle
	in     []byte
	answer func(*service.Response)
}

// request sends a request, and calls answer with what answers it.
func (u *upstream) request(req *http.Request, answer func(*service.Response)) {
	u.req, u.answer = req, answer
	if u.client.open {
		u.send()
		return
	}
	u.wait(connectLimit)
	u.client.dial()
}

// wait gives the target so much time for what comes next.
func (u *upstream) wait(d time.Duration) {
	q := u.proxy.world.queue
	q.Cancel(u.limit)
	u.limit = q.CallAt(q.Now().Add(d), func() { u.fail(http.StatusGatewayTimeout) })
}

func (u *upstream) send() {
	u.wait(responseLimit)
	var b bytes.Buffer
	_ = u.req.Write(&b) // a buffer takes all
	u.client.send(b.Bytes())
}

func (u *upstream) receive(data []byte) {
	if u.req == nil {
		return // nobody asked
	}
	u.in = append(u.in, data...)
	u.read(false)
}

// read looks whether the answer is whole; if no more comes it has to be.
func (u *upstream) read(last bool) {
	resp, body, err := wholeResponse(u.in, u.req, last)
	switch {
	case err == nil:
		u.finish(&service.Response{Status: resp.StatusCode, Header: endToEnd(resp.Header), Body: string(body)}, !last && !resp.Close)
	case last, !unfinished(err):
		u.fail(http.StatusBadGateway)
	}
}

func (u *upstream) end(err error) {
	switch {
	case u.req == nil: // the target parts with an idle connection
		idle := u.proxy.idle[u.to]
		u.proxy.idle[u.to] = slices.DeleteFunc(idle, func(x *upstream) bool { return x == u })
		u.close()
	case errors.Is(err, io.EOF):
		u.read(true)
	default:
		u.fail(http.StatusBadGateway)
	}
}

func (u *upstream) fail(status int) { u.finish(refusal(status), false) }

// finish hands on an answer, and keeps the connection if it may.
func (u *upstream) finish(r *service.Response, keep bool) {
	if u.req == nil {
		return
	}
	answer := u.answer
	u.req, u.in, u.answer = nil, nil, nil
	p := u.proxy
	if keep && len(p.idle[u.to]) < mostIdle {
		p.idle[u.to] = append(p.idle[u.to], u)
		q := p.world.queue
		q.Cancel(u.limit)
		u.limit = q.CallAt(q.Now().Add(responseLimit), func() { u.end(host.ErrTimeout) })
	} else {
		u.close()
	}
	answer(r)
}

func (u *upstream) close() {
	u.proxy.world.queue.Cancel(u.limit)
	u.client.close()
}

// hopByHop are the headers that concern one connection (RFC 9110 section 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// endToEnd returns the headers of a message that go on to the other side.
func endToEnd(h http.Header) http.Header {
	out := h.Clone()
	for _, value := range h.Values("Connection") {
		for name := range strings.SplitSeq(value, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		out.Del(name)
	}
	return out
}

// rewrite addresses a request to its target: the client's own, but for the headers
// that say who the client is.
func (p *reverseProxy) rewrite(v *service.Visit, target netip.AddrPort) *http.Request {
	out := v.Request.Clone(context.Background())
	out.Close, out.RequestURI = false, ""
	out.URL.Scheme, out.URL.Host, out.Host = "http", target.String(), v.Request.Host
	out.Header = endToEnd(v.Request.Header)
	out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(strings.NewReader(v.Body)), int64(len(v.Body)), nil
	client := append(slices.Clone(v.Request.Header.Values(service.ForwardedFor)), v.Peer.Addr().String())
	out.Header.Set(service.ForwardedFor, strings.Join(client, ", "))
	out.Header.Set(service.ForwardedProto, "http")
	out.Header.Set(service.ForwardedPort, strconv.Itoa(int(p.Port)))
	return out
}

// refusal is the answer of the load balancer itself.
func refusal(status int) *service.Response {
	h := http.Header{}
	h.Set("Server", "awselb/2.0")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	return &service.Response{Status: status, Header: h, Body: strconv.Itoa(status) + " " + http.StatusText(status) + "\n"}
}
