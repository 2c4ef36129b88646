package host

import (
	"iter"
	"net/netip"

	"github.com/plsim/plsim/dataplane/packet"
)

// Listener takes connections to a port.
type Listener struct {
	h       *Host
	at      netip.AddrPort
	accept  func(Conn) Handler
	mood    Mood
	waiting int // connections to be accepted
	closed  bool
}

// Mood is how a listener treats clients.
type Mood uint8

// The moods.
const (
	Serving  Mood = iota
	Hanging       // the kernel connects, and nobody accepts, reads or writes; see [Listener.Set]
	Refusing      // a connection is refused with a reset; those that exist go on
)

// backlog is how many connections wait to be accepted at most (Linux: somaxconn, and one
// more).
const backlog = 4097

// Listen takes connections to a port, of an address or, where that is zero or
// unspecified, of all the host's. accept is called for each once it is established and
// returns its handler, which is then told Connected; or nil, which resets the
// connection. Errors are [ErrInUse] and [ErrNoAddress].
func (h *Host) Listen(at netip.AddrPort, accept func(Conn) Handler) (*Listener, error) {
	at, err := h.place(at)
	if err != nil {
		return nil, err
	}
	if _, taken := h.listeners[at]; taken {
		return nil, ErrInUse
	}
	if h.listeners == nil {
		h.listeners = map[netip.AddrPort]*Listener{}
	}
	l := &Listener{h: h, at: at, accept: accept}
	h.listeners[at] = l
	return l, nil
}

// place returns where a socket stands that is opened at an address: one of the host's,
// or the zero one for all.
func (h *Host) place(at netip.AddrPort) (netip.AddrPort, error) {
	a := at.Addr().Unmap()
	if !a.IsValid() || a.IsUnspecified() {
		return netip.AddrPortFrom(netip.Addr{}, at.Port()), nil
	}
	if h.number(packet.AddrFrom(a)) < 0 {
		return netip.AddrPort{}, ErrNoAddress
	}
	return netip.AddrPortFrom(a, at.Port()), nil
}

// listener returns who listens there, or nil.
func (h *Host) listener(a packet.Addr, port uint16) *Listener {
	if l := h.listeners[netip.AddrPortFrom(netip.Addr{}, port)]; l != nil || len(h.listeners) == 0 {
		if own := h.listeners[addrPort(a, port)]; own != nil {
			return own
		}
		return l
	}
	return h.listeners[addrPort(a, port)]
}

func (h *Host) listens(a packet.Addr, port uint16) bool { return h.listener(a, port) != nil }

// accept gives an established connection to its listener.
func (s *Stack) accept(b *block) {
	h := s.hosts[b.host]
	l := h.listener(h.addrs[b.local], b.lport)
	if l == nil {
		s.reset(b)
		s.remove(b)
		return
	}
	if l.mood == Hanging {
		b.flags |= waiting | paused
		l.waiting++
		return
	}
	c := b.conn(h)
	hd := l.accept(c)
	if b.gen != c.gen || b.state == Gone {
		return
	}
	if hd == nil {
		s.reset(b)
		s.remove(b)
		return
	}
	b.handler = s.enlist(hd)
	hd.Connected(c)
}

// Set makes the listener serve, hang or refuse. While it hangs, the connections that it
// has accepted are not read either, as [Conn.SetReading] says, and new ones wait to be
// accepted; when it serves again, all of that is made up for.
func (l *Listener) Set(m Mood) {
	if m == l.mood || l.closed {
		return
	}
	was := l.mood
	l.mood = m
	switch {
	case m == Hanging:
		for c := range l.Conns() {
			c.SetReading(false)
		}
	case was == Hanging:
		l.waiting = 0
		for b := range l.blocks() {
			if b.has(waiting) {
				b.flags &^= waiting
				gen := b.gen
				if l.h.stack.accept(b); b.gen != gen {
					continue
				}
			}
			b.conn(l.h).SetReading(true)
		}
	}
}

// Close ends listening. Connections that wait to be accepted are reset; those that
// were accepted go on.
func (l *Listener) Close() {
	if l.closed {
		return
	}
	l.closed = true
	s := l.h.stack
	for b := range l.blocks() {
		if b.has(waiting) || b.state == SynReceived {
			if b.has(waiting) {
				s.reset(b)
			}
			s.remove(b)
		}
	}
	delete(l.h.listeners, l.at)
}

// Conns visits the connections that the listener has accepted and that are not closed
// yet; the body of the loop may close them, as the end of a process does.
func (l *Listener) Conns() iter.Seq[Conn] {
	return func(yield func(Conn) bool) {
		for b := range l.blocks() {
			if b.handler != 0 && !b.has(orphan) && !yield(b.conn(l.h)) {
				return
			}
		}
	}
}

// blocks visits the listener's connections, with those that wait.
func (l *Listener) blocks() iter.Seq[*block] {
	return func(yield func(*block) bool) {
		t := &l.h.stack.blocks
		for slot := range t.slots {
			b := t.at(slot)
			if b.gen&1 == 0 || b.host != l.h.index || !b.has(passive) || b.lport != l.at.Port() || b.state == TimeWait {
				continue
			}
			if a := l.h.addrs[b.local]; l.at.Addr().IsValid() && a.IP() != l.at.Addr() || l.h.listener(a, b.lport) != l {
				continue
			}
			if !yield(b) {
				return
			}
		}
	}
}
