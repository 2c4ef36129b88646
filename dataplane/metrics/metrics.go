// Package metrics counts what CloudWatch says of load balancers and endpoints, as
// far as it can be seen on the packet path: a [Meter] sums what happens at each
// [Place] over short slots of time, and a [Track] follows a number that goes up and
// down. The names, dimensions and statistics that people know are made of that
// elsewhere.
package metrics

import (
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
)

// Interval is how long a slot lasts. A point of CloudWatch is a minute, in which
// peaks are averages over ten seconds (F2.69).
const Interval = 10 * time.Second

// kept is how many slots are remembered: three hours of the lab.
const kept = int64(3 * time.Hour / Interval)

// SlotOf returns the number of the slot that a moment belongs to.
func SlotOf(t clock.Time) int64 { return int64(t) / int64(Interval) }

// Place is where something is counted: at a load balancer's node, at an endpoint's
// interface, or at the one for what came by way of the other.
type Place struct {
	Node     flow.Scope // the node's interface, or None
	Endpoint flow.Scope // the endpoint's, or None
}

// None is no interface.
const None = ^flow.Scope(0)

// Nowhere is no place: what happens there is not counted.
var Nowhere = Place{None, None}

// Counter names what is summed.
type Counter uint8

// The counters. Those of flows and bytes have one for each protocol of a listener.
const (
	NewTCP      Counter = iota // flows that got a target
	NewUDP                     //
	NewTLS                     //
	RejectedTCP                // flows that the load balancer itself refused
	RejectedUDP                //

	BytesTCP   // of IP packets of flows, both directions
	BytesUDP   //
	BytesTLS   // between client and node
	BytesOther // of ICMP errors about flows
	Packets    // the same packets, and those of health checks

	PortErrors     // flows that found no source port
	FailOpen       // flows to a target that is not healthy
	ClientResets   // RSTs that the client sent
	BalancerResets // RSTs that the node made
	TargetResets   // RSTs that the target sent

	ClientTLSErrors // handshakes with clients that failed
	TargetTLSErrors // and with targets

	BlockedInICMP // messages that the node's security groups refused; of TCP and UDP flows
	BlockedInTCP
	BlockedInUDP
	BlockedOutICMP
	BlockedOutTCP
	BlockedOutUDP

	Dropped // packets that died at the endpoint's interface

	NumCounters
)

// Gauge names what is followed as it goes up and down.
type Gauge uint8

// The gauges: flows that are in use, of TCP from the SYN to the first FIN or RST
// (F1.54, F2.69).
const (
	ActiveTCP Gauge = iota
	ActiveUDP
	ActiveTLS

	NumGauges
)

// Slot holds the sums of one slot.
type Slot struct {
	Number int64
	Sums   [NumCounters]uint64
}

// Series is what was counted at one place, oldest first. Slots in which nothing
// happened are left out.
type Series struct {
	Place
	Slots  []Slot
	Levels [NumGauges][]Level
}
