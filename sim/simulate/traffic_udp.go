package simulate

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/sim/traffic"
)

// sockets is the work of the kind udp. It sends datagrams from all of its sockets in turn, and counts
// as under way those whose echo is awaited.
type sockets struct {
	*generator
	self    event.ActorID
	all     []*sender
	opening int
	b       []byte // of a datagram
}

func newSockets(g *generator) *sockets {
	w := &sockets{generator: g, b: make([]byte, g.Size)}
	w.self = g.world.queue.Register(w)
	return w
}

// sender is a socket from which datagrams leave, and to which their echoes come.
type sender struct {
	*sockets
	number   int
	socket   *host.UDPSocket // nil where the name did not resolve, or no socket was to be had
	to       netip.AddrPort
	failure  story.Failure // why not
	awaited  *traffic.Awaited
	patience event.Timer // until the first of them is late
}

// begin implements [work].
func (w *sockets) begin() {
	w.opening = w.Concurrency
	for i := range w.Concurrency {
		s := &sender{sockets: w, number: i, awaited: traffic.NewAwaited(w.Timeout.Duration())}
		w.all = append(w.all, s)
		s.open(w.sender(i))
	}
}

// open opens the socket, and waits for the schedule after the last.
func (s *sender) open(from *instance) {
	name, port, err := splitHostPort(s.To)
	opened := func() {
		if s.opening--; s.opening == 0 {
			s.await()
		}
	}
	if err != nil {
		s.failure = failure(err, s.To, s.Timeout.Duration())
		opened()
		return
	}
	s.world.resolve(from, name, s.limit(), func(addrs []netip.Addr, err error) {
		peer := s.To
		if err == nil {
			s.to = netip.AddrPortFrom(from.reachable(addrs), port)
			peer = s.to.String()
			s.socket, err = s.connect(from)
		}
		if err != nil {
			s.failure = failure(err, peer, s.Timeout.Duration())
		}
		opened()
	})
}

// reachable returns the first address that the instance has one of the family of, or else the
// last.
func (i *instance) reachable(addrs []netip.Addr) netip.Addr {
	for _, a := range addrs {
		if i.speaks(a) {
			return a
		}
	}
	return addrs[len(addrs)-1]
}

// speaks reports whether the instance has an address of the family of another.
func (i *instance) speaks(a netip.Addr) bool {
	return slices.ContainsFunc(i.NIC.Addrs, func(p netip.Prefix) bool { return p.Addr().Is4() == a.Is4() })
}

// connect opens a socket that hears of its peer only.
func (s *sender) connect(from *instance) (*host.UDPSocket, error) {
	if !from.speaks(s.to.Addr()) {
		return nil, host.ErrNoAddress
	}
	return from.host.ListenUDP(netip.AddrPort{}, host.UDPHandler{
		Received: func(_ *host.UDPSocket, at, _ netip.AddrPort, b []byte) {
			if at == s.to {
				s.echo(b)
			}
		},
		Failed: func(_ *host.UDPSocket, _ netip.AddrPort, err error) {
			if errors.Is(err, host.ErrRefused) {
				s.refused()
			}
		},
	})
}

// arrive implements [work].
func (w *sockets) arrive(n int) { w.all[n%len(w.all)].send(uint64(n)) }

// now returns how long the traffic has lasted as clients see it, on whose clock the timeout is.
func (w *sockets) now() time.Duration { return w.seen(w.since()) }

// send sends the datagram of a number.
func (s *sender) send(number uint64) {
	if s.socket == nil {
		s.tally.Fail(s.failure)
		return
	}
	traffic.Datagram(s.b, number)
	if !s.OneWay {
		s.awaited.Send(number, s.now())
		s.running++
		s.wait()
	}
	switch err := s.socket.Send(netip.Addr{}, s.to, s.b); {
	case err == nil:
		s.tally.BytesSent += int64(len(s.b))
		if s.OneWay {
			s.tally.Succeeded++
		}
	case s.OneWay:
		s.failed(err, s.to.String())
	} // others wait for an echo that will not come
}

// echo counts what has come back.
func (s *sender) echo(b []byte) {
	number, ok := traffic.Number(b)
	if !ok || s.OneWay {
		return
	}
	switch echo, took := s.awaited.Echo(number, s.now()); echo {
	case traffic.First:
		s.running--
		s.succeed("", s.world.queue.Now().Add(-s.world.lasts(took)), int64(len(b)))
		s.settle()
	case traffic.Again:
		s.tally.Duplicates++
	}
}

// refused counts a datagram of which ICMP says that nobody listens: the oldest that waits
// or, of those that expect no echo, one that had seemed to be on its way.
func (s *sender) refused() {
	switch {
	case s.OneWay && s.tally.Succeeded > 0:
		s.tally.Succeeded--
	case s.awaited.Refused():
		s.running--
	default:
		return
	}
	s.tally.Fail(story.DatagramRefused(s.to.String()))
	s.settle()
}

// wait looks after those that wait when the time of the first of them is over.
func (s *sender) wait() {
	q := s.world.queue
	if late, ok := s.awaited.Late(); ok && !q.Waits(s.patience) {
		s.patience = q.At(s.generator.began.Add(s.world.lasts(late)), event.Event{Actor: s.self, Arg: uint64(s.number)})
	}
}

// Happen implements [event.Actor]: it counts the datagrams whose time is over.
func (w *sockets) Happen(_ uint32, arg uint64) {
	s := w.all[arg]
	lost := s.awaited.Lost(w.now())
	for range lost {
		w.tally.Fail(story.TimedOut(s.to.String(), w.Timeout.Duration()))
	}
	w.running -= lost
	s.wait()
	w.settle()
}

// shut implements [work]: what was sent may still come back.
func (w *sockets) shut() {}

// end implements [work].
func (w *sockets) end() {
	for _, s := range w.all {
		w.world.queue.Cancel(s.patience)
		if s.socket != nil {
			s.socket.Close()
		}
	}
	w.all = nil
}
