package simulate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// serve starts one built-in service.
func (w *World) serve(i *instance, s *topology.Service) error {
	port := uint16(s.Port)
	switch s.Type {
	case "http":
		return i.listen(port, w.webServer(i, s).accept)
	case "tcp_echo":
		echo := &echoes{waiting: map[host.Conn]*outbox{}}
		return i.listen(port, func(host.Conn) host.Handler { return echo })
	case "udp_echo":
		return i.listenUDP(port, func(s *host.UDPSocket, from, to netip.AddrPort, b []byte) {
			_ = s.Send(to.Addr(), from, b) // as long as what came
		})
	case "tcp_sink":
		return i.listen(port, i.sink(s).accept)
	case "udp_sink":
		k := i.sink(s)
		return i.listenUDP(port, func(_ *host.UDPSocket, _, _ netip.AddrPort, b []byte) {
			k.got.Datagrams++
			k.got.Bytes += int64(len(b))
		})
	case "dns":
		zone, err := service.NewZone(s.Records)
		if err != nil {
			return err
		}
		return errors.Join(i.listenUDP(port, dnsOverUDP(zone)), i.listen(port, dnsOverTCP(zone)))
	}
	// What is left speaks TLS, and is left out where somebody wants the rest (--skip-real).
	return nil
}

// echoes sends back what each connection brings.
type echoes struct {
	waiting map[host.Conn]*outbox // where the client does not read
}

// Connected implements [host.Handler].
func (e *echoes) Connected(host.Conn) {}

// Received implements [host.Handler].
func (e *echoes) Received(c host.Conn, data []byte) {
	o := e.waiting[c]
	if o == nil {
		n := c.Write(data)
		if n == len(data) {
			return
		}
		data, o = data[n:], &outbox{}
		e.waiting[c] = o
		c.SetReading(false) // until it is sent
	}
	o.bytes = append(o.bytes, data...)
}

// Writable implements [host.Handler].
func (e *echoes) Writable(c host.Conn) {
	o := e.waiting[c]
	if o == nil {
		return
	}
	if o.flush(c); o.empty() {
		delete(e.waiting, c)
		c.SetReading(true)
	}
}

// Finished implements [host.Handler].
func (e *echoes) Finished(c host.Conn) {
	if o := e.waiting[c]; o != nil {
		o.then = host.Conn.Close
		return
	}
	c.Close()
}

// Closed implements [host.Handler].
func (e *echoes) Closed(c host.Conn, _ error) { delete(e.waiting, c) }

// sink discards what comes, and counts it.
type sink struct{ got story.Receipt }

// sink returns the counter of a new service.
func (i *instance) sink(s *topology.Service) *sink {
	if i.sinks == nil {
		i.sinks = map[*topology.Service]*sink{}
	}
	k := new(sink)
	i.sinks[s] = k
	return k
}

func (k *sink) accept(host.Conn) host.Handler {
	k.got.Connections++
	return k
}

// Connected implements [host.Handler].
func (k *sink) Connected(host.Conn) {}

// Received implements [host.Handler].
func (k *sink) Received(_ host.Conn, data []byte) { k.got.Bytes += int64(len(data)) }

// Finished implements [host.Handler].
func (k *sink) Finished(c host.Conn) { c.Close() }

// Writable implements [host.Handler].
func (k *sink) Writable(host.Conn) {}

// Closed implements [host.Handler].
func (k *sink) Closed(host.Conn, error) {}

// Received implements [story.World].
func (w *World) Received(_ context.Context, r *scenario.Received) (story.Receipt, error) {
	i, err := w.instance(r.By)
	if err != nil {
		return story.Receipt{}, err
	}
	s, err := r.Sink(i.Host)
	if err != nil {
		return story.Receipt{}, err
	}
	for of, k := range i.sinks {
		if of.Type == s.Type && of.Port == s.Port {
			return k.got, nil
		}
	}
	return story.Receipt{}, fmt.Errorf("%s has no %s on port %d", i.Name, s.Type, s.Port)
}
