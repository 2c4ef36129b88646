package nlb

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

var seed = flow.Seed{11, 12}

func key(proto packet.Proto, client byte, port uint16) flow.Key {
	return flow.Key{
		Src:     packet.Addr{10: 0xff, 11: 0xff, 12: 10, 15: client},
		Dst:     packet.Addr{10: 0xff, 11: 0xff, 12: 10, 14: 1, 15: 9},
		SrcPort: port, DstPort: 80, Proto: proto,
	}
}

// F2.14, F2.15: the sequence number counts for TCP alone.
func TestHashInputs(t *testing.T) {
	tcp, udp := key(packet.TCP, 1, 40000), key(packet.UDP, 1, 40000)
	if Hash(seed, &tcp, 1) == Hash(seed, &tcp, 2) {
		t.Error("the sequence number does not count for TCP")
	}
	if Hash(seed, &udp, 1) != Hash(seed, &udp, 2) {
		t.Error("the sequence number counts for UDP")
	}
	for name, change := range map[string]func(*flow.Key){
		"protocol":            func(k *flow.Key) { k.Proto = packet.UDP },
		"source":              func(k *flow.Key) { k.Src[15]++ },
		"destination":         func(k *flow.Key) { k.Dst[15]++ },
		"source port":         func(k *flow.Key) { k.SrcPort++ },
		"destination port":    func(k *flow.Key) { k.DstPort++ },
		"scope, since D5":     func(k *flow.Key) { k.Scope++ },
		"IPv6 source, prefix": func(k *flow.Key) { k.Src[0]++ },
	} {
		other := tcp
		change(&other)
		if Hash(seed, &other, 1) == Hash(seed, &tcp, 1) {
			t.Errorf("the %s does not count", name)
		}
	}
	if Hash(flow.Seed{11, 13}, &tcp, 1) == Hash(seed, &tcp, 1) {
		t.Error("the seed does not count")
	}
}

// F2.17: one client that comes back with new ports, or with the same port and new
// sequence numbers, reaches all targets alike.
func TestTargetsAreUniform(t *testing.T) {
	const each = 2000
	for name, hash := range map[string]func(i int) uint64{
		"TCP, one port, like sequence numbers": func(i int) uint64 {
			k := key(packet.TCP, 1, 40000)
			return Hash(seed, &k, uint32(i))
		},
		"TCP, one port, spaced sequence numbers": func(i int) uint64 {
			k := key(packet.TCP, 1, 40000)
			return Hash(seed, &k, uint32(i)<<12)
		},
		"TCP, ports in order": func(i int) uint64 {
			k := key(packet.TCP, 1, uint16(i))
			return Hash(seed, &k, 0)
		},
		"UDP, ports in order": func(i int) uint64 {
			k := key(packet.UDP, 1, uint16(i))
			return Hash(seed, &k, 0)
		},
		"UDP, many clients": func(i int) uint64 {
			k := key(packet.UDP, byte(i), 5000+uint16(i>>8))
			return Hash(seed, &k, 0)
		},
	} {
		for _, n := range []int{2, 3, 7, 16} {
			count := make([]float64, n)
			for i := range n * each {
				k, _ := Select(hash(i), n)
				count[k]++
			}
			chi := 0.0
			for _, c := range count {
				chi += (c - each) * (c - each) / each
			}
			dof := float64(n - 1)
			if chi > dof+6*math.Sqrt(2*dof) {
				t.Errorf("%s, %d targets: %v, chi-square %.1f", name, n, count, chi)
			}
		}
	}
}

func TestSelect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, n := rapid.Uint64().Draw(t, "hash"), rapid.IntRange(1, 5000).Draw(t, "targets")
		if i, _ := Select(h, n); i < 0 || i >= n {
			t.Fatalf("selected %d of %d", i, n)
		}
	})
	// A group by its weight, then a target of it: the second choice is as fair as
	// the first.
	var count [2][3]int
	for i := range uint64(60_000) {
		group, rest := Select(flow.Hash(flow.Seed{1, i}, &flow.Key{}), 4)
		target, _ := Select(rest, 3)
		count[min(group, 1)][target]++
	}
	for target := range 3 {
		if one, three := count[0][target], count[1][target]; one < 4700 || one > 5300 || three < 14500 || three > 15500 {
			t.Errorf("60000 flows came to %v, weighted 1 to 3", count)
		}
	}
	if i, _ := Select(math.MaxUint64, 3); i != 2 {
		t.Errorf("the highest hash selects %d of 3", i)
	}
	for _, n := range []int{0, -1} {
		if i, _ := Select(5, n); i != -1 {
			t.Errorf("selected %d of %d", i, n)
		}
	}
}

type step struct {
	after time.Duration
	dir   flow.Dir
	flags packet.Flags
}

// F2.44, F2.47, F2.48: how long a flow lives after its last packet.
func TestExpiry(t *testing.T) {
	const syn, ack, fin, rst = packet.SYN, packet.ACK, packet.FIN, packet.RST
	handshake := []step{{0, flow.Forward, syn}, {0, flow.Reply, syn | ack}, {0, flow.Forward, ack}}
	then := func(more ...step) []step { return append(handshake[:3:3], more...) }
	d := DefaultTimeouts()
	for _, tt := range []struct {
		name  string
		proto packet.Proto
		idle  time.Duration
		steps []step
		want  time.Duration
	}{
		{"no answer", packet.TCP, TCPIdle, handshake[:1], 30 * time.Second},
		{"established", packet.TCP, TCPIdle, handshake, 350 * time.Second},
		{"keepalive", packet.TCP, TCPIdle, then(step{349 * time.Second, flow.Reply, ack}), 350 * time.Second}, // F2.46
		{"listener's own timeout", packet.TCP, MinTCPIdle, handshake, 60 * time.Second},
		{"half closed", packet.TCP, TCPIdle, then(step{0, flow.Forward, fin | ack}), d.Closing},
		{"half closed, short timeout", packet.TCP, MinTCPIdle, then(step{0, flow.Forward, fin | ack}), 60 * time.Second},
		{"closed", packet.TCP, TCPIdle, then(step{0, flow.Forward, fin | ack}, step{0, flow.Reply, fin | ack}), d.Closed},
		{"reset", packet.TCP, TCPIdle, then(step{0, flow.Reply, rst}), d.Closed},
		{"datagram", packet.UDP, UDPIdle, []step{{0, flow.Forward, 0}}, 120 * time.Second},
		{"exchange", packet.UDP, UDPIdle, []step{{0, flow.Forward, 0}, {0, flow.Reply, 0}}, 120 * time.Second},
	} {
		var now clock.Time
		f := Flow{Proto: tt.proto, Idle: tt.idle}
		for _, s := range tt.steps {
			now = now.Add(s.after)
			if f.State() != conntrack.None && f.Expired(now, &d) {
				t.Errorf("%s: expired amid its packets", tt.name)
			}
			f.Observe(s.dir, tt.proto, s.flags)
			f.LastSeen = now
		}
		if f.Expired(now.Add(tt.want-1), &d) || !f.Expired(now.Add(tt.want), &d) {
			t.Errorf("%s: does not live %s in state %s", tt.name, tt.want, f.State())
		}
	}
}

// F2.48: the first answer must come within 30 s; later ones need not hurry.
func TestTooLate(t *testing.T) {
	d := DefaultTimeouts()
	for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
		f := Flow{Proto: proto, Idle: UDPIdle}
		f.Observe(flow.Forward, proto, packet.SYN)
		limit := clock.Time(0).Add(30 * time.Second)
		if f.TooLate(limit-1, &d) || !f.TooLate(limit, &d) {
			t.Errorf("protocol %d: the limit is not 30 s", proto)
		}
		f.Observe(flow.Reply, proto, packet.SYN|packet.ACK)
		if f.TooLate(limit, &d) {
			t.Errorf("protocol %d: a second answer is too late", proto)
		}
	}
}

func TestDefaults(t *testing.T) {
	if TCPIdle != 350*time.Second || MinTCPIdle != 60*time.Second || MaxTCPIdle != 6000*time.Second ||
		UDPIdle != 120*time.Second || DefaultTimeouts().Answer != 30*time.Second {
		t.Error("not AWS's values (F2.44, F2.48)")
	}
	if d := DefaultTimeouts(); d.Closing != 120*time.Second || d.Closed != 10*time.Second || d.Rest != 60*time.Second {
		t.Error("not the values that FIDELITY.md gives (F2.34, F2.49)")
	}
}
