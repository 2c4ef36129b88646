package packet

import "math/bits"

// Plain is a packet with nothing unusual about it, as nearly all packets of established
// flows are: whole, without IP options or extension headers, TCP without SYN, FIN or RST,
// or UDP, no superframe, and with the right checksums. All that there is to know of it lies at
// few places, so that it is read, judged and rewritten for a fraction of what any packet takes:
// that is a [View], which says what has to come out. Like a View it borrows the frame's memory.
type Plain struct {
	Words
	v4       bool
	deferred bool // the transport checksum is left to a device, as [View.Complete] says
	TTL      uint8
	Len      int // of the IP packet, in bytes
	frame    *Frame
	head     *[plainLen]byte // from the virtio-net header on; what lies beyond the frame's end, too
}

// Words are what tells a packet's flow from others, as a processor compares it.
type Words struct {
	Src, Dst [2]uint64 // the addresses' halves, as little-endian numbers
	Ports    uint32    // the source's in the upper half
	Proto    Proto
}

// Where things are before and in a plain packet, from the virtio-net header on.
const (
	dstMACAt = VnetLen
	srcMACAt = VnetLen + 6
	typeAt   = VnetLen + 12
	ipAt     = VnetLen + ethLen
	v4At     = ipAt + ipv4Len // the transport header
	v6At     = ipAt + ipv6Len
	plainLen = v6At + tcpLen // room for all headers
)

// Ethernet types as little-endian numbers, and what stands before an IPv4 address in the
// second half of an [Addr].
const (
	etherIPv4LE = etherIPv4>>8 | etherIPv4&0xff<<8
	etherIPv6LE = etherIPv6>>8 | etherIPv6&0xff<<8
	mappedLE    = 0xffff_0000
)

// Read makes p the packet in a frame, and reports whether it is a plain one. If not, only
// its words may be used, and those only to guess with: they are right for most packets of TCP
// and UDP, and have protocol 0 where there is nothing to guess.
func (p *Plain) Read(f *Frame) bool {
	if f.start != headroom || len(f.store) < headroom+plainLen {
		p.Words = Words{}
		return false
	}
	b := f.store[headroom:] // what lies beyond the frame's end is read, too, and judged by lengths
	h := (*[plainLen]byte)(b)
	p.frame, p.head, p.deferred = f, h, false
	at, pseudo := v4At, uint64(0) // where the transport header begins, and the sum of the addresses
	switch le.Uint16(h[typeAt:]) {
	case etherIPv4LE:
		// The version, the header's length, and a fragment's flag and offset.
		const judged, plain = 0xff3f_0000_0000_00ff, 4<<4 | ipv4Len/4
		first, second, dst := le.Uint64(h[ipAt:]), le.Uint64(h[ipAt+8:]), uint64(le.Uint32(h[ipAt+16:]))
		if first&judged != plain {
			p.Words = Words{}
			return false
		}
		p.v4, p.Len, p.TTL, p.Proto = true, int(bits.ReverseBytes16(uint16(first>>16))), uint8(second), Proto(second>>8)
		p.Src[0], p.Src[1], p.Dst[0], p.Dst[1] = 0, second>>32<<32|mappedLE, 0, dst<<32|mappedLE
		p.Ports = be.Uint32(h[v4At:])
		pseudo = second>>32 + dst
		acc, carry := bits.Add64(first, second, 0)
		acc, carry = bits.Add64(acc, dst, carry)
		if (acc+carry)%0xffff != 0 { // it is all ones, in whichever order the bytes were
			return false
		}
	case etherIPv6LE:
		p.v4, p.Len, p.TTL, p.Proto = false, ipv6Len+int(be.Uint16(h[ipAt+4:])), h[ipAt+7], Proto(h[ipAt+6])
		p.Src[0], p.Src[1] = le.Uint64(h[ipAt+8:]), le.Uint64(h[ipAt+16:])
		p.Dst[0], p.Dst[1] = le.Uint64(h[ipAt+24:]), le.Uint64(h[ipAt+32:])
		p.Ports = be.Uint32(h[v6At:])
		acc, carry := bits.Add64(p.Src[0], p.Src[1], 0)
		acc, carry = bits.Add64(acc, p.Dst[0], carry)
		acc, carry = bits.Add64(acc, p.Dst[1], carry)
		at, pseudo = v6At, acc+carry
		if h[ipAt]>>4 != 6 || p.Src[0] == 0 || p.Dst[0] == 0 {
			return false // an IPv4-mapped address would pass for one of IPv4
		}
	default:
		p.Words = Words{}
		return false
	}
	size := ipAt + p.Len - at
	if p.Len > f.end-headroom-ipAt || size < udpLen {
		return false
	}
	segment := b[at : at+size]
	switch p.Proto {
	case TCP:
		if size < tcpLen {
			return false
		}
		const flags = uint16(SYN|FIN|RST) << 8
		word := le.Uint16(segment[12:]) // the header's length in words of 4 bytes, and the flags
		if n := int(word >> 2 & 0x3c); n < tcpLen || n > size || word&flags != 0 {
			return false
		}
	case UDP:
		if int(be.Uint16(segment[4:])) != size {
			return false
		}
		if le.Uint16(segment[6:]) == 0 { // the sender computed no checksum
			return p.v4 && (le.Uint16(h[:]) == 0 || p.offloads(at)) // RFC 8200 section 8.1
		}
	default:
		return false
	}
	if le.Uint16(h[:]) != 0 {
		return p.offloads(at)
	}
	acc, carry := bits.Add64(pseudo, uint64(p.Proto)<<8+uint64(bits.ReverseBytes16(uint16(size))), 0)
	return sumLE(segment, acc+carry)%0xffff == 0
}

// offloads reads a virtio-net header that says something, and reports whether a plain
// packet may have it whose transport header is at an offset.
func (p *Plain) offloads(at int) bool {
	flags, gso := p.head[0], p.head[1]
	if gso != gsoNone || flags&^(vnetNeedsCsum|vnetDataValid) != 0 {
		return false
	}
	p.deferred = flags&vnetNeedsCsum != 0 // else a device has verified it
	return !p.deferred || int(le.Uint16(p.head[6:])) == at-VnetLen && int(le.Uint16(p.head[8:])) == p.Proto.checksumAt()
}

// From reports whether the packet comes from an Ethernet address, and is for one receiver.
func (p *Plain) From(mac *MAC) bool {
	h := p.head
	return le.Uint32(h[srcMACAt:]) == le.Uint32(mac[:]) && le.Uint16(h[srcMACAt+4:]) == le.Uint16(mac[4:]) && h[dstMACAt]&1 == 0
}

// Ends are the two ends of a flow, as packets show them on one side of a translation.
type Ends struct {
	Addrs          [2]Addr // source and destination of packets that go one way
	DstMAC, SrcMAC MAC     // of what arrives on this side
}

// Show reports whether packets that come from there and go a way, 0 or 1, have the
// addresses of w.
func (e *Ends) Show(w *Words, way uint) bool {
	src, dst := &e.Addrs[way&1], &e.Addrs[way&1^1]
	differ := w.Src[0] ^ le.Uint64(src[:])
	differ |= w.Src[1] ^ le.Uint64(src[8:])
	differ |= w.Dst[0] ^ le.Uint64(dst[:])
	differ |= w.Dst[1] ^ le.Uint64(dst[8:])
	return differ == 0
}

// Change is what becomes of a plain packet, beside addresses: see [Rewrite].
type Change struct {
	Ports uint32 // as in [Words]
	Delta Delta
	TTL   uint8
	NAT   bool
}

// Apply rewrites the packet as [View.Apply] does, into one that goes a way, 0 or 1, and
// arrives at the given ends. It may be applied once. Complete must follow.
func (p *Plain) Apply(to *Ends, way uint, c Change) {
	h := p.head
	*(*MAC)(h[dstMACAt:]) = to.DstMAC
	*(*MAC)(h[srcMACAt:]) = to.SrcMAC
	src, dst := &to.Addrs[way&1], &to.Addrs[way&1^1]
	var t *[tcpLen]byte
	if p.v4 {
		delta := uint32(^uint16(c.TTL)) // the time to live is the first byte of its word
		h[ipAt+8] -= c.TTL
		if c.NAT {
			*(*[4]byte)(h[ipAt+12:]) = [4]byte(src[12:])
			*(*[4]byte)(h[ipAt+16:]) = [4]byte(dst[12:])
			delta += uint32(c.Delta.Addr)
		}
		le.PutUint16(h[ipAt+10:], adjust(le.Uint16(h[ipAt+10:]), delta))
		t = (*[tcpLen]byte)(h[v4At:])
	} else {
		h[ipAt+7] -= c.TTL
		if c.NAT {
			*(*Addr)(h[ipAt+8:]) = *src
			*(*Addr)(h[ipAt+24:]) = *dst
		}
		t = (*[tcpLen]byte)(h[v6At:])
	}
	if !c.NAT {
		return
	}
	be.PutUint32(t[:], c.Ports)
	delta := uint32(c.Delta.Addr) + uint32(c.Delta.Port)
	switch {
	case p.deferred: // Complete sums up what it finds, which the addresses are no part of
		field := t[p.Proto.checksumAt():]
		le.PutUint16(field, foldFew(uint32(le.Uint16(field))+uint32(c.Delta.Addr)))
	case p.Proto == TCP:
		le.PutUint16(t[16:], adjust(le.Uint16(t[16:]), delta))
	default:
		if was := le.Uint16(t[6:]); was != 0 { // else the sender computed none
			le.PutUint16(t[6:], udpChecksum(adjust(was, delta)))
		}
	}
}

// Complete completes the packet like [View.Complete].
func (p *Plain) Complete() {
	if p.deferred {
		p.complete()
	}
}

func (p *Plain) complete() {
	at := v6At
	if p.v4 {
		at = v4At
	}
	segment := p.frame.store[headroom:][at : ipAt+p.Len]
	checksum := ^fold(sum(segment, 0)) // the field holds the pseudo-header's part
	if p.Proto == UDP {
		checksum = udpChecksum(checksum)
	}
	be.PutUint16(segment[p.Proto.checksumAt():], checksum)
	clear(p.head[:VnetLen])
}
