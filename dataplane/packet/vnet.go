package packet

import "github.com/plsim/plsim/dataplane/drop"

// The virtio-net header, little endian (VIRTIO 1.2 section 5.1.6): flags at 0,
// gso_type at 1, hdr_len at 2 (a hint, ignored here), gso_size at 4, csum_start
// at 6 and csum_offset at 8.
const (
	vnetNeedsCsum = 1 // the checksum field holds the sum of the pseudo-header
	vnetDataValid = 2 // the sender vouches for the checksum

	gsoNone  = 0
	gsoTCPv4 = 1
	gsoTCPv6 = 4
	gsoUDP   = 5
	gsoECN   = 0x80 // with a TCP type: the first segment alone carries CWR
)

// decodeOffload checks that the virtio-net header fits the frame, whose transport
// header begins at l4, or which has none (0). It notes a partial checksum and
// what a superframe will be on the wire.
func (v *View) decodeOffload(l4 int) drop.Reason {
	vnet := v.frame.Vnet()
	flags, gso := vnet[0], vnet[1]
	if flags == 0 && gso == gsoNone {
		return drop.None
	}
	if flags&^(vnetNeedsCsum|vnetDataValid) != 0 || v.Fragment && (flags&vnetNeedsCsum != 0 || gso != gsoNone) {
		return drop.BadOffload
	}
	if flags&vnetNeedsCsum != 0 {
		// No host leaves an ICMP checksum to its device.
		if v.Proto != TCP && v.Proto != UDP ||
			int(le.Uint16(vnet[6:])) != l4 || int(le.Uint16(vnet[8:])) != v.Proto.checksumAt() {
			return drop.BadOffload
		}
		v.partial = true
	}
	if gso == gsoNone {
		return drop.None
	}
	size := int(le.Uint16(vnet[4:]))
	if !v.partial || size == 0 || !v.fitsGSO(gso) || len(v.eth) != ethLen+v.Len {
		return drop.BadOffload
	}
	if v.spread(size) {
		v.MaxLen = v.data - ethLen + size
	}
	return drop.None
}

// spread counts the segments of size bytes of payload that a superframe stands for,
// if it is more than one.
func (v *View) spread(size int) bool {
	headers := v.data - ethLen
	payload := v.Len - headers
	if payload <= size {
		return false
	}
	v.Segments = int((uint32(payload) + uint32(size) - 1) / uint32(size))
	v.WireLen = payload + v.Segments*headers
	return true
}

// fitsGSO reports whether a segmentation type is that of the packet's protocol
// and family.
func (v *View) fitsGSO(gso uint8) bool {
	switch {
	case v.Proto == UDP:
		return gso == gsoUDP
	case v.V6:
		return gso&^gsoECN == gsoTCPv6
	}
	return gso&^gsoECN == gsoTCPv4
}

// Complete fills in a checksum that was left to a device, as the sender's network
// card would before the packet is on the wire, so that whoever captures at the
// receiver sees a packet that is right. A superframe keeps its partial checksum:
// each of its segments will have another one. Complete may follow Apply.
func (v *View) Complete() {
	vnet := v.frame.Vnet()
	if !v.partial || vnet[1] != gsoNone {
		return
	}
	segment := v.eth[v.l4 : ethLen+v.Len]
	field := segment[v.Proto.checksumAt():]
	checksum := ^fold(sum(segment, 0)) // the field holds the pseudo-header's part
	if v.Proto == UDP {
		checksum = udpChecksum(checksum)
	}
	be.PutUint16(field, checksum)
	clear(vnet)
	v.partial = false
}
