package host

import (
	"slices"

	"github.com/plsim/plsim/dataplane/packet"
)

// acked takes in what a segment says of the stream in the other direction. It reports
// whether the rest of the segment counts. fresh says that nothing newer came before it.
func (s *Stack) acked(b *block, g *segment, fresh bool) bool {
	if before(b.nxt, g.ack) {
		s.rebuke(b)
		return false // RFC 9293 section 3.10.7.4: of what was never sent
	}
	if before(g.ack, b.una) {
		return true // an old one
	}
	wnd := g.wnd << b.sndScale
	n := g.ack - b.una
	a := s.activeOf(b)
	if n == 0 && a == nil {
		if fresh {
			b.wnd = wnd
		}
		return true
	}
	if a == nil {
		a = s.activate(b)
	}
	same := wnd == b.wnd
	if n > 0 || fresh || wnd > b.wnd {
		b.wnd = wnd
	}
	a.tries = 0
	if n > 0 {
		s.advance(b, a, g.ack)
	} else if same && b.una != b.nxt && g.len() == 0 {
		a.dupAcks++
	}
	a.note(b, g)
	if a.phase == open && b.una != b.nxt && (a.dupAcks >= 3 || a.reordered(b)) {
		s.recover(b, a)
	}
	if a.phase == fast && len(a.sacked) > 0 {
		// All holes below what arrived count as lost.
		a.lost = later(a.lost, a.sacked[len(a.sacked)-1].from)
	}
	return true
}

// advance moves the beginning of what is not acknowledged.
func (s *Stack) advance(b *block, a *active, ack uint32) {
	n := ack - b.una
	limited := b.nxt-b.una+uint32(b.mss) > b.cwnd // by the congestion window, not by the application
	if a.timed && !before(ack, a.rttSeq) {
		b.measured(s.queue.Now().Sub(a.rttAt))
		a.timed = false
	}
	b.una = ack
	if bytes := min(int(n), a.out.len()); bytes > 0 {
		a.out.drop(&s.memory, bytes)
	}
	a.backoff, a.dupAcks = 0, 0
	for len(a.sacked) > 0 && !before(b.una, a.sacked[0].to) {
		a.sacked = slices.Delete(a.sacked, 0, 1)
	}
	if len(a.sacked) > 0 {
		a.sacked[0].from = later(a.sacked[0].from, b.una)
	}
	switch {
	case a.phase != open && !before(ack, a.recover):
		if a.phase == fast {
			b.cwnd = b.ssthresh
		}
		a.phase = open
	case a.phase == fast:
		if !b.has(sackOK) { // RFC 6582 section 3.2: the next byte is lost, too
			a.rexmit, a.lost = b.una, b.una+uint32(b.mss)
		}
	case limited:
		b.grow(n)
	}
	a.rtoAt = 0
	if b.una != b.nxt {
		a.rtoAt = s.patience(b, a)
	}
}

// grow widens the congestion window after n bytes were acknowledged (RFC 5681 section
// 3.1, with the byte counting of RFC 3465).
func (b *block) grow(n uint32) {
	mss := uint32(b.mss)
	if b.cwnd < b.ssthresh {
		b.cwnd += min(n, 2*mss)
	} else {
		b.cwnd += max(uint32(uint64(mss)*uint64(min(n, 2*mss))/uint64(b.cwnd)), 1)
	}
	b.cwnd = min(b.cwnd, 1<<30)
}

// note takes in what is acknowledged selectively.
func (a *active) note(b *block, g *segment) {
	for _, c := range g.sacks[:g.sackn] {
		if !before(c.from, c.to) || before(c.from, b.una) || before(b.nxt, c.to) || c.from == b.una {
			continue // nonsense, or a duplicate that was received (RFC 2883)
		}
		i, _ := slices.BinarySearchFunc(a.sacked, c.from, func(x span, from uint32) int { return int(int32(x.to - from)) })
		j := i
		for j < len(a.sacked) && !before(c.to, a.sacked[j].from) {
			c.from, c.to = earlier(c.from, a.sacked[j].from), later(c.to, a.sacked[j].to)
			j++
		}
		a.sacked = slices.Replace(a.sacked, i, j, c)
	}
}

// reordered reports whether so much was acknowledged beyond a hole that this is lost
// rather than late (RFC 6675 section 4).
func (a *active) reordered(b *block) bool {
	n := uint32(0)
	for _, c := range a.sacked {
		n += c.to - c.from
	}
	return n > 2*uint32(b.mss)
}

// recover begins a fast recovery (RFC 6675 section 5; RFC 6582 without selective
// acknowledgements), and sends the first segment that is lost at once.
func (s *Stack) recover(b *block, a *active) {
	mss := uint32(b.mss)
	b.ssthresh = max((b.nxt-b.una)/2, 2*mss)
	b.cwnd = b.ssthresh
	a.phase, a.recover, a.rexmit = fast, b.nxt, b.una
	a.lost = b.una + min(mss, b.nxt-b.una)
	if h, ok := a.hole(b); ok {
		s.resend(b, a, h)
		a.rtoAt = s.patience(b, a)
	}
}

// timeout repairs what nobody acknowledges: all of it counts as lost (RFC 5681 section
// 3.1, RFC 2018 section 8).
func (s *Stack) timeout(b *block, a *active) {
	mss := uint32(b.mss)
	if a.phase != slow {
		b.ssthresh = max((b.nxt-b.una)/2, 2*mss)
	}
	a.sacked = a.sacked[:0]
	a.phase, a.recover, a.rexmit, a.lost = slow, b.nxt, b.una, b.nxt
	a.dupAcks = 0
	b.cwnd = mss
	a.backoff++
	a.tries++
	a.rtoAt = s.patience(b, a)
	if h, ok := a.hole(b); ok {
		s.resend(b, a, h)
	}
}

// rebuke answers a segment that cannot be right with what is right: a challenge (RFC
// 5961), or the acknowledgement of what came before. As two ends could do so to each other forever,
// it happens twice a second at most (Linux: tcp_invalid_ratelimit).
func (s *Stack) rebuke(b *block) {
	const pause = 500
	now := s.millis()
	if b.rebuked != 0 && now-b.rebuked+1 < pause {
		return
	}
	b.rebuked = now + 1 // 0 is never
	s.acknowledge(b)
}

// abandon is what a connection does whose peer does not answer any more.
func (s *Stack) abandon(b *block, a *active) {
	if a.soft != nil {
		s.fail(b, a.soft)
		return
	}
	s.fail(b, ErrTimeout)
}

// wake does what is due.
func (s *Stack) wake(b *block) {
	a, now := s.activeOf(b), s.queue.Now()
	if a == nil {
		return
	}
	a.wakeAt = 0
	if a.delackAt != 0 && a.delackAt <= now {
		s.acknowledge(b)
	}
	if a.rtoAt == 0 || a.rtoAt > now {
		s.relax(b)
		return
	}
	a.rtoAt = 0
	tries := uint8(dataTries)
	switch {
	case b.state == SynSent:
		tries = synTries
	case b.state == SynReceived:
		tries = synackTries
	case b.has(orphan):
		tries = orphanTries
	}
	switch {
	case b.state == FinWait2:
		s.end(b, nil)
		return
	case a.tries >= tries:
		s.abandon(b, a)
		return
	case b.state < Established:
		a.backoff++
		a.tries++
		a.timed = false
		a.rtoAt = s.patience(b, a)
		s.greet(b)
	case b.una == b.nxt: // a closed window
		if b.wnd > 0 || a.out.len() == 0 && (!b.has(finQueued) || b.has(finSent)) {
			s.push(b)
			break
		}
		a.backoff++
		a.tries++
		a.rtoAt = s.patience(b, a)
		s.emit(b, b.una-1, packet.ACK, nil)
	default:
		s.timeout(b, a)
	}
	s.relax(b)
}
