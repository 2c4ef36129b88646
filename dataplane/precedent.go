package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/snat"
)

// Flows by way of a load balancer that have the same ends differ in their ports alone, and
// nothing asks for that of the side that calls: no route, no security group, only network
// ACLs. So what was decided on one of them is a precedent. A new flow that nobody knows
// anything of gets a target and a source port of its own, and is entered in the same tables
// by the same rules, which need not be asked again.
//
// A precedent has two halves, since all clients may be served by all targets: an approach is how a
// client's packet came to a listener, and a leg how it went from there to a target. Both end
// with the program that they come from, and what they refer to may be gone before that. No
// decision depends on them, only how long it takes.
type precedents struct {
	approaches map[flow.Key]*approach
	legs       map[ends]*leg
}

// most is how many precedents of either kind are kept at once.
const most = 1 << 14

func newPrecedents() precedents {
	return precedents{map[flow.Key]*approach{}, map[ends]*leg{}}
}

// forget forgets all precedents.
func (p *precedents) forget() {
	clear(p.approaches)
	clear(p.legs)
}

// approach is how a client's packets come to a listener.
type approach struct {
	dstMAC      packet.MAC
	listener    *Listener
	front, node InterfaceID // the endpoint's interface, or else the node, too
	side        flow.Mark
	grounds     [2]grounds // by hop
}

// leg is how they go on to a target.
type leg struct {
	recipe, side flow.Mark
	pair         snat.Pair
	port         snat.Choice // the latest
	pairMark     flow.Mark
	flow         nlb.Flow // as it begins, but for its client
	grounds      grounds
}

// ends are what a recipe depends on, beside the program.
type ends struct {
	listener    *Listener
	target      *Target
	front, node InterfaceID
	source      int  // which of the node's addresses
	four        bool // the client's packets are IPv4
	mtu         int  // the client's
}

// grounds are what lets a packet pass the security groups of an interface.
type grounds struct {
	tracked bool          // they remember the flow from now on, by
	rule    filter.RuleID // the rule that admitted it
}

// repeats decides on a packet that has no path as on another one before, and reports whether
// it could. Else nothing has come of it.
func (d *decision) repeats(w *Walk, now clock.Time, in InterfaceID, v *packet.View) bool {
	if !conntrack.Opens(v.Proto, v.Flags) || v.Fragment || len(w.precedents.approaches) == 0 {
		return false
	}
	d.w, d.now, d.v, d.at, d.commit, d.names.next = w, now, v, v.Tuple(), true, 0
	here := d.name(in, d.at)
	d.fetch(here)
	c := w.precedents.approaches[callee(here.Key)]
	if c == nil || c.dstMAC != v.DstMAC {
		return false
	}
	there := d.name(c.front, d.at.Reversed())
	d.fetch(there)
	if d.tracked(here) || w.flows.Has(here) || d.tracked(there) || w.paths.Has(there) {
		return false // somebody knows of the packet, or has sent its answer
	}
	group, target, why := d.target(c.listener, c.node, c.front != c.node)
	if why != drop.None {
		return false
	}
	first, chance := nlb.Select(d.chance(), len(w.prog.Interfaces[c.node].own(target.Addr)))
	l := w.precedents.legs[ends{c.listener, target, c.front, c.node, first, d.at.Dst.Is4(), w.prog.Interfaces[in].MTU}]
	if l == nil || !w.ports.Choose(&l.port, &l.pair, chance) {
		return false
	}
	after := packet.Tuple{Src: l.pair.Node, SrcPort: l.port.Port(), Dst: target.Addr, DstPort: target.Port}
	back := d.name(InterfaceID(l.flow.Target), after.Reversed())
	d.fetch(back)
	if d.tracked(back) || w.flows.Has(back) || w.paths.Has(back) {
		return false
	}
	if !w.sides.Has(c.side) || !w.sides.Has(l.side) || !w.recipes.Has(l.recipe) || !w.pairs.Has(l.pairMark) {
		return false // the last flow like it is over, maybe since somebody looked just now
	}
	l.port.Take(d.now)
	d.splice = d.introduce(&group.Proxy, InterfaceID(l.flow.Via), d.at)
	d.settle(c, l, [maxHops]*flow.Name{here, there, nil, back}, after)
	d.begins(target)
	return true
}

// fetch has all tables bring what they will need to look for a name.
func (d *decision) fetch(n *flow.Name) {
	d.w.paths.ExpectName(n)
	d.w.flows.ExpectName(n)
	d.w.track.ExpectName(n)
}

// tracked reports whether an interface tracks a flow under a name already, or may soon have
// no room for more.
func (d *decision) tracked(n *flow.Name) bool {
	_, e := d.w.track.Find(d.now, n)
	return e != nil || !d.w.track.Room(n.Scope, maxHops)
}

// settle enters a flow by its precedent in all tables, under its names at the hops where it
// has one. after is what the target gets.
func (d *decision) settle(c *approach, l *leg, names [maxHops]*flow.Name, after packet.Tuple) {
	w, p := d.w, &d.path
	d.trip = trip{
		recipe: w.recipes.UseAgain(l.recipe), sides: [2]uint32{w.sides.UseAgain(c.side), w.sides.UseAgain(l.side)},
		delta: packet.NewRewrite(d.at, after).Delta, last: d.now,
		ports: [2]uint32{portsFrom(&d.at), turned(portsFrom(&after))},
	}
	d.behind = behind{isn: d.v.Seq}
	w.assemble(p, &d.trip, &d.behind)

	here, back := names[0], names[maxHops-1]
	var tracks [maxHops]*conntrack.Entry
	for hop, g := range [maxHops]grounds{0: c.grounds[0], 1: c.grounds[1], maxHops - 1: l.grounds} {
		if g.tracked {
			p.tracks[hop], tracks[hop] = w.track.Add(d.now, names[hop], wayOf(hop), g.rule)
		}
	}
	f := l.flow
	f.Client, f.Port, f.Pair = here.Scope, after.SrcPort, w.pairs.UseAgain(l.pairMark)
	entered := d.enroll(&f, here, back)
	p.watched = w.watches(p)
	w.refresh(p)
	ref := w.establish(p, here, back)
	entered.Owner = ref
	for _, e := range tracks {
		if e != nil {
			e.Owner = ref
		}
	}
	if w.ledger != nil {
		w.open(p)
	}
}

// sets makes the decision a precedent, if it is one that others can follow: on a new flow
// of a load balancer's, on the ground of rules alone.
func (d *decision) sets() {
	w, p := d.w, &d.path
	f := w.flows.At(p.balanced)
	if d.chosen == nil || p.verdict != drop.None || f == nil || f.Port == 0 || d.v.Fragment || p.loose || w.sides.Users(p.trip.sides[0]) < 2 {
		return // or the client may never call again
	}
	for i := range maxHops {
		nic := &w.prog.Interfaces[p.hop(i)]
		if p.tracks[i].Valid() != d.grounds[i].tracked || nic.ACLIngress != nil || nic.ACLEgress != nil ||
			nic.Kind == Internet || nic.Kind == Node && i == 0 || w.prog.nearTransit(p.hop(i)) {
			return
		}
	}
	if len(w.precedents.approaches) >= most || len(w.precedents.legs) >= most {
		w.precedents.forget()
	}
	key := tupleKey(p.hop(0), p.proto, p.seen(0))
	front, node := p.hop(1), p.hop(2)
	w.precedents.approaches[callee(key)] = &approach{
		dstMAC: d.v.DstMAC, listener: d.by, front: front, node: node,
		side: w.sides.Mark(p.trip.sides[0]), grounds: [2]grounds{d.grounds[0], d.grounds[1]},
	}
	source := slices.Index(w.prog.Interfaces[node].own(d.chosen.Addr), d.pair.Node)
	e := ends{d.by, d.chosen, front, node, source, key.Dst.Is4(), w.prog.Interfaces[p.hop(0)].MTU}
	l := w.precedents.legs[e]
	if l == nil {
		l = new(leg)
		w.precedents.legs[e] = l
	}
	*l = leg{
		recipe: w.recipes.Mark(p.trip.recipe), side: w.sides.Mark(p.trip.sides[1]),
		pair: d.pair, pairMark: w.pairs.Mark(f.Pair), flow: *f, grounds: d.grounds[maxHops-1],
	}
	l.flow.Active, l.flow.Splice = false, 0
}

// callee returns what a key says of whom a client calls: all but its own port.
func callee(k flow.Key) flow.Key {
	k.SrcPort = 0
	return k
}
