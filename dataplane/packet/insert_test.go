package packet_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// drawSegment returns a TCP segment with some payload.
func drawSegment(t *rapid.T) packet.Spec {
	s := drawSpec(t)
	s.Proto = packet.TCP
	s.Payload = rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(t, "bytes")
	return s
}

// Inserting is building with the inserted bytes in front of the payload, and as
// a superframe of segments like the sender's where one packet would be too long.
func TestInsertIsBuilding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		s.Flags &^= packet.URG | packet.SYN
		b := rapid.SliceOfN(rapid.Byte(), 2, packet.Headroom).Draw(t, "insert")
		b = b[:len(b)&^1]
		f := build(s)
		v := mustDecode(t, f)
		mtu := rapid.IntRange(v.Len, v.Len+200).Draw(t, "mtu")
		if v.Len+len(b) > mtu && s.GSOSize == 0 {
			s.GSOSize = uint16(max(len(s.Payload), len(b)))
		}
		s.Payload = append(bytes.Clone(b), s.Payload...)
		v.Insert(b, mtu)
		if want := build(s); !bytes.Equal(f.Bytes(), want.Bytes()) {
			t.Fatalf("got  %x\nwant %x", f.Bytes(), want.Bytes())
		}
		if err := intact(f); err != nil {
			t.Fatal(err)
		}
		v.Complete()
		if err := intact(f); err != nil {
			t.Fatal(err)
		}
		again := mustDecode(t, f)
		if again.Segments == 1 && again.Len > mtu && s.GSOSize == 0 {
			t.Errorf("one packet of %d bytes, but the MTU is %d", again.Len, mtu)
		}
	})
}

// What does not fit into an IP packet is cut off, and so is what does not fit
// into a SYN: the rest is what would have been built of less.
func TestInsertCuts(t *testing.T) {
	b := bytes.Repeat([]byte{0xab}, 100)
	for _, base := range []packet.Spec{spec4(packet.TCP), spec6(packet.TCP)} {
		for _, partial := range []bool{true, false} {
			for _, flags := range []packet.Flags{packet.ACK | packet.FIN | packet.PSH, packet.SYN} {
				for length := 65400; length <= 65540; length += 7 {
					s := base
					s.Flags, s.Partial, s.Payload = flags, partial, bytes.Repeat([]byte{1, 2, 3}, length)[:length-60]
					limit, mtu := 65535, 65535
					if flags == packet.SYN {
						limit, mtu = 9001, 9001
						s.Payload = s.Payload[:length-60-57000]
					} else if partial {
						s.GSOSize = 8300
					}
					f := build(s)
					f.SetLen(copy(f.Room(), append(f.Bytes(), make([]byte, (length%2)*(1-min(int(s.GSOSize), 1)))...)))
					v := mustDecode(t, f)
					headers := v.Len - len(v.Payload())
					v.Insert(b, mtu)
					if err := intact(trimmed(f)); err != nil {
						t.Fatalf("length %d, flags %v: %v", length, flags, err)
					}
					room := min(limit-headers-len(b), len(v.Payload())-len(b))
					want := append(bytes.Clone(b), s.Payload[:min(room, len(s.Payload))]...)
					got := mustDecode(t, f)
					if !bytes.Equal(got.Payload(), want) {
						t.Fatalf("length %d: payload of %d bytes, want %d", length, len(got.Payload()), len(want))
					}
					whole := len(want) == len(s.Payload)+len(b)
					if fin := got.Flags&packet.FIN != 0; fin != (whole && flags&packet.FIN != 0) {
						t.Errorf("length %d: FIN is %v, payload whole: %v", length, fin, whole)
					}
				}
			}
		}
	}
}

// trimmed is f without what follows the IP packet.
func trimmed(f *packet.Frame) *packet.Frame {
	v := new(packet.View)
	if v.Decode(f) != drop.None {
		return f
	}
	t := packet.NewFrame()
	t.SetLen(copy(t.Room(), f.Bytes()[:packet.VnetLen+14+v.Len]))
	return t
}

// The urgent pointer counts from the first byte of the segment.
func TestInsertMovesUrgentPointer(t *testing.T) {
	s := spec4(packet.TCP)
	s.Flags, s.Payload = packet.ACK|packet.URG, []byte("urgent")
	f := build(s)
	v := mustDecode(t, f)
	v.Insert(make([]byte, 100), 9001)
	if got := binary.BigEndian.Uint16(f.Ethernet()[14+20+18:]); got != 100 {
		t.Errorf("the pointer is %d", got)
	}
	mustDecode(t, f)
}

// Setting numbers is building with these numbers, wherever they stand.
func TestShiftIsBuilding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		edges := rapid.SliceOfN(rapid.Uint32(), 2, 6).Draw(t, "edges")
		edges = edges[:len(edges)&^1]
		pad := rapid.IntRange(0, 3).Draw(t, "pad")
		options := func(by uint32) []byte {
			o := append(bytes.Repeat([]byte{1}, pad), 5, byte(2+4*len(edges)))
			for i, e := range edges {
				o = binary.BigEndian.AppendUint32(o, e+by*uint32(1+i%2))
			}
			return o
		}
		s.Options = options(0)
		f := build(s)
		v := mustDecode(t, f)
		if v.Ack() != s.Ack {
			t.Fatalf("ack %d, want %d", v.Ack(), s.Ack)
		}
		by := rapid.Uint32().Draw(t, "by")
		v.SetSeq(s.Seq + by)
		v.SetAck(s.Ack - by)
		var seen []uint32
		v.SACKEdges(func(edge uint32, left bool) uint32 {
			seen = append(seen, edge)
			if left {
				return edge + by
			}
			return edge + 2*by
		})
		if !slices.Equal(seen, edges) {
			t.Errorf("saw edges %d, want %d", seen, edges)
		}
		s.Seq, s.Ack, s.Options = s.Seq+by, s.Ack-by, options(by)
		if want := build(s); !bytes.Equal(f.Bytes(), want.Bytes()) {
			t.Fatalf("got  %x\nwant %x", f.Bytes(), want.Bytes())
		}
	})
}

// Options that are no options hold no edges, and stop nothing.
func TestSACKEdgesOfGarbage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spec4(packet.TCP)
		s.Options = rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 5, 8, 10, 18, 255}), 0, 40).Draw(t, "options")
		f := build(s)
		v := mustDecode(t, f)
		v.SACKEdges(func(e uint32, _ bool) uint32 { return e + 1 })
		mustDecode(t, f)
	})
}
