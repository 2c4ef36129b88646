package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
)

// FuzzPlain: a packet that is read as a plain one is one that decodes, with the same addresses,
// ports and length; and it is rewritten and completed to the same bytes as any packet is.
func FuzzPlain(f *testing.F) {
	frame, other := NewFrame(), NewFrame()
	for _, src := range []string{"10.0.0.4:1", "[2001:db8::4]:1"} {
		for _, proto := range []Proto{TCP, UDP} {
			for _, partial := range []bool{false, true} {
				s := Spec{
					Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(src), Proto: proto, Flags: ACK,
					Partial: partial, Payload: []byte("a plain packet"),
				}
				s.Build(frame)
				f.Add(bytes.Clone(frame.Bytes()), uint16(3), uint16(5))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, srcPort, dstPort uint16) {
		frame.SetLen(copy(frame.Room(), b))
		other.SetLen(copy(other.Room(), b))
		before := bytes.Clone(frame.Bytes())
		var p Plain
		if !p.Read(frame) {
			// So that more is tried than what the seeds have.
			for _, f := range []*Frame{frame, other} {
				vouchFor(f)
			}
			b, before = bytes.Clone(frame.Bytes()), bytes.Clone(frame.Bytes())
		}
		if !p.Read(frame) {
			if !bytes.Equal(frame.Bytes(), before) {
				t.Fatal("reading has changed the frame")
			}
			return
		}
		var v View
		if why := v.Decode(other); why != drop.None {
			t.Fatalf("a plain packet does not decode: %v", why)
		}
		sender := v.SrcMAC
		if p.Len != v.Len || p.TTL != v.TTL || p.Proto != v.Proto || p.Ports != uint32(v.SrcPort)<<16|uint32(v.DstPort) ||
			v.Segments != 1 || v.Fragment || v.Flags&(SYN|FIN|RST) != 0 || p.From(&sender) == v.DstMAC.IsMulticast() {
			t.Fatalf("%+v is %+v", p, v)
		}
		here := Ends{Addrs: [2]Addr{v.Dst, v.Src}}
		if !here.Show(&p.Words, 1) {
			t.Fatalf("%v > %v: the addresses are %v", v.Src, v.Dst, p.Words)
		}
		to := v.Tuple()
		to.Src[15] ^= 7
		to.Dst[14] ^= 9
		to.SrcPort, to.DstPort = srcPort, dstPort
		r := NewRewrite(v.Tuple(), to)
		r.DstMAC, r.SrcMAC, r.TTL = MAC{2, 4, 6}, MAC{2, 5, 7}, min(2, v.TTL)
		for _, nat := range []bool{false, true} {
			r.NAT = nat
			frame.SetLen(copy(frame.Room(), b))
			other.SetLen(copy(other.Room(), b))
			p.Read(frame)
			v.Decode(other)
			p.Apply(&Ends{Addrs: [2]Addr{to.Src, to.Dst}, DstMAC: r.DstMAC, SrcMAC: r.SrcMAC}, 0,
				Change{Ports: uint32(srcPort)<<16 | uint32(dstPort), Delta: r.Delta, TTL: r.TTL, NAT: nat})
			p.Complete()
			v.Apply(&r)
			v.Complete()
			if !bytes.Equal(frame.Bytes(), other.Bytes()) {
				t.Fatalf("%x becomes %x, and not %x", b, frame.Bytes(), other.Bytes())
			}
		}
	})
}

// TestPlain: what is nothing unusual is read as a plain packet.
func TestPlain(t *testing.T) {
	f := NewFrame()
	for _, src := range []string{"10.0.0.4:1", "[2001:db8::4]:1"} {
		for _, proto := range []Proto{TCP, UDP, ICMP} {
			for _, partial := range []bool{false, true} {
				s := Spec{
					Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(src), Proto: proto, Flags: ACK | PSH,
					Options: []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, Partial: partial && proto != ICMP, Payload: make([]byte, 100),
				}
				var p Plain
				s.Build(f)
				if got := p.Read(f); got != (proto != ICMP) {
					t.Errorf("%s, protocol %d, partial %t: %t", src, proto, partial, got)
				}
				summed := f.Ethernet()[ethLen:]
				if s.Src.Addr().Is6() {
					summed = summed[8:] // the addresses come first of what a checksum covers
				}
				for i := range summed {
					summed[i] ^= 1
					if !partial && p.Read(f) {
						t.Errorf("%s, protocol %d: byte %d of %d may change", src, proto, i, len(summed))
					}
					summed[i] ^= 1
				}
				for _, flag := range []Flags{SYN, FIN, RST} {
					s.Flags = flag | ACK
					s.Build(f)
					if proto == TCP && p.Read(f) {
						t.Errorf("flag %d is nothing unusual", flag)
					}
				}
			}
		}
	}
}

// TestEndsShow: a packet with any bit of its addresses changed is another flow's.
func TestEndsShow(t *testing.T) {
	e := Ends{Addrs: [2]Addr{{0xff, 1, 2, 8: 3, 15: 0xff}, {0xff, 0xff, 6: 7, 9: 0xff, 15: 4}}}
	for way := range uint(2) {
		src, dst := e.Addrs[way], e.Addrs[way^1]
		for bit := -1; bit < 256; bit++ {
			both := append(src[:], dst[:]...)
			if bit >= 0 {
				both[bit/8] ^= 1 << (bit % 8)
			}
			var w Words
			w.Src = [2]uint64{le.Uint64(both), le.Uint64(both[8:])}
			w.Dst = [2]uint64{le.Uint64(both[16:]), le.Uint64(both[24:])}
			if got := e.Show(&w, way); got != (bit < 0) {
				t.Errorf("way %d, bit %d changed: %t", way, bit, got)
			}
		}
	}
}

// vouchFor makes a plain packet's checksums right, or somebody else's business.
func vouchFor(f *Frame) {
	f.Vouch()
	if eth := f.Ethernet(); len(eth) >= ethLen+ipv4Len && eth[ethLen]>>4 == 4 {
		ip := eth[ethLen:]
		be.PutUint16(ip[10:], 0)
		be.PutUint16(ip[10:], ^fold(sum(ip[:ipv4Len], 0)))
	}
}
