package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/snat"
)

// A NAT gateway is to the walk what a load balancer's node is, without a choice of
// targets: it knows flows, has source ports of its own towards each destination (F2.33),
// and forgets flows that are idle. So it shares their table and their timers.

// masquerade passes a NAT gateway with a new flow: its source becomes the gateway's
// address and a port of its own, and the gateway's subnet says where it goes.
func (d *decision) masquerade(client, nat InterfaceID) drop.Reason {
	nic := &d.w.prog.Interfaces[nat]
	d.path.end = nat
	if _, why := d.arrive(nat); why != drop.None {
		return why
	}
	d.path.front, d.path.mtu = nat, int32(nic.MTU)
	switch {
	case slices.Contains(nic.Addrs, d.at.Dst), isICMPError(d.v):
		d.passing = d.passing || isICMPError(d.v)
		return drop.NATInbound // of no flow that began behind it
	case d.midway():
		d.passing = true // a SYN on the same ports is a new matter
		return drop.UnknownFlow
	}
	to, route, lost := d.w.prog.find(nat, d.at.Dst)
	if lost != drop.None {
		d.trace.routed(nat, to, route, lost)
		return lost
	}
	onward := d.w.prog.Interfaces[to].receives()
	f := nlb.Flow{
		Proto: d.v.Proto, Client: flow.Scope(client), Node: flow.Scope(nat), Target: flow.Scope(to),
		Via: flow.Scope(NoInterface), Group: nlb.Masqueraded, Idle: nlb.NATIdle,
	}
	if onward {
		f.Target = f.Node
	}
	before := d.at
	if why := d.borrow(&f); why != drop.None {
		return why
	}
	if d.commit {
		own := d.at
		d.at = d.w.prog.inPublic(nat, to, d.at)
		d.remember(f, before)
		d.at = own
	}
	d.path.listener = f.Idle
	if onward {
		d.handOver(&f, nil)
		return drop.None
	}
	d.hop(nat)
	d.path.look(1, d.at)
	if why := d.depart(nat, to); why != drop.None {
		return why
	}
	d.expose(nat, to)
	if why := d.enter(to); why != drop.None {
		return why
	}
	d.path.life, d.path.turned = conntrack.Machine{}, false
	d.deliver()
	return drop.None
}

// borrow gives the packet the NAT gateway's address and a source port of it. An echo
// keeps its identifier.
func (d *decision) borrow(f *nlb.Flow) drop.Reason {
	nat := InterfaceID(f.Node)
	own := d.w.prog.Interfaces[nat].own(d.at.Dst)
	if len(own) == 0 {
		return drop.NATInbound // it has no address of this family
	}
	d.pair = snat.Pair{Scope: f.Node, Node: own[0], Target: d.at.Dst, TargetPort: d.at.DstPort, Proto: d.v.Proto}
	d.at.Src = own[0]
	if d.v.Proto == packet.TCP || d.v.Proto == packet.UDP {
		if !d.takePort(f, own[:1]) {
			d.passing = true // there may be a port for the next one
			d.trace.translated(nat, d.at, drop.PortAllocation)
			return drop.PortAllocation
		}
		d.at.SrcPort = f.Port
	}
	d.trace.translated(nat, d.at, drop.None)
	return drop.None
}
