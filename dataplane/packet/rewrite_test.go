package packet_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/packet"
)

// rewritten is what s looks like after r, built from the start.
func rewritten(s packet.Spec, r *packet.Rewrite) packet.Spec {
	s.SrcMAC, s.DstMAC = r.SrcMAC, r.DstMAC
	s.TTL -= r.TTL
	if r.NAT {
		ports := [2]uint16{s.Src.Port(), s.Dst.Port()}
		if s.Proto == packet.TCP || s.Proto == packet.UDP {
			ports = [2]uint16{r.SrcPort, r.DstPort}
		}
		s.Src = netip.AddrPortFrom(r.Src.IP(), ports[0])
		s.Dst = netip.AddrPortFrom(r.Dst.IP(), ports[1])
	}
	return s
}

// drawAddrPort draws an address, mostly from few: sums that come to 0 or 0xffff
// are then not rare.
func drawAddrPort(t *rapid.T, v6 bool, label string) netip.AddrPort {
	n := 4
	if v6 {
		n = 16
	}
	b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xfe, 0xff}), n, n).Draw(t, label)
	if v6 {
		b[0] = 0x20 // not an IPv4-mapped address
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, rapid.Uint16().Draw(t, label+" port"))
}

func drawSpec(t *rapid.T) packet.Spec {
	v6 := rapid.Bool().Draw(t, "v6")
	icmp := packet.ICMP
	if v6 {
		icmp = packet.ICMPv6
	}
	s := packet.Spec{
		SrcMAC: hostMAC, DstMAC: routerMAC,
		Src: drawAddrPort(t, v6, "src"), Dst: drawAddrPort(t, v6, "dst"),
		Proto:   rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP, icmp}).Draw(t, "proto"),
		TTL:     rapid.Uint8Min(3).Draw(t, "ttl"),
		ID:      rapid.Uint16().Draw(t, "id"),
		DF:      rapid.Bool().Draw(t, "df"),
		Flags:   packet.Flags(rapid.Uint8().Draw(t, "flags")),
		Seq:     rapid.Uint32().Draw(t, "seq"),
		Ack:     rapid.Uint32().Draw(t, "ack"),
		Window:  rapid.Uint16().Draw(t, "window"),
		Type:    rapid.SampledFrom([]uint8{0, 3, 8, 128, 129}).Draw(t, "type"),
		Payload: rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "payload"),
		Partial: rapid.Bool().Draw(t, "partial"),
	}
	if rapid.Bool().Draw(t, "super") {
		s.GSOSize = rapid.Uint16Range(1, 80).Draw(t, "gso")
	}
	return s
}

// A packet with valid checksums leaves with valid checksums, whatever its
// family, protocol and length, whether or not its checksum is complete; and no
// byte changes that the rewrite does not name (F1.37): the result is what would
// have been built that way.
func TestApplyIsBuilding(t *testing.T) {
	before, after := packet.NewFrame(), packet.NewFrame()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		pad := rapid.IntRange(0, 3).Draw(t, "pad")
		mss := rapid.Uint16Min(1).Draw(t, "mss")
		s.Options = append(bytes.Repeat([]byte{1}, pad), 2, 4, byte(mss>>8), byte(mss))

		s.Build(before)
		if err := intact(before); err != nil {
			t.Fatalf("built: %v", err)
		}
		v := mustDecode(t, before)
		from, to := v.Tuple(), v.Tuple()
		if rapid.Bool().Draw(t, "nat") {
			src, dst := drawAddrPort(t, v.V6, "new src"), drawAddrPort(t, v.V6, "new dst")
			to = packet.Tuple{
				Src: packet.AddrFrom(src.Addr()), Dst: packet.AddrFrom(dst.Addr()),
				SrcPort: src.Port(), DstPort: dst.Port(),
			}
		}
		r := packet.NewRewrite(from, to)
		if r.NAT != (from != to) {
			t.Fatalf("NAT is %v from %v to %v", r.NAT, from, to)
		}
		r.SrcMAC, r.DstMAC = otherMAC, hostMAC
		r.TTL = rapid.Uint8Range(0, 2).Draw(t, "ttl fall") // F1.38
		r.MSS = rapid.Uint16().Draw(t, "mss clamp")        // F1.32
		v.Apply(&r)

		if err := intact(before); err != nil {
			t.Fatalf("rewritten: %v", err)
		}
		want := rewritten(s, &r)
		if s.Flags&packet.SYN != 0 && r.MSS != 0 && r.MSS < mss {
			want.Options = append(bytes.Repeat([]byte{1}, pad), 2, 4, byte(r.MSS>>8), byte(r.MSS))
		}
		want.Build(after)
		if !bytes.Equal(before.Bytes(), after.Bytes()) {
			t.Fatalf("rewritten\n% x, built\n% x", before.Bytes(), after.Bytes())
		}
		mustDecode(t, before)
	})
}

// The MSS option is lowered and never raised (F1.32), wherever it stands: behind
// odd padding its value straddles two words of the checksum.
func TestApplyMSS(t *testing.T) {
	for pad := range 4 {
		for _, clamp := range []uint16{0, 8365, 8961, 9000} {
			for _, partial := range []bool{false, true} {
				s := spec4(packet.TCP)
				s.Flags, s.Partial = packet.SYN|packet.ACK, partial
				s.Options = append(bytes.Repeat([]byte{1}, pad), 2, 4, 0x23, 0x01) // 8961
				f := build(s)
				v := mustDecode(t, f)
				r := packet.NewRewrite(v.Tuple(), v.Tuple())
				r.SrcMAC, r.DstMAC, r.MSS = s.SrcMAC, s.DstMAC, clamp
				v.Apply(&r)
				if clamp == 8365 {
					s.Options[pad+2], s.Options[pad+3] = 0x20, 0xad
				}
				if want := build(s); !bytes.Equal(f.Bytes(), want.Bytes()) {
					t.Errorf("padding %d, clamp %d, partial %v:\n% x, want\n% x", pad, clamp, partial, f.Bytes(), want.Bytes())
				}
			}
		}
	}
}

// IP options, and bytes after the packet, pass untouched.
func TestApplyKeepsIPOptions(t *testing.T) {
	s := spec4(packet.TCP)
	s.Flags, s.MSS, s.Payload = packet.SYN, 8961, []byte("fast open") // F1.40
	f := build(s)
	eth := f.Ethernet()
	long := bytes.Clone(eth[:34])
	long = append(long, 0x94, 4, 0, 0) // router alert
	long = append(long, eth[34:]...)
	long[14], long[17] = 0x46, byte(len(long)-14)
	long[24], long[25] = 0, 0
	checksum := ^wordSum(long[14:38])
	long[24], long[25] = byte(checksum>>8), byte(checksum)
	f.SetEthernet(append(long, "padding"...))

	v := mustDecode(t, f)
	r := packet.NewRewrite(v.Tuple(), packet.Tuple{Src: addr("172.16.0.8"), Dst: addr("172.16.3.20"), SrcPort: 20000, DstPort: 8443})
	r.TTL, r.MSS = 2, 8365
	v.Apply(&r)
	if err := intact(f); err != nil {
		t.Fatal(err)
	}
	got := mustDecode(t, f)
	if got.MSS != 8365 || got.TTL != 62 || string(got.Payload()) != "fast open" || got.SrcPort != 20000 {
		t.Errorf("rewritten to %+v", got)
	}
	if !bytes.HasSuffix(f.Ethernet(), []byte("fast openpadding")) {
		t.Error("the padding changed")
	}
}

// A UDP checksum of 0 over IPv4 says that there is none, and stays. One that
// comes to 0 is sent as 0xffff (RFC 768).
func TestApplyUDPChecksum(t *testing.T) {
	s := spec4(packet.UDP)
	s.Src, s.Dst = addrPort("10.0.0.5:0"), addrPort("10.0.9.7:443")
	f := build(s)
	v := mustDecode(t, f)
	// The source port that brings the sum of all words to 0xffff.
	to := v.Tuple()
	to.SrcPort = uint16(f.Ethernet()[14+20+6])<<8 | uint16(f.Ethernet()[14+20+7])
	r := packet.NewRewrite(v.Tuple(), to)

	v.Apply(&r)
	if got := f.Ethernet()[14+20+6 : 14+20+8]; !bytes.Equal(got, []byte{0xff, 0xff}) {
		t.Errorf("checksum % x, want ff ff", got)
	}
	if err := intact(f); err != nil {
		t.Error(err)
	}

	f = build(s)
	copy(f.Ethernet()[14+20+6:], []byte{0, 0})
	mustDecode(t, f).Apply(&r)
	if got := f.Ethernet()[14+20+6 : 14+20+8]; !bytes.Equal(got, []byte{0, 0}) {
		t.Errorf("checksum % x, want none", got)
	}
}

func TestReversed(t *testing.T) {
	s := spec4(packet.TCP)
	v := mustDecode(t, build(s))
	s.Src, s.Dst = s.Dst, s.Src
	if got, want := v.Tuple().Reversed(), mustDecode(t, build(s)).Tuple(); got != want {
		t.Errorf("reversed %v, want %v", got, want)
	}
}

// The whole way of an established packet allocates nothing, and neither do the
// fabric's own answers.
func TestAllocations(t *testing.T) {
	var v packet.View
	f := packet.NewFrame()
	none := func(name string, do func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for _, s := range []packet.Spec{spec4(packet.TCP), spec6(packet.TCP), spec4(packet.UDP), spec6(packet.UDP)} {
		s.Flags, s.MSS = packet.SYN, 8961
		from := mustDecode(t, build(s)).Tuple()
		to := from
		to.SrcPort, to.Dst = 20000, to.Src
		r := packet.NewRewrite(from, to)
		r.MSS = 8365
		for _, s.Partial = range []bool{false, true} {
			none(fmt.Sprintf("protocol %d, partial %v", s.Proto, s.Partial), func() {
				s.Build(f)
				v.Decode(f)
				v.Apply(&r)
			})
		}
		if s.Proto == packet.TCP {
			none("reset", func() {
				s.Build(f)
				v.Decode(f)
				v.AnswerReset()
			})
		}
	}
	asked := neighbor(t, 255, "2001:db8::5", "ff02::1:ff00:1", "2001:db8::1").Ethernet()
	none("neighbor", func() {
		f.SetEthernet(asked)
		v.Decode(f)
		v.AnswerNeighbor(otherMAC)
	})
}
