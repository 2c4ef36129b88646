package host

import (
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// What Linux does: RFC 6298 with a least timeout of its own, and a limit to each of the
// counts of tries.
const (
	firstRTO    = time.Second
	leastRTO    = 200 * time.Millisecond
	mostRTO     = 120 * time.Second
	delayedACK  = 40 * time.Millisecond
	synTries    = 6  // tcp_syn_retries
	synackTries = 5  // tcp_synack_retries
	dataTries   = 15 // tcp_retries2
	orphanTries = 8  // tcp_orphan_retries
)

// What is buffered of what the application writes: twice the congestion window,
// within these.
const (
	leastSend = 64 << 10
	mostSend  = 4 << 20
)

func addrPort(a packet.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a.IP(), port) }

func (h *Host) local(b *block) netip.AddrPort { return addrPort(h.addrs[b.local], b.lport) }

// tuple is that of the packets that a connection sends.
func (h *Host) tuple(b *block) packet.Tuple {
	return packet.Tuple{Src: h.addrs[b.local], Dst: b.remote, SrcPort: b.lport, DstPort: b.rport}
}

func (b *block) peer() netip.AddrPort { return addrPort(b.remote, b.rport) }

// rto returns the retransmission timeout, without backoff.
func (b *block) rto() time.Duration {
	if b.srtt == 0 {
		return firstRTO
	}
	return min(time.Duration(b.srtt)*time.Microsecond+max(4*time.Duration(b.rttvar)*time.Microsecond, leastRTO), mostRTO)
}

// measured takes in the time of a round trip (RFC 6298 section 2).
func (b *block) measured(d time.Duration) {
	r := uint32(min(max(d/time.Microsecond, 1), 1<<30))
	if b.srtt == 0 {
		b.srtt, b.rttvar = r, r/2
		return
	}
	diff := int64(r) - int64(b.srtt)
	b.rttvar = uint32((3*int64(b.rttvar) + max(diff, -diff)) / 4)
	b.srtt = max(uint32(int64(b.srtt)+diff/8), 1)
}

// patience returns when the timer that begins now runs out.
func (s *Stack) patience(b *block, a *active) clock.Time {
	return s.queue.Now().Add(min(b.rto()<<a.backoff, mostRTO))
}

// arm makes sure that the connection is woken when its first timer runs out.
// A timer that was put off lets it wake too early once, which is cheaper than to move an
// event with every segment.
func (s *Stack) arm(b *block, a *active) {
	at := a.rtoAt
	if a.delackAt != 0 && (at == 0 || a.delackAt < at) {
		at = a.delackAt
	}
	if at == 0 || a.wakeAt != 0 && a.wakeAt <= at {
		return
	}
	s.queue.Cancel(a.timer)
	a.timer, a.wakeAt = s.queue.At(at, s.alarm(b, wake)), at
}

// relax gives the active part back when nothing is left to do. While few are in use, it
// waits for a timer that runs out soon: the connection may be busy again by then. Of
// many, each is better used again while it is in the processor's cache.
func (s *Stack) relax(b *block) {
	a := s.activeOf(b)
	if a == nil {
		return
	}
	s.arm(b, a)
	if a.resting() && (a.wakeAt == 0 || a.wakeAt > s.queue.Now().Add(2*leastRTO) || s.inUse() > spares) {
		s.deactivate(b)
	}
}

// pipe returns how many bytes are on their way (RFC 6675 section 4).
func (a *active) pipe(b *block) uint32 {
	n := b.nxt - b.una
	if a.phase == open && len(a.sacked) == 0 {
		if !b.has(sackOK) {
			n -= min(n, uint32(a.dupAcks)*uint32(b.mss))
		}
		return n
	}
	missing := later(a.rexmit, b.una) // lost, and not sent again
	for _, c := range a.sacked {
		n -= c.to - c.from
		if a.phase != open && before(missing, earlier(c.from, a.lost)) {
			n -= earlier(c.from, a.lost) - missing
		}
		missing = later(missing, c.to)
	}
	if a.phase != open && before(missing, a.lost) {
		n -= a.lost - missing
	}
	return n
}

// hole returns the first part of the stream that is lost and was not sent again.
func (a *active) hole(b *block) (h span, ok bool) {
	if a.phase == open {
		return span{}, false
	}
	h = span{later(a.rexmit, b.una), a.lost}
	for _, c := range a.sacked {
		if before(h.from, c.from) {
			h.to = earlier(h.to, c.from)
			break
		}
		h.from = later(h.from, c.to)
	}
	h.to = earlier(h.to, h.from+uint32(b.mss))
	return h, before(h.from, h.to)
}

// resend sends a part of the stream again.
func (s *Stack) resend(b *block, a *active, h span) {
	data := a.out.bytes()
	from := min(int(h.from-b.una), len(data))
	to := min(int(h.to-b.una), len(data))
	fl := packet.ACK
	if to == len(data) {
		if to > from {
			fl |= packet.PSH
		}
		if b.has(finSent) {
			fl |= packet.FIN
			h.to = b.nxt
		}
	}
	a.rexmit = h.to
	a.timed = false // Karn: the answer could be to either
	s.emit(b, h.from, fl, data[from:to])
	if a.rtoAt == 0 {
		a.rtoAt = s.patience(b, a)
	}
}

// push sends what may be sent now: first what was lost, then what is new.
func (s *Stack) push(b *block) {
	a := s.activeOf(b)
	if a == nil && b.has(finQueued) && !b.has(finSent) {
		a = s.activate(b)
	}
	if a == nil || b.state < Established || b.state == TimeWait {
		return
	}
	for {
		if h, ok := a.hole(b); ok {
			if a.pipe(b)+(h.to-h.from) > max(b.cwnd, uint32(b.mss)) {
				break
			}
			s.resend(b, a, h)
			continue
		}
		if !s.pushNew(b, a) {
			break
		}
	}
}

// pushNew sends one segment of what was not sent yet, and reports whether it did.
func (s *Stack) pushNew(b *block, a *active) bool {
	if b.has(finSent) {
		return false
	}
	data := a.out.bytes()
	sent := b.nxt - b.una // without a FIN
	left := uint32(len(data)) - sent
	if left == 0 && !b.has(finQueued) {
		return false
	}
	room := int32(b.una + b.wnd - b.nxt)
	if room <= 0 {
		if sent == 0 && a.rtoAt == 0 {
			a.backoff = 0
			a.rtoAt = s.patience(b, a) // to probe the closed window
		}
		return false
	}
	if sent == 0 && (a.sentAt == 0 || s.queue.Now().Sub(a.sentAt) > b.rto()) {
		b.cwnd = min(b.cwnd, b.firstWindow()) // after idle time (RFC 5681 section 4.1)
	}
	n := min(left, uint32(b.mss), uint32(room))
	switch pipe := a.pipe(b); {
	case pipe > 0 && pipe+n > b.cwnd:
		return false
	case n < left && n < uint32(b.mss) && sent > 0:
		return false // not a silly little segment (RFC 9293 section 3.8.6.2.1)
	}
	fl := packet.ACK
	if n == left {
		if n > 0 {
			fl |= packet.PSH
		}
		if b.has(finQueued) && n < uint32(room) {
			fl |= packet.FIN
		}
	}
	if n == 0 && fl&packet.FIN == 0 {
		return false
	}
	seq := b.nxt
	b.nxt += n
	if fl&packet.FIN != 0 {
		b.nxt++
		b.flags |= finSent
	}
	if !a.timed {
		a.timed, a.rttAt, a.rttSeq = true, s.queue.Now(), b.nxt
	}
	if sent == 0 || a.rtoAt == 0 {
		a.rtoAt = s.patience(b, a)
	}
	a.sentAt = s.queue.Now()
	s.emit(b, seq, fl, data[sent:sent+n])
	return true
}

// firstWindow returns the first congestion window (RFC 6928).
func (b *block) firstWindow() uint32 { return 10 * uint32(b.mss) }

// acknowledge sends a segment that has nothing but an acknowledgement.
func (s *Stack) acknowledge(b *block) { s.emit(b, b.nxt, packet.ACK, nil) }

// reset sends a reset, as one does who gives up.
func (s *Stack) reset(b *block) { s.emit(b, b.nxt, packet.RST|packet.ACK, nil) }
