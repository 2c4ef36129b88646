package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
)

// TestOffload captures what a host hands to its network card, and gives the card's
// work back to it.
func TestOffload(t *testing.T) {
	v4 := Spec{Src: netip.MustParseAddrPort("10.0.0.4:40000"), Dst: netip.MustParseAddrPort("10.0.0.5:80"), Proto: TCP, Flags: ACK, Payload: make([]byte, 3000)}
	v6 := v4
	v6.Src, v6.Dst = netip.MustParseAddrPort("[2001:db8::4]:40000"), netip.MustParseAddrPort("[2001:db8::5]:80")
	partial, udp, broken, small := v4, v6, v4, v6
	partial.Partial, v6.Partial = true, true
	udp.Proto, udp.Partial = UDP, true
	small.Payload = small.Payload[:1000]
	for _, c := range []struct {
		name                   string
		spec                   Spec
		damage                 bool
		checksum, segmentation bool
		segments               int
		why                    drop.Reason
	}{
		{"right, and large", v4, false, false, true, 3, drop.None},
		{"no checksum, and large", partial, false, true, true, 3, drop.None},
		{"IPv6", v6, false, true, true, 3, drop.None},
		{"UDP", udp, false, true, false, 1, drop.None},
		{"right, and small", small, false, false, false, 1, drop.None},
		{"wrong on the wire", broken, true, false, false, 1, drop.BadTransportChecksum},
	} {
		f := NewFrame()
		c.spec.Build(f)
		f.SetEthernet(bytes.Clone(f.Ethernet())) // a capture has no virtio-net header
		if c.damage {
			f.Ethernet()[100] ^= 1
		}
		before := bytes.Clone(f.Bytes())
		checksum, segmentation := f.Offload(1460)
		if checksum != c.checksum || segmentation != c.segmentation {
			t.Errorf("%s: checksum %t, segmentation %t", c.name, checksum, segmentation)
		}
		if !checksum && !segmentation && !bytes.Equal(f.Bytes(), before) {
			t.Errorf("%s: the frame has changed", c.name)
		}
		var v View
		if why := v.Decode(f); why != c.why || v.Segments != c.segments {
			t.Errorf("%s: %v, %d segments", c.name, why, v.Segments)
		}
	}
}

// FuzzOffload: a frame that was given back its header is one that can be forwarded;
// all others are as they were.
func FuzzOffload(f *testing.F) {
	frame := NewFrame()
	for _, src := range []string{"10.0.0.4:1", "[2001:db8::4]:1"} {
		for _, proto := range []Proto{TCP, UDP, ICMP} {
			s := Spec{Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(src), Proto: proto, Partial: true, Payload: make([]byte, 40)}
			s.Build(frame)
			f.Add(bytes.Clone(frame.Ethernet()), 16)
		}
	}
	f.Fuzz(func(t *testing.T, eth []byte, size int) {
		frame.SetEthernet(eth)
		checksum, segmentation := frame.Offload(size)
		if !checksum && !segmentation {
			if !bytes.Equal(frame.Ethernet(), eth[:min(len(eth), len(frame.Ethernet()))]) {
				t.Error("the frame has changed")
			}
			return
		}
		var v View
		if why := v.Decode(frame); why != drop.None || segmentation != (v.Segments > 1) {
			t.Errorf("%v, %d segments", why, v.Segments)
		}
	})
}
