package simulate

import (
	"fmt"
	"net/netip"

	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/topology"
)

// serve starts one built-in service.
func (w *World) serve(i *instance, s *topology.Service) error {
	at := netip.AddrPortFrom(netip.Addr{}, uint16(s.Port))
	switch s.Type {
	case "http":
		_, err := i.host.Listen(at, w.webServer(i, s).accept)
		return err
	case "tcp_echo":
		echo := &echoes{waiting: map[host.Conn]*outbox{}}
		_, err := i.host.Listen(at, func(host.Conn) host.Handler { return echo })
		return err
	case "udp_echo":
		_, err := i.host.ListenUDP(at, host.UDPHandler{Received: func(s *host.UDPSocket, from, to netip.AddrPort, b []byte) {
			_ = s.Send(to.Addr(), from, b) // as long as what came
		}})
		return err
	}
	return fmt.Errorf("a simulated instance has no service of type %s", s.Type)
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
