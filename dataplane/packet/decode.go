package packet

import "github.com/plsim/plsim/dataplane/drop"

// Decode makes v the view of f, whatever it was before, and returns [drop.None]
// or why no host would accept the frame. Then only the fields of the layers
// before the fault are set, for counting and explaining; nothing else may be
// done with v.
//
// Bytes after the IP packet (Ethernet padding) are ignored. A UDP datagram fills
// its IP packet: one with a surplus area (RFC 9868) is refused. So is an IPv6
// address that is an IPv4-mapped one, which must not appear in a packet and
// would be taken for IPv4 here ([drop.BadAddress]).
func (v *View) Decode(f *Frame) drop.Reason {
	eth := f.Ethernet()
	*v = View{} // alone, so that no second View is made and copied
	v.frame, v.eth, v.Segments = f, eth, 1
	if len(eth) < ethLen {
		return drop.TruncatedFrame
	}
	v.DstMAC = MAC(eth[0:6])
	v.SrcMAC = MAC(eth[6:12])
	var l4 int
	var why drop.Reason
	switch be.Uint16(eth[12:]) {
	case etherIPv4:
		l4, why = v.decodeIPv4()
	case etherIPv6:
		l4, why = v.decodeIPv6()
	case etherARP:
		return v.decodeARP()
	default:
		return drop.UnknownEtherType
	}
	if why != drop.None {
		return why
	}
	v.MaxLen, v.WireLen = v.Len, v.Len
	return v.decodeTransport(l4)
}

// decodeARP accepts the requests of RFC 826 for IPv4 over Ethernet, probes and
// announcements for the sender's own address among them. Replies are refused:
// the fabric asks no one, so no one has anything to answer.
func (v *View) decodeARP() drop.Reason {
	// Hardware type 1, protocol type IPv4, address lengths 6 and 4, operation 1.
	const request = 0x0001_0800_06_04_0001
	if len(v.eth) < ethLen+arpLen {
		return drop.BadARP
	}
	arp := v.eth[ethLen : ethLen+arpLen]
	if be.Uint64(arp) != request || MAC(arp[8:14]) != v.SrcMAC {
		return drop.BadARP
	}
	v.Kind = KindARP
	v.Src.set4(arp[14:18])
	v.Dst.set4(arp[24:28])
	v.Target = v.Dst
	return v.decodeOffload(0)
}

func (v *View) decodeIPv4() (l4 int, why drop.Reason) {
	ip := v.eth[ethLen:]
	if len(ip) < ipv4Len {
		return 0, drop.TruncatedIP
	}
	header := int(ip[0]&15) * 4
	if ip[0]>>4 != 4 || header < ipv4Len {
		return 0, drop.BadIPHeader
	}
	if header > len(ip) {
		return 0, drop.TruncatedIP
	}
	v.Len = int(be.Uint16(ip[2:]))
	if v.Len < header || v.Len > len(ip) {
		return 0, drop.BadIPLength
	}
	acc := uint64(be.Uint32(ip)) + uint64(be.Uint32(ip[4:])) + uint64(be.Uint32(ip[8:])) +
		uint64(be.Uint32(ip[12:])) + uint64(be.Uint32(ip[16:]))
	for at := ipv4Len; at < header; at += 4 {
		acc += uint64(be.Uint32(ip[at:]))
	}
	if fold(acc) != 0xffff {
		return 0, drop.BadIPChecksum
	}
	v.TTL, v.Proto = ip[8], Proto(ip[9])
	v.Src.set4(ip[12:16])
	v.Dst.set4(ip[16:20])
	if word := be.Uint16(ip[6:]); word&(moreFragments|0x1fff) != 0 {
		v.Fragment, v.More = true, word&moreFragments != 0
		v.Offset, v.ID = int(word&0x1fff)*8, uint32(be.Uint16(ip[4:]))
		return ethLen + header, v.checkFragment(v.Len-header, maxLen-header)
	}
	return ethLen + header, drop.None
}

func (v *View) decodeIPv6() (l4 int, why drop.Reason) {
	ip := v.eth[ethLen:]
	v.V6 = true
	if len(ip) < ipv6Len {
		return 0, drop.TruncatedIP
	}
	if ip[0]>>4 != 6 {
		return 0, drop.BadIPHeader
	}
	v.Len = ipv6Len + int(be.Uint16(ip[4:]))
	if v.Len > len(ip) {
		return 0, drop.BadIPLength
	}
	v.Proto, v.TTL = Proto(ip[6]), ip[7]
	v.Src, v.Dst = Addr(ip[8:24]), Addr(ip[24:40])
	if v.Src.Is4() || v.Dst.Is4() {
		return 0, drop.BadAddress
	}
	l4 = ethLen + ipv6Len
	if v.Proto == fragmentHeader {
		if v.Len < ipv6Len+fragmentLen {
			return 0, drop.TruncatedIP
		}
		f := ip[ipv6Len : ipv6Len+fragmentLen]
		word := be.Uint16(f[2:])
		v.Proto, v.Fragment, v.More = Proto(f[0]), true, word&1 != 0
		v.Offset, v.ID = int(word&^7), be.Uint32(f[4:])
		l4 += fragmentLen
		if why := v.checkFragment(v.Len-ipv6Len-fragmentLen, maxLen); why != drop.None {
			return 0, why
		}
	}
	switch v.Proto {
	case 0: // hop-by-hop
		if v.Dst[0] == 0xff {
			// Such as the reports with which every IPv6 host joins its groups
			// (RFC 3810 section 5): no fault of the header.
			return 0, drop.Multicast
		}
		return 0, drop.BadIPHeader
	case fragmentHeader, 43, 60, 135, 139, 140: // another; routing, destination, mobility, HIP, shim6
		return 0, drop.BadIPHeader
	}
	return l4, drop.None
}

// checkFragment judges where a fragment of n bytes lies in its packet, whose
// transport layer has most bytes at most.
func (v *View) checkFragment(n, most int) drop.Reason {
	if v.Offset+n > most || v.More && n%8 != 0 || n == 0 && (v.More || v.Offset > 0) {
		return drop.BadFragment
	}
	return drop.None
}

// decodeTransport decodes what follows the IP header, at offset l4.
func (v *View) decodeTransport(l4 int) drop.Reason {
	segment := v.eth[l4 : ethLen+v.Len]
	if v.Fragment {
		if why := v.decodeFragment(segment); why != drop.None {
			return why
		}
		if v.Offset > 0 {
			v.l4, v.data = l4, l4
			return v.decodeOffload(0)
		}
	}
	var header int
	switch {
	case v.Proto == TCP:
		if len(segment) < tcpLen {
			return drop.TruncatedTransport
		}
		header = int(segment[12]>>4) * 4
		if header < tcpLen || header > len(segment) {
			return drop.BadTransportLength
		}
		v.SrcPort, v.DstPort = be.Uint16(segment), be.Uint16(segment[2:])
		v.Seq = be.Uint32(segment[4:])
		v.Flags = Flags(segment[13]) & allFlags
		if v.Flags&SYN != 0 {
			if at := findMSS(segment[tcpLen:header]); at >= 0 {
				v.MSS = be.Uint16(segment[tcpLen+at:])
			}
		}
	case v.Proto == UDP:
		header = udpLen
		if len(segment) < header {
			return drop.TruncatedTransport
		}
		if n := int(be.Uint16(segment[4:])); n != len(segment) && !v.More || n <= len(segment) && v.More {
			return drop.BadTransportLength
		}
		v.SrcPort, v.DstPort = be.Uint16(segment), be.Uint16(segment[2:])
	case v.Proto == ICMP && !v.V6, v.Proto == ICMPv6 && v.V6:
		header = icmpLen
		if len(segment) < header {
			return drop.TruncatedTransport
		}
		v.Type, v.Code = segment[0], segment[1]
		if v.isEcho() {
			v.SrcPort = be.Uint16(segment[4:])
			v.DstPort = v.SrcPort
		}
	default:
		return drop.UnsupportedProtocol
	}
	v.data = l4 + header
	if why := v.decodeOffload(l4); why != drop.None {
		return why
	}
	if !v.checksumHolds(segment) {
		return drop.BadTransportChecksum
	}
	v.l4 = l4
	if v.Type == solicitation && v.V6 && !v.Fragment { // RFC 6980 section 5
		return v.decodeSolicitation(segment)
	}
	return drop.None
}

// decodeFragment judges whether a fragment is of a protocol that a VPC carries, and
// whether the first one holds the whole transport header: else its second half could
// be one that nobody has judged (RFC 1858).
func (v *View) decodeFragment(segment []byte) drop.Reason {
	header := icmpLen
	switch {
	case v.Proto == TCP:
		header = tcpLen
		if len(segment) >= tcpLen {
			header = int(segment[12]>>4) * 4
		}
	case v.Proto == UDP, v.Proto == ICMP && !v.V6, v.Proto == ICMPv6 && v.V6:
	default:
		return drop.UnsupportedProtocol
	}
	if v.Offset == 0 && v.More && len(segment) < header {
		return drop.TinyFragment
	}
	return drop.None
}

// isEcho reports whether an ICMP message is an echo request or reply.
func (v *View) isEcho() bool {
	if v.V6 {
		return v.Type == echoRequestV6 || v.Type == echoReplyV6
	}
	return v.Type == echoRequest || v.Type == echoReply
}

// checksumHolds verifies the transport checksum, unless the sender's device or
// the receiver's takes care of it.
func (v *View) checksumHolds(segment []byte) bool {
	if v.Proto == UDP && !v.partial && be.Uint16(segment[6:]) == 0 {
		return !v.V6 // no checksum: RFC 768 allows it, RFC 8200 section 8.1 does not
	}
	if v.partial || v.More || v.frame.Vnet()[0]&vnetDataValid != 0 {
		return true // of a fragment the checksum covers the others, too
	}
	var acc uint64
	if v.Proto != ICMP {
		acc = pseudoSum(&v.Src, &v.Dst, v.Proto, len(segment))
	}
	return fold(sum(segment, acc)) == 0xffff
}

// decodeSolicitation validates an IPv6 neighbour solicitation (RFC 4861 section
// 7.1.1); its checksum is known to hold. Like ARP, it must not speak for another
// Ethernet address than its sender's.
func (v *View) decodeSolicitation(message []byte) drop.Reason {
	const targetAt, optionsAt, sourceLinkLayer = 8, 24, 1
	if len(message) < optionsAt {
		return drop.TruncatedTransport
	}
	target := Addr(message[targetAt:optionsAt])
	if v.TTL != 255 || v.Code != 0 || target[0] == 0xff || target.Is4() {
		return drop.BadARP
	}
	probe := v.Src == Addr{} // duplicate address detection: RFC 4862 section 5.4.2
	if probe && !isSolicitedNode(&v.Dst) {
		return drop.BadARP
	}
	for options := message[optionsAt:]; len(options) > 0; {
		if len(options) < 8 || options[1] == 0 || int(options[1])*8 > len(options) {
			return drop.BadARP
		}
		if options[0] == sourceLinkLayer && (probe || MAC(options[2:8]) != v.SrcMAC) {
			return drop.BadARP
		}
		options = options[int(options[1])*8:]
	}
	v.Kind, v.Target = KindNeighbor, target
	return drop.None
}

// isSolicitedNode reports whether a is in ff02::1:ff00:0/104 (RFC 4291 section 2.7.1).
func isSolicitedNode(a *Addr) bool {
	return [13]byte(a[:13]) == [13]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff}
}

// findMSS returns where in TCP options the value of the maximum segment size
// begins, or -1. Of several options the last counts, as it does for receivers.
// A malformed option hides those after it.
func findMSS(options []byte) int {
	found := -1
	for at := 0; at < len(options); {
		switch kind := options[at]; kind {
		case 0: // end of options
			return found
		case 1: // padding
			at++
			continue
		default:
			if at+1 >= len(options) {
				return found
			}
			n := int(options[at+1])
			if n < 2 || at+n > len(options) {
				return found
			}
			if kind == optMSS && n == 4 {
				found = at + 2
			}
			at += n
		}
	}
	return found
}
