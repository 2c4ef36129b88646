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
