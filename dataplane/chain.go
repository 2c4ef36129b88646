package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// A target can be an endpoint's interface, or another load balancer's node (F2.28), and
// each of them, or another NAT gateway, what a NAT gateway sends to. None knows of the
// other: to the second one the first one's node is a client like any other. So each has a flow and a path of its own. The first path ends where
// it began to be the node's, and the packet takes the walk again from there, as if the
// node had just sent it; what answers comes back the same way.

// maxChain is how many load balancers a packet passes. More are a loop, which on AWS
// would end with the packet's time to live.
const maxChain = 4

// chain takes a packet that a node sends on along its further paths. why is what
// became of the packet, if this is the answer.
func (w *Walk) chain(now clock.Time, node InterfaceID, why drop.Reason, f *packet.Frame) (InterfaceID, drop.Reason) {
	for range maxChain - 1 {
		if lost := w.view.Decode(f); lost != drop.None {
			return w.turnAway(now, node, &w.view, lost)
		}
		out, lost, onward := w.pass(now, node, &w.view, true)
		if lost != drop.None {
			why = lost
		}
		if !onward {
			return out, why
		}
		node = out
	}
	_ = w.view.Decode(f)
	return w.turnAway(now, node, &w.view, drop.BalancerLoop)
}

// handOver ends a path at the node, which will send the translated packet on to the
// endpoint or the load balancer that is its target.
func (d *decision) handOver(f *nlb.Flow, t *Target) {
	node := InterfaceID(f.Node)
	d.path.listener, d.path.spliced = f.Idle, d.splice.Shifts()
	d.path.arrival(flow.Forward).onward = true
	d.path.life, d.path.turned = conntrack.Machine{}, false
	d.begins(t)
	d.hop(node) // as where a node answers itself: nothing lies between
	d.hop(node)
	d.deliver()
}

// sendsOn reports whether a packet that arrives at a node is one that the node sends
// on: it belongs to a flow that leads from there to another load balancer, or back.
func (w *Walk) sendsOn(at InterfaceID, proto packet.Proto, t packet.Tuple) bool {
	if kind := w.prog.Interfaces[at].Kind; kind != Node && kind != NAT {
		return false
	}
	for _, answer := range []packet.Tuple{t, t.Reversed()} {
		key := tupleKey(at, proto, answer)
		if _, f, dir := w.flows.Lookup(&key); f != nil && dir == flow.Reply && f.HandsOver() {
			return true
		}
	}
	return false
}
