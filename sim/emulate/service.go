package emulate

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/topology"
)

// serve starts the resolvers, the listeners of load balancers and the instances' built-in
// services; all of them listen when it returns.
func (w *World) serve() error {
	every := devices{}
	for _, nic := range w.lab.NICs {
		every[nic.Index] = nil
	}
	return w.listen(w.lab, every)
}

// listen starts what listens at devices that have come, and has the listeners of all load
// balancers follow the lab.
func (w *World) listen(lab *topology.Lab, come devices) error {
	if err := w.certify(lab); err != nil {
		return err
	}
	for _, n := range lab.Networks {
		if n.Resolver == nil {
			continue
		}
		if _, new := come[n.Resolver.Index]; !new {
			continue
		}
		r := w.resolvers[n.Resolver.Index]
		for _, at := range n.Resolver.Addrs {
			stop, err := w.serveDNS(n.Name, at.Addr(), r.ns)
			if err != nil {
				return err
			}
			r.stop = append(r.stop, stop)
			context.AfterFunc(w.life, stop)
		}
	}
	if err := w.openEnds(lab); err != nil {
		return err
	}
	for _, h := range w.hosts {
		if _, new := come[h.NIC.Index]; new {
			if err := h.serveAll(w.life, w, h.spec.Services); err != nil {
				return err
			}
		}
	}
	return nil
}

// serveAll starts some built-in services of an instance.
func (h *host) serveAll(ctx context.Context, w *World, services []*topology.Service) error {
	for _, s := range services {
		if err := h.serve(ctx, w, s); err != nil {
			return fmt.Errorf("instance %s: %s on port %d: %w", h.Name, s.Type, s.Port, err)
		}
	}
	return nil
}

// certify makes the lab's certificate authority, if anybody needs it.
func (w *World) certify(lab *topology.Lab) error {
	if w.ca != nil {
		return nil
	}
	if lab.EndsTLS() {
		var err error
		w.ca, err = newAuthority()
		return err
	}
	for _, h := range lab.Hosts {
		for _, s := range h.Services {
			if s.Type == "https" {
				var err error
				w.ca, err = newAuthority()
				return err
			}
		}
	}
	return nil
}

// serve starts one built-in service.
func (h *host) serve(ctx context.Context, w *World, s *topology.Service) error {
	var stream net.Listener
	var packets net.PacketConn
	var err error
	at := net.JoinHostPort("", strconv.Itoa(s.Port))
	for _, protocol := range s.Protocols() {
		if protocol == "udp" {
			if packets, err = h.listenPacket(at, s.Port); err != nil {
				return err
			}
			h.closers[s.Port] = append(h.closers[s.Port], packets)
		} else {
			if stream, err = h.listen(at, s.Port); err != nil {
				return err
			}
			h.closers[s.Port] = append(h.closers[s.Port], stream)
		}
	}
	switch s.Type {
	case "tcp_echo":
		w.wg.Go(func() { eachStream(ctx, stream, func(c net.Conn) { _, _ = io.Copy(c, c) }) })
	case "udp_echo":
		w.wg.Go(func() { echoPackets(packets) })
	case "tcp_sink":
		k := h.sink(s)
		w.wg.Go(func() { eachStream(ctx, stream, k.swallow) })
	case "udp_sink":
		k := h.sink(s)
		w.wg.Go(func() { k.swallowPackets(packets) })
	case "dns":
		zone, err := service.NewZone(s.Records)
		if err != nil {
			return err
		}
		w.answerDNS(zone, packets, stream)
	default:
		return h.serveHTTP(w, s, stream)
	}
	return nil
}

// serveHTTP starts a service of type http or https.
func (h *host) serveHTTP(w *World, s *topology.Service, l net.Listener) (err error) {
	if s.ProxyProtocol {
		l = proxied{l}
	}
	server := &http.Server{
		ConnContext: withConn,
		Handler:     w.handler(&service.HTTP{Instance: h.Name, Routes: s.Routes}), ReadHeaderTimeout: 10 * time.Second,
		// What a client does wrong is the client's to tell.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	if s.Type == "https" {
		if server.TLSConfig, err = w.ca.serverConfig(s.Names); err != nil {
			return err
		}
	}
	h.closers[s.Port] = append(h.closers[s.Port], server)
	w.wg.Go(func() {
		if server.TLSConfig != nil {
			_ = server.ServeTLS(l, "", "") // it ends when it is closed
		} else {
			_ = server.Serve(l)
		}
	})
	return nil
}

// handler hands requests to a built-in service, and its answers back.
func (w *World) handler(s *service.HTTP) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, service.MaxBody))
		_, _ = io.Copy(io.Discard, r.Body) // a client that is not read to the end gets a reset
		own, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		answer := s.Answer(&service.Visit{
			Request: r, Body: string(body), Peer: parseAddrPort(r.RemoteAddr), Own: addrPort(own), Proxy: introduced(r.Context()),
		})
		if answer.Delay > 0 && w.Wait(r.Context(), answer.Delay) != nil {
			return // the client is gone
		}
		maps.Copy(rw.Header(), answer.Header)
		rw.WriteHeader(answer.Status)
		_, _ = io.WriteString(rw, answer.Body) // the client may be gone
		_, _ = io.CopyN(rw, service.Filler{}, answer.Filler)
	})
}

// eachStream calls f with every connection, each in a goroutine of its own, and
// closes it afterwards.
func eachStream(ctx context.Context, l net.Listener, f func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		stop := context.AfterFunc(ctx, func() { c.Close() })
		go func() {
			defer stop()
			defer c.Close()
			f(c)
		}()
	}
}

// echoPackets sends back each datagram.
func echoPackets(pc net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		_, _ = pc.WriteTo(buf[:n], from)
	}
}
