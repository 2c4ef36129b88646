package host

import (
	"net/netip"
)

// Handler is the application of connections. Its dynamic type must be comparable, such
// as a pointer.
type Handler interface {
	// Connected says that the connection is established.
	Connected(c Conn)
	// Received brings bytes of the stream, in order, which are the handler's
	// until it returns.
	Received(c Conn, data []byte)
	// Finished says that the peer has sent all that it will send.
	Finished(c Conn)
	// Writable says that there is room again after [Conn.Write] took less than all.
	Writable(c Conn)
	// Closed is the last of a connection, and comes exactly once, unless the
	// handler itself called [Conn.Abort]. err is nil if both sides have sent all
	// and had it acknowledged, or if the handler closed a connection that was
	// not established yet; else it is [ErrTimeout], [ErrRefused], [ErrReset] or
	// an *[Unreachable].
	Closed(c Conn, err error)
}

// Conn is one end of a TCP connection. It is comparable. Once its handler was told
// Closed it refers to nothing: its methods then do nothing and return zero values.
type Conn struct {
	h         *Host
	slot, gen uint32
}

// State is a state of a connection (RFC 9293 section 3.3.2).
type State uint8

// The states. Gone is CLOSED.
const (
	Gone State = iota
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

// block returns the connection's control block, or nil.
func (c Conn) block() *block {
	b := c.any()
	if b == nil || b.state == Gone || b.state == TimeWait {
		return nil
	}
	return b
}

// any returns it also while the handler is told Closed.
func (c Conn) any() *block {
	if c.h == nil {
		return nil
	}
	if b := c.h.stack.blocks.at(c.slot); b.gen == c.gen {
		return b
	}
	return nil
}

// limit returns how many bytes are buffered at most.
func (s *Stack) limit(b *block) int { return min(max(int(2*b.cwnd), leastSend), mostSend) }

func (s *Stack) room(b *block) int {
	n := 0
	if a := s.activeOf(b); a != nil {
		n = a.out.len()
	}
	return max(s.limit(b)-n, 0)
}

// Write puts as much of p as there is room for behind what will be sent, and returns how
// much that is. If it is not all, the handler is told Writable once there is room
// again.
func (c Conn) Write(p []byte) int {
	b := c.block()
	if b == nil || b.has(finQueued) {
		return 0
	}
	s := c.h.stack
	n := min(len(p), s.room(b))
	if n < len(p) {
		b.flags |= wantsRoom
	}
	if n > 0 {
		a := s.activate(b)
		a.out.append(&s.memory, p[:n])
		s.push(b)
		s.arm(b, a)
	}
	return n
}

// Room returns how many bytes Write would take now.
func (c Conn) Room() int {
	b := c.block()
	if b == nil || b.has(finQueued) {
		return 0
	}
	return c.h.stack.room(b)
}

// Buffered returns how many bytes were written and are not acknowledged yet.
func (c Conn) Buffered() int {
	if b := c.block(); b != nil {
		if a := c.h.stack.activeOf(b); a != nil {
			return a.out.len()
		}
	}
	return 0
}

// CloseWrite ends the stream to the peer, after all that was written. The peer may go on
// sending.
func (c Conn) CloseWrite() {
	if b := c.block(); b != nil {
		c.h.stack.closeWrite(b)
	}
}

func (s *Stack) closeWrite(b *block) {
	if b.has(finQueued) {
		return
	}
	b.flags |= finQueued
	b.flags &^= wantsRoom
	switch b.state {
	case Established:
		b.state = FinWait1
	case CloseWait:
		b.state = LastAck
	}
	s.push(b)
	s.relax(b)
}

// Close ends both directions, as a process does that closes its socket. What was written
// is still sent; bytes that arrive from now on, or wait unread, are answered with a
// reset. The handler hears no more of the connection but Closed.
func (c Conn) Close() {
	b := c.block()
	if b == nil || b.has(orphan) {
		return
	}
	s := c.h.stack
	b.flags |= orphan
	b.flags &^= wantsRoom
	a := s.activeOf(b)
	switch {
	case b.state == SynSent:
		s.fail(b, nil)
	case b.state == SynReceived, a != nil && a.in.len() > 0:
		s.reset(b)
		s.fail(b, nil)
	case b.has(closesLate):
		s.end(b, nil)
	default:
		b.flags &^= paused
		if b.state == FinWait2 {
			a := s.activate(b)
			a.rtoAt = s.queue.Now().Add(linger)
		}
		s.closeWrite(b)
		s.relax(b)
	}
}

// Abort ends the connection at once with a reset. The handler hears no more of it.
func (c Conn) Abort() {
	b := c.block()
	if b == nil {
		return
	}
	s := c.h.stack
	if b.state != SynSent {
		s.reset(b)
	}
	s.remove(b)
}

// SetReading says whether the handler takes what arrives, as it does at first. If not,
// bytes are kept until the receive window is full.
func (c Conn) SetReading(yes bool) {
	b := c.block()
	if b == nil || b.has(orphan) {
		return
	}
	if !yes {
		b.flags |= paused
		return
	}
	if !b.has(paused) || b.has(waiting) {
		return
	}
	b.flags &^= paused
	s := c.h.stack
	if a := s.activeOf(b); a != nil && a.in.len() > 0 {
		kept := a.in
		a.in = buffer{}
		if b.handler != 0 {
			s.handlers[b.handler].Received(c, kept.bytes())
		}
		kept.free(&s.memory)
		if b.gen != c.gen || b.state == Gone {
			return
		}
	}
	if b.has(finReceived) && !s.tellFIN(b) {
		return
	}
	if b.has(closesLate) {
		s.end(b, nil)
		return
	}
	if b.window-min(b.edge-b.rcv, b.window) >= min(2*uint32(b.mss), b.window/2) {
		s.acknowledge(b) // the window is open again
	}
	s.relax(b)
}

// ID returns a number that stands for the connection where there is no room for a Conn,
// such as in an event; only that of the zero Conn is 0. [Stack.Conn] turns it back.
func (c Conn) ID() uint64 { return uint64(c.gen)<<32 | uint64(c.slot) }

// Conn returns the connection of an ID, which may be one that is no more, or 0.
func (s *Stack) Conn(id uint64) Conn {
	slot, gen := uint32(id), uint32(id>>32)
	if slot >= s.blocks.slots || gen == 0 {
		return Conn{}
	}
	b := s.blocks.at(slot)
	if b.gen != gen {
		return Conn{}
	}
	return Conn{h: s.hosts[b.host], slot: slot, gen: gen}
}

// Host returns the host whose end of the connection this is.
func (c Conn) Host() *Host { return c.h }

// Local returns the host's own address and port.
func (c Conn) Local() netip.AddrPort {
	if b := c.any(); b != nil {
		return c.h.local(b)
	}
	return netip.AddrPort{}
}

// Remote returns the peer's address and port.
func (c Conn) Remote() netip.AddrPort {
	if b := c.any(); b != nil {
		return b.peer()
	}
	return netip.AddrPort{}
}

// State returns where the connection stands; of one that is no more, [Gone].
func (c Conn) State() State {
	if b := c.any(); b != nil {
		return b.state
	}
	return Gone
}

// User returns the word that [Conn.SetUser] has set, at first 0. Like Local and Remote,
// it can still be read while the handler is told Closed.
func (c Conn) User() uint64 {
	if b := c.any(); b != nil {
		return b.user
	}
	return 0
}

// SetUser sets a word of the user's own.
func (c Conn) SetUser(x uint64) {
	if b := c.any(); b != nil {
		b.user = x
	}
}
