package packet

import "net/netip"

// Spec describes a packet to build: the probe of an explanation, the traffic of
// a simulated host, the input of a test. Fields of other protocols than Proto
// are ignored.
type Spec struct {
	SrcMAC, DstMAC MAC
	// Src and Dst are of one family, which is the packet's. The ports are
	// those of TCP and UDP. Of ICMP, the port of Src is the identifier of an
	// echo, or whatever else stands in the third 16-bit word of the header;
	// Dst has none.
	Src, Dst netip.AddrPort
	Proto    Proto  // of any other than the named ones, Payload follows the IP header
	TTL      uint8  // 0: 64
	ID       uint16 // of IPv4
	DF       bool   // of IPv4: don't fragment

	Flags   Flags
	Seq     uint32 // ICMP: the low 16 bits are the sequence number of an echo
	Ack     uint32
	Window  uint16
	MSS     uint16 // 0: no such option
	Options []byte // of TCP, after MSS; filled up to a multiple of four bytes, and cut at the room for options

	Type, Code uint8 // of ICMP and ICMPv6

	Payload []byte // cut at 65535 bytes of IP packet

	// Partial leaves the checksum of TCP or UDP to the receiver's device, as
	// hosts do that have checksum offload. GSOSize implies it: it makes a
	// superframe, to be cut into segments of so many bytes of payload.
	Partial bool
	GSOSize uint16
}

// Build makes f the frame that s describes, with all checksums right. It
// overwrites whatever f held; s.Payload and s.Options must not lie within it.
func (s *Spec) Build(f *Frame) {
	s.BuildOf(f, &Tuple{
		Src: AddrFrom(s.Src.Addr()), Dst: AddrFrom(s.Dst.Addr()), SrcPort: s.Src.Port(), DstPort: s.Dst.Port(),
	})
}

// BuildOf is [Spec.Build] with addresses and ports that are not those of s.
func (s *Spec) BuildOf(f *Frame, t *Tuple) {
	f.Reset()
	eth := f.store[f.end:]
	copy(eth[0:6], s.DstMAC[:])
	copy(eth[6:12], s.SrcMAC[:])

	is4, header := t.Src.Is4(), ipv6Len
	if is4 {
		header = ipv4Len
	}
	segment := eth[ethLen+header:]
	segment = segment[:min(len(segment), 65535-header)]
	n, data := s.putTransport(segment, t)
	segment = segment[:n]
	if is4 {
		var flags uint16
		if s.DF {
			flags = dontFragment
		}
		be.PutUint16(eth[12:], etherIPv4)
		putIPv4(eth[ethLen:], 0, n, s.ID, flags, s.Proto, s.ttl(), &t.Src, &t.Dst)
	} else {
		be.PutUint16(eth[12:], etherIPv6)
		putIPv6(eth[ethLen:], 0, n, s.Proto, s.ttl(), &t.Src, &t.Dst)
	}
	f.end += ethLen + header + n

	if data == 0 {
		return // no transport header, no checksum
	}
	var acc uint64
	if s.Proto != ICMP {
		acc = pseudoSum(&t.Src, &t.Dst, s.Proto, n)
	}
	at := s.Proto.checksumAt()
	switch {
	case s.partial():
		be.PutUint16(segment[at:], fold(acc))
		s.putVnet(f.Vnet(), is4, ethLen+header, data)
	case s.Proto == UDP:
		be.PutUint16(segment[at:], udpChecksum(^fold(sum(segment, acc))))
	default:
		be.PutUint16(segment[at:], ^fold(sum(segment, acc)))
	}
}

// BuildFragment makes f the fragment of the packet that s describes which holds the
// bytes from one offset of what follows the IP header to another; from is a multiple
// of eight, and so is to unless it is the end, at which both are cut. ID is the identification. Partial and
// GSOSize must not be set.
func (s *Spec) BuildFragment(f *Frame, from, to int) {
	s.Build(f)
	eth := f.Ethernet()
	v := View{frame: f, eth: eth, V6: be.Uint16(eth[12:]) == etherIPv6, Proto: s.Proto, Offset: from, ID: uint32(s.ID)}
	header, body := ipv4Len, ethLen+ipv4Len
	if v.V6 {
		header, body = ipv6Len, ethLen+ipv6Len+fragmentLen
	}
	to = min(to, len(eth)-ethLen-header)
	from = min(from, to)
	v.More = ethLen+header+to < len(eth)
	n := copy(f.store[f.start+VnetLen+body:], eth[ethLen+header+from:ethLen+header+to])
	f.end = f.start + VnetLen + body + n
	ip := f.Ethernet()[ethLen:]
	src, dst := AddrFrom(s.Src.Addr()), AddrFrom(s.Dst.Addr())
	if v.V6 {
		v.putFragmentHeader(ip[ipv6Len:])
		putIPv6(ip, 0, fragmentLen+n, fragmentHeader, s.ttl(), &src, &dst)
	} else {
		putIPv4(ip, 0, n, s.ID, v.fragmentWord(), s.Proto, s.ttl(), &src, &dst)
	}
}

func (s *Spec) partial() bool {
	return (s.Partial || s.GSOSize != 0) && (s.Proto == TCP || s.Proto == UDP)
}

// putTransport writes the transport header of t's ports, without checksum, and the payload
// into b. It returns the length of both and that of the header.
func (s *Spec) putTransport(b []byte, t *Tuple) (n, header int) {
	clear(b[:tcpLen])
	switch s.Proto {
	case TCP:
		options := b[tcpLen : tcpLen+40]
		clear(options)
		n := 0
		if s.MSS != 0 {
			options[0], options[1] = optMSS, 4
			be.PutUint16(options[2:], s.MSS)
			n = 4
		}
		n += copy(options[n:], s.Options)
		header = tcpLen + (n+3)/4*4
		be.PutUint16(b, t.SrcPort)
		be.PutUint16(b[2:], t.DstPort)
		be.PutUint32(b[4:], s.Seq)
		be.PutUint32(b[8:], s.Ack)
		b[12], b[13] = byte(header/4)<<4, byte(s.Flags)
		be.PutUint16(b[14:], s.Window)
	case UDP:
		header = udpLen
		be.PutUint16(b, t.SrcPort)
		be.PutUint16(b[2:], t.DstPort)
	case ICMP, ICMPv6:
		header = icmpLen
		b[0], b[1] = s.Type, s.Code
		be.PutUint16(b[4:], t.SrcPort)
		be.PutUint16(b[6:], uint16(s.Seq))
	}
	n = header + copy(b[header:], s.Payload)
	if s.Proto == UDP {
		be.PutUint16(b[4:], uint16(n))
	}
	return n, header
}

// putIPv4 writes the IP header before a segment of n bytes. flags are the word that
// also holds the offset of a fragment.
func putIPv4(ip []byte, class byte, n int, id, flags uint16, p Proto, ttl uint8, src, dst *Addr) {
	ip = ip[:ipv4Len]
	clear(ip)
	ip[0], ip[1] = 4<<4|ipv4Len/4, class
	be.PutUint16(ip[2:], uint16(ipv4Len+n))
	be.PutUint16(ip[4:], id)
	be.PutUint16(ip[6:], flags)
	ip[8], ip[9] = ttl, byte(p)
	copy(ip[12:16], src[12:])
	copy(ip[16:20], dst[12:])
	be.PutUint16(ip[10:], ^fold(sum(ip, 0)))
}

// putIPv6 writes the IP header before a segment of n bytes. It has no flow label.
func putIPv6(ip []byte, class byte, n int, p Proto, ttl uint8, src, dst *Addr) {
	be.PutUint32(ip, 6<<28|uint32(class)<<20)
	be.PutUint16(ip[4:], uint16(n))
	ip[6], ip[7] = byte(p), ttl
	copy(ip[8:24], src[:])
	copy(ip[24:40], dst[:])
}

func (s *Spec) ttl() uint8 {
	if s.TTL == 0 {
		return 64
	}
	return s.TTL
}

// putVnet asks for the checksum, and for segmentation if there is a size. The
// transport header begins at l4 and has the given length.
func (s *Spec) putVnet(vnet []byte, v4 bool, l4, header int) {
	vnet[0] = vnetNeedsCsum
	le.PutUint16(vnet[2:], uint16(l4+header))
	le.PutUint16(vnet[6:], uint16(l4))
	le.PutUint16(vnet[8:], uint16(s.Proto.checksumAt()))
	if s.GSOSize == 0 {
		return
	}
	switch {
	case s.Proto == UDP:
		vnet[1] = gsoUDP
	case v4:
		vnet[1] = gsoTCPv4
	default:
		vnet[1] = gsoTCPv6
	}
	le.PutUint16(vnet[4:], s.GSOSize)
}
