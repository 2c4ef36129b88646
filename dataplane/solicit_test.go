package dataplane_test

import (
	"encoding/binary"
	"net/netip"

	"github.com/plsim/plsim/dataplane/packet"
)

// solicit builds an ARP request or a neighbour solicitation from src, which is
// zero for one that looks for a rival.
func solicit(f *packet.Frame, mac packet.MAC, src, target packet.Addr) {
	if target.Is4() {
		b := make([]byte, 42)
		for i := range 6 {
			b[i] = 0xff
		}
		copy(b[6:], mac[:])
		binary.BigEndian.PutUint16(b[12:], 0x0806)
		copy(b[14:], []byte{0, 1, 8, 0, 6, 4, 0, 1})
		copy(b[22:], mac[:])
		copy(b[28:], src[12:])
		copy(b[38:], target[12:])
		f.SetEthernet(b)
		return
	}
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	copy(group[13:], target[13:])
	s := packet.Spec{
		SrcMAC: mac, DstMAC: packet.MAC{0x33, 0x33, 0xff, target[13], target[14], target[15]},
		Src: netip.AddrPortFrom(src.IP(), 0), Dst: netip.AddrPortFrom(netip.AddrFrom16(group), 0),
		Proto: packet.ICMPv6, Type: 135, TTL: 255, Payload: append([]byte{}, target[:]...),
	}
	if !src.IP().IsUnspecified() {
		s.Payload = append(append(s.Payload, 1, 1), mac[:]...)
	}
	s.Build(f)
}
