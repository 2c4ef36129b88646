package conntrack

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// A script is packets and the state after each: ">S new" is a SYN of the side
// that called, "<SA" the answer's SYN with ACK. "." is a segment without flags
// of interest, or a datagram.
var machineTests = []struct {
	name   string
	proto  packet.Proto
	script string
}{
	{"handshake", packet.TCP, ">S new, <SA new, >A established, <PA established, >A established"},
	{"retransmitted SYN", packet.TCP, ">S new, >S new, <SA new, <SA new, >A established"},
	{"data with the last ACK", packet.TCP, ">S new, <SA new, >PA established"},
	{"simultaneous open", packet.TCP, ">S new, <S new, >SA new, <SA established"},
	{"ACK before the answer", packet.TCP, ">S new, >A new, <SA new, >A established"},
	{"refused", packet.TCP, ">S new, <RA closed"},
	{"given up", packet.TCP, ">S new, <SA new, >R closed"},
	{"challenge", packet.TCP, ">S new, <A new, >R closed"},
	{"close", packet.TCP, ">S new, <SA new, >A established, >FA closing, <A closing, <FA closed, >A closed"},
	{"close by the called", packet.TCP, ">S new, <SA new, >A established, <FA closing, >A closing, >FA closed, <A closed"},
	{"simultaneous close", packet.TCP, ">S new, <SA new, >A established, >FA closing, <FA closed, >A closed, <A closed"},
	{"half close", packet.TCP, ">S new, <SA new, >A established, >FA closing, <PA closing, >A closing, <PA closing, <FA closed"},
	{"retransmitted FIN", packet.TCP, ">S new, <SA new, >A established, >FA closing, >FA closing, <FA closed"},
	{"reset", packet.TCP, ">S new, <SA new, >A established, <R closed, >PA closed, <FA closed"},
	{"FIN with the last ACK", packet.TCP, ">S new, <SA new, >FA closing, <FA closed"},
	{"nothing leaves closed", packet.TCP, ">S new, <RA closed, >S closed, <SA closed, >A closed"},
	{"picked up midway", packet.TCP, ">A established, <PA established, >FA closing, <FA closed"},
	{"picked up in the handshake", packet.TCP, ">SA new, <A established"},
	{"picked up at the end", packet.TCP, ">FA closing, <FA closed"},
	{"picked up after the end", packet.TCP, ">R closed"},

	// F3.14: a stream has seen more than one request and response.
	{"request", packet.UDP, ">. new, >. new, >. new"},
	{"exchange", packet.UDP, ">. new, <. new"},
	{"long answer", packet.UDP, ">. new, <. new, <. new, <. new"},
	{"stream", packet.UDP, ">. new, <. new, >. new, <. stream, >. stream"},
	{"two at a time", packet.UDP, ">. new, >. new, <. new, <. stream"},

	{"ping", packet.ICMP, ">. new, >. new, <. established, >. established"},
	{"ping", packet.ICMPv6, ">. new, <. established"},
}

func TestMachine(t *testing.T) {
	for _, tt := range machineTests {
		t.Run(tt.name, func(t *testing.T) {
			var m Machine
			if m.State() != None || m.Answered() {
				t.Fatal("the zero machine has a past")
			}
			answered := false
			for i, step := range strings.Split(tt.script, ", ") {
				seg, want, _ := strings.Cut(step, " ")
				dir := dirOf(seg[0])
				got := m.Observe(dir, tt.proto, flagsOf(seg[1:]))
				if got.String() != want || m.State() != got {
					t.Fatalf("packet %d, %s: %s, want %s", i+1, seg, got, want)
				}
				answered = answered || dir == flow.Reply
				if answered && !m.Answered() {
					t.Fatalf("packet %d, %s: not answered", i+1, seg)
				}
			}
		})
	}
}

func dirOf(c byte) flow.Dir {
	if c == '<' {
		return flow.Reply
	}
	return flow.Forward
}

func flagsOf(s string) packet.Flags {
	var f packet.Flags
	for _, c := range s {
		f |= map[rune]packet.Flags{
			'S': packet.SYN, 'A': packet.ACK, 'F': packet.FIN, 'R': packet.RST, 'P': packet.PSH, '.': 0,
		}[c]
	}
	return f
}

// F2.48: before the target says anything, the flow is unanswered.
func TestUnanswered(t *testing.T) {
	var m Machine
	for range 3 {
		if m.Observe(flow.Forward, packet.TCP, packet.SYN); m.Answered() {
			t.Fatal("the caller answered itself")
		}
	}
	var u Machine
	u.Observe(flow.Forward, packet.UDP, 0)
	if u.Answered() {
		t.Fatal("the caller answered itself")
	}
}

func TestReopens(t *testing.T) {
	var m Machine
	m.Observe(flow.Forward, packet.TCP, packet.SYN)
	if m.Reopens(packet.TCP, packet.SYN) {
		t.Error("a retransmitted SYN reopens a connection that is not closed")
	}
	m.Observe(flow.Reply, packet.TCP, packet.RST|packet.ACK)
	for flags, want := range map[packet.Flags]bool{
		packet.SYN:              true,
		packet.SYN | packet.PSH: true,
		packet.SYN | packet.ACK: false,
		packet.SYN | packet.FIN: false,
		packet.SYN | packet.RST: false,
		packet.ACK:              false,
		0:                       false,
	} {
		if got := m.Reopens(packet.TCP, flags); got != want {
			t.Errorf("flags %#x reopen: %t", flags, got)
		}
	}
	if !Opens(packet.UDP, 0) || !Opens(packet.ICMP, 0) {
		t.Error("only TCP has packets that open nothing")
	}
}

// Whatever the hosts send: the state is a state, a RST or two FINs close, and
// what is closed stays closed.
func TestMachineNeverGetsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Machine
		var fins [2]bool
		closed := false
		for range rapid.IntRange(1, 30).Draw(t, "packets") {
			dir := flow.Dir(rapid.IntRange(0, 1).Draw(t, "dir"))
			flags := packet.Flags(rapid.Byte().Draw(t, "flags"))
			s := m.Observe(dir, packet.TCP, flags)
			fins[dir] = fins[dir] || flags&packet.FIN != 0
			closed = closed || flags&packet.RST != 0 || fins[0] && fins[1]
			half := fins[0] != fins[1]
			switch {
			case closed != (s == Closed),
				!closed && half != (s == Closing),
				s == None, s == Stream:
				t.Fatalf("%s after FINs %v, closed %t", s, fins, closed)
			}
		}
	})
}

// Seen from the other end, a connection goes on through the same states.
func TestTurned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Machine
		proto := rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP, packet.ICMP}).Draw(t, "proto")
		packets := rapid.IntRange(2, 12).Draw(t, "packets")
		turn := rapid.IntRange(1, packets-1).Draw(t, "turn")
		var mirror Machine
		for i := range packets {
			if i == turn {
				mirror = m.Turned()
			}
			dir := flow.Dir(rapid.IntRange(0, 1).Draw(t, "dir"))
			flags := packet.Flags(rapid.Byte().Draw(t, "flags")) &^ packet.RST
			s := m.Observe(dir, proto, flags)
			if i >= turn && (mirror.Observe(dir.Flip(), proto, flags) != s || mirror.Turned() != m) {
				t.Fatalf("packet %d: %s, %s from the other end", i, s, mirror.State())
			}
		}
	})
}

func TestStateNames(t *testing.T) {
	for s, want := range []string{"none", "new", "established", "stream", "closing", "closed", "invalid"} {
		if got := State(s).String(); got != want {
			t.Errorf("state %d is %q, want %q", s, got, want)
		}
	}
}

// F3.14, F2.49.
func TestTimeouts(t *testing.T) {
	d := DefaultTimeouts()
	for _, tt := range []struct {
		state State
		proto packet.Proto
		want  time.Duration
	}{
		{New, packet.TCP, 60 * time.Second},
		{None, packet.TCP, 60 * time.Second},
		{Established, packet.TCP, 432000 * time.Second},
		{Closing, packet.TCP, 120 * time.Second},
		{Closed, packet.TCP, 10 * time.Second},
		{New, packet.UDP, 30 * time.Second},
		{Stream, packet.UDP, 180 * time.Second},
		{New, packet.ICMP, 600 * time.Second},
		{Established, packet.ICMPv6, 600 * time.Second},
		{New, packet.Proto(47), 600 * time.Second},
	} {
		if got := d.For(tt.state, tt.proto); got != tt.want || got <= 0 {
			t.Errorf("protocol %d, %s: %s, want %s", tt.proto, tt.state, got, tt.want)
		}
	}
}
