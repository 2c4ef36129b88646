package packet

import "math/bits"

// Plain is a packet with nothing unusual about it, as nearly all packets of established
// flows are: whole, without IP options or extension headers, TCP without SYN, FIN or RST,
// or UDP, and no superframe. All that there is to know of it lies at few places, so that it
// is read, judged and rewritten for a fraction of what any packet takes: that is a [View],
// which says what has to come out. Like a View it borrows the frame's memory.
type Plain struct {
	Words
	bytes  []byte // from the virtio-net header on; what lies beyond the frame's end, too
	v4     bool
	answer answer
	TTL    uint8
	Len    int // of the IP packet, in bytes
}

// Words are what tells a packet's flow from others, as a processor compares it.
type Words struct {
	Src, Dst [2]uint64 // the addresses' halves, as little-endian numbers
	Ports    uint32    // the source's in the upper half
	Proto    Proto
}

// answer says who answers for a packet's transport checksum.
type answer uint8

const (
	unverified answer = iota // nobody has verified it
	vouched                  // a device has, or there is none
	deferred                 // it is left to a device, as [View.Complete] says
)

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
// and UDP, and have protocol 0 where there is nothing to guess. Read verifies no checksum.
func (p *Plain) Read(f *Frame) bool {
	b := f.store[f.start:]
	if len(b) < plainLen { // what lies beyond the frame's end is read, and judged by lengths
		p.Words = Words{}
		return false
	}
	h := (*[plainLen]byte)(b)
	var t *[tcpLen]byte
	var size int
	switch le.Uint16(h[typeAt:]) {
	case etherIPv4LE:
		// The version, the header's length, and a fragment's flag and offset.
		const judged, right = 0xff3f_0000_0000_00ff, 4<<4 | ipv4Len/4
		first := le.Uint64(h[ipAt:])
		if first&judged != right {
			p.Words = Words{}
			return false
		}
		t, p.v4, p.Len = (*[tcpLen]byte)(h[v4At:]), true, int(bits.ReverseBytes16(uint16(first>>16)))
		size = p.Len - ipv4Len
		p.TTL, p.Proto = h[ipAt+8], Proto(h[ipAt+9])
		p.Src[0], p.Src[1] = 0, uint64(le.Uint32(h[ipAt+12:]))<<32|mappedLE
		p.Dst[0], p.Dst[1] = 0, uint64(le.Uint32(h[ipAt+16:]))<<32|mappedLE
	case etherIPv6LE:
		t, p.v4, size = (*[tcpLen]byte)(h[v6At:]), false, int(be.Uint16(h[ipAt+4:]))
		p.Len = ipv6Len + size
		p.Proto, p.TTL = Proto(h[ipAt+6]), h[ipAt+7]
		p.Src[0], p.Src[1] = le.Uint64(h[ipAt+8:]), le.Uint64(h[ipAt+16:])
		p.Dst[0], p.Dst[1] = le.Uint64(h[ipAt+24:]), le.Uint64(h[ipAt+32:])
	default:
		p.Words = Words{}
		return false
	}
	p.bytes, p.Ports, p.answer = b, be.Uint32(t[:]), unverified
	if p.Len > f.end-f.start-ipAt || size < udpLen {
		return false
	}
	if !p.v4 && (h[ipAt]>>4 != 6 || p.Src[0] == 0 || p.Dst[0] == 0) {
		return false // an IPv4-mapped address would pass for one of IPv4
	}
	switch p.Proto {
	case TCP:
		if n := int(t[12]>>4) * 4; n < tcpLen || n > size || Flags(t[13])&(SYN|FIN|RST) != 0 {
			return false
		}
	case UDP:
		if int(be.Uint16(t[4:])) != size {
			return false
		}
		if le.Uint16(t[6:]) == 0 {
			if !p.v4 {
				return false // RFC 8200 section 8.1
			}
			p.answer = vouched
		}
	default:
		return false
	}
	return le.Uint16(h[:]) == 0 || p.offloads()
}

// offloads reads a virtio-net header that says something, and reports whether a plain
// packet may have it.
func (p *Plain) offloads() bool {
	vnet := p.bytes[:VnetLen]
	flags, gso := vnet[0], vnet[1]
	if gso != gsoNone || flags&^(vnetNeedsCsum|vnetDataValid) != 0 {
		return false
	}
	if flags&vnetNeedsCsum == 0 {
		p.answer = vouched
		return true
	}
	p.answer = deferred
	return int(le.Uint16(vnet[6:])) == p.transportAt()-VnetLen && int(le.Uint16(vnet[8:])) == p.Proto.checksumAt()
}

// head is the memory of all headers.
func (p *Plain) head() *[plainLen]byte { return (*[plainLen]byte)(p.bytes) }

// transportAt is where the transport header begins, from the virtio-net header on.
func (p *Plain) transportAt() int {
	if p.v4 {
		return v4At
	}
	return v6At
}

// From reports whether the packet comes from an Ethernet address, and is for one receiver.
func (p *Plain) From(mac *MAC) bool {
	h := p.head()
	return le.Uint32(h[srcMACAt:]) == le.Uint32(mac[:]) && le.Uint16(h[srcMACAt+4:]) == le.Uint16(mac[4:]) && h[dstMACAt]&1 == 0
}

// Holds verifies the checksums, as far as that is up to the receiver.
func (p *Plain) Holds() bool {
	from, size := ipAt+8, p.Len-ipv6Len // of the addresses, which the transport checksum covers, too
	if p.v4 {
		from, size = ipAt+12, p.Len-ipv4Len
		h := p.head()
		acc, carry := bits.Add64(le.Uint64(h[ipAt:]), le.Uint64(h[ipAt+8:]), 0)
		acc, carry = bits.Add64(acc, uint64(le.Uint32(h[ipAt+16:])), carry)
		if fold(acc+carry) != 0xffff { // whichever the order of bytes
			return false
		}
	}
	if p.answer != unverified {
		return true
	}
	pseudo := uint64(p.Proto)<<8 + uint64(bits.ReverseBytes16(uint16(size)))
	return fold(sumLE(p.bytes[from:ipAt+p.Len], pseudo)) == 0xffff
}

// Ends are the two ends of a flow, as packets show them on one side of a translation.
type Ends struct {
	Addrs          [2]Addr // source and destination of packets that go one way
	DstMAC, SrcMAC MAC     // of what arrives on this side
}

// Show reports whether packets that come from there and go a way, 0 or 1, have the
// addresses of w.
func (e *Ends) Show(w *Words, way uint8) bool {
	src, dst := &e.Addrs[way&1], &e.Addrs[way&1^1]
	return w.Src[1] == le.Uint64(src[8:]) && w.Dst[1] == le.Uint64(dst[8:]) &&
		w.Src[0] == le.Uint64(src[:]) && w.Dst[0] == le.Uint64(dst[:])
}

// Change is what becomes of a plain packet, beside addresses: see [Rewrite].
type Change struct {
	Ports uint32 // as in [Words]
	Delta Delta
	TTL   uint8
	NAT   bool
}

// Apply rewrites the packet as [View.Apply] does, into one that goes a way, 0 or 1, and
// arrives at the given ends. It completes it like [View.Complete]. It may be applied once.
func (p *Plain) Apply(to *Ends, way uint8, c Change) {
	h := p.head()
	if p.answer == deferred {
		p.complete(c)
	}
	*(*MAC)(h[dstMACAt:]) = to.DstMAC
	*(*MAC)(h[srcMACAt:]) = to.SrcMAC
	src, dst := &to.Addrs[way&1], &to.Addrs[way&1^1]
	var t *[tcpLen]byte
	if p.v4 {
		delta := uint64(^(uint16(c.TTL) << 8)) // the time to live is the upper half of its word
		h[ipAt+8] -= c.TTL
		if c.NAT {
			*(*[4]byte)(h[ipAt+12:]) = [4]byte(src[12:])
			*(*[4]byte)(h[ipAt+16:]) = [4]byte(dst[12:])
			delta += uint64(c.Delta.Addr)
		}
		be.PutUint16(h[ipAt+10:], adjust(be.Uint16(h[ipAt+10:]), delta))
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
	delta := uint64(c.Delta.Addr) + uint64(c.Delta.Port)
	if p.answer == deferred {
		return // it is complete, for what it has become
	}
	if p.Proto == TCP {
		be.PutUint16(t[16:], adjust(be.Uint16(t[16:]), delta))
	} else if was := be.Uint16(t[6:]); was != 0 { // else the sender computed none
		be.PutUint16(t[6:], udpChecksum(adjust(was, delta)))
	}
}

// complete fills in the checksum that the packet will have when it is changed.
func (p *Plain) complete(c Change) {
	segment := p.bytes[p.transportAt() : ipAt+p.Len]
	acc := sum(segment, 0) // with the pseudo-header's, which is in the field
	if c.NAT {
		acc += uint64(c.Delta.Addr) + uint64(c.Delta.Port)
	}
	checksum := ^fold(acc)
	if p.Proto == UDP {
		checksum = udpChecksum(checksum)
	}
	be.PutUint16(segment[p.Proto.checksumAt():], checksum)
	clear(p.bytes[:VnetLen])
}
