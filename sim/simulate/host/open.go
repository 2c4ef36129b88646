package host

import (
	"net/netip"

	"github.com/plsim/plsim/dataplane/packet"
)

// Dial begins a connection, whose handler is told Connected or Closed, not before Dial
// has returned. from may be zero, or have an address or a port only. Errors are about
// from: [ErrNoAddress], [ErrNoPort], [ErrInUse].
func (h *Host) Dial(from, to netip.AddrPort, hd Handler) (Conn, error) {
	s := h.stack
	local, err := h.source(from.Addr(), to.Addr())
	if err != nil {
		return Conn{}, err
	}
	k := key{packet.AddrFrom(to.Addr()), h.index, from.Port(), to.Port(), uint8(local)}
	if k.lport == 0 {
		free := func(p uint16) bool {
			k.lport = p
			return s.blocks.find(&k) == nil && !h.listens(h.addrs[local], p)
		}
		if _, ok := h.port(free); !ok {
			return Conn{}, ErrNoPort
		}
	} else if s.blocks.find(&k) != nil || h.listens(h.addrs[local], k.lport) {
		return Conn{}, ErrInUse
	}
	b := s.open(k, s.queue.Rand().Uint32())
	b.handler = s.enlist(hd)
	b.state = SynSent
	size := uint32(h.mss(b.remote))
	b.edge, b.window = h.opening(size), h.opening(size)
	s.start(b)
	return b.conn(h), nil
}

// opening returns the receive window that a connection begins with: as many whole
// segments as 65535 bytes hold.
func (h *Host) opening(segment uint32) uint32 {
	if w := uint32(h.cfg.Window); w != 0 {
		return min(w, 65535)
	}
	return 65535 / segment * segment
}

// mss returns the most payload of a TCP segment on the way to an address, options not
// counted.
func (h *Host) mss(to packet.Addr) uint16 {
	mtu := h.cfg.MTU
	if m, ok := h.mtus[to]; ok {
		mtu = min(mtu, int(m))
	}
	headers := 40
	if !to.Is4() {
		headers = 60
	}
	return uint16(min(max(mtu-headers, 64), 65535-headers))
}

// open adds a connection with its first sequence number.
func (s *Stack) open(k key, iss uint32) *block {
	b := s.blocks.add(k)
	b.una, b.nxt = iss, iss+1
	b.ssthresh = 1 << 30
	b.id = uint16(s.queue.Rand().Uint32())
	b.heard = s.millis()
	b.mss = 536
	return b
}

// start sends the first segment of a connection.
func (s *Stack) start(b *block) {
	a := s.activate(b)
	a.timed, a.rttAt, a.rttSeq = true, s.queue.Now(), b.nxt
	a.rtoAt = s.patience(b, a)
	s.greet(b)
	s.arm(b, a)
}

// greet sends the SYN.
func (s *Stack) greet(b *block) {
	fl := packet.SYN
	if b.state == SynReceived {
		fl |= packet.ACK
	}
	s.emit(b, b.una, fl, nil)
}

// agree takes in the options of the peer's SYN.
func (s *Stack) agree(b *block, g *segment) {
	h := s.hosts[b.host]
	mss := g.mss
	if mss == 0 { // RFC 9293 section 3.7.1
		mss = 536
		if !b.remote.Is4() {
			mss = 1220
		}
	}
	b.mss = min(max(mss, 64), h.mss(b.remote))
	if g.stamped {
		b.flags |= timestamps
		b.tsRecent = g.stamp
		b.mss -= 12
	}
	if g.sackOK {
		b.flags |= sackOK
	}
	b.rcvScale = noScale
	if g.scaled {
		b.sndScale, b.rcvScale = g.scale, h.scale
	}
	b.rcv = g.seq + 1
	b.wnd = g.wnd // not scaled in a SYN
	b.cwnd = b.firstWindow()
}

// receiveTCP hands a segment to its connection, or listener.
func (h *Host) receiveTCP(v *packet.View, local int) {
	s := h.stack
	var g segment
	g.read(v)
	k := key{v.Src, h.index, v.DstPort, v.SrcPort, uint8(local)}
	b := s.blocks.find(&k)
	iss := uint32(0)
	if b != nil && b.state == TimeWait {
		if !b.yields(&g) {
			s.linger(b, &g)
			return
		}
		// As Linux does, beyond all that the old connection could have sent.
		iss = b.nxt + 65535 + 2
		s.remove(b)
		b = nil
	}
	switch {
	case b == nil && g.flags&(packet.SYN|packet.ACK|packet.RST|packet.FIN) == packet.SYN:
		h.meet(v, &g, k, iss)
	case b == nil:
		h.refuse(v, &g)
	case b.state == SynSent:
		b.heard = s.millis()
		s.answered(v, b, &g)
	default:
		b.heard = s.millis()
		s.arrive(v, b, &g)
	}
}

// meet takes in the SYN of a new connection.
func (h *Host) meet(v *packet.View, g *segment, k key, iss uint32) {
	s := h.stack
	l := h.listener(v.Dst, v.DstPort)
	if l == nil || l.mood == Refusing {
		h.refuse(v, g)
		return
	}
	if l.mood == Hanging && l.waiting >= backlog {
		return // as Linux does with a full queue: the client tries again
	}
	if iss == 0 {
		iss = s.queue.Rand().Uint32()
	}
	b := s.open(k, iss)
	b.state = SynReceived
	b.flags |= passive
	s.agree(b, g)
	b.window = h.opening(uint32(b.mss))
	b.edge = b.rcv + b.window
	s.start(b)
}

// answered takes in a segment in SYN-SENT (RFC 9293 section 3.10.7.3).
func (s *Stack) answered(v *packet.View, b *block, g *segment) {
	h := s.hosts[b.host]
	ack := g.flags&packet.ACK != 0
	switch {
	case ack && g.ack != b.nxt:
		h.refuse(v, g)
		return
	case g.flags&packet.RST != 0:
		if ack {
			s.fail(b, ErrRefused)
		}
		return
	case g.flags&packet.SYN == 0:
		return
	}
	s.agree(b, g)
	b.edge = b.rcv + b.window
	a := s.activate(b)
	if !ack { // both sides have called each other at once
		b.state = SynReceived
		a.backoff, a.tries, a.timed = 0, 0, false
		a.rtoAt = s.patience(b, a)
		s.greet(b)
		s.relax(b)
		return
	}
	s.establish(b, a, g)
	s.acknowledge(b)
	gen := b.gen
	s.connected(b)
	if b.gen == gen && b.state != Gone {
		s.finishInput(b)
	}
}

// establish ends the handshake: the peer has acknowledged the SYN.
func (s *Stack) establish(b *block, a *active, g *segment) {
	b.state = Established
	if b.has(finQueued) {
		b.state = FinWait1
	}
	b.una = b.nxt
	if a.timed {
		b.measured(s.queue.Now().Sub(a.rttAt))
	}
	if a.backoff > 0 {
		b.cwnd = uint32(b.mss) // RFC 6298 section 5.7
	}
	a.timed, a.rtoAt, a.backoff, a.tries = false, 0, 0, 0
	if g.flags&packet.SYN == 0 {
		b.wnd = g.wnd << b.sndScale
	}
}

// connected tells the application.
func (s *Stack) connected(b *block) {
	if b.handler == 0 {
		s.accept(b)
		return
	}
	s.handlers[b.handler].Connected(b.conn(s.hosts[b.host]))
}
