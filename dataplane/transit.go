package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Transit gateways. One remembers nothing and translates nothing, so its interfaces are
// no hops of a path: they lie between two of them, and which ones they are follows from
// where a packet comes from and its destination, each way by itself. Answers may pass
// others than what they answer (F4.16).

// What a transit gateway does to packets: their length, and the MSS that fits it.
const (
	transitMTU  = 8500 // and a NAT gateway's (F2.33)
	transitMSS4 = transitMTU - 40
	transitMSS6 = transitMTU - 60
)

func transitMSS(v6 bool) uint16 {
	if v6 {
		return transitMSS6
	}
	return transitMSS4
}

// crossing is a packet's way over a transit gateway: the interfaces of the attachments
// by which it leaves one VPC and enters another.
type crossing struct {
	in, out InterfaceID
	route   *Route // of the transit gateway
}

// cross takes a packet over the transit gateway to which a route leads. It comes by the
// attachment's interface in its sender's zone, and goes by that of the same zone in the
// other VPC; only where that VPC has none there, by another.
func (p *Program) cross(from *Interface, r *Route, to packet.Addr) (crossing, drop.Reason) {
	c := crossing{in: p.inZone(r.Via, from.Zone), out: NoInterface}
	if c.in == NoInterface {
		return c, drop.TransitZone
	}
	c.route = longest(p.Interfaces[c.in].Transit, to)
	switch {
	case c.route == nil:
		return c, drop.TransitRoute
	case len(c.route.Via) == 0:
		return c, drop.Blackhole
	}
	if c.out = p.inZone(c.route.Via, from.Zone); c.out == NoInterface {
		c.out = c.route.Via[0]
	}
	return c, drop.None
}

// inZone returns that of some interfaces which is in a zone, or NoInterface.
func (p *Program) inZone(all []InterfaceID, zone ZoneID) InterfaceID {
	i := slices.IndexFunc(all, func(id InterfaceID) bool { return p.Interfaces[id].Zone == zone })
	if i < 0 {
		return NoInterface
	}
	return all[i]
}

// crosses finds the way over a transit gateway of what an interface sends to an address.
// ok is false where it takes none.
func (p *Program) crosses(from InterfaceID, to packet.Addr) (c crossing, ok bool) {
	nic := &p.Interfaces[from]
	if !p.nearTransit(from) || p.VPCs[nic.VPC].holds(to) {
		return c, false
	}
	r := nic.route(to)
	if r == nil || !p.leadsTo(r, Transit) {
		return c, false
	}
	c, why := p.cross(nic, r, to)
	return c, why == drop.None
}

// nearTransit reports whether some route of an interface's VPC leads to a transit gateway.
func (p *Program) nearTransit(at InterfaceID) bool { return p.VPCs[p.Interfaces[at].VPC].Transits }

// leadsTo reports whether a route leads to an interface of a gateway of a kind.
func (p *Program) leadsTo(r *Route, kind Kind) bool {
	return len(r.Via) > 0 && p.Interfaces[r.Via[0]].Kind == kind
}

// leads reports whether what an interface sends to an address gets to another interface.
func (p *Program) leads(from InterfaceID, to packet.Addr, at InterfaceID) bool {
	id, _, why := p.find(from, to)
	return why == drop.None && id == at
}

// beyond finds an address from a transit gateway's interface on: in its VPC, or by a
// route of its subnet to a NAT gateway. No other gateway takes what comes from outside
// the VPC.
func (p *Program) beyond(at InterfaceID, to packet.Addr) (InterfaceID, drop.Reason) {
	vpc := &p.VPCs[p.Interfaces[at].VPC]
	if id, ok := vpc.Addrs[to]; ok {
		if p.Interfaces[id].Kind == Resolver {
			return NoInterface, drop.ForeignResolver
		}
		return id, drop.None
	}
	if vpc.holds(to) {
		return NoInterface, drop.NoSuchAddress
	}
	switch r := p.Interfaces[at].route(to); {
	case r == nil:
		return NoInterface, drop.NoRoute
	case p.leadsTo(r, NAT):
		return r.Via[0], drop.None
	}
	return NoInterface, drop.NotTransitive
}

// transit passes the interfaces of a transit gateway, if the packet's way from an
// interface to another leads over one: the network ACLs of their subnets. There the
// packet only enters the one and only leaves the other; where the receiver is in the
// same subnet as the other, it does not even do that.
func (d *decision) transit(from, to InterfaceID) drop.Reason {
	c, ok := d.w.prog.crosses(from, d.at.Dst)
	if !ok {
		return drop.None
	}
	d.trace.crossed(&c)
	for _, at := range []InterfaceID{c.in, c.out} {
		if why := d.stands(at); why != drop.None {
			d.path.end = at
			return why
		}
	}
	if why := d.edge(c.in, NoInterface, flow.Ingress); why != drop.None {
		d.path.end = c.in
		return why
	}
	if why := d.edge(c.out, to, flow.Egress); why != drop.None {
		d.path.end = c.out
		return why
	}
	return drop.None
}

// transit does the same for what would answer a packet.
func (p *Program) transit(from, to InterfaceID, t packet.Tuple, q filter.Query, tr *Trace) drop.Reason {
	c, ok := p.crosses(from, t.Dst)
	if !ok {
		return drop.None
	}
	tr.crossed(&c)
	for _, at := range []InterfaceID{c.in, c.out} {
		if why := p.stands(at, tr); why != drop.None {
			return why
		}
	}
	q.Peer = t.Src
	if why := p.edge(c.in, NoInterface, flow.Ingress, &q, tr); why != drop.None {
		return why
	}
	q.Peer = t.Dst
	return p.edge(c.out, to, flow.Egress, &q, tr)
}

// before returns whose subnet a packet comes from as it reaches an interface: its
// sender's, or that of the transit gateway's interface that it came by.
func (p *Program) before(from InterfaceID, to packet.Addr) InterfaceID {
	if from == NoInterface {
		return from
	}
	if c, ok := p.crosses(from, to); ok {
		return c.out
	}
	return from
}

// crossed returns the way over a transit gateway that packets of a path take between the
// hops i and i+1, in a direction.
func (w *Walk) crossed(p *path, i int, dir flow.Dir) (c crossing, ok bool) {
	from := i
	if dir == flow.Reply {
		from++
	}
	if from >= int(p.hopCount) || !w.prog.nearTransit(p.hop(from)) {
		return c, false
	}
	t := w.tuple(p, from)
	if dir == flow.Reply {
		t = t.Reversed()
	}
	return w.prog.crosses(p.hop(from), t.Dst)
}

// nearTransit reports whether packets of a path may cross a transit gateway.
func (w *Walk) nearTransit(p *path) bool {
	for i := range int(p.hopCount) {
		if w.prog.nearTransit(p.hop(i)) {
			return true
		}
	}
	return false
}

// transits reports whether packets of a path cross a transit gateway, in one direction
// at least.
func (w *Walk) transits(p *path) bool {
	for i := 0; i < int(p.hopCount); i += 2 {
		for _, dir := range []flow.Dir{flow.Forward, flow.Reply} {
			if _, ok := w.crossed(p, i, dir); ok {
				return true
			}
		}
	}
	return false
}
