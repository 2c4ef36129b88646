package dataplane

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
)

// leave passes the security groups of the interface that sends, and the network ACL
// of its subnet (F3.23).
func (d *decision) leave(at, to InterfaceID) drop.Reason {
	if why := d.filter(d.hop(at), to, flow.Egress); why != drop.None {
		return why
	}
	return d.edge(at, to, flow.Egress)
}

// enter passes the network ACL of the subnet of an interface that receives, and its
// security groups (F3.23).
func (d *decision) enter(at InterfaceID) drop.Reason {
	from := d.path.end
	h, why := d.arrive(at)
	if why != drop.None {
		return why
	}
	return d.filter(h, from, flow.Ingress)
}

// arrive adds an interface that receives to the path as a hop, if its zone stands and the
// network ACL of its subnet lets the packet in.
func (d *decision) arrive(at InterfaceID) (int, drop.Reason) {
	from := d.path.lastHop()
	h := d.hop(at)
	if why := d.stands(at); why != drop.None {
		return h, why
	}
	return h, d.edge(at, from, flow.Ingress)
}

// filter asks the security groups of the interface at a hop about a packet to or from peer: a
// tracked flow passes whatever the rules say now (F3.4, F3.12), another one needs a
// rule and is tracked from then on, unless it is one that is not (F3.10).
func (d *decision) filter(hop int, peer InterfaceID, way flow.Way) drop.Reason {
	at := d.path.hop(hop)
	nic := &d.w.prog.Interfaces[at]
	if d.exempt(at, peer) {
		// So nobody has to remember it, of which there is as much as of connections.
		d.passing, d.path.turned = true, nic.Exempt == (way == flow.Egress)
		d.trace.filtered(at, way, Exempt, filter.NoRule, drop.None)
		return drop.None
	}
	own := d.at
	if way == flow.Ingress {
		own = d.at.Reversed()
	}
	name := d.name(at, own)
	ref, e := d.w.track.Find(d.now, name)
	if e != nil {
		d.w.catchUp(e.Owner)
	}
	if e != nil && !e.Reopens(d.v.Proto, d.v.Flags) {
		d.path.tracks[hop] = ref
		d.path.life, d.path.turned = e.Machine, e.Opened != way
		d.trace.filtered(at, way, Tracked, e.Rule, drop.None)
		return drop.None
	}
	if isICMPError(d.v) && d.related(at) {
		d.trace.filtered(at, way, Related, filter.NoRule, drop.None)
		return drop.None
	}
	if !d.w.prog.tracks(at, peer) && d.untracked(at, way) {
		return drop.None
	}
	rule, why := d.ask(at, way)
	if why != drop.None || isICMPError(d.v) {
		return why
	}
	return d.track(hop, peer, way, name, rule)
}

// track makes an interface remember the flow of a packet that a rule allowed.
func (d *decision) track(hop int, peer InterfaceID, way flow.Way, name *flow.Name, rule filter.RuleID) drop.Reason {
	at := d.path.hop(hop)
	if d.w.track.Full(d.now, name.Scope) {
		d.w.reclaim(d.now)
	}
	ok := !d.w.track.Full(d.now, name.Scope)
	if d.commit {
		d.path.tracks[hop], _, ok = d.w.track.Insert(d.now, name, way, rule)
		d.grounds[hop] = grounds{ok, rule}
		answerer := at
		if way == flow.Egress {
			answerer = peer
		}
		ref, t, _ := d.w.paths.Find(d.name(answerer, d.at.Reversed()))
		d.w.reconsider(ref, t, flow.Ref{})
	}
	if !ok {
		d.passing = true // there may be room for the next one
		d.path.rejected = true
		d.trace.filtered(at, way, TableFull, rule, drop.TrackingTable)
		return drop.TrackingTable // F3.16
	}
	return drop.None
}

// exempt reports whether what an interface exchanges with another one is never filtered:
// all that the resolver has to do with, so that an instance's own groups let the instance
// reach it, too (F3.5).
func (d *decision) exempt(at, peer InterfaceID) bool {
	nic := &d.w.prog.Interfaces[at]
	return nic.Exempt || nic.Kind == Instance && peer != NoInterface && d.w.prog.Interfaces[peer].Exempt
}

// ask puts the packet to the rules of an interface's security groups.
func (d *decision) ask(at InterfaceID, way flow.Way) (filter.RuleID, drop.Reason) {
	rules, refused := d.w.prog.Interfaces[at].rules(way), drop.SecurityGroupIngress
	if way == flow.Egress {
		refused = drop.SecurityGroupEgress
	}
	q := d.query(way)
	q.NoGroups = d.nameless
	rule, ok := rules.Match(q)
	switch {
	case !ok:
		d.path.rejected = true
		d.blocks(at, way)
		d.trace.refused(at, way, &q, rules, refused)
		return rule, refused
	case rules == nil:
		d.trace.filtered(at, way, Exempt, rule, drop.None)
	default:
		d.trace.filtered(at, way, Allowed, rule, drop.None)
	}
	return rule, drop.None
}

// query is what rules are asked about the packet, which passes them one way.
func (d *decision) query(way flow.Way) filter.Query {
	peer := d.at.Src
	if way == flow.Egress {
		peer = d.at.Dst
	}
	proto, kind, code := d.v.Named(d.at.Dst.Is4())
	return filter.Query{Proto: proto, Port: d.at.DstPort, Type: kind, Code: code, Peer: peer}
}
