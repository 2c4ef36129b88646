package packet_test

import (
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// FuzzDecode decodes any bytes that a device may hand over, virtio-net header
// and all. Nothing may panic, a view must keep its promises, and what decoded
// must decode again, as what it was made, after a rewrite.
func FuzzDecode(f *testing.F) {
	for _, s := range []packet.Spec{
		spec4(packet.TCP), spec6(packet.TCP), spec4(packet.UDP), spec6(packet.UDP),
		spec4(packet.ICMP), spec6(packet.ICMPv6), spec4(132),
	} {
		f.Add(build(s).Bytes())
		s.Flags, s.MSS, s.Options, s.Payload, s.Type = packet.SYN, 8961, []byte{1, 3, 3, 7}, []byte("odd"), 8
		f.Add(build(s).Bytes())
		f.Add(build(quoting(s, build(s).Ethernet()[14:])).Bytes())
		f.Add(piece(s, 0, 8).Bytes())
		f.Add(piece(s, 8, 11).Bytes())
		s.GSOSize = 1
		f.Add(build(s).Bytes())
	}
	f.Add(arp(f, 1, hostMAC, "10.0.0.5", "10.0.0.1").Bytes())
	f.Add(neighbor(f, 255, "2001:db8::5", "ff02::1:ff00:1", "2001:db8::1", linkLayer(hostMAC)).Bytes())
	f.Add([]byte{})

	frame, v := packet.NewFrame(), new(packet.View)
	f.Fuzz(func(t *testing.T, b []byte) {
		frame.SetLen(copy(frame.Room(), b))
		size := len(frame.Ethernet())
		if v.Decode(frame) != drop.None {
			return
		}
		switch v.Kind {
		case packet.KindARP:
			v.AnswerARP(otherMAC)
			return
		case packet.KindNeighbor:
			v.AnswerNeighbor(otherMAC)
			if again := new(packet.View); again.Decode(frame) != drop.None {
				t.Errorf("the answer does not decode: % x", frame.Bytes())
			}
			return
		}
		if quoted, _, ok := v.Quoted(); ok && !v.Fragment {
			v.ShiftQuoted(func(seq uint32) uint32 { return seq + 100 }) // its checksum stays as right as it was
			v.TranslateQuoted(quoted.Reversed())                        // and so it does here
		}
		was := *v
		if v.Len > size-14 || v.MaxLen > v.Len || v.WireLen < v.Len || v.Segments < 1 || v.WireLen > v.Segments*v.MaxLen {
			t.Errorf("frame of %d bytes: len %d, max %d, wire %d, segments %d", size, v.Len, v.MaxLen, v.WireLen, v.Segments)
		}
		if len(v.Payload()) >= len(v.Transport()) && v.Offset == 0 || len(v.Transport()) > v.Len-20 {
			t.Errorf("packet of %d bytes: transport %d, payload %d", v.Len, len(v.Transport()), len(v.Payload()))
		}

		to := packet.Tuple{Src: addr("10.9.8.7"), Dst: addr("192.168.1.2"), SrcPort: 20000, DstPort: 8443}
		if v.V6 {
			to.Src, to.Dst = addr("2001:db8::9"), addr("fe80::1234:5678")
		}
		r := packet.NewRewrite(v.Tuple(), to)
		r.MSS = 1000
		r.TTL = min(v.TTL, 2)
		v.Apply(&r)
		if v.Proto == packet.ICMP || v.Proto == packet.ICMPv6 || v.Offset > 0 {
			to.SrcPort, to.DstPort = was.SrcPort, was.DstPort
		}
		if why := v.Decode(frame); why != drop.None {
			t.Fatalf("reason %d after the rewrite; frame % x", why, frame.Bytes())
		}
		if v.Tuple() != to || v.TTL != was.TTL-r.TTL || v.MSS != min(was.MSS, 1000) || v.Seq != was.Seq || v.WireLen != was.WireLen {
			t.Errorf("rewritten to %+v, want %v", packet.Public(v), to)
		}
		if v.Proto == packet.TCP || v.Proto == packet.UDP {
			to = convertAgain(t, frame, v)
		}
		if v.Proto == packet.TCP && v.Flags&packet.RST == 0 && !v.Fragment {
			v.AnswerReset()
			if why := v.Decode(frame); why != drop.None || v.Tuple() != to.Reversed() || v.Flags&packet.RST == 0 {
				t.Errorf("reason %d for the reset % x", why, frame.Bytes())
			}
		}
	})
}

// convertAgain makes a packet one of the other family.
func convertAgain(t *testing.T, f *packet.Frame, v *packet.View) packet.Tuple {
	was := *v
	to := packet.Tuple{Src: addr("2001:db8::9"), Dst: addr("2001:db8::1"), SrcPort: 20001, DstPort: 8444}
	if v.V6 {
		to.Src, to.Dst = addr("10.9.8.7"), addr("192.168.1.2")
	}
	if !v.Convertible() {
		return v.Tuple()
	}
	if v.Offset > 0 {
		to.SrcPort, to.DstPort = 0, 0
	}
	r := packet.NewRewrite(v.Tuple(), to)
	v.Apply(&r)
	if why := v.Decode(f); why != drop.None {
		t.Fatalf("reason %d after the conversion; frame % x", why, f.Bytes())
	}
	if v.Tuple() != to || v.V6 == was.V6 || v.Segments != was.Segments || v.Seq != was.Seq {
		t.Errorf("converted to %+v, want %v", packet.Public(v), to)
	}
	return to
}

// FuzzGlance holds a glance at a frame to what decoding finds: the same, if the packet is
// a plain one of TCP or UDP.
func FuzzGlance(f *testing.F) {
	for _, s := range []packet.Spec{
		spec4(packet.TCP), spec6(packet.TCP), spec4(packet.UDP), spec6(packet.UDP), spec4(packet.ICMP), spec4(132),
	} {
		frame := build(s).Ethernet()
		f.Add(frame)
		f.Add(frame[:len(frame)-len(s.Payload)-1])
	}
	f.Add(arp(f, 1, hostMAC, "10.0.0.5", "10.0.0.1").Ethernet())
	f.Add([]byte{})

	frame, v := packet.NewFrame(), new(packet.View)
	f.Fuzz(func(t *testing.T, b []byte) {
		var seen packet.Tuple
		var proto packet.Proto
		var ok bool
		seen.SrcPort, seen.DstPort, proto, ok = packet.Glance(b, &seen.Src, &seen.Dst)
		frame.SetEthernet(b)
		if v.Decode(frame) != drop.None || v.Fragment || v.Proto != packet.TCP && v.Proto != packet.UDP {
			return
		}
		if !v.V6 && b[14]&15 != 5 {
			return // it has options
		}
		if !ok || seen != v.Tuple() || proto != v.Proto {
			t.Errorf("%v, %d, %v; decoded: %v, %d", seen, proto, ok, v.Tuple(), v.Proto)
		}
	})
}
