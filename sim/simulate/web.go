package simulate

import (
	"bytes"
	"errors"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/plsim/plsim/dataplane/ppv2"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/topology"
)

// responder answers a request of HTTP that came over a connection: it calls answer,
// now or later. proxy is what stood before the connection's first byte, if anything did.
type responder func(v *service.Visit, answer func(*service.Response))

// webServer speaks HTTP/1.1 with clients, and leaves the answers to a responder.
type webServer struct {
	world    *World
	respond  responder
	proxied  bool // a PROXY protocol header comes first
	sessions map[host.Conn]*session
}

// session is what a server keeps of a connection while something is on its way, or because
// it knows something of it. Connections between two requests mostly have none.
type session struct {
	in    []byte // no whole request yet
	proxy *ppv2.Header
	out   outbox
	busy  bool // a request is being answered
	last  bool // the client sends no more
}

// webServer returns the server of an instance's built-in service.
func (w *World) webServer(i *instance, s *topology.Service) *webServer {
	h := &service.HTTP{Instance: i.Name, Routes: s.Routes}
	return w.newWebServer(func(v *service.Visit, answer func(*service.Response)) {
		r := h.Answer(v)
		if r.Delay == 0 {
			answer(r)
			return
		}
		w.queue.CallAt(w.queue.Now().Add(r.Delay), func() { answer(r) })
	}, s.ProxyProtocol)
}

func (w *World) newWebServer(respond responder, proxied bool) *webServer {
	return &webServer{world: w, respond: respond, proxied: proxied, sessions: map[host.Conn]*session{}}
}

func (s *webServer) accept(host.Conn) host.Handler { return s }

// Connected implements [host.Handler].
func (s *webServer) Connected(host.Conn) {}

// Received implements [host.Handler].
func (s *webServer) Received(c host.Conn, data []byte) {
	of := s.sessions[c]
	if of == nil {
		of = &session{}
		s.sessions[c] = of
	}
	of.in = append(of.in, data...)
	s.work(c, of)
}

// work answers the requests that are whole, one after the other.
func (s *webServer) work(c host.Conn, of *session) {
	if s.proxied && of.proxy == nil && !s.introduce(c, of) {
		return
	}
	for !of.busy && len(of.in) > 0 {
		req, body, rest, err := cutRequest(of.in)
		switch {
		case unfinished(err):
			return // more will come
		case err != nil:
			of.in = nil
			status := "400 Bad Request"
			if errors.Is(err, errLongHead) {
				status = "431 Request Header Fields Too Large"
			}
			of.out.bytes = append(of.out.bytes, "HTTP/1.1 "+status+"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+status...)
			of.out.then = host.Conn.Close
			of.out.flush(c)
			return
		}
		of.in, of.busy = rest, true
		v := &service.Visit{Request: req, Body: body, Peer: unmapped(c.Remote()), Own: unmapped(c.Local()), Proxy: of.proxy}
		s.respond(v, func(r *service.Response) { s.answer(c, of, req, r) })
	}
	switch {
	case of.busy || of.out.then != nil:
	case !of.last:
		if len(of.in) == 0 && of.out.empty() && of.proxy == nil {
			delete(s.sessions, c)
		}
	case of.out.empty():
		c.Close()
	default:
		of.out.then = host.Conn.Close
	}
}

// answer sends what answers a request, and goes on with the next.
func (s *webServer) answer(c host.Conn, of *session, req *http.Request, r *service.Response) {
	if s.sessions[c] != of {
		return // the client is gone
	}
	of.out.bytes, of.out.filler = s.head(req, r) // the answer before is sent
	of.out.then = func(c host.Conn) {
		if of.busy = false; req.Close {
			c.Close()
			return
		}
		s.work(c, of)
	}
	of.out.flush(c)
}

// usualHead is how long the heads of answers are, in bytes, unless a route adds much.
const usualHead = 256

// head returns an answer as it goes on the wire, up to what fills it.
func (s *webServer) head(req *http.Request, r *service.Response) (head []byte, filler int64) {
	h := r.Header.Clone()
	h.Set("Date", s.world.date().Format(http.TimeFormat))
	if h.Get("Content-Length") == "" {
		h.Set("Content-Length", strconv.FormatInt(int64(len(r.Body))+r.Filler, 10))
	}
	if req.Close {
		h.Set("Connection", "close")
	}
	var b bytes.Buffer
	b.Grow(usualHead + len(r.Body))
	b.WriteString("HTTP/1.1 " + strconv.Itoa(r.Status) + " " + http.StatusText(r.Status) + "\r\n")
	_ = h.Write(&b) // a buffer takes all
	b.WriteString("\r\n")
	if req.Method == http.MethodHead {
		return b.Bytes(), 0
	}
	b.WriteString(r.Body)
	return b.Bytes(), r.Filler
}

// introduce reads the header of the PROXY protocol. A stream that begins with
// something else is reset: an answer would say that someone had understood.
func (s *webServer) introduce(c host.Conn, of *session) bool {
	if len(of.in) < ppv2.Prefix {
		return false
	}
	n, err := ppv2.Length(of.in)
	if err == nil && len(of.in) < n {
		return false
	}
	var h ppv2.Header
	if err == nil {
		h, err = ppv2.Parse(of.in[:n])
	}
	if err != nil {
		delete(s.sessions, c)
		c.Abort()
		return false
	}
	of.in, of.proxy = of.in[n:], &h
	return true
}

// Finished implements [host.Handler].
func (s *webServer) Finished(c host.Conn) {
	of := s.sessions[c]
	if of == nil {
		c.Close()
		return
	}
	of.last = true
	s.work(c, of)
}

// Writable implements [host.Handler].
func (s *webServer) Writable(c host.Conn) {
	if of := s.sessions[c]; of != nil {
		of.out.flush(c)
	}
}

// Closed implements [host.Handler].
func (s *webServer) Closed(c host.Conn, _ error) { delete(s.sessions, c) }

func unmapped(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
