package host

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

var be = binary.BigEndian

const (
	ethLen    = 14
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	arpLen    = 28
)

// neighbor is a host of the same link, or a router, and its MAC address. As the lab's
// interfaces keep theirs, it is asked for once.
type neighbor struct {
	addr    packet.Addr
	mac     packet.MAC
	known   bool
	tries   int
	waiting [][]byte // frames
	size    int      // of them, in bytes
}

// How a neighbour is asked for (Linux: mcast_solicit, retrans_time_ms), and how many
// bytes may wait for its answer (unres_qlen_bytes).
const (
	solicitations = 3
	solicitEvery  = time.Second
	waitingBytes  = 212992
)

// send sends the frame that is built in Stack.frame but for the receiver's MAC address.
func (h *Host) send(to packet.Addr) {
	n := h.latest
	if n == nil || h.latestTo != to {
		hop, ok := h.hop(to)
		if !ok {
			f := append([]byte(nil), h.stack.frame.Ethernet()...)
			h.stack.queue.CallAt(0, func() { h.unreachable(f) }) // not before the caller is done
			return
		}
		if n = h.neighbor(hop); n.known {
			h.latest, h.latestTo = n, to
		}
	}
	eth := h.stack.frame.Ethernet()
	if n.known {
		copy(eth, n.mac[:])
		h.stack.net.Transmit(h, h.stack.frame)
		return
	}
	n.waiting = append(n.waiting, append([]byte(nil), eth...))
	n.size += len(eth)
	for n.size > waitingBytes { // the oldest goes
		n.size -= len(n.waiting[0])
		n.waiting = n.waiting[1:]
	}
	if n.tries == 0 {
		h.solicit(n)
	}
}

// neighbor returns what is known of the neighbour with an address.
func (h *Host) neighbor(addr packet.Addr) *neighbor {
	n := h.neighbors[addr]
	if n == nil {
		n = &neighbor{addr: addr}
		if h.neighbors == nil {
			h.neighbors = map[packet.Addr]*neighbor{}
		}
		h.neighbors[addr] = n
	}
	return n
}

// hop returns who takes a packet to an address: that one on the host's own link, or the
// router.
func (h *Host) hop(to packet.Addr) (packet.Addr, bool) {
	ip := to.IP()
	for _, p := range h.cfg.Addrs {
		if p.Contains(ip) {
			return to, true
		}
	}
	r := h.routers[family(to)]
	return r, r != packet.Addr{}
}

// solicit asks for a neighbour, and again until it has answered.
func (h *Host) solicit(n *neighbor) {
	if n.known {
		return
	}
	if n.tries == solicitations {
		delete(h.neighbors, n.addr)
		for _, f := range n.waiting {
			h.unreachable(f)
		}
		return
	}
	n.tries++
	h.stack.queue.CallAt(h.stack.queue.Now().Add(solicitEvery), func() { h.solicit(n) })
	from := h.addrs[0]
	for _, p := range h.cfg.Addrs {
		if a := packet.AddrFrom(p.Addr()); a.Is4() == n.addr.Is4() {
			from = a
			break
		}
	}
	s := h.stack
	if n.addr.Is4() {
		var b [ethLen + arpLen]byte
		copy(b[:], "\xff\xff\xff\xff\xff\xff")
		copy(b[6:], h.cfg.MAC[:])
		be.PutUint16(b[12:], etherARP)
		be.PutUint64(b[14:], 0x0001_0800_06_04_0001)
		copy(b[22:], h.cfg.MAC[:])
		copy(b[28:], from[12:])
		copy(b[38:], n.addr[12:])
		s.frame.SetEthernet(b[:])
	} else {
		// To the group that the last three bytes of the address name (RFC 4291
		// section 2.7.1), which is a multicast address of Ethernet, too.
		group := packet.Addr{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: n.addr[13], 14: n.addr[14], 15: n.addr[15]}
		var body [24]byte
		copy(body[:], n.addr[:])
		body[16], body[17] = 1, 1 // the sender's MAC address
		copy(body[18:], h.cfg.MAC[:])
		spec := packet.Spec{
			SrcMAC: h.cfg.MAC, DstMAC: packet.MAC{0x33, 0x33, 0xff, group[13], group[14], group[15]},
			Src: netip.AddrPortFrom(from.IP(), 0), Dst: netip.AddrPortFrom(group.IP(), 0),
			TTL: 255, Proto: packet.ICMPv6, Type: neighborSolicitation, Payload: body[:],
		}
		spec.Build(s.frame)
	}
	s.net.Transmit(h, s.frame)
}

// found notes a neighbour's answer, and sends what waited for it.
func (h *Host) found(addr packet.Addr, mac packet.MAC) {
	n := h.neighbors[addr]
	if n == nil || n.known {
		return
	}
	n.mac, n.known = mac, true
	waiting := n.waiting
	n.waiting, n.size = nil, 0
	for _, f := range waiting {
		copy(f, mac[:])
		h.stack.frame.SetEthernet(f)
		h.stack.net.Transmit(h, h.stack.frame)
	}
}

// foundByARP takes in an ARP reply (RFC 826).
func (h *Host) foundByARP(eth []byte) {
	arp := eth[ethLen:]
	if len(arp) < arpLen || be.Uint64(arp) != 0x0001_0800_06_04_0002 {
		h.stack.discarded++
		return
	}
	addr := packet.Addr{10: 0xff, 11: 0xff}
	copy(addr[12:], arp[14:18])
	h.found(addr, packet.MAC(arp[8:14]))
}

// foundByAdvertisement takes in a neighbour advertisement (RFC 4861 section 7.1.2).
func (h *Host) foundByAdvertisement(v *packet.View) {
	b := v.Payload()
	if v.TTL != 255 || v.Code != 0 || len(b) < 24 || b[16] != 2 || b[17] != 1 {
		h.stack.discarded++
		return
	}
	h.found(packet.Addr(b[:16]), packet.MAC(b[18:24]))
}

// answerNeighbor tells who asks that the host has an address.
func (h *Host) answerNeighbor(v *packet.View, f *packet.Frame) {
	if h.number(v.Target) < 0 || v.Kind == packet.KindNeighbor && v.Src == (packet.Addr{}) {
		h.stack.discarded++
		return
	}
	// Who asks wants to talk, and will be answered (RFC 826).
	h.neighbor(v.Src)
	h.found(v.Src, v.SrcMAC)
	s := h.stack
	s.frame.SetEthernet(f.Ethernet())
	var own packet.View
	if own.Decode(s.frame) != drop.None {
		return // it was decoded before
	}
	if own.Kind == packet.KindARP {
		own.AnswerARP(h.cfg.MAC)
	} else {
		own.AnswerNeighbor(h.cfg.MAC)
	}
	s.net.Transmit(h, s.frame)
}
