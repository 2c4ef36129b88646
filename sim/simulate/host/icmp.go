package host

import (
	"errors"
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
)

// Types of ICMP and ICMPv6, by family (RFC 792, RFC 4443), and those of neighbour
// discovery.
var (
	echoRequest = [2]uint8{8, 128}
	echoReply   = [2]uint8{0, 129}
	unreached   = [2]uint8{3, 1}
	portCode    = [2]uint8{3, 4} // of it: nobody listens
	hostCode    = [2]uint8{1, 3}
	protos      = [2]packet.Proto{packet.ICMP, packet.ICMPv6}
)

const (
	tooBigV6             = 2
	fragmentationNeeded  = 4 // code of IPv4's unreached
	neighborSolicitation = 135
	neighborAdvert       = 136
)

// ping is an echo request without a reply yet.
type ping struct {
	to    packet.Addr
	timer event.Timer
	done  func(err error)
}

// Ping sends an ICMP echo request with a payload and calls done once, not before it has
// returned: with the time that the reply took, or with [ErrTimeout] after patience, an
// *[Unreachable], [ErrNoAddress] or [ErrTooLong].
func (h *Host) Ping(from, to netip.Addr, payload []byte, patience time.Duration, done func(rtt time.Duration, err error)) {
	q := h.stack.queue
	local, err := h.source(from, to)
	dst := packet.AddrFrom(to)
	fam := family(dst)
	if err == nil && len(payload) > mostDatagram(dst)-8 {
		err = ErrTooLong
	}
	var id uint16
	if err == nil {
		var ok bool
		if id, ok = h.pingID(); !ok {
			err = ErrNoPort
		}
	}
	if err != nil {
		q.CallAt(0, func() { done(0, err) })
		return
	}
	began := q.Now()
	p := &ping{to: dst, done: func(err error) { done(q.Now().Sub(began), err) }}
	p.timer = q.CallAt(began.Add(patience), func() { h.ponged(id, ErrTimeout) })
	if h.pings == nil {
		h.pings = map[uint16]*ping{}
	}
	h.pings[id] = p
	h.stack.spec = packet.Spec{
		SrcMAC: h.cfg.MAC, TTL: h.cfg.TTL, DF: true, Proto: protos[fam],
		Src: addrPort(h.addrs[local], id), Dst: addrPort(dst, 0),
		Type: echoRequest[fam], Seq: 1, Payload: payload,
	}
	h.sendDatagram(dst)
}

// pingID returns an identifier that no other ping has.
func (h *Host) pingID() (uint16, bool) {
	first := uint16(h.stack.queue.Rand().Uint32())
	for i := range 1 << 16 {
		id := first + uint16(i)
		if h.pings[id] == nil {
			return id, true
		}
	}
	return 0, false
}

// ponged ends a ping.
func (h *Host) ponged(id uint16, err error) {
	p := h.pings[id]
	delete(h.pings, id)
	h.stack.queue.Cancel(p.timer)
	p.done(err)
}

// roomFor returns how many bytes fit behind the IP header of a packet to an address.
func (h *Host) roomFor(to packet.Addr) int { return int(h.mss(to)) + 20 }

// receiveICMP answers an echo request, and takes in replies and errors.
func (h *Host) receiveICMP(v *packet.View) {
	s := h.stack
	fam := family(v.Dst)
	switch {
	case v.Type == echoRequest[fam]:
		seq := be.Uint16(v.Transport()[6:])
		s.spec = packet.Spec{
			SrcMAC: h.cfg.MAC, TTL: h.cfg.TTL, Proto: protos[fam], ID: uint16(s.queue.Rand().Uint32()),
			Src: addrPort(v.Dst, v.SrcPort), Dst: addrPort(v.Src, 0),
			Type: echoReply[fam], Seq: uint32(seq), Payload: v.Payload(),
		}
		h.sendDatagram(v.Src)
	case v.Type == echoReply[fam]:
		if p := h.pings[v.SrcPort]; p != nil && p.to == v.Src {
			h.ponged(v.SrcPort, nil)
		}
	case v.V6 && v.Type == neighborAdvert:
		h.foundByAdvertisement(v)
	case v.V6 && v.Type == tooBigV6:
		h.heardOf(v, max(be.Uint32(v.Transport()[4:]), 1))
	case v.Type == unreached[fam]:
		mtu := uint32(0)
		if !v.V6 && v.Code == fragmentationNeeded {
			mtu = max(uint32(be.Uint16(v.Transport()[6:])), 1)
		}
		h.heardOf(v, mtu)
	default:
		s.discarded++
	}
}

// heardOf takes in an ICMP error: mtu is what fits where the packet did not, or 0.
func (h *Host) heardOf(v *packet.View, mtu uint32) {
	t, proto, ok := v.Quoted()
	if !ok || h.number(t.Src) < 0 {
		h.stack.discarded++
		return
	}
	if mtu != 0 {
		least := [2]uint32{552, 1280} // Linux: min_pmtu; RFC 8200 section 5
		mtu = min(max(mtu, least[family(t.Dst)]), 65535)
	}
	seq := uint32(0)
	if q := v.Payload(); proto == packet.TCP {
		at := 40
		if !v.V6 {
			at = int(q[0]&15) * 4
		}
		seq = be.Uint32(q[at+4:])
	}
	e := fault{t: t, proto: proto, seq: seq, by: v.Src, code: v.Code, mtu: uint16(mtu), family: family(t.Dst)}
	h.blame(&e)
}

// fault is what became of a packet that was sent.
type fault struct {
	t      packet.Tuple
	proto  packet.Proto
	seq    uint32
	by     packet.Addr
	code   uint8
	mtu    uint16
	family int
}

// unreachable takes in that a frame could not be sent, since nobody answers at its next
// hop, or there is none.
func (h *Host) unreachable(eth []byte) {
	s := h.stack
	s.frame.SetEthernet(eth)
	var v packet.View
	if v.Decode(s.frame) != drop.None || v.Kind != packet.KindIP {
		return
	}
	e := fault{t: v.Tuple(), proto: v.Proto, seq: v.Seq, by: v.Src, family: family(v.Dst)}
	e.code = hostCode[e.family]
	h.blame(&e)
}

// blame tells who has sent the packet.
func (h *Host) blame(e *fault) {
	err := error(&Unreachable{To: e.t.Dst.IP(), By: e.by.IP(), Code: e.code})
	if e.mtu == 0 && e.code == portCode[e.family] {
		err = ErrRefused
	}
	switch e.proto {
	case packet.TCP:
		k := key{e.t.Dst, h.index, e.t.SrcPort, e.t.DstPort, uint8(h.number(e.t.Src))}
		b := h.stack.blocks.find(&k)
		if b == nil || b.state == TimeWait || before(e.seq, b.una) || !before(e.seq, b.nxt) {
			return // of no connection, or of nothing that is on its way (RFC 5927)
		}
		if e.mtu != 0 {
			h.narrow(e.t.Dst, e.mtu)
			h.stack.shrink(b)
			return
		}
		h.stack.doubt(b, err)
	case packet.UDP:
		if e.mtu != 0 {
			h.narrow(e.t.Dst, e.mtu)
		}
		if s := h.socket(e.t.Src, e.t.SrcPort); s != nil && s.hd.Failed != nil {
			s.hd.Failed(s, addrPort(e.t.Dst, e.t.DstPort), err)
		}
	case packet.ICMP, packet.ICMPv6:
		if p := h.pings[e.t.SrcPort]; p != nil && p.to == e.t.Dst && e.mtu == 0 {
			h.ponged(e.t.SrcPort, err)
		}
	}
}

// narrow notes the MTU of the path to an address (RFC 1191, RFC 8201).
func (h *Host) narrow(to packet.Addr, mtu uint16) {
	if h.mtus == nil {
		h.mtus = map[packet.Addr]uint16{}
	}
	if old, ok := h.mtus[to]; !ok || mtu < old {
		h.mtus[to] = mtu
	}
}

// shrink makes a connection's segments fit the path, and sends again what did not.
func (s *Stack) shrink(b *block) {
	mss := s.hosts[b.host].mss(b.remote)
	if b.has(timestamps) {
		mss -= 12
	}
	if mss >= b.mss {
		return
	}
	b.mss = mss
	if a := s.activeOf(b); a != nil && b.state >= Established && b.una != b.nxt {
		if a.phase == open {
			a.phase, a.recover = slow, b.nxt
		}
		a.rexmit, a.lost = b.una, b.nxt
		s.push(b)
		s.relax(b)
	}
}

// doubt takes in an ICMP error about a connection: one that is not established yet
// fails, any other goes on trying (RFC 5461).
func (s *Stack) doubt(b *block, err error) {
	if b.state == SynSent {
		s.fail(b, err)
		return
	}
	if u := (*Unreachable)(nil); errors.As(err, &u) {
		if a := s.activeOf(b); a != nil {
			a.soft = u
		}
	}
}

// answerClosed answers a datagram to a port that nobody has (RFC 1122 section 4.1.3.1),
// quoting as much of it as Linux does.
func (h *Host) answerClosed(v *packet.View, f *packet.Frame) {
	s := h.stack
	fam := family(v.Dst)
	most := [2]int{576 - 28, 1280 - 48}
	quote := f.Ethernet()[ethLen:]
	quote = quote[:min(v.Len, most[fam], len(quote))]
	s.spec = packet.Spec{
		SrcMAC: h.cfg.MAC, TTL: h.cfg.TTL, Proto: protos[fam], ID: uint16(s.queue.Rand().Uint32()),
		Src: addrPort(v.Dst, 0), Dst: addrPort(v.Src, 0),
		Type: unreached[fam], Code: portCode[fam], Payload: quote,
	}
	to := v.Src
	s.spec.Build(s.frame)
	h.send(to)
}
