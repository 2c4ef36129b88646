package dataplane

import (
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// balance passes a load balancer's node with a new flow: security groups,
// listener, target, translation, and on to the target's interface. via is the
// endpoint's interface that the packet came by, or NoInterface.
func (d *decision) balance(client, via, node InterfaceID) drop.Reason {
	nic := &d.w.prog.Interfaces[node]
	lb := &d.w.prog.Balancers[nic.Balancer]
	private := via != NoInterface
	d.path.end = node
	d.path.place = metrics.Place{Node: flow.Scope(node), Endpoint: flow.Scope(via)}
	if !private {
		if _, why := d.arrive(node); why != drop.None {
			return why
		}
	} else if why := d.stands(node); why != drop.None {
		return why
	}
	if d.midway() && d.w.serves(lb, client, d.at.Src, d.at.SrcPort) {
		d.passing = true
		return drop.UnknownFlow // of a flow that is forgotten: both sides are told (F2.45)
	}
	if !private || lb.EnforceSG {
		// The address compared is the client's own, even across PrivateLink (F2.65).
		if _, why := d.ask(node, flow.Ingress); why != drop.None {
			d.path.rejected = !private // F4.18: what comes by an endpoint is not logged here
			return drop.LoadBalancerSecurityGroup
		}
	} else {
		d.trace.filtered(node, flow.Ingress, NotEnforced, filter.NoRule, drop.None)
	}
	listener, why := d.listener(lb, private || d.at.Dst == nic.own(d.at.Dst)[0])
	d.trace.listener(node, d.v.Proto, d.at, why)
	if why != drop.None {
		return why
	}
	if listener.TLS {
		d.answer(client, via, node, listener)
		return drop.None
	}
	group, target, why := d.target(listener, node, private)
	d.trace.target(node, target, why)
	if why != drop.None {
		return why
	}
	to := d.w.prog.home(node, target)
	onward := d.w.prog.Interfaces[to].balances()
	if onward {
		to = node
	}
	f := nlb.Flow{
		Proto: d.v.Proto, Client: flow.Scope(client), Node: flow.Scope(node), Target: flow.Scope(to),
		Group: group.Number,
		Via:   flow.Scope(via), Private: private, Idle: listener.IdleTimeout,
	}
	if private {
		f.Idle = min(f.Idle, d.w.settings.Balancing.Endpoint) // F1.36
	}
	before := d.at
	if why := d.translate(&f, target, group.PreserveClientIP && !private); why != drop.None {
		return why
	}
	d.splice = d.introduce(&group.Proxy, via, before)
	if d.commit {
		d.remember(f, before)
	}
	if onward {
		d.handOver(&f, target)
		return drop.None
	}
	d.chosen, d.by = target, listener
	return d.reach(&f, target)
}

// reach takes a translated packet out of the node and into the target's interface.
func (d *decision) reach(f *nlb.Flow, t *Target) drop.Reason {
	d.path.listener, d.path.spliced = f.Idle, d.splice.Shifts()
	d.hop(InterfaceID(f.Node))
	d.path.look(1, d.at)
	if _, why := d.ask(InterfaceID(f.Node), flow.Egress); why != drop.None {
		d.w.forget(d.path.balanced) // the node has no flow that it may not send
		d.path.balanced = flow.Ref{}
		return why
	}
	d.path.measured = true // also what the target's groups refuse
	d.begins(t)
	if why := d.depart(InterfaceID(f.Node), InterfaceID(f.Target)); why != drop.None {
		return why
	}
	d.nameless = d.w.nameless(f)
	if why := d.enter(InterfaceID(f.Target)); why != drop.None {
		return why
	}
	// Whatever the security groups remember of these ports, the flow is new (D5).
	d.path.life, d.path.turned = conntrack.Machine{}, false
	d.deliver()
	return drop.None
}

// keyTuple returns the addresses and ports of a key.
func keyTuple(k *flow.Key) packet.Tuple {
	return packet.Tuple{Src: k.Src, Dst: k.Dst, SrcPort: k.SrcPort, DstPort: k.DstPort}
}
