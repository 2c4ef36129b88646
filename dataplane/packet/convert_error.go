package packet

// An ICMP error of one family, its type and code, and what it is called in the other.
type errorName struct{ kind, code uint8 }

// How the two families call what cannot be reached (RFC 7915 sections 4.2 and 5.2).
// What stands in neither table has no name in the other family.
var (
	toICMPv6 = map[errorName]errorName{
		{3, 0}: {1, 0}, {3, 1}: {1, 0}, {3, 5}: {1, 0}, {3, 6}: {1, 0}, {3, 7}: {1, 0},
		{3, 8}: {1, 0}, {3, 11}: {1, 0}, {3, 12}: {1, 0},
		{3, 3}: {1, 4},
		{3, 4}: {2, 0},
		{3, 9}: {1, 1}, {3, 10}: {1, 1}, {3, 13}: {1, 1}, {3, 15}: {1, 1},
	}
	toICMP = map[errorName]errorName{
		{1, 0}: {3, 1}, {1, 2}: {3, 1}, {1, 3}: {3, 1},
		{1, 1}: {3, 10},
		{1, 4}: {3, 3},
		{2, 0}: {3, 4},
	}
)

// converted returns what an ICMP error is called in the other family.
func (v *View) converted() (name errorName, ok bool) {
	if v.Proto == ICMPv6 {
		name, ok = toICMP[errorName{v.Type, v.Code}]
	} else {
		name, ok = toICMPv6[errorName{v.Type, v.Code}]
	}
	return name, ok
}

// Named returns the protocol of a packet, and of ICMP the type and code, by their
// names in a family.
func (v *View) Named(is4 bool) (proto Proto, kind, code uint8) {
	if v.Proto != ICMP && v.Proto != ICMPv6 || v.V6 != is4 {
		return v.Proto, v.Type, v.Code
	}
	name, _ := v.converted()
	if is4 {
		return ICMP, name.kind, name.code
	}
	return ICMPv6, name.kind, name.code
}

// Convertible reports whether a packet means something in the other family: of ICMP
// only some errors do, and of a datagram of IPv4 without checksum the fragments do
// not, for nobody can compute it.
func (v *View) Convertible() bool {
	switch {
	case v.Proto == UDP && v.Fragment && v.Offset == 0:
		return be.Uint16(v.eth[v.l4+UDP.checksumAt():]) != 0
	case v.Proto != ICMP && v.Proto != ICMPv6:
		return true
	}
	_, ok := v.converted()
	return ok
}

// convertError gives an ICMP error its name in the other family, and returns the
// protocol there. Where it tells the size of a packet, it tells that of the packet's
// other form.
func (v *View) convertError() Proto {
	message := v.eth[v.l4:]
	name, _ := v.converted()
	message[0], message[1] = name.kind, name.code
	size := int(be.Uint32(message[4:])) // of ICMP: the lower half
	if v.Proto == ICMPv6 {
		be.PutUint32(message[4:], 0)
		if name == (errorName{3, 4}) {
			be.PutUint16(message[6:], uint16(min(max(size-(ipv6Len-ipv4Len), 0), maxLen)))
		}
		return ICMP
	}
	be.PutUint32(message[4:], 0)
	if name == (errorName{2, 0}) {
		be.PutUint32(message[4:], uint32(size&0xffff+ipv6Len-ipv4Len))
	}
	return ICMPv6
}

// convertQuoted gives the packet that an ICMP error quotes a header of the other
// family, with the addresses of t. It returns the quotation and the length of that
// header. The error's own checksum is left to convert.
func (v *View) convertQuoted(proto Proto, t Tuple) (q []byte, header int) {
	q = v.Payload()
	if v.V6 {
		class, ttl, carried := q[0]<<4|q[1]>>4, q[7], int(be.Uint16(q[4:]))
		q = v.requote(ipv4Len - ipv6Len)
		putIPv4(q, class, carried, 0, dontFragment, proto, ttl, &t.Src, &t.Dst)
		return q, ipv4Len
	}
	header = int(q[0]&15) * 4
	class, ttl, carried := q[1], q[8], int(be.Uint16(q[2:]))-header
	q = v.requote(ipv6Len - header)
	putIPv6(q, class, carried, proto, ttl, &t.Src, &t.Dst)
	return q, ipv6Len
}

// requote makes a quotation n bytes longer, at its beginning.
func (v *View) requote(n int) []byte {
	v.stretch(v.data, n)
	v.lengthen(v.eth[ethLen:], n)
	return v.Payload()
}
