package packet

// Growth returns how many bytes longer a packet is after a rewrite from one address
// to another: 20 from IPv4 to IPv6, -20 from IPv6 to IPv4, and 0 where the family
// stays. Options of an IPv4 header, which get lost, are not in it.
func Growth(from, to Addr) int {
	switch was, is := from.Is4(), to.Is4(); {
	case was && !is:
		return ipv6Len - ipv4Len
	case is && !was:
		return ipv4Len - ipv6Len
	}
	return 0
}

// convert gives the packet a header of the other family, with the addresses of r, as
// RFC 7915 sections 4.1 and 5.1 say: the traffic class stays, with what it says of
// congestion, and so does the time to live but for the toll. No flow label is made
// up. To IPv4 the packet is one that must not be fragmented and needs no
// identification (RFC 6864 section 4.1), however short it is, for nobody behind the
// translation fragments. Options of an IPv4 header are left out. IPv6 could carry
// more behind its header than IPv4, but not within a [Frame].
//
// The pseudo-headers of both families add up to the same but for the addresses
// (see pseudoSum), and so the checksum of TCP or UDP is corrected as for any other
// rewrite. That of ICMP is made anew.
func (v *View) convert(r *Rewrite) {
	class, header := v.eth[ethLen+1], ipv6Len
	if v.Fragment {
		header += fragmentLen
	}
	if v.V6 {
		class, header = v.eth[ethLen]<<4|v.eth[ethLen+1]>>4, ipv4Len
	}
	n := header - (v.l4 - ethLen)
	v.stretch(ethLen, n)
	v.l4 += n
	v.data += n
	v.V6 = !v.V6
	proto := v.Proto
	if proto == ICMP || proto == ICMPv6 {
		proto = v.convertError()
	}
	ip, ttl := v.eth[ethLen:], v.TTL-r.TTL
	if v.V6 {
		be.PutUint16(v.eth[12:], etherIPv6)
		next := proto
		if v.Fragment {
			next = fragmentHeader
			v.putFragmentHeader(ip[ipv6Len:])
		}
		putIPv6(ip, class, v.Len-ipv6Len, next, ttl, &r.Src, &r.Dst)
	} else {
		be.PutUint16(v.eth[12:], etherIPv4)
		id, flags := uint16(0), uint16(dontFragment)
		if v.Fragment {
			id, flags = uint16(v.ID), v.fragmentWord()
		}
		putIPv4(ip, class, v.Len-ipv4Len, id, flags, proto, ttl, &r.Src, &r.Dst)
	}
	if proto != v.Proto {
		v.Proto = proto
		v.sumSegment()
		return
	}
	v.convertOffload(n)
	v.translateTransport(r)
	if proto == UDP && v.V6 && !v.partial && !v.Fragment && be.Uint16(v.eth[v.l4+UDP.checksumAt():]) == 0 {
		v.sumSegment() // IPv4 may leave it out, IPv6 not (RFC 7915 section 4.5)
	}
}

// putFragmentHeader writes the extension header of a fragment of IPv6.
func (v *View) putFragmentHeader(b []byte) {
	word := uint16(v.Offset)
	if v.More {
		word |= 1
	}
	b[0], b[1] = byte(v.Proto), 0
	be.PutUint16(b[2:], word)
	be.PutUint32(b[4:], v.ID)
}

// fragmentWord returns the flags and the offset of a fragment of IPv4.
func (v *View) fragmentWord() uint16 {
	word := uint16(v.Offset / 8)
	if v.More {
		word |= moreFragments
	}
	return word
}

// Renumber gives a fragment another identification: 16 bits of it in IPv4. It may
// follow [View.Apply].
func (v *View) Renumber(id uint32) {
	ip := v.eth[ethLen:]
	if v.V6 {
		be.PutUint32(ip[ipv6Len+4:], id)
		return
	}
	was := be.Uint16(ip[4:])
	be.PutUint16(ip[4:], uint16(id))
	be.PutUint16(ip[10:], adjust(be.Uint16(ip[10:]), uint32(^was)+uint32(uint16(id))))
}

// stretch makes what stands before offset at of the frame end n bytes earlier, or
// later where n is negative, and the packet so much longer. The rest stays in place.
func (v *View) stretch(at, n int) {
	f := v.frame
	copy(f.store[f.start-n:], f.store[f.start:f.start+VnetLen+at])
	f.start -= n
	v.eth = f.Ethernet()
	v.Len += n
}

// convertOffload makes the virtio-net header say the same of the other family, with
// a transport header that begins n bytes later.
func (v *View) convertOffload(n int) {
	if !v.partial {
		return
	}
	vnet := v.frame.Vnet()
	le.PutUint16(vnet[2:], uint16(int(le.Uint16(vnet[2:]))+n))
	le.PutUint16(vnet[6:], uint16(v.l4))
	switch ecn := vnet[1] & gsoECN; {
	case v.Proto != TCP || vnet[1] == gsoNone:
	case v.V6:
		vnet[1] = gsoTCPv6 | ecn
	default:
		vnet[1] = gsoTCPv4 | ecn
	}
}

// sumSegment computes the checksum of the transport header with the ports and
// addresses that stand in the frame.
func (v *View) sumSegment() {
	segment := v.eth[v.l4 : ethLen+v.Len]
	field := segment[v.Proto.checksumAt():]
	be.PutUint16(field, 0)
	var acc uint64
	if v.V6 { // UDP of IPv4 needs none, and ICMP covers no addresses
		src, dst := Addr(v.eth[ethLen+8:]), Addr(v.eth[ethLen+24:])
		acc = pseudoSum(&src, &dst, v.Proto, len(segment))
	}
	checksum := ^fold(sum(segment, acc))
	if v.Proto == UDP {
		checksum = udpChecksum(checksum)
	}
	be.PutUint16(field, checksum)
}
