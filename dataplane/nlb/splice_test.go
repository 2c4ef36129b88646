package nlb

import (
	"testing"

	"github.com/plsim/plsim/dataplane/packet"
)

// F2.42: the numbers of a stream into which 100 bytes were put. The client's first
// byte is number 1001.
func TestSplice(t *testing.T) {
	const ack, fin, syn, rst = packet.ACK, packet.ACK | packet.FIN, packet.SYN, packet.RST
	type segment struct {
		name  string
		seq   uint32
		flags packet.Flags
		bytes int
		want  uint32
		first bool
	}
	unacknowledged := []segment{
		{"SYN", 1000, syn, 0, 1000, false},
		{"SYN with data", 1000, syn, 5, 1000, true},
		{"keepalive before the first byte", 1000, ack, 0, 1000, false},
		{"the same with a byte", 1000, ack, 1, 1000, false},
		{"reset of the handshake", 1001, rst, 0, 1001, false},
		{"first data", 1001, ack, 10, 1001, true},
		{"first data and end", 1001, fin, 10, 1001, true},
		{"later data", 1011, ack, 10, 1111, false},
		{"end after data", 1011, fin, 0, 1111, false},
		{"reset after data", 1011, rst, 0, 1111, false},
	}
	acknowledged := []segment{
		{"first data", 1001, ack, 10, 1101, false},
		{"probe", 1005, ack, 0, 1105, false},
		{"end", 1011, fin, 0, 1111, false},
		{"after 3 GiB", 3221226472, ack, 10, 3221226572, false},
		{"after 4 GiB", 900, ack, 10, 1000, false},
	}
	for name, tt := range map[string]struct {
		early    bool
		replies  []uint32
		segments []segment
	}{
		"waiting":                   {segments: append(unacknowledged, segment{"acknowledgement", 1001, ack, 0, 1001, false}, segment{"later", 1011, ack, 0, 1111, false})},
		"waiting, header in part":   {replies: []uint32{1001, 1100}, segments: unacknowledged},
		"early":                     {early: true, segments: append(unacknowledged, segment{"acknowledgement", 1001, ack, 0, 1001, true}, segment{"end", 1001, fin, 0, 1001, true})},
		"through":                   {replies: []uint32{1101}, segments: acknowledged},
		"through, then an old word": {early: true, replies: []uint32{1105, 1001}, segments: acknowledged},
	} {
		s := NewSplice(1000, 100, tt.early)
		for _, r := range tt.replies {
			s.Reply(r)
		}
		for _, g := range tt.segments {
			before := s
			if seq, first := s.Forward(g.seq, g.flags, g.bytes); seq != g.want || first != g.first {
				t.Errorf("%s: %s: %d goes on as %d, header %v; want %d, %v", name, g.name, g.seq, seq, first, g.want, g.first)
			}
			s = before
		}
	}
}

// A client that ends without a byte has sent none: nothing shifts, ever.
func TestSpliceUnsaid(t *testing.T) {
	s := NewSplice(1000, 100, false)
	for _, g := range []struct {
		seq   uint32
		flags packet.Flags
	}{{1001, packet.ACK | packet.FIN}, {1001, packet.ACK | packet.FIN}, {1002, packet.ACK}, {1002, packet.RST}} {
		if seq, first := s.Forward(g.seq, g.flags, 0); seq != g.seq || first {
			t.Errorf("%d goes on as %d, header %v", g.seq, seq, first)
		}
	}
	if ack := s.Reply(1002); ack != 1002 || s.Shifts() {
		t.Errorf("the end is acknowledged as %d", ack)
	}
}

// What the client hears of: its own bytes, and none before it has sent them.
func TestSpliceReply(t *testing.T) {
	type edge struct {
		at   uint32
		left bool
		want uint32
	}
	for _, tt := range []struct {
		name      string
		ack, want uint32
		edges     []edge
	}{
		{"nothing", 1001, 1001, []edge{{1000, true, 1000}, {1051, true, 1002}, {1100, false, 1001}, {1101, true, 1002}, {1101, false, 1001}, {1102, true, 1002}, {1151, false, 1051}}},
		{"half of the header", 1051, 1001, []edge{{1101, true, 1002}, {1201, false, 1101}}},
		{"the header", 1101, 1001, []edge{{1102, true, 1002}, {1201, false, 1101}, {1001, true, 1001}, {1101, false, 1001}}},
		{"more", 1111, 1011, []edge{{1112, true, 1012}, {1201, false, 1101}, {1050, true, 1001}, {1108, false, 1008}}},
		{"the SYN only, again", 1000, 1000, nil},
	} {
		s := NewSplice(1000, 100, false)
		if got := s.Reply(tt.ack); got != tt.want {
			t.Errorf("%s: %d is told as %d, want %d", tt.name, tt.ack, got, tt.want)
		}
		for _, e := range tt.edges {
			if got := s.Edge(tt.ack, e.at, e.left); got != e.want {
				t.Errorf("%s: edge %d (left: %v) is told as %d, want %d", tt.name, e.at, e.left, got, e.want)
			}
		}
	}
	// What the target quotes of the client's segments.
	q := NewSplice(1000, 100, false)
	for _, through := range []bool{false, true} {
		if through {
			q.Reply(1101)
		}
		for seq, want := range map[uint32]uint32{1101: 1001, 1151: 1051, 2101: 2001} {
			if got := q.Quoted(seq); got != want {
				t.Errorf("through: %t: quoted %d is told as %d, want %d", through, seq, got, want)
			}
		}
	}
	q = NewSplice(1000, 100, false)
	for seq, want := range map[uint32]uint32{1000: 1000, 1001: 1001, 1050: 1001} {
		if got := q.Quoted(seq); got != want {
			t.Errorf("quoted %d is told as %d, want %d", seq, got, want)
		}
	}
	// 4 GiB later the numbers of the header are those of other bytes.
	s := NewSplice(1000, 100, false)
	s.Reply(1101)
	if got := s.Reply(1040); got != 940 {
		t.Errorf("4 GiB later 1040 is told as %d", got)
	}
	if got := s.Edge(1040, 1050, true); got != 950 {
		t.Errorf("4 GiB later edge 1050 is told as %d", got)
	}
}

// Most flows have no header.
func TestSpliceNothing(t *testing.T) {
	var s Splice
	seq, first := s.Forward(1001, packet.ACK, 10)
	if seq != 1001 || first || s.Reply(1002) != 1002 || s.Edge(1, 2, true) != 2 || s.Quoted(7) != 7 || s.Shifts() || s.Size() != 0 {
		t.Error("the zero Splice does something")
	}
}
