package dataplane

import (
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// balanced finds the load balancer's flow that a packet belongs to. One that is
// over is forgotten instead: the packet belongs to no flow, or opens a new one.
func (d *decision) balanced(in InterfaceID) (flow.Ref, *nlb.Flow, flow.Dir) {
	ref, f, dir := d.w.flows.Find(d.name(in, d.at))
	if f == nil {
		return ref, nil, dir
	}
	d.w.catchUp(f.Owner)
	reopens := d.v.Proto == packet.TCP && conntrack.Opens(d.v.Proto, d.v.Flags) &&
		f.State() != conntrack.Established && d.v.Seq != f.ISN
	late := dir == flow.Reply && !f.Masquerades() && f.TooLate(d.now, &d.w.settings.Balancing) // F2.48
	moves := dir == flow.Forward && !d.midway() && d.w.terminated(f, d.at.DstPort)
	if dir == flow.Forward && f.Masquerades() && !d.w.prog.leads(in, d.at.Dst, InterfaceID(f.Node)) {
		return flow.Ref{}, nil, dir // another gateway gets it now
	}
	if !reopens && !late && !moves && !f.Expired(d.now, &d.w.settings.Balancing) {
		return ref, f, dir
	}
	if d.commit {
		d.w.forget(ref)
	}
	return flow.Ref{}, nil, dir
}

// resume finds the way of a packet of a flow that the load balancer knows,
// whatever became of its target, its listener and its rules since (F2.14, F2.59,
// F3.13): the way is the flow's own, in the packet's direction.
func (d *decision) resume(ref flow.Ref, f *nlb.Flow, dir flow.Dir) drop.Reason {
	p := &d.path
	way := d.join(ref, f, dir)
	p.listener, p.isn, p.spliced = f.Idle, f.ISN, d.w.splice(f).Shifts()
	there, back, _ := d.w.flows.Keys(ref)
	before, after := &there, &back
	if dir == flow.Reply {
		before, after = after, before
	}
	p.look(0, keyTuple(before))
	p.look(1, keyTuple(after).Reversed())
	over := d.w.terminated(f, there.DstPort)
	d.passing = d.passing || over // what the target says is no precedent for the client
	reaches := way[:]
	if over && dir == flow.Forward {
		reaches = way[:2]
	}
	if why := d.traverse(f, dir, reaches, [2]packet.Tuple{}); why != drop.None {
		return why
	}
	if len(reaches) < len(way) {
		return d.terminate(ref, f)
	}
	p.life, p.turned = f.Machine, dir == flow.Reply
	d.deliver()
	return drop.None
}

// join makes the path one of a flow that the load balancer knows, and returns its
// interfaces in the packet's direction.
func (d *decision) join(ref flow.Ref, f *nlb.Flow, dir flow.Dir) [maxHops]flow.Scope {
	p := &d.path
	p.balanced, p.private, p.place, p.bytes = ref, f.Private, placeOf(f), bytesOfFlow(f, p.bytes)
	front := f.Node
	if f.Private {
		front = f.Via
	}
	if f.Private || f.Masquerades() {
		p.mtu, p.front = int32(d.w.prog.Interfaces[front].MTU), InterfaceID(front)
	}
	if dir == flow.Reply {
		return [maxHops]flow.Scope{f.Target, f.Node, front, f.Client}
	}
	return [maxHops]flow.Scope{f.Client, front, f.Node, f.Target}
}

// traverse passes the first interfaces, or all, on the way of a flow that the load
// balancer knows. quotes is what an ICMP error quotes before and after the
// translation.
func (d *decision) traverse(f *nlb.Flow, dir flow.Dir, way []flow.Scope, quotes [2]packet.Tuple) drop.Reason {
	for i, id := range way {
		at := InterfaceID(id)
		d.at, d.quote = d.w.prog.inPrivate(at, InterfaceID(way[i^1]), d.path.seen(i/2)), quotes[i/2]
		h := d.hop(at)
		nic := &d.w.prog.Interfaces[at]
		if why := d.stands(at); why != drop.None {
			return why
		}
		if wayOf(i) == flow.Ingress {
			if why := d.edge(at, InterfaceID(way[i-1]), flow.Ingress); why != drop.None {
				return why
			}
		}
		switch {
		case nic.Kind == Absent, nic.Kind == Endpoint && !nic.Endpoint.Available:
			why := drop.EndpointNotAvailable
			if d.w.prog.ResetRevoked && d.v.Proto == packet.TCP {
				why = drop.EndpointRevoked
			}
			d.trace.endpoint(at, NoInterface, why)
			return why // F1.17, F1.19
		case nic.Kind == Node: // its groups were asked when the flow began (F3.11)
		case nic.Kind == NAT: // which has none
		default:
			d.nameless = i == maxHops-1 && dir == flow.Forward && d.w.nameless(f)
			if why := d.filter(h, InterfaceID(way[i^1]), wayOf(i)); why != drop.None {
				return why
			}
		}
		if wayOf(i) == flow.Egress {
			to := InterfaceID(way[i+1])
			if why := d.depart(at, to); why != drop.None {
				return why
			}
			d.w.prog.exposed(at, to, d.at, d.trace)
		}
	}
	return drop.None
}

// nameless reports whether a target's rules that name the load balancer's groups
// do not apply to a flow: those of PrivateLink, while inbound rules are not
// enforced on it (F2.67). The target's rules must name the node's addresses then.
func (w *Walk) nameless(f *nlb.Flow) bool {
	return f.Private && !w.prog.Balancers[w.prog.Interfaces[f.Node].Balancer].EnforceSG
}
