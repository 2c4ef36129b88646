package packet

import "math/bits"

// Tuple is what address translation changes: addresses and ports, the latter in
// host byte order.
type Tuple struct {
	Src, Dst         Addr
	SrcPort, DstPort uint16
}

// Reversed returns the tuple of the packets that answer.
func (t Tuple) Reversed() Tuple {
	return Tuple{Src: t.Dst, Dst: t.Src, SrcPort: t.DstPort, DstPort: t.SrcPort}
}

// Rewrite is what happens to every packet of one direction of a flow between
// two interfaces, as [NewRewrite] finds it out. All else passes untouched: IP ID,
// sequence numbers, window, options (F1.37).
type Rewrite struct {
	Src, Dst         Addr
	SrcPort, DstPort uint16
	SrcMAC, DstMAC   MAC
	TTL              uint8  // subtracted from the time to live (F1.38)
	MSS              uint16 // larger MSS options of SYN segments are lowered to it; 0: untouched (F1.32)
	NAT              bool   // addresses and ports change; else only MAC addresses do
	Converts         bool   // from one family to the other
	Delta            Delta
}

// Delta is by what a rewrite changes checksums as a processor loads them, which is in
// little-endian order (RFC 1071 section 2 B): the one's-complement change of the
// words of addresses, and of ports.
type Delta struct{ Addr, Port uint16 }

// Reversed returns by what the rewrite of the packets that answer changes them.
func (d Delta) Reversed() Delta { return Delta{^d.Addr, ^d.Port} }

// NewRewrite returns the translation of packets of tuple from into such of tuple
// to, which may be of the other family. The caller sets SrcMAC, DstMAC, TTL and
// MSS; the other fields must stay as they are.
func NewRewrite(from, to Tuple) Rewrite {
	r := Rewrite{
		Src: to.Src, Dst: to.Dst, SrcPort: to.SrcPort, DstPort: to.DstPort,
		NAT: from != to, Converts: from.Dst.Is4() != to.Dst.Is4(),
	}
	before := fold(addrSum(&from.Src) + addrSum(&from.Dst))
	after := fold(addrSum(&to.Src) + addrSum(&to.Dst))
	ports := foldFew(uint32(^from.SrcPort) + uint32(^from.DstPort) + uint32(to.SrcPort) + uint32(to.DstPort))
	r.Delta = Delta{bits.ReverseBytes16(foldFew(uint32(^before) + uint32(after))), bits.ReverseBytes16(ports)}
	return r
}

// Apply rewrites the frame of v, which must have decoded as [KindIP] with the
// tuple that r translates from and with a TTL above r.TTL, and whose other
// fields keep telling what the packet was; but for V6, Len and Proto where r
// converts, which it does for a packet that is [View.Convertible]. It may be applied
// once.
//
// Checksums are corrected by what changed: one that was right stays right, and
// one that was wrong behind a trusting device stays wrong. The identifiers of
// ICMP echo and the packets quoted in ICMP errors are not translated; for those
// there is [View.TranslateQuoted].
func (v *View) Apply(r *Rewrite) {
	eth := v.eth
	*(*MAC)(eth) = r.DstMAC
	*(*MAC)(eth[6:]) = r.SrcMAC
	if r.Converts {
		v.convert(r)
	} else {
		v.readdress(r)
		if r.NAT {
			v.translateTransport(r)
		}
	}
	if r.MSS != 0 && v.MSS > r.MSS {
		v.lowerMSS(r.MSS)
	}
}

// readdress rewrites the IP header.
func (v *View) readdress(r *Rewrite) {
	ip := v.eth[ethLen:]
	if v.V6 {
		ip[7] -= r.TTL
		if r.NAT {
			*(*Addr)(ip[8:]) = r.Src
			*(*Addr)(ip[24:]) = r.Dst
		}
		return
	}
	delta := uint32(^uint16(r.TTL)) // the time to live is the first byte of its word
	ip[8] -= r.TTL
	if r.NAT {
		copy(ip[12:16], r.Src[12:])
		copy(ip[16:20], r.Dst[12:])
		delta += uint32(r.Delta.Addr)
	}
	le.PutUint16(ip[10:], adjust(le.Uint16(ip[10:]), delta))
}

// translateTransport rewrites the ports, and corrects the checksum for them and
// for the addresses in the pseudo-header.
func (v *View) translateTransport(r *Rewrite) {
	if v.Offset > 0 {
		return // the first fragment has the ports, and the checksum of all
	}
	segment := v.eth[v.l4:]
	delta := uint32(r.Delta.Addr)
	switch v.Proto {
	case TCP, UDP:
		be.PutUint16(segment, r.SrcPort)
		be.PutUint16(segment[2:], r.DstPort)
		delta += uint32(r.Delta.Port)
	case ICMP:
		return // no ports, and no pseudo-header in the checksum
	}
	field := segment[v.Proto.checksumAt():]
	was := le.Uint16(field)
	switch {
	case v.partial:
		// The sum of the pseudo-header, not complemented: the receiver
		// adds the ports with the rest of the segment.
		le.PutUint16(field, foldFew(uint32(was)+uint32(r.Delta.Addr)))
	case v.Proto != UDP:
		le.PutUint16(field, adjust(was, delta))
	case was != 0: // else the sender computed none
		le.PutUint16(field, udpChecksum(adjust(was, delta)))
	}
}

// udpChecksum returns the form in which a datagram carries a checksum: 0 would
// mean that there is none (RFC 768).
func udpChecksum(checksum uint16) uint16 {
	if checksum == 0 {
		return 0xffff
	}
	return checksum
}

// lowerMSS writes a smaller maximum segment size into the option of a SYN.
func (v *View) lowerMSS(mss uint16) {
	segment := v.eth[v.l4:v.data]
	at := tcpLen + findMSS(segment[tcpLen:])
	be.PutUint16(segment[at:], mss)
	if v.partial {
		return // the receiver sums up what it finds
	}
	delta := fold(uint64(^v.MSS) + uint64(mss))
	if at%2 != 0 {
		delta = delta<<8 | delta>>8 // the value straddles two words
	}
	field := segment[TCP.checksumAt():]
	be.PutUint16(field, adjust(be.Uint16(field), uint32(delta)))
}
