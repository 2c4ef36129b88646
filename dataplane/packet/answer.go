package packet

import "net/netip"

// The answers of the fabric take the place of the frame they answer, so that
// they cost no memory and go back where it came from. Afterwards the view is
// void: only its frame may be used, until it is decoded again.

// ownTTL is the time to live of packets that a load balancer makes itself. The
// receiver saw 254 one hop on (F2.52).
const ownTTL = 255

// AnswerARP turns an ARP request (v.Kind is [KindARP]) into the reply to its
// sender that v.Target is at mac.
func (v *View) AnswerARP(mac MAC) {
	eth := v.eth
	copy(eth[0:6], v.SrcMAC[:])
	copy(eth[6:12], mac[:])
	arp := eth[ethLen : ethLen+arpLen]
	be.PutUint16(arp[6:], 2) // a reply
	copy(arp[8:14], mac[:])
	copy(arp[14:18], v.Target[12:])
	copy(arp[18:24], v.SrcMAC[:])
	copy(arp[24:28], v.Src[12:])
}

// AnswerNeighbor turns a neighbour solicitation (v.Kind is [KindNeighbor]) into
// the advertisement to its sender that v.Target is at mac (RFC 4861 section
// 7.2.4). A solicitation from the unspecified address, which looks for a rival,
// must not be answered: the advertisement would go to that address, and the
// fabric has no multicast to send it by instead.
func (v *View) AnswerNeighbor(mac MAC) {
	const solicitedOverride = 0x6000 // the upper half of the word of flags
	const targetLinkLayer = 2        // an option of one unit of eight bytes
	var body [24]byte
	copy(body[:16], v.Target[:])
	body[16], body[17] = targetLinkLayer, 1
	copy(body[18:], mac[:])
	s := Spec{
		SrcMAC: mac, DstMAC: v.SrcMAC,
		Src: netip.AddrPortFrom(v.Target.IP(), solicitedOverride),
		Dst: netip.AddrPortFrom(v.Src.IP(), 0),
		TTL: 255, Proto: ICMPv6, Type: advertisement, Payload: body[:],
	}
	s.Build(v.frame)
}

// AnswerReset turns a TCP segment into the reset to its sender that RFC 9293
// section 3.10.7.1 prescribes for a connection that does not exist. It must not
// be called for a segment that is itself a reset: two sides would never stop. It
// returns the length of the IP packet in bytes.
func (v *View) AnswerReset() int {
	s := Spec{
		SrcMAC: v.DstMAC, DstMAC: v.SrcMAC,
		Src: netip.AddrPortFrom(v.Dst.IP(), v.DstPort),
		Dst: netip.AddrPortFrom(v.Src.IP(), v.SrcPort),
		TTL: ownTTL, Proto: TCP, DF: true,
	}
	if v.Flags&ACK != 0 {
		s.Flags, s.Seq = RST, be.Uint32(v.eth[v.l4+8:])
	} else {
		s.Flags, s.Ack = RST|ACK, v.Seq+v.sequenceLen()
	}
	s.Build(v.frame)
	return len(v.frame.Ethernet()) - ethLen
}

// sequenceLen returns how many sequence numbers a segment takes: one for each
// byte, and one each for SYN and FIN.
func (v *View) sequenceLen() uint32 {
	n := uint32(ethLen + v.Len - v.data)
	if v.Flags&SYN != 0 {
		n++
	}
	if v.Flags&FIN != 0 {
		n++
	}
	return n
}
