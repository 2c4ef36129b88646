package simulate

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
)

// part is a socket of a built-in service, which can fail by itself.
type part interface {
	// fail lets it fail in one of the scenario's ways.
	fail(how string)
	// heal brings it back, if it has failed.
	heal() error
	// listens reports whether it takes what comes with a protocol.
	listens(proto packet.Proto) bool
}

// listen opens a stream socket of a built-in service.
func (i *instance) listen(port uint16, accept func(host.Conn) host.Handler) error {
	s := &streams{open: func() (*host.Listener, error) { return i.host.Listen(netip.AddrPortFrom(netip.Addr{}, port), accept) }}
	i.add(port, s)
	return s.heal()
}

// listenUDP opens a datagram socket of a built-in service.
func (i *instance) listenUDP(port uint16, received func(s *host.UDPSocket, from, to netip.AddrPort, b []byte)) error {
	s := &packets{received: received}
	s.open = func() (*host.UDPSocket, error) {
		return i.host.ListenUDP(netip.AddrPortFrom(netip.Addr{}, port), host.UDPHandler{Received: s.receive})
	}
	i.add(port, s)
	return s.heal()
}

func (i *instance) add(port uint16, p part) {
	if i.parts == nil {
		i.parts = map[int][]part{}
	}
	i.parts[int(port)] = append(i.parts[int(port)], p)
}

// of returns what a fault is about: what is on a port, or everything, in the order of
// the scenario.
func (i *instance) of(port int) (all []part) {
	for _, s := range i.spec.Services {
		if port == 0 || port == s.Port {
			all = append(all, i.parts[s.Port]...)
		}
	}
	return all
}

// streams is a socket that takes connections.
type streams struct {
	open func() (*host.Listener, error)
	*host.Listener
	refuses bool
}

// fail implements [part].
func (s *streams) fail(how string) {
	switch {
	case s.Listener == nil:
	case how == scenario.Hangs:
		s.Set(host.Hanging)
		s.refuses = false
	case how == scenario.Refuses:
		s.Set(host.Refusing)
		s.refuses = true
	default: // the process is gone, and its sockets with it
		for c := range s.Conns() {
			c.Close()
		}
		s.Close()
		s.Listener = nil
	}
}

// heal implements [part].
func (s *streams) heal() (err error) {
	s.refuses = false
	if s.Listener == nil {
		s.Listener, err = s.open()
		return err
	}
	s.Set(host.Serving)
	return nil
}

// packets is a socket for datagrams.
type packets struct {
	open     func() (*host.UDPSocket, error)
	received func(s *host.UDPSocket, from, to netip.AddrPort, b []byte)
	socket   *host.UDPSocket
	hangs    bool
	waiting  []datagram // while it hangs
	bytes    int        // of waiting
}

// datagram is one that nobody has read yet.
type datagram struct {
	from, to netip.AddrPort
	b        []byte
}

// receiveBuffer is how many bytes of datagrams wait for a process, as on Linux.
const receiveBuffer = 212992

func (s *packets) receive(socket *host.UDPSocket, from, to netip.AddrPort, b []byte) {
	switch {
	case !s.hangs:
		s.received(socket, from, to, b)
	case s.bytes+len(b) <= receiveBuffer:
		s.bytes += len(b)
		s.waiting = append(s.waiting, datagram{from, to, append([]byte(nil), b...)})
	}
}

// fail implements [part].
func (s *packets) fail(how string) {
	if how == scenario.Hangs {
		s.hangs = true
		return
	}
	if s.socket != nil {
		s.socket.Close()
	}
	s.socket, s.hangs, s.waiting, s.bytes = nil, false, nil, 0
}

// heal implements [part].
func (s *packets) heal() (err error) {
	if s.socket == nil {
		s.socket, err = s.open()
		return err
	}
	late := s.waiting
	s.hangs, s.waiting, s.bytes = false, nil, 0
	for _, d := range late {
		s.received(s.socket, d.from, d.to, d.b)
	}
	return nil
}

// flap is a fault that comes and goes until it is stopped.
type flap struct {
	*scenario.Fault
	next event.Timer
}

// Fail implements [story.World].
func (w *World) Fail(_ context.Context, f *scenario.Fault) error {
	parts := w.instances[f.Instance].of(f.Port)
	how := f.How
	if how == scenario.Flaps {
		how = scenario.Dies
		fl := &flap{Fault: f}
		w.flaps = append(w.flaps, fl)
		w.turn(fl, parts, false)
	}
	for _, p := range parts {
		p.fail(how)
	}
	return nil
}

// turn lets what flaps come back or die when its time has come, again and again.
func (w *World) turn(f *flap, parts []part, dies bool) {
	f.next = w.queue.CallAt(w.queue.Now().Add(time.Duration(f.Every)), func() {
		for _, p := range parts {
			if dies {
				p.fail(scenario.Dies)
			} else {
				w.fail(p.heal())
			}
		}
		w.turn(f, parts, !dies)
	})
}

// Heal implements [story.World].
func (w *World) Heal(_ context.Context, h *scenario.Heal) error {
	var last []*flap
	for _, f := range w.flaps {
		if h.Ends(f.Fault) {
			w.queue.Cancel(f.next)
		} else {
			last = append(last, f)
		}
	}
	w.flaps = last
	var errs []error
	for _, p := range w.instances[h.Instance].of(h.Port) {
		errs = append(errs, p.heal())
	}
	return errors.Join(errs...)
}
