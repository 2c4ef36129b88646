package emulate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/plsim/plsim/topology"
)

// serve starts the resolvers and the instances' built-in services; all of them
// listen when it returns.
func (w *World) serve(ctx context.Context) error {
	for _, n := range w.lab.Networks {
		if n.Resolver == nil {
			continue
		}
		ns := w.resolvers[n.Name]
		for _, at := range n.Resolver.Addrs {
			stop, err := w.serveDNS(n.Name, at.Addr(), ns)
			if err != nil {
				return err
			}
			context.AfterFunc(ctx, stop)
		}
	}
	if err := w.certify(); err != nil {
		return err
	}
	if err := w.terminate(ctx); err != nil {
		return err
	}
	if err := w.proxy(ctx); err != nil {
		return err
	}
	for _, h := range w.lab.Hosts {
		running := w.hosts[h.Name]
		for _, s := range running.spec.Services {
			if err := running.serve(ctx, w, s); err != nil {
				return fmt.Errorf("instance %s: %s on port %d: %w", h.Name, s.Type, s.Port, err)
			}
		}
	}
	return nil
}

// certify makes the lab's certificate authority, if anybody needs it.
func (w *World) certify() error {
	if w.lab.EndsTLS() {
		var err error
		w.ca, err = newAuthority()
		return err
	}
	for _, h := range w.lab.Hosts {
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
	at := net.JoinHostPort("", strconv.Itoa(s.Port))
	if s.Type == "udp_echo" {
		pc, err := h.listenPacket(at, s.Port)
		if err != nil {
			return err
		}
		h.closers = append(h.closers, pc)
		w.wg.Go(func() { echoPackets(pc) })
		return nil
	}
	l, err := h.listen(at, s.Port)
	if err != nil {
		return err
	}
	h.closers = append(h.closers, l)
	if s.Type == "tcp_echo" {
		w.wg.Go(func() { echoStreams(ctx, l) })
		return nil
	}
	if s.ProxyProtocol {
		l = proxied{l}
	}
	server := &http.Server{
		ConnContext: withConn,
		Handler:     h.handler(s), ReadHeaderTimeout: 10 * time.Second,
		// What a client does wrong is the client's to tell.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	if s.Type == "https" {
		if server.TLSConfig, err = w.ca.serverConfig(s.Names); err != nil {
			return err
		}
	}
	h.closers = append(h.closers, server)
	w.wg.Go(func() {
		if server.TLSConfig != nil {
			_ = server.ServeTLS(l, "", "") // it ends when it is closed
		} else {
			_ = server.Serve(l)
		}
	})
	return nil
}

// sight is what a built-in HTTP service saw of a request. It is the body of the
// answer, so that a story can ask who the client seemed to be.
type sight struct {
	Instance        string `json:"instance"`
	SourceIP        string `json:"source_ip"`
	SourcePort      uint16 `json:"source_port"`
	DestinationIP   string `json:"destination_ip"`
	DestinationPort uint16 `json:"destination_port"`
	Method          string `json:"method"`
	Host            string `json:"host"`
	Path            string `json:"path"`
	Body            string `json:"body,omitempty"`
	// What an Application Load Balancer tells of its client.
	ForwardedFor   string `json:"x_forwarded_for,omitempty"`
	ForwardedProto string `json:"x_forwarded_proto,omitempty"`
	ForwardedPort  string `json:"x_forwarded_port,omitempty"`

	Proxy *introduction `json:"proxy_protocol,omitempty"`
}

// handler answers what the routes say, or else what was seen.
func (h *host) handler(s *topology.Service) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set(instanceHeader, h.Name)
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
		_, _ = io.Copy(io.Discard, r.Body) // a client that is not read to the end gets a reset
		if len(s.Routes) > 0 {
			answer, ok := s.Routes[r.URL.Path]
			if !ok {
				http.NotFound(rw, r)
				return
			}
			if json.Valid([]byte(answer)) {
				rw.Header().Set("Content-Type", "application/json")
			}
			_, _ = io.WriteString(rw, answer)
			return
		}
		src, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		v := sight{Instance: h.Name, Method: r.Method, Host: r.Host, Path: r.URL.Path, Body: string(body)}
		peer, own := parseAddrPort(r.RemoteAddr), addrPort(src)
		v.SourceIP, v.SourcePort = peer.Addr().String(), peer.Port()
		v.DestinationIP, v.DestinationPort = own.Addr().String(), own.Port()
		v.ForwardedFor, v.ForwardedProto, v.ForwardedPort = r.Header.Get(forwardedFor), r.Header.Get(forwardedProto), r.Header.Get(forwardedPort)
		v.Proxy = introduced(r.Context())
		rw.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(rw)
		enc.SetIndent("", "  ")
		_ = enc.Encode(v) // the client may be gone
	})
}

// echoStreams sends back what each connection brings.
func echoStreams(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		stop := context.AfterFunc(ctx, func() { c.Close() })
		go func() {
			defer stop()
			defer c.Close()
			_, _ = io.Copy(c, c)
		}()
	}
}

// echoPackets sends back each datagram.
func echoPackets(pc packetConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		_, _ = pc.WriteTo(buf[:n], from)
	}
}
