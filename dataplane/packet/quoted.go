package packet

// Quoted returns the addresses, ports and protocol of the packet that an ICMP or
// ICMPv6 error quotes (RFC 792, RFC 4443 section 3), and whether it quotes enough
// of one. It looks only at what the quotation must hold: the IP header and the
// first 8 bytes after it. The quotation's checksums are not verified.
func (v *View) Quoted() (t Tuple, proto Proto, ok bool) {
	q := v.Payload()
	var l4 int
	switch {
	case v.V6 && len(q) >= ipv6Len && q[0]>>4 == 6:
		proto, l4 = Proto(q[6]), ipv6Len
		t.Src, t.Dst = Addr(q[8:24]), Addr(q[24:40])
		if t.Src.Is4() || t.Dst.Is4() {
			return Tuple{}, 0, false // it would pass for a packet of IPv4
		}
	case !v.V6 && len(q) >= ipv4Len && q[0]>>4 == 4:
		proto, l4 = Proto(q[9]), int(q[0]&15)*4
		t.Src.set4(q[12:16])
		t.Dst.set4(q[16:20])
	default:
		return Tuple{}, 0, false
	}
	if l4 < ipv4Len || len(q) < l4+8 {
		return Tuple{}, 0, false
	}
	switch b := q[l4:]; proto {
	case TCP, UDP:
		t.SrcPort, t.DstPort = be.Uint16(b), be.Uint16(b[2:])
	case ICMP, ICMPv6:
		t.SrcPort = be.Uint16(b[4:])
		t.DstPort = t.SrcPort
	}
	return t, proto, true
}

// ShiftQuoted passes the sequence number of the TCP segment that an ICMP or ICMPv6
// error quotes to the function, and writes what it returns. Where no such segment
// is quoted it does nothing. Checksums are corrected as in [View.TranslateQuoted].
func (v *View) ShiftQuoted(shift func(seq uint32) uint32) {
	_, proto, ok := v.Quoted()
	if !ok || proto != TCP {
		return
	}
	q := v.Payload()
	before := fold(sum(q, 0))
	l4 := ipv6Len
	if !v.V6 {
		l4 = int(q[0]&15) * 4
	}
	segment := q[l4:]
	was := be.Uint32(segment[4:])
	now := shift(was)
	be.PutUint32(segment[4:], now)
	if at := proto.checksumAt(); len(segment) >= at+2 {
		be.PutUint16(segment[at:], adjust(be.Uint16(segment[at:]), uint32(fold(uint64(^was)+uint64(now)))))
	}
	v.mend(before)
}

// mend corrects an ICMP error's own checksum after what it quotes has changed, given
// what that summed up to before.
func (v *View) mend(before uint16) {
	if v.partial {
		return // the receiver sums up what it finds
	}
	field := v.eth[v.l4+v.Proto.checksumAt():]
	after := fold(sum(v.Payload(), 0))
	be.PutUint16(field, adjust(be.Uint16(field), uint32(^before)+uint32(after)))
}

// TranslateQuoted makes the packet that an ICMP or ICMPv6 error quotes one with
// the addresses and ports of t, so that the error's receiver knows it for its own.
// There must be a [View.Quoted] packet of TCP or UDP. Checksums are corrected by
// what changed: the quoted ones, as far as the quotation reaches, and the error's
// own. Where t is of the other family, the error's own awaits a rewrite into that.
func (v *View) TranslateQuoted(t Tuple) {
	was, proto, ok := v.Quoted()
	if !ok || proto != TCP && proto != UDP {
		return
	}
	r := NewRewrite(was, t)
	q := v.Payload()
	before := fold(sum(q, 0))
	l4 := ipv6Len
	switch {
	case r.Converts:
		q, l4 = v.convertQuoted(proto, t)
	case v.V6:
		*(*Addr)(q[8:]) = t.Src
		*(*Addr)(q[24:]) = t.Dst
	default:
		l4 = int(q[0]&15) * 4
		copy(q[12:16], t.Src[12:])
		copy(q[16:20], t.Dst[12:])
		le.PutUint16(q[10:], adjust(le.Uint16(q[10:]), uint32(r.Delta.Addr)))
	}
	segment := q[l4:]
	be.PutUint16(segment, t.SrcPort)
	be.PutUint16(segment[2:], t.DstPort)
	if at := proto.checksumAt(); len(segment) >= at+2 {
		field := segment[at:]
		quoted := adjust(le.Uint16(field), uint32(r.Delta.Addr)+uint32(r.Delta.Port))
		switch {
		case proto != UDP:
			le.PutUint16(field, quoted)
		case le.Uint16(field) != 0:
			le.PutUint16(field, udpChecksum(quoted))
		}
	}
	v.mend(before)
}
