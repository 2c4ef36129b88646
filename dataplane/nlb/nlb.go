// Package nlb holds the decisions and the memory of a Network Load Balancer:
// which target a new flow gets, and what is known of the flows that have one.
package nlb

import (
	"math/bits"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Hash returns the flow hash: of TCP over protocol, addresses, ports and the
// sequence number of the SYN (F2.14), of UDP over the same without the sequence
// number (F2.15). AWS does not publish the function (F2.17).
func Hash(seed flow.Seed, k *flow.Key, seq uint32) uint64 {
	if k.Proto == packet.TCP {
		const spread = 0x9e3779b97f4a7c15 // odd: no two sequence numbers meet
		seed[0] ^= (uint64(seq) + 1) * spread
	}
	return flow.Hash(seed, k)
}

// SourceHash returns the hash of a sticky target group: over protocol and source
// address alone (F2.18).
func SourceHash(seed flow.Seed, proto packet.Proto, src packet.Addr) uint64 {
	return flow.Hash(seed, &flow.Key{Proto: proto, Src: src})
}

// Select returns which of n choices the hash h picks, each as likely as any
// other; -1 if there is none. What h has not yet been used for is in rest: a hash
// for the next choice.
func Select(h uint64, n int) (i int, rest uint64) {
	if n <= 0 {
		return -1, h
	}
	hi, rest := bits.Mul64(h, uint64(n))
	return int(hi), rest
}

// Idle timeouts of listeners (F2.44).
const (
	TCPIdle    = 350 * time.Second // the default
	MinTCPIdle = 60 * time.Second
	MaxTCPIdle = 6000 * time.Second
	UDPIdle    = 120 * time.Second // fixed
)

// NATIdle is the idle timeout of a NAT gateway, which is that of PrivateLink (F1.36).
const NATIdle = 350 * time.Second

// Timeouts are the balancer's timers beside a listener's idle timeout.
type Timeouts struct {
	Answer   time.Duration // within which a target must answer (F2.48)
	Endpoint time.Duration // an endpoint's own idle timeout: the shorter one wins (F1.36)

	// AWS does not publish these (F2.49): they are settings.
	Closing time.Duration // TCP half closed
	Closed  time.Duration // TCP after both FINs or a RST

	// Rest is how long after a TCP connection's last packet its source port is
	// better not used again (F2.34).
	Rest time.Duration
}

// DefaultTimeouts returns AWS's values where they are known.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Answer: 30 * time.Second, Endpoint: 350 * time.Second, Closing: 120 * time.Second, Closed: 10 * time.Second,
		Rest: 60 * time.Second, // TIME_WAIT of Linux
	}
}

// Flow is a flow that has a target. In its [Table] it has two keys: the client's
// packets as they leave the client, and the target's as they leave the target.
//
// There may be millions, so what few flows have, or many in common, is elsewhere.
type Flow struct {
	conntrack.Machine
	Private              bool          // it came over PrivateLink
	Active               bool          // counted as such
	Proto                packet.Proto  // of both sides
	Port                 uint16        // the node's source port towards the target; 0: the client's own
	Group                uint16        // the number of the target group
	ISN                  uint32        // sequence number of the SYN
	Client, Node, Target flow.Scope    // their interfaces
	Via                  flow.Scope    // the endpoint's interface, if Private
	Pair                 uint32        // the number of the node and the target, a pair of package snat
	Splice               uint32        // that of a Splice, if the target gets a PROXY protocol header; else 0
	Idle                 time.Duration // the listener's idle timeout
	LastSeen             clock.Time
	Owner                flow.Ref // the path that stands for it and knows it better
}

// Answers reports whether the node itself answers the client, for a TLS listener.
func (f *Flow) Answers() bool { return f.Target == f.Node && f.Group == NoGroup }

// HandsOver reports whether the target is another load balancer, an endpoint or a NAT
// gateway: the flow ends at the node, and goes on as one that the node began (F2.28).
func (f *Flow) HandsOver() bool { return f.Target == f.Node && f.Group != NoGroup }

// NoGroup is the target group of a client's flow to a TLS listener, which has none.
const NoGroup = ^uint16(0)

// Masqueraded is the target group of flows through a NAT gateway, which has none either.
const Masqueraded = NoGroup - 1

// Masquerades reports whether the node is a NAT gateway.
func (f *Flow) Masquerades() bool { return f.Group == Masqueraded }

// Called reports whether the node itself is the client: a TLS listener that calls a
// target in its client's name.
func (f *Flow) Called() bool { return f.Client == f.Node }

// Table is the flow table of all load balancers that one worker serves.
type Table = flow.Table[Flow]

// For returns how long a flow may be idle in a state, given its listener's idle
// timeout.
func (t *Timeouts) For(s conntrack.State, proto packet.Proto, idle time.Duration) time.Duration {
	switch s {
	case conntrack.Closing:
		return min(t.Closing, idle)
	case conntrack.Closed:
		return min(t.Closed, idle)
	case conntrack.New, conntrack.None:
		if proto == packet.TCP {
			return min(t.Answer, idle)
		}
	}
	return idle
}

// Lingers reports whether the target may remember the flow's connection after its
// end: it was established, and nobody reset it. The side that closes first stays
// in TIME_WAIT.
func (f *Flow) Lingers() bool {
	return f.Proto == packet.TCP && f.State() > conntrack.New && !f.Reset()
}

// Expired reports whether the flow is forgotten. Nobody is told; the next
// packet finds no flow (F2.45, F2.47).
func (f *Flow) Expired(now clock.Time, t *Timeouts) bool {
	return now.Sub(f.LastSeen) >= t.For(f.State(), f.Proto, f.Idle)
}

// TooLate reports whether the target's first answer comes too late to get back
// to the client (F2.48). One that has answered before is never too late.
func (f *Flow) TooLate(now clock.Time, t *Timeouts) bool {
	return !f.Answered() && now.Sub(f.LastSeen) >= t.Answer
}
