package dataplane

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// edge asks the network ACL of an interface's subnet about the packet, which goes
// to an interface elsewhere or comes from there: never about one between two of the
// same subnet (F3.19), nor about what is exempt from filtering (F3.22). An ACL
// remembers nothing, so it is asked about answers, too, and about flows that are
// tracked (F3.12, F3.17).
func (d *decision) edge(at, elsewhere InterfaceID, way flow.Way) drop.Reason {
	q := d.query(way)
	if way == flow.Ingress {
		elsewhere = d.w.prog.before(elsewhere, d.at.Dst)
	}
	why := d.w.prog.edge(at, elsewhere, way, &q, d.trace)
	if why != drop.None {
		d.path.rejected = true
	}
	return why
}

func (p *Program) edge(at, elsewhere InterfaceID, way flow.Way, q *filter.Query, tr *Trace) drop.Reason {
	nic := &p.Interfaces[at]
	acl, refused := nic.ACLIngress, drop.NetworkACLIngress
	if way == flow.Egress {
		acl, refused = nic.ACLEgress, drop.NetworkACLEgress
	}
	if acl == nil || nic.Exempt {
		return drop.None
	}
	if elsewhere != NoInterface {
		if peer := &p.Interfaces[elsewhere]; peer.Exempt || peer.Subnet == nic.Subnet {
			return drop.None
		}
	}
	number, ok := acl.Match(*q)
	if ok {
		refused = drop.None
	}
	tr.edge(at, way, q, acl, number, refused)
	return refused
}

// depart takes the packet out of the subnet of an interface and on to another: it
// must pass the network ACL, and in another VPC be led there by a route, over a transit
// gateway maybe.
func (d *decision) depart(at, to InterfaceID) drop.Reason {
	if why := d.edge(at, to, flow.Egress); why != drop.None {
		return why
	}
	if why := d.w.prog.lead(at, to, d.at.Dst, d.trace); why != drop.None {
		return why
	}
	return d.transit(at, to)
}

// lead makes sure that a route leads from an interface to one of another VPC.
func (p *Program) lead(from, to InterfaceID, addr packet.Addr, tr *Trace) drop.Reason {
	if p.Interfaces[from].VPC == p.Interfaces[to].VPC {
		return drop.None
	}
	id, r, why := p.find(from, addr)
	if why == drop.None && id != to && p.Interfaces[id].Kind == NAT {
		why = drop.NATInbound // the flow is none of the NAT gateway's
	}
	tr.routed(from, to, r, why)
	return why
}

// returns follows what would answer the packet, all the way back. Security groups
// let it pass (F3.4), but it needs routes, and network ACLs judge it by itself (F3.17).
func (d *decision) returns() drop.Reason {
	prog := d.w.prog
	d.trace.turn()
	// The hops are pairs that the network lies between; what died at the first of a
	// pair is answered from the pair before.
	for i := int(d.path.hopCount)/2*2 - 1; i > 0; i -= 2 {
		from, to, t := d.path.hop(i), d.path.hop(i-1), d.w.tuple(&d.path, i).Reversed()
		q := filter.Query{Proto: d.v.Proto, Port: t.DstPort, Type: answerType(d.v), Peer: t.Dst}
		if why := prog.edge(from, to, flow.Egress, &q, d.trace); why != drop.None {
			return why
		}
		if why := prog.lead(from, to, t.Dst, d.trace); why != drop.None {
			return why
		}
		if why := prog.transit(from, to, t, q, d.trace); why != drop.None {
			return why
		}
		q.Peer = t.Src
		if why := prog.edge(to, prog.before(from, t.Dst), flow.Ingress, &q, d.trace); why != drop.None {
			return why
		}
	}
	return drop.None
}

// muted reports whether the reset that answers a packet which was dropped does not
// reach its sender: no route or network ACL lets it through.
func (d *decision) muted(why drop.Reason) bool {
	return answered(why, d.v) && d.returns() != drop.None
}

// answerType is the ICMP type of what answers a packet: of an echo request, an
// echo reply.
func answerType(v *packet.View) uint8 {
	switch {
	case v.Proto == packet.ICMP && v.Type == 8:
		return 0
	case v.Proto == packet.ICMPv6 && v.Type == 128:
		return 129
	case v.Proto == packet.ICMP && v.Type == 0:
		return 8
	case v.Proto == packet.ICMPv6 && v.Type == 129:
		return 128
	default:
		return v.Type
	}
}
