package packet_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/plsim/plsim/dataplane/packet"
)

// quoting is an ICMP error about a packet of s, which it quotes.
func quoting(s packet.Spec, quote []byte) packet.Spec {
	s.Src, s.Dst, s.Payload, s.Options = s.Dst, s.Src, quote, nil
	s.Proto, s.Type = packet.ICMP, 3
	if s.Src.Addr().Is6() {
		s.Proto, s.Type = packet.ICMPv6, 1
	}
	return s
}

func TestQuoted(t *testing.T) {
	mapped := spec6(packet.TCP)
	whole := build(mapped).Ethernet()[14:]
	copy(whole[8:], addrBytes("10.0.0.5"))
	for _, s := range []packet.Spec{
		spec4(packet.TCP), spec4(packet.UDP), spec4(packet.ICMP),
		spec6(packet.TCP), spec6(packet.UDP), spec6(packet.ICMPv6),
	} {
		s.Type = 8
		if s.Src.Addr().Is6() {
			s.Type = 128
		}
		about := build(s)
		want := mustDecode(t, about).Tuple()
		packetBytes := about.Ethernet()[14:]
		header := 20
		if s.Src.Addr().Is6() {
			header = 40
		}
		for _, n := range []int{header + 8, len(packetBytes)} {
			got, proto, ok := mustDecode(t, build(quoting(s, packetBytes[:n]))).Quoted()
			if !ok || got != want || proto != s.Proto {
				t.Errorf("%d bytes quote %v of protocol %d (%v), want %v of %d", n, got, proto, ok, want, s.Proto)
			}
		}
		for _, bad := range [][]byte{nil, packetBytes[:header], packetBytes[:header+7], append([]byte{0x12}, packetBytes[1:]...)} {
			if got, _, ok := mustDecode(t, build(quoting(s, bad))).Quoted(); ok {
				t.Errorf("% x quotes %v", bad, got)
			}
		}
	}
	if got, _, ok := mustDecode(t, build(quoting(mapped, whole))).Quoted(); ok {
		t.Errorf("an IPv4-mapped address passes for %v", got)
	}
}

// TestTranslateQuoted: what an error quotes after the translation is what a packet
// of the other side would be, however much of it is quoted, and the error itself
// is whole (F2.10).
func TestTranslateQuoted(t *testing.T) {
	for _, s := range []packet.Spec{spec4(packet.TCP), spec4(packet.UDP), spec6(packet.TCP), spec6(packet.UDP)} {
		other := s
		other.Src, other.Dst = netip.AddrPortFrom(s.Dst.Addr(), 4242), netip.AddrPortFrom(s.Dst.Addr().Next(), 53)
		to := mustDecode(t, build(other)).Tuple()
		before, after := build(s).Ethernet()[14:], build(other).Ethernet()[14:]
		header := 20
		if s.Src.Addr().Is6() {
			header = 40
		}
		for _, n := range []int{header + 8, min(header+19, len(before)), len(before)} {
			f := build(quoting(s, before[:n]))
			v := mustDecode(t, f)
			v.TranslateQuoted(to)
			if got := v.Payload(); !bytes.Equal(got, after[:n]) {
				t.Fatalf("%d bytes of protocol %d:\n got % x\nwant % x", n, s.Proto, got, after[:n])
			}
			mustDecode(t, f) // its own checksum is right
		}
	}
	f := build(quoting(spec4(packet.UDP), []byte("nonsense")))
	want := bytes.Clone(f.Ethernet())
	v := mustDecode(t, f)
	if v.TranslateQuoted(packet.Tuple{}); !bytes.Equal(f.Ethernet(), want) {
		t.Error("an error that quotes nothing was changed")
	}
}

// TestShiftQuoted: the quoted sequence number changes and nothing else but
// checksums, the quoted one, as far as it is quoted, and the error's own (F2.42).
func TestShiftQuoted(t *testing.T) {
	for _, s := range []packet.Spec{spec4(packet.TCP), spec6(packet.TCP)} {
		other := s
		other.Seq = s.Seq - 100
		before, after := build(s).Ethernet()[14:], build(other).Ethernet()[14:]
		header := 20
		if s.Src.Addr().Is6() {
			header = 40
		}
		for _, n := range []int{header + 8, header + 19, len(before)} {
			f := build(quoting(s, before[:n]))
			v := mustDecode(t, f)
			v.ShiftQuoted(func(seq uint32) uint32 { return seq - 100 })
			if got := v.Payload(); !bytes.Equal(got, after[:n]) {
				t.Fatalf("%d bytes:\n got % x\nwant % x", n, got, after[:n])
			}
			mustDecode(t, f) // its own checksum is right
		}
	}
	f := build(quoting(spec4(packet.UDP), build(spec4(packet.UDP)).Ethernet()[14:]))
	want := bytes.Clone(f.Ethernet())
	v := mustDecode(t, f)
	v.ShiftQuoted(func(uint32) uint32 { t.Error("a datagram has no sequence number"); return 0 })
	if !bytes.Equal(f.Ethernet(), want) {
		t.Error("an error about a datagram was changed")
	}
}
