package packet_test

import (
	"net/netip"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// What a frame's owner vouches for is not verified; what was left to a device stays so.
func TestVouch(t *testing.T) {
	f := packet.NewFrameOf(100)
	s := packet.Spec{
		Src: netip.MustParseAddrPort("10.0.0.1:1"), Dst: netip.MustParseAddrPort("10.0.0.2:2"), Proto: packet.UDP, Payload: []byte("x"),
	}
	built := packet.NewFrame()
	s.Build(built)
	built.Ethernet()[42]++
	f.SetEthernet(built.Ethernet())
	var v packet.View
	if why := v.Decode(f); why != drop.BadTransportChecksum {
		t.Fatalf("a wrong checksum: %v", why)
	}
	f.Vouch()
	if why := v.Decode(f); why != drop.None {
		t.Errorf("vouched for: %v", why)
	}
	s.Partial = true
	s.Build(built)
	before := string(built.Bytes())
	if built.Vouch(); string(built.Bytes()) != before {
		t.Error("a checksum that was left to a device counts as right")
	}
}
