package dataplane_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/ppv2"
)

// stream is a connection to a target that gets a PROXY protocol header, between
// a client and a target that trust nothing. It counts bytes from the client's
// first one, and on the target's side from the header's first one.
type stream struct {
	rt *rapid.T
	l  *lab
	w  *dataplane.Walk
	f  *packet.Frame

	syn    *packet.Spec // the client's
	back   *packet.Spec // what the target answers, but for its numbers
	at     dataplane.InterfaceID
	data   []byte
	sent   int  // how much of data the client has sent, its end counting as one more
	una    int  // how much of that was acknowledged
	header int  // length of the header
	over   bool // the target has the end

	flight []wire // what was sent on to the target
	got    []byte // by position
	have   []bool
}

// wire is one segment on its way to the target.
type wire struct {
	seq     uint32
	fin     bool
	payload []byte
}

// TestProxiedStream sends streams past losses, repetitions, reordering and
// superframes. What arrives is the header and the stream, to the byte; and the
// client never hears of a byte that it has not sent, or that the target does not
// have (F2.42). A header of the client's own is nothing but the beginning of its
// stream (F2.35).
func TestProxiedStream(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		t.Run(pick(v6, "ipv6", "ipv4"), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) { newStream(t, rt, v6).play() })
		})
	}
}

func newStream(t *testing.T, rt *rapid.T, v6 bool) *stream {
	how := rapid.SampledFrom([]string{"proxy", "proxy=early", "proxy=wide"}).Draw(rt, "how")
	l := newLab(t, v6, strings.Replace(twoConsumers, "targets web", "targets web "+how, 1))
	s := &stream{rt: rt, l: l, w: dataplane.New(l.prog, dataplane.DefaultSettings()), f: packet.NewFrame()}
	s.header = pick(v6 && how == "proxy=wide", ppv2.WideSize, ppv2.Size)
	s.syn = dial(l, "red/app", "red/ep", packet.TCP)
	s.syn.Seq = rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(1<<32-300, 1<<32-1)).Draw(rt, "isn")
	s.data = rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(rt, "data")
	if rapid.IntRange(0, 4).Draw(rt, "own header") == 0 {
		s.data = append(bytes.Clone(ppv2.Local()), s.data...) // it is kept (F2.35)
	}
	s.got, s.have = make([]byte, s.header+len(s.data)), make([]bool, s.header+len(s.data))

	s.at = s.pass(l.id("red/app"), s.syn)
	var v packet.View
	v.Decode(s.f)
	s.back = answerTo(&v)
	s.pass(s.at, s.back)
	s.back.Flags, s.back.Seq = packet.ACK, s.back.Seq+1
	s.syn.Flags = packet.ACK
	s.segment(0, 0)
	return s
}

// pass takes a packet through the walk, which must send it on.
func (s *stream) pass(in dataplane.InterfaceID, p *packet.Spec) dataplane.InterfaceID {
	p.Build(s.f)
	out, why := s.w.Process(0, in, s.f)
	if why != drop.None {
		s.rt.Fatal(why)
	}
	if _, err := decode(s.f); err != nil {
		s.rt.Fatal(err)
	}
	return out
}

// play runs the connection to its end.
func (s *stream) play() {
	for range rapid.IntRange(0, 40).Draw(s.rt, "steps") {
		switch rapid.SampledFrom([]string{"send", "send", "repeat", "idle", "deliver", "deliver", "deliver", "lose", "edit"}).Draw(s.rt, "step") {
		case "send":
			from := s.sent
			s.sent = min(from+rapid.IntRange(1, 300).Draw(s.rt, "bytes"), len(s.data)+1)
			if rapid.IntRange(0, 4).Draw(s.rt, "luck") > 0 { // else lost before the load balancer
				s.segment(from, s.sent)
			}
		case "repeat":
			from := rapid.IntRange(s.una, s.sent).Draw(s.rt, "from")
			s.segment(from, rapid.IntRange(from, s.sent).Draw(s.rt, "to"))
		case "idle": // a bare acknowledgement, or a keepalive
			s.segment(s.sent-rapid.IntRange(0, 1).Draw(s.rt, "keepalive"), -1)
		case "deliver":
			if n := len(s.flight); n > 0 {
				i := rapid.IntRange(0, n-1).Draw(s.rt, "which")
				s.deliver(s.flight[i])
				if rapid.Bool().Draw(s.rt, "once") {
					s.flight = append(s.flight[:i], s.flight[i+1:]...)
				}
			}
		case "lose":
			s.flight = nil
		case "edit": // another program: every path is decided again
			if err := s.l.edit(""); err != nil {
				s.rt.Fatal(err)
			}
			s.w.Load(s.l.prog)
		}
	}
	// No more losses: the client repeats what is missing until there is nothing.
	s.sent = len(s.data) + 1
	for i := 0; s.una < s.sent; i++ {
		if i > 20 {
			s.rt.Fatalf("the client has sent %d bytes and its end, and knows of %d", len(s.data), s.una)
		}
		s.flight = nil
		s.segment(s.una, s.sent)
		for _, g := range s.flight {
			s.deliver(g)
		}
	}
	s.judge()
}

// segment sends bytes [from, to) of the client's, in a superframe perhaps; with
// to = -1, a bare acknowledgement. The position after the last byte is the end.
func (s *stream) segment(from, to int) {
	p := *s.syn
	p.Flags, p.Seq, p.Ack = packet.ACK, s.syn.Seq+1+uint32(from), s.back.Seq
	if to > len(s.data) && from <= len(s.data) {
		p.Flags |= packet.FIN
	}
	p.Payload = s.data[min(max(from, 0), len(s.data)):min(max(from, to, 0), len(s.data))]
	p.Partial = rapid.Bool().Draw(s.rt, "partial")
	if len(p.Payload) > 0 && rapid.Bool().Draw(s.rt, "superframe") {
		p.GSOSize = rapid.Uint16Range(20, 200).Draw(s.rt, "gso")
	}
	if out := s.pass(s.l.id("red/app"), &p); out != s.at {
		s.rt.Fatalf("a segment goes to %s", s.l.name(out))
	}
	var v packet.View
	v.Decode(s.f)
	size := max(len(v.Payload()), 1)
	if vnet := s.f.Vnet(); vnet[1] != 0 {
		size = int(binary.LittleEndian.Uint16(vnet[4:]))
	}
	for at, b := 0, v.Payload(); ; at += size {
		n := min(size, len(b)-at)
		last := at+n == len(b)
		s.flight = append(s.flight, wire{v.Seq + uint32(at), last && v.Flags&packet.FIN != 0, bytes.Clone(b[at : at+n])})
		if last {
			return
		}
	}
}

// deliver gives a segment to the target, and the target's answer to the client.
func (s *stream) deliver(g wire) {
	at := int(int32(g.seq - s.syn.Seq - 1))
	for i, b := range g.payload {
		pos := at + i
		if pos < 0 || pos >= len(s.got) || s.have[pos] && s.got[pos] != b {
			s.rt.Fatalf("byte %d of the stream of %d is %#x: it does not belong there", pos, len(s.got), b)
		}
		s.got[pos], s.have[pos] = b, true
	}
	if end := at + len(g.payload); g.fin && end != len(s.got) && (end != 0 || len(s.data) > 0) {
		s.rt.Fatalf("the end stands at %d of %d", end, len(s.got))
	}
	s.over = s.over || g.fin
	s.acknowledge()
}

// acknowledge sends the target's word on what it has, selective blocks included.
func (s *stream) acknowledge() {
	next := 0
	for next < len(s.have) && s.have[next] {
		next++
	}
	p := *s.back
	ack := next
	silent := len(s.data) == 0 && next == 0 // no header went out
	if s.over && (next == len(s.have) || silent) {
		ack++
	}
	p.Ack = s.syn.Seq + 1 + uint32(ack)
	var blocks []byte
	for i := next; i < len(s.have) && len(blocks) < 32; i++ {
		if s.have[i] && !s.have[i-1] {
			blocks = s.edge(blocks, i)
			for i < len(s.have) && s.have[i] {
				i++
			}
			blocks = s.edge(blocks, i)
		}
	}
	if len(blocks) > 0 {
		p.Options = append([]byte{1, 1, 5, byte(2 + len(blocks))}, blocks...)
	}
	if out := s.pass(s.at, &p); out != s.l.id("red/app") {
		s.rt.Fatalf("an answer goes to %s", s.l.name(out))
	}
	var v packet.View
	v.Decode(s.f)
	s.hear(int(int32(v.Ack()-s.syn.Seq-1)), v.Transport()[20:len(v.Transport())-len(v.Payload())])
}

func (s *stream) edge(b []byte, at int) []byte {
	return binary.BigEndian.AppendUint32(b, s.syn.Seq+1+uint32(at))
}

// hear is the client's part of an acknowledgement.
func (s *stream) hear(ack int, options []byte) {
	if ack < 0 || ack > s.sent {
		s.rt.Fatalf("the client has sent %d, and %d is acknowledged", s.sent, ack)
	}
	for i := range min(ack, len(s.data)) {
		if !s.have[s.header+i] {
			s.rt.Fatalf("byte %d is acknowledged, and the target does not have it", i)
		}
	}
	s.una = max(s.una, ack)
	if len(options) == 0 {
		return
	}
	for b := options[4:]; len(b) > 0; b = b[8:] {
		left := int(int32(binary.BigEndian.Uint32(b) - s.syn.Seq - 1))
		right := int(int32(binary.BigEndian.Uint32(b[4:]) - s.syn.Seq - 1))
		if right <= left {
			continue // hosts ignore it
		}
		if left < 1 || right > min(s.sent, len(s.data)) {
			s.rt.Fatalf("of %d bytes sent, those from %d to %d are acknowledged selectively", s.sent, left, right)
		}
		for i := left; i < right; i++ {
			if !s.have[s.header+i] {
				s.rt.Fatalf("byte %d is acknowledged selectively, and the target does not have it", i)
			}
		}
	}
}

// judge compares what arrived with what was to arrive.
func (s *stream) judge() {
	if len(s.data) == 0 && !s.have[0] {
		return // who says nothing is not introduced (F2.40)
	}
	h, err := ppv2.Parse(s.got[:s.header])
	want := ppv2.Header{
		Source:      netip.AddrPortFrom(s.syn.Src.Addr(), s.syn.Src.Port()),
		Destination: netip.AddrPortFrom(s.syn.Dst.Addr(), s.syn.Dst.Port()), EndpointID: "vpce-red-ep",
	}
	if err != nil || h != want {
		s.rt.Fatalf("the target reads %+v, %v; want %+v", h, err, want)
	}
	if !bytes.Equal(s.got[s.header:], s.data) {
		s.rt.Fatal(fmt.Sprintf("the target reads %x\nwant %x", s.got[s.header:], s.data))
	}
}
