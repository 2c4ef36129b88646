package packet

// Headroom is how many bytes [View.Insert] can put before a payload.
const Headroom = 128

// maxLen is the longest IP packet that is made here.
const maxLen = 65535

// What a load balancer does to a TCP stream that it puts something into: it
// inserts bytes, and shifts the numbers that count them. These methods may follow
// [View.Apply] and go before [View.Complete]; like it, they change the frame and
// not what v says of it, except for its Len, WireLen and Segments, and keep right
// checksums right.

// Ack returns the acknowledgement number, which means something with [ACK] only.
func (v *View) Ack() uint32 { return be.Uint32(v.eth[v.l4+8:]) }

// SetSeq writes another sequence number.
func (v *View) SetSeq(seq uint32) { v.setWord(v.l4+4, seq) }

// SetAck writes another acknowledgement number.
func (v *View) SetAck(ack uint32) { v.setWord(v.l4+8, ack) }

// SACKEdges passes each edge of each block of a selective acknowledgement (RFC
// 2018) to the function, left ones first within a block, and writes what it
// returns. A malformed option hides those after it.
func (v *View) SACKEdges(edge func(edge uint32, left bool) uint32) {
	options := v.eth[v.l4+tcpLen : v.data]
	for at := 0; at < len(options) && options[at] != 0; {
		if options[at] == 1 { // padding
			at++
			continue
		}
		if at+1 >= len(options) {
			return
		}
		n := int(options[at+1])
		if n < 2 || at+n > len(options) {
			return
		}
		if options[at] == optSACK {
			for i := at + 2; i+8 <= at+n; i += 8 {
				v.setWord(v.l4+tcpLen+i, edge(be.Uint32(options[i:]), true))
				v.setWord(v.l4+tcpLen+i+4, edge(be.Uint32(options[i+4:]), false))
			}
		}
		at += n
	}
}

// setWord writes a 32-bit number of the TCP header at an offset in the frame.
func (v *View) setWord(at int, x uint32) {
	was := be.Uint32(v.eth[at:])
	be.PutUint32(v.eth[at:], x)
	delta := fold(uint64(^was) + uint64(x))
	if (at-v.l4)%2 != 0 {
		delta = delta<<8 | delta>>8 // it straddles the words that are summed
	}
	v.adjustTCP(uint32(delta))
}

// adjustTCP corrects the checksum for a change of what it covers. A partial one
// covers the pseudo-header alone.
func (v *View) adjustTCP(delta uint32) {
	if !v.partial {
		field := v.eth[v.l4+TCP.checksumAt():]
		be.PutUint16(field, adjust(be.Uint16(field), delta))
	}
}

// Insert puts b before the payload; len(b) is even and at most [Headroom], and
// v.Insert is called once at most. mtu is the length of an IP packet that the
// receiver's link takes: a packet that becomes longer is made a superframe of
// segments with no more payload than the sender's own, which reach the receiver
// one by one. Where even that would be longer than an IP packet can be, or the
// packet is a SYN, of which there are no superframes, the last of the payload is
// cut off, as if it had been lost: the sender sends it again.
func (v *View) Insert(b []byte, mtu int) {
	n, limit := len(b), maxLen
	if v.Flags&SYN != 0 {
		limit = mtu
	}
	payload := v.Len - (v.data - ethLen)
	if over := min(v.Len+n-limit, payload); over > 0 {
		v.cut(over)
	}

	// The headers move to the front, the payload stays where it is.
	f := v.frame
	head := VnetLen + v.data
	copy(f.store[f.start-n:], f.store[f.start:f.start+head])
	copy(f.store[f.start-n+head:], b)
	f.start -= n
	v.eth = f.Ethernet()
	v.Len += n

	ip := v.eth[ethLen:]
	v.lengthen(ip, n)
	pseudo := uint64(n)
	field := v.eth[v.l4+TCP.checksumAt():]
	if v.partial {
		be.PutUint16(field, fold(uint64(be.Uint16(field))+pseudo))
	} else {
		be.PutUint16(field, adjust(be.Uint16(field), uint32(fold(sum(b, pseudo)))))
	}
	if v.Flags&URG != 0 { // the pointer counts from the segment's first byte
		at := v.l4 + 18
		was := be.Uint16(v.eth[at:])
		be.PutUint16(v.eth[at:], was+uint16(n))
		v.adjustTCP(uint32(^was) + uint32(was+uint16(n)))
	}
	if v.Len > mtu && v.frame.Vnet()[1] == gsoNone {
		v.segment(max(payload, n))
	}
	v.Segments, v.WireLen = 1, v.Len
	if vnet := v.frame.Vnet(); vnet[1] != gsoNone {
		v.spread(int(le.Uint16(vnet[4:])))
	}
}

// lengthen adds n to the length in the IP header.
func (v *View) lengthen(ip []byte, n int) {
	at := 2
	if v.V6 {
		at = 4
	}
	was := be.Uint16(ip[at:])
	be.PutUint16(ip[at:], was+uint16(n))
	if !v.V6 {
		be.PutUint16(ip[10:], adjust(be.Uint16(ip[10:]), uint32(^was)+uint32(was+uint16(n))))
	}
}

// segment makes the packet a superframe of segments of size bytes of payload.
func (v *View) segment(size int) {
	if !v.partial {
		// All that the checksum covers must come out of it but the pseudo-header.
		segment := v.eth[v.l4 : ethLen+v.Len]
		field := segment[TCP.checksumAt():]
		was := be.Uint16(field)
		be.PutUint16(field, 0)
		be.PutUint16(field, fold(uint64(^was)+uint64(^fold(sum(segment, 0)))))
		v.partial = true
	}
	v.frame.end -= len(v.eth) - (ethLen + v.Len) // nothing may follow a superframe
	v.eth = v.frame.Ethernet()
	vnet := v.frame.Vnet()
	vnet[0], vnet[1] = vnetNeedsCsum, gsoTCPv4
	if v.V6 {
		vnet[1] = gsoTCPv6
	}
	le.PutUint16(vnet[2:], uint16(v.data))
	le.PutUint16(vnet[4:], uint16(size))
	le.PutUint16(vnet[6:], uint16(v.l4))
	le.PutUint16(vnet[8:], uint16(TCP.checksumAt()))
}

// cut takes the last n bytes off the payload, and the FIN that would follow them.
func (v *View) cut(n int) {
	end := ethLen + v.Len
	pseudo := uint64(^uint16(n)) // in one's complement: minus n
	tail := sum(v.eth[end-n:end], 0)
	if (end-n-v.l4)%2 != 0 {
		tail = uint64(fold(tail)<<8 | fold(tail)>>8)
	}
	field := v.eth[v.l4+TCP.checksumAt():]
	if v.partial {
		be.PutUint16(field, fold(uint64(be.Uint16(field))+pseudo))
	} else {
		v.adjustTCP(uint32(fold(pseudo)) + uint32(^fold(tail)))
		if v.Flags&FIN != 0 {
			v.adjustTCP(uint32(^uint16(FIN)))
		}
	}
	v.eth[v.l4+13] &^= byte(FIN)
	v.lengthen(v.eth[ethLen:], -n)
	v.frame.end -= len(v.eth) - (end - n) // with what follows the packet
	v.eth = v.frame.Ethernet()
	v.Len -= n
}
