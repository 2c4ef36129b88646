package packet

// CopyTo copies the frame of v into f and returns v's view of the copy. Where v
// did not decode, the copy is only good for [View.AppendWire].
func (v *View) CopyTo(f *Frame) View {
	f.start, f.end = v.frame.start, v.frame.end
	copy(f.store[f.start:f.end], v.frame.Bytes())
	c := *v
	c.frame, c.eth = f, f.Ethernet()
	return c
}

// SetMACs writes other Ethernet addresses into the frame.
func (v *View) SetMACs(src, dst MAC) {
	copy(v.eth, dst[:])
	copy(v.eth[len(dst):], src[:])
}

// AppendWire appends the Ethernet frame to b, as whoever captures on the wire sees
// it: with the checksum that was left to a device. A superframe is one packet there,
// too, as it is for whoever captures at a network card that segments. It changes
// nothing, and may follow [View.Apply] and the like.
func (v *View) AppendWire(b []byte) []byte {
	at := len(b)
	b = append(b, v.frame.Ethernet()...)
	if v.partial && v.l4 != 0 {
		segment := b[at+v.l4 : at+ethLen+v.Len]
		checksum := ^fold(sum(segment, 0)) // the field holds the pseudo-header's part
		if v.Proto == UDP {
			checksum = udpChecksum(checksum)
		}
		be.PutUint16(segment[v.Proto.checksumAt():], checksum)
	}
	return b
}
