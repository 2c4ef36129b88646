package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// enterEndpoint passes an endpoint's interface: its security groups, its state,
// and the node of the load balancer that stands behind it in its zone.
func (d *decision) enterEndpoint(client, at InterfaceID) drop.Reason {
	nic := &d.w.prog.Interfaces[at]
	d.path.private, d.path.front = true, at
	d.path.mtu = int32(nic.MTU)
	if why := d.enter(at); why != drop.None {
		return why
	}
	node, why := d.bind(at)
	switch {
	case d.v.Proto != packet.TCP && d.v.Proto != packet.UDP:
		why = drop.EndpointPing // F1.29, F1.35
	case !nic.Endpoint.Available:
		why = drop.EndpointNotAvailable
	}
	d.trace.endpoint(at, node, why)
	if why != drop.None {
		return why
	}
	return d.balance(client, at, node)
}

// bind returns the node that an endpoint's interface uses: at its first
// connection one of those in its zone, at random, and the same one ever after (F1.47).
func (d *decision) bind(at InterfaceID) (InterfaceID, drop.Reason) {
	nodes := d.w.prog.Interfaces[at].Endpoint.Nodes
	if node, ok := d.w.bound[at]; ok && slices.Contains(nodes, node) {
		return node, drop.None
	}
	if len(nodes) == 0 {
		return NoInterface, drop.EndpointNoZone
	}
	node := nodes[d.w.rnd.IntN(len(nodes))]
	if d.commit {
		d.w.bound[at] = node
	}
	return node, drop.None
}
