package host

import (
	"slices"

	"github.com/plsim/plsim/dataplane/packet"
)

// arrive takes in a segment of a connection whose peer has sent a SYN (RFC 9293 section
// 3.10.7.4, in its order).
func (s *Stack) arrive(v *packet.View, b *block, g *segment) {
	if b.state == SynReceived && g.flags&packet.SYN != 0 && g.seq+1 == b.rcv {
		if g.flags&packet.ACK == 0 {
			s.greet(b) // the answer to the first was lost
			return
		}
		g.flags &^= packet.SYN // both sides answer each other's call
		g.seq++
	}
	if b.has(closesLate) { // as in TIME-WAIT, but that bytes wait to be read
		s.finAgain(b, g)
		return
	}
	if !s.credible(b, g) {
		return
	}
	if g.flags&packet.ACK == 0 {
		return
	}
	h, gen := s.hosts[b.host], b.gen
	if b.state == SynReceived {
		if g.ack != b.nxt {
			h.refuse(v, g)
			return
		}
		s.establish(b, s.activate(b), g)
		if s.connected(b); b.gen != gen || b.state == Gone {
			return
		}
	}
	if g.stamped && b.has(timestamps) && !before(b.rcv, g.seq) && !before(g.stamp, b.tsRecent) {
		b.tsRecent = g.stamp
	}
	if !s.acked(b, g, !before(g.seq, b.rcv)) {
		s.relax(b)
		return
	}
	if s.ourFIN(b); b.gen != gen || b.state == TimeWait {
		return
	}
	if n := g.len(); n > 0 {
		if s.take(b, g); b.gen != gen || b.state == TimeWait {
			return
		}
	}
	s.finishInput(b)
}

// finishInput does what follows from a segment: tells the application that there is
// room, sends what may be sent, and acknowledges what was not acknowledged by that.
func (s *Stack) finishInput(b *block) {
	gen := b.gen
	if b.has(wantsRoom) && s.room(b)*3 >= s.limit(b) {
		b.flags &^= wantsRoom
		s.handlers[b.handler].Writable(b.conn(s.hosts[b.host]))
		if b.gen != gen || b.state == Gone {
			return
		}
	}
	s.push(b)
	a := s.activeOf(b)
	if a == nil {
		return
	}
	if a.ackNow || a.unacked > uint32(b.mss) {
		s.acknowledge(b)
	} else if a.unacked > 0 && a.delackAt == 0 {
		a.delackAt = s.queue.Now().Add(delayedACK)
	}
	s.relax(b)
}

// credible judges a segment by its timestamp, its place in the window, and by what RFC
// 5961 says of resets and SYNs. It answers those that are not.
func (s *Stack) credible(b *block, g *segment) bool {
	reset := g.flags&packet.RST != 0
	end := g.seq + g.len()
	late := g.stamped && b.has(timestamps) && before(g.stamp, b.tsRecent) && !reset // RFC 7323 section 5.3
	outside := before(end, b.rcv) || before(b.edge, g.seq) || end == b.rcv && end != g.seq
	switch {
	case late || outside:
		switch {
		case reset:
		case outside && len(g.data) > 0 || late && end != g.seq:
			// The acknowledgement of what came before was lost, or took too long.
			s.acknowledge(b)
			s.relax(b)
		case outside:
			if s.finAgain(b, g) {
				break
			}
			s.rebuke(b)
			s.relax(b)
		}
		return false
	case reset && g.seq == b.rcv:
		if b.state == SynReceived && b.has(passive) {
			s.remove(b)
			return false
		}
		err := ErrReset
		if b.state == SynReceived {
			err = ErrRefused
		}
		s.fail(b, err)
		return false
	case reset || g.flags&packet.SYN != 0:
		s.rebuke(b)
		s.relax(b)
		return false
	}
	return true
}

// finAgain acknowledges a FIN that came again, as its acknowledgement was lost.
func (s *Stack) finAgain(b *block, g *segment) bool {
	if g.flags&packet.FIN == 0 || !b.has(finReceived) {
		return false
	}
	s.acknowledge(b)
	s.relax(b)
	return true
}

// take takes in the part of the stream that a segment holds.
func (s *Stack) take(b *block, g *segment) {
	data, seq, fin := g.data, g.seq, g.flags&packet.FIN != 0
	if before(seq, b.rcv) {
		skip := min(int(b.rcv-seq), len(data))
		data, seq = data[skip:], b.rcv
	}
	if over := int32(seq + uint32(len(data)) - b.edge); over > 0 {
		data, fin = data[:len(data)-min(int(over), len(data))], false
	}
	a := s.activate(b)
	if b.has(finReceived) {
		a.ackNow = true // nothing comes after a FIN
		return
	}
	if b.has(orphan) && len(data) > 0 { // nobody will read it (RFC 9293 section 3.6.1)
		s.reset(b)
		s.fail(b, ErrReset)
		return
	}
	if len(data) == 0 && !fin {
		a.ackNow = a.ackNow || len(g.data) > 0
		return
	}
	if seq != b.rcv {
		a.ackNow = true
		s.store(b, a, seq, data, fin)
		return
	}
	gen := b.gen
	a.ackNow = a.ackNow || fin || len(a.early) > 0
	a.unacked += uint32(len(data))
	if s.stream(b, data); b.gen != gen || b.state == Gone {
		return
	}
	for a := s.activeOf(b); !fin && a != nil && len(a.early) > 0 && !before(b.rcv, a.early[0].seq); a = s.activeOf(b) {
		p := a.early[0]
		a.early = slices.Delete(a.early, 0, 1)
		if skip := b.rcv - p.seq; skip <= uint32(len(p.data)) {
			fin = p.fin
			s.stream(b, p.data[skip:])
		}
		s.memory.put(p.data)
		if b.gen != gen || b.state == Gone {
			return
		}
	}
	if fin {
		s.peerFIN(b)
	}
}

// stream hands bytes that are in order to the application, or keeps them until it reads.
func (s *Stack) stream(b *block, data []byte) {
	b.rcv += uint32(len(data))
	h := s.hosts[b.host]
	most := uint32(defaultWindow)
	if h.cfg.Window != 0 {
		most = uint32(h.cfg.Window)
	}
	if b.rcvScale == noScale {
		most = min(most, 65535)
	}
	if b.window < most && !b.has(paused) {
		b.window = min(b.window+2*min(uint32(b.mss), uint32(len(data))), most)
	}
	switch {
	case len(data) == 0 || b.has(orphan):
	case b.has(paused):
		s.activate(b).in.append(&s.memory, data)
	default:
		s.handlers[b.handler].Received(b.conn(h), data)
	}
}

// store keeps what came too early, without what is there already.
func (s *Stack) store(b *block, a *active, seq uint32, data []byte, fin bool) {
	a.last = seq
	i := len(a.early)
	for i > 0 && before(seq, a.early[i-1].seq) {
		i--
	}
	if i > 0 {
		if a.early[i-1].fin {
			return // nothing comes after a FIN
		}
		if over := int32(a.early[i-1].seq + uint32(len(a.early[i-1].data)) - seq); over > 0 {
			skip := min(int(over), len(data))
			data, seq = data[skip:], seq+uint32(skip)
		}
	}
	for i < len(a.early) && len(data) > 0 {
		next := &a.early[i]
		if !before(next.seq, seq+uint32(len(data))) {
			break
		}
		if before(seq+uint32(len(data)), next.seq+uint32(len(next.data))) {
			data, fin = data[:next.seq-seq], false
			break
		}
		fin = fin || next.fin
		s.memory.put(next.data)
		a.early = slices.Delete(a.early, i, i+1)
	}
	if len(data) == 0 && !fin {
		return
	}
	p := piece{seq: seq, data: append(s.memory.get(max(len(data), 1)), data...), fin: fin}
	a.early = slices.Insert(a.early, i, p)
}
