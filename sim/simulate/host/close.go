package host

import (
	"github.com/plsim/plsim/dataplane/packet"
)

// conn returns the connection as its application knows it.
func (b *block) conn(h *Host) Conn { return Conn{h: h, slot: b.slot, gen: b.gen} }

// enlist notes that a handler has one connection more, and returns its number.
func (s *Stack) enlist(hd Handler) uint32 {
	if n, known := s.numbers[hd]; known {
		s.handlers[n].conns++
		return n
	}
	var n uint32
	if last := len(s.vacant) - 1; last >= 0 {
		n = s.vacant[last]
		s.vacant = s.vacant[:last]
	} else {
		s.handlers = append(s.handlers, served{})
		n = uint32(len(s.handlers) - 1)
	}
	s.handlers[n] = served{hd, 1}
	s.numbers[hd] = n
	return n
}

// dismiss notes that a connection needs its handler no more.
func (s *Stack) dismiss(b *block) {
	if b.handler == 0 {
		return
	}
	hd := &s.handlers[b.handler]
	if hd.conns--; hd.conns == 0 {
		delete(s.numbers, hd.Handler)
		*hd = served{}
		s.vacant = append(s.vacant, b.handler)
	}
	b.handler = 0
}

// remove forgets a connection without a word.
func (s *Stack) remove(b *block) {
	if b.has(waiting) {
		h := s.hosts[b.host]
		if l := h.listener(h.addrs[b.local], b.lport); l != nil {
			l.waiting--
		}
	}
	if len(s.keepers) > 0 {
		s.dontKeep(b)
	}
	s.deactivate(b)
	s.dismiss(b)
	s.blocks.hide(b)
	b.state = Gone
	s.blocks.release(b)
}

// tell is the last that a handler hears of a connection.
func (s *Stack) tell(b *block, err error) {
	if b.handler != 0 {
		s.handlers[b.handler].Closed(b.conn(s.hosts[b.host]), err)
	}
}

// fail ends a connection that was not closed in order.
func (s *Stack) fail(b *block, err error) {
	if b.state == Gone {
		return
	}
	b.state = Gone // whatever the handler does about it comes too late
	s.tell(b, err)
	s.remove(b)
}

// ourFIN moves the state on once the peer has acknowledged our FIN.
func (s *Stack) ourFIN(b *block) {
	if !b.has(finSent) || b.una != b.nxt {
		return
	}
	switch b.state {
	case FinWait1:
		b.state = FinWait2
		if b.has(orphan) {
			a := s.activate(b)
			a.rtoAt = s.queue.Now().Add(linger)
		}
	case Closing:
		s.end(b, nil)
	case LastAck:
		s.end(b, nil)
	}
}

// peerFIN moves the state on as the peer has sent all.
func (s *Stack) peerFIN(b *block) {
	b.rcv++
	b.flags |= finReceived
	s.activate(b).ackNow = true
	switch b.state {
	case Established:
		b.state = CloseWait
	case FinWait1:
		b.state = Closing
	case FinWait2:
		s.acknowledge(b)
		if gen := b.gen; s.tellFIN(b) && b.gen == gen && b.state == FinWait2 {
			s.end(b, nil)
		}
		return
	}
	s.tellFIN(b)
}

// tellFIN tells the application of the peer's FIN, unless bytes before it wait to be
// read. It reports whether the connection is still there.
func (s *Stack) tellFIN(b *block) bool {
	if b.has(paused) && !b.has(orphan) || b.has(finTold) {
		return true
	}
	b.flags |= finTold
	gen := b.gen
	if !b.has(orphan) && b.handler != 0 {
		s.handlers[b.handler].Finished(b.conn(s.hosts[b.host]))
	}
	return b.gen == gen && b.state != Gone
}

// end closes a connection whose both sides have sent all and had it acknowledged, or
// whose process does not care. If bytes wait to be read, it waits for that.
func (s *Stack) end(b *block, err error) {
	if b.has(paused) && !b.has(orphan) && !b.has(finTold) {
		b.flags |= closesLate
		return
	}
	if b.state == LastAck || !b.has(finReceived) {
		s.fail(b, err)
		return
	}
	gen := b.gen
	b.state = TimeWait
	s.tell(b, err)
	if b.gen != gen {
		return
	}
	if len(s.keepers) > 0 {
		s.dontKeep(b)
	}
	s.deactivate(b)
	s.dismiss(b)
	b.heard = s.millis()
	s.queue.After(linger, s.alarm(b, expire))
}

// expire ends TIME-WAIT, unless a FIN has begun it anew.
func (s *Stack) expire(b *block) {
	if b.state != TimeWait {
		return
	}
	if rest := uint32(linger.Milliseconds()) - (s.millis() - b.heard); int32(rest) > 0 {
		s.queue.At(s.queue.Now()+milliseconds(rest), s.alarm(b, expire))
		return
	}
	s.remove(b)
}

// yields reports whether a SYN opens a new connection in the place of one in TIME-WAIT
// (RFC 6191; RFC 9293 section 3.6.1).
func (b *block) yields(g *segment) bool {
	if g.flags&(packet.SYN|packet.ACK|packet.RST|packet.FIN) != packet.SYN {
		return false
	}
	return before(b.rcv, g.seq) || g.stamped && b.has(timestamps) && before(b.tsRecent, g.stamp)
}

// linger takes in a segment in TIME-WAIT.
func (s *Stack) linger(b *block, g *segment) {
	switch {
	case g.flags&packet.RST != 0:
		if g.seq == b.rcv {
			s.remove(b)
		}
	case g.flags&packet.FIN != 0:
		b.heard = s.millis()
		s.acknowledge(b)
	case g.len() > 0 || g.seq != b.rcv || g.ack != b.nxt:
		s.rebuke(b)
	}
}
