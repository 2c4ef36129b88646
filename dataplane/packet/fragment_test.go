package packet_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// piece builds a fragment.
func piece(s packet.Spec, from, to int) *packet.Frame {
	f := packet.NewFrame()
	s.BuildFragment(f, from, to)
	return f
}

// fragment is what gopacket reads of a fragment.
type fragment struct {
	id    uint32
	at    int
	more  bool
	bytes []byte
}

func readFragment(t failer, f *packet.Frame) fragment {
	t.Helper()
	g := parse(f)
	if ip, ok := g.NetworkLayer().(*layers.IPv4); ok {
		if wordSum(ip.Contents) != 0xffff {
			t.Fatalf("IPv4 header sums up to %#04x", wordSum(ip.Contents))
		}
		return fragment{uint32(ip.Id), int(ip.FragOffset) * 8, ip.Flags&layers.IPv4MoreFragments != 0, ip.Payload}
	}
	ip := g.NetworkLayer().(*layers.IPv6)
	h := g.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment)
	return fragment{h.Identification, int(h.FragmentOffset) * 8, h.MoreFragments, ip.Payload[8:]}
}

// TestFragmentsAreTranslatedAlike: a datagram in pieces that are rewritten one by
// one is, when another decoder puts it together, what the rewrite makes of the whole;
// in its own family and in the other (F1.41).
func TestFragmentsAreTranslatedAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := drawConversion(t)
		s.Proto, s.Partial, s.GSOSize = packet.UDP, false, 0
		s.Payload = rapid.SliceOfN(rapid.Byte(), 16, 70).Draw(t, "long payload")
		if rapid.Bool().Draw(t, "in its own family") {
			v := mustDecode(t, build(s))
			src, dst := drawAddrPort(t, v.V6, "own src"), drawAddrPort(t, v.V6, "own dst")
			r = packet.NewRewrite(v.Tuple(), packet.Tuple{
				Src: packet.AddrFrom(src.Addr()), Dst: packet.AddrFrom(dst.Addr()), SrcPort: src.Port(), DstPort: dst.Port(),
			})
		}
		whole := build(s)
		mustDecode(t, whole).Apply(&r)
		wantIP := parse(whole).NetworkLayer()

		var got []byte
		end := 8 + len(s.Payload)
		for from := 0; from < end; {
			to := min(end, from+8*rapid.IntRange(1, 5).Draw(t, "units"))
			if from == 0 {
				to = min(to, 16)
			}
			f := piece(s, from, to)
			v := mustDecode(t, f)
			if !v.Fragment || v.Offset != from || v.More != (to < end) || v.ID != uint32(s.ID) || len(v.Transport()) != to-from {
				t.Fatalf("bytes %d to %d of %d decode as %+v", from, to, end, packet.Public(v))
			}
			if !v.Convertible() {
				t.Fatal("a datagram with a checksum is said not to be convertible")
			}
			v.Apply(&r)
			v.Renumber(0x12345)
			mustDecode(t, f)
			p := readFragment(t, f)
			id := uint32(0x12345)
			if !v.V6 {
				id = 0x2345
			}
			if p.id != id || p.at != from || p.more != (to < end) {
				t.Fatalf("bytes %d to %d of %d became %+v", from, to, end, p)
			}
			if flow := parse(f).NetworkLayer().NetworkFlow(); flow != wantIP.NetworkFlow() {
				t.Fatalf("a piece goes %v, want %v", flow, wantIP.NetworkFlow())
			}
			got = append(got, p.bytes...)
			from = to
		}
		if want := wantIP.LayerPayload(); !bytes.Equal(got, want) {
			t.Fatalf("put together\n% x, want\n% x", got, want)
		}
	})
}

// TestUncheckedFragment: a datagram of IPv4 may have no checksum; none of its
// fragments can say what it would be in IPv6 (RFC 7915 section 4.5).
func TestUncheckedFragment(t *testing.T) {
	s := spec4(packet.UDP)
	s.Payload = make([]byte, 32)
	f := piece(s, 0, 16)
	copy(f.Ethernet()[40:], []byte{0, 0})
	if mustDecode(t, f).Convertible() {
		t.Error("it is said to be convertible")
	}
	if !mustDecode(t, piece(s, 16, 32)).Convertible() {
		t.Error("a later fragment cannot know")
	}
}

// TestAtomicFragment: a whole packet of IPv6 may have a fragment header (RFC 6946),
// and is judged as a whole one.
func TestAtomicFragment(t *testing.T) {
	s := spec6(packet.UDP)
	s.Payload = []byte("whole!!!")
	f := piece(s, 0, 16)
	if v := mustDecode(t, f); !v.Fragment || v.More || v.SrcPort != s.Src.Port() || string(v.Payload()) != "whole!!!" {
		t.Errorf("decoded as %+v", packet.Public(v))
	}
	f.Ethernet()[14+48+8] ^= 1
	if why := new(packet.View).Decode(f); why != drop.BadTransportChecksum {
		t.Errorf("with a wrong checksum: %v", why)
	}
	// A neighbour solicitation must not come this way (RFC 6980 section 5).
	s.Proto, s.Type, s.TTL = packet.ICMPv6, 135, 255
	s.Dst = netip.AddrPortFrom(s.Dst.Addr(), 0)
	if v := mustDecode(t, piece(s, 0, 16)); v.Kind != packet.KindIP {
		t.Error("a solicitation in a fragment passes for one")
	}
}
