package packet_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/packet"
)

// mark writes the traffic class into an IP header, and for IPv6 a flow label.
func mark(f *packet.Frame, class byte, label uint16) {
	ip := f.Ethernet()[14:]
	if ip[0]>>4 == 6 {
		ip[0], ip[1], ip[2], ip[3] = 6<<4|class>>4, class<<4, byte(label>>8), byte(label)
		return
	}
	ip[1], ip[10], ip[11] = class, 0, 0
	checksum := ^wordSum(ip[:20])
	ip[10], ip[11] = byte(checksum>>8), byte(checksum)
}

// drawConversion draws a packet of TCP or UDP and where it goes in the other family.
func drawConversion(t *rapid.T) (packet.Spec, packet.Rewrite) {
	s := drawSpec(t)
	s.Proto = rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP}).Draw(t, "transport")
	v6 := !s.Src.Addr().Is6()
	src, dst := drawAddrPort(t, v6, "new src"), drawAddrPort(t, v6, "new dst")
	from := packet.Tuple{
		Src: packet.AddrFrom(s.Src.Addr()), Dst: packet.AddrFrom(s.Dst.Addr()), SrcPort: s.Src.Port(), DstPort: s.Dst.Port(),
	}
	r := packet.NewRewrite(from, packet.Tuple{
		Src: packet.AddrFrom(src.Addr()), Dst: packet.AddrFrom(dst.Addr()), SrcPort: src.Port(), DstPort: dst.Port(),
	})
	r.SrcMAC, r.DstMAC = otherMAC, hostMAC
	r.TTL = rapid.Uint8Range(0, 2).Draw(t, "ttl fall") // F1.38
	return s, r
}

// TestConvertIsBuilding: a packet that becomes one of the other family (F1.52,
// F2.27) is what would have been built there: the segment the same but for ports and
// checksum, superframes whole, the traffic class kept, no flow label, no
// identification. Another decoder finds its checksums right.
func TestConvertIsBuilding(t *testing.T) {
	before, after := packet.NewFrame(), packet.NewFrame()
	rapid.Check(t, func(t *rapid.T) {
		s, r := drawConversion(t)
		class := rapid.Byte().Draw(t, "class")
		s.Build(before)
		mark(before, class, rapid.Uint16().Draw(t, "label"))
		none := s.Proto == packet.UDP && !s.Partial && s.GSOSize == 0 && s.Src.Addr().Is4() && rapid.Bool().Draw(t, "no checksum")
		if none {
			copy(before.Ethernet()[40:], []byte{0, 0})
		}
		v := mustDecode(t, before)
		if n := packet.Growth(v.Src, r.Src); n != map[bool]int{true: -20, false: 20}[v.V6] || packet.Growth(v.Src, v.Dst) != 0 {
			t.Fatalf("it grows by %d", n)
		}
		v.Apply(&r)
		if err := intact(before); err != nil {
			t.Fatalf("converted: %v", err)
		}
		want := rewritten(s, &r)
		want.ID, want.DF = 0, true
		want.Build(after)
		mark(after, class, 0)
		if !bytes.Equal(before.Bytes(), after.Bytes()) {
			t.Fatalf("converted\n% x, built\n% x", before.Bytes(), after.Bytes())
		}
		again := mustDecode(t, before)
		if again.V6 != v.V6 || again.Len != v.Len || !bytes.Equal(again.Payload(), v.Payload()) {
			t.Fatalf("the view says %+v, the frame %+v", packet.Public(v), packet.Public(again))
		}
		switch ip := parse(before).NetworkLayer().(type) {
		case *layers.IPv4:
			if ip.TOS != class || ip.Id != 0 || ip.Flags != layers.IPv4DontFragment || int(ip.Length) != v.Len {
				t.Fatalf("IPv4 header %+v", ip)
			}
		case *layers.IPv6:
			if ip.TrafficClass != class || ip.FlowLabel != 0 || int(ip.Length) != v.Len-40 {
				t.Fatalf("IPv6 header %+v", ip)
			}
		}
	})
}

// TestThereAndBack: after two conversions a packet is what it was, but for its time
// to live; the identification and the flow label are the only things that a
// conversion loses.
func TestThereAndBack(t *testing.T) {
	f := packet.NewFrame()
	rapid.Check(t, func(t *rapid.T) {
		s, there := drawConversion(t)
		s.ID, s.DF = 0, true
		s.TTL = max(s.TTL, 5)
		s.Build(f)
		class := rapid.Byte().Draw(t, "class")
		mark(f, class, 0)
		v := mustDecode(t, f)
		from := v.Tuple()
		v.Apply(&there)
		v = mustDecode(t, f)
		back := packet.NewRewrite(v.Tuple(), from)
		back.SrcMAC, back.DstMAC, back.TTL = s.SrcMAC, s.DstMAC, 2
		v.Apply(&back)

		s.TTL -= there.TTL + back.TTL
		want := build(s)
		mark(want, class, 0)
		if !bytes.Equal(f.Bytes(), want.Bytes()) {
			t.Fatalf("there and back\n% x, want\n% x", f.Bytes(), want.Bytes())
		}
	})
}

// TestConvertLosesIPOptions: the options of an IPv4 header mean nothing in IPv6
// (RFC 7915 section 4.1), and what follows the packet stays behind it.
func TestConvertLosesIPOptions(t *testing.T) {
	s := spec4(packet.TCP)
	s.Payload = []byte("hello")
	eth := build(s).Ethernet()
	long := append(bytes.Clone(eth[:34]), bytes.Repeat([]byte{1}, 40)...)
	long = append(long, eth[34:]...)
	long[14], long[17] = 0x4f, byte(len(long)-14)
	long[24], long[25] = 0, 0
	checksum := ^wordSum(long[14:74])
	long[24], long[25] = byte(checksum>>8), byte(checksum)
	f := packet.NewFrame()
	f.SetEthernet(append(long, "padding"...))
	v := mustDecode(t, f)
	to := spec6(packet.TCP)
	r := packet.NewRewrite(v.Tuple(), mustDecode(t, build(to)).Tuple())
	r.SrcMAC, r.DstMAC = s.SrcMAC, s.DstMAC
	v.Apply(&r)
	to.Payload = s.Payload
	if want := append(bytes.Clone(build(to).Ethernet()), "padding"...); !bytes.Equal(f.Ethernet(), want) {
		t.Errorf("converted\n% x, want\n% x", f.Ethernet(), want)
	}
}

// TestConvertTheLongest: what fits a frame as IPv6 fits IPv4, too.
func TestConvertTheLongest(t *testing.T) {
	f := packet.NewFrame()
	room := len(f.Room())
	s := spec6(packet.TCP)
	s.GSOSize, s.Payload = 1440, make([]byte, 1<<16)
	s.Build(f)
	f.SetLen(room)
	n := room - packet.VnetLen - 14 - 40
	f.Ethernet()[14+4], f.Ethernet()[14+5] = byte(n>>8), byte(n)
	v := mustDecode(t, f)
	r := packet.NewRewrite(v.Tuple(), mustDecode(t, build(spec4(packet.TCP))).Tuple())
	v.Apply(&r)
	if again := mustDecode(t, f); again.V6 || again.Len != n+20 {
		t.Errorf("%d bytes of TCP became %+v", n, packet.Public(again))
	}
}

// TestConvertError: an ICMP error about a flow between the families says the same to
// its receiver, about the packet that it had sent (F2.10, RFC 7915 sections 4.2 and
// 5.2), however much of that is quoted.
func TestConvertError(t *testing.T) {
	names := []struct{ v4, v6 [2]uint8 }{{[2]uint8{3, 3}, [2]uint8{1, 4}}, {[2]uint8{3, 1}, [2]uint8{1, 0}}, {[2]uint8{3, 10}, [2]uint8{1, 1}}}
	for _, name := range names {
		for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
			four, six := spec4(proto), spec6(proto)
			four.DF, four.Payload, six.Payload = true, []byte("odd"), []byte("odd")
			about4, about6 := build(four).Ethernet()[14:], build(six).Ethernet()[14:]
			for _, n := range []int{8, 19, len(about4) - 20} {
				n = min(n, len(about4)-20)
				e4, e6 := quoting(four, about4[:20+n]), quoting(six, about6[:40+n])
				e4.Type, e4.Code, e6.Type, e6.Code = name.v4[0], name.v4[1], name.v6[0], name.v6[1]
				convertError(t, e4, e6)
				convertError(t, e6, e4)
			}
		}
	}
}

// convertError makes one error into the other.
func convertError(t *testing.T, from, to packet.Spec) {
	t.Helper()
	from.Src, to.Src = netip.AddrPortFrom(from.Src.Addr(), 0), netip.AddrPortFrom(to.Src.Addr(), 0)
	f, want := build(from), build(to)
	v, wanted := mustDecode(t, f), mustDecode(t, want)
	quoted, _, _ := wanted.Quoted()
	if !v.Convertible() {
		t.Fatalf("type %d code %d has no name in the other family", from.Type, from.Code)
	}
	if proto, kind, code := v.Named(!v.V6); proto != v.Proto || kind != v.Type || code != v.Code {
		t.Errorf("its name in its own family is %d, %d, %d", proto, kind, code)
	}
	if proto, kind, code := v.Named(v.V6); proto != to.Proto || kind != to.Type || code != to.Code {
		t.Errorf("its name in the other family is %d, %d, %d", proto, kind, code)
	}
	v.TranslateQuoted(quoted)
	r := packet.NewRewrite(v.Tuple(), wanted.Tuple())
	r.SrcMAC, r.DstMAC = to.SrcMAC, to.DstMAC
	v.Apply(&r)
	if !bytes.Equal(f.Bytes(), want.Bytes()) {
		t.Errorf("type %d code %d:\n got % x\nwant % x", from.Type, from.Code, f.Bytes(), want.Bytes())
	}
}

// TestConvertSize: an error that tells a packet's size tells that of the other form;
// what has no name in the other family is not convertible.
func TestConvertSize(t *testing.T) {
	e4, e6 := quoting(spec4(packet.UDP), build(spec4(packet.UDP)).Ethernet()[14:]), quoting(spec6(packet.UDP), build(spec6(packet.UDP)).Ethernet()[14:])
	e4.DF = true
	e4.Type, e4.Code, e4.Seq = 3, 4, 1480
	e6.Type, e6.Code, e6.Seq = 2, 0, 1500
	about := spec4(packet.UDP)
	about.DF = true
	e4.Payload = build(about).Ethernet()[14:]
	convertError(t, e4, e6)
	convertError(t, e6, e4)
	for _, s := range []packet.Spec{e4, e6} {
		s.Code = 14
		if mustDecode(t, build(s)).Convertible() {
			t.Errorf("type %d code 14 is said to have a name in the other family", s.Type)
		}
	}
}
