package dataplane

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// Route leads out of a VPC. What lies in the VPC itself needs none.
type Route struct {
	Prefix filter.Prefix
	Path   flowlog.Path
	// To are the networks to which it leads: the one at the other end of a peering
	// connection, or those behind a virtual private gateway. None: what the route
	// names is gone, or has no way on.
	To []VPCID
	// Internet says that it leads to an internet gateway, To being the internet.
	Internet bool
	// Via are the interfaces to which it leads: a NAT gateway's, those of a transit
	// gateway's attachment in the VPC, or of a transit gateway's route those in another.
	Via  []InterfaceID
	Text string // 10.1.0.0/16 by pcx-…
}

// holds reports whether an address lies in the VPC's blocks.
func (v *VPC) holds(a packet.Addr) bool {
	for _, p := range v.Prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// route returns the route of an interface's subnet for an address outside its VPC:
// the first that fits has the longest prefix. nil: there is none.
func (n *Interface) route(to packet.Addr) *Route { return longest(n.Routes, to) }

// longest returns the first of some routes that fits an address, or nil.
func longest(all []Route, to packet.Addr) *Route {
	for i := range all {
		if r := &all[i]; r.Prefix.Contains(to) {
			return r
		}
	}
	return nil
}

// find returns the interface that gets what another sends to an address, and the
// route there, nil within the VPC.
func (p *Program) find(from InterfaceID, to packet.Addr) (InterfaceID, *Route, drop.Reason) {
	nic := &p.Interfaces[from]
	vpc := &p.VPCs[nic.VPC]
	if id, ok := vpc.Addrs[to]; ok {
		return id, nil, drop.None
	}
	if vpc.holds(to) {
		return NoInterface, nil, drop.NoSuchAddress
	}
	r := nic.route(to)
	if r == nil {
		return NoInterface, nil, drop.NoRoute
	}
	id, why := p.follow(nic, r, to)
	return id, r, why
}

// follow finds an address at the end of a route, or the NAT gateway on the way there.
func (p *Program) follow(nic *Interface, r *Route, to packet.Addr) (InterfaceID, drop.Reason) {
	switch {
	case p.leadsTo(r, NAT):
		return r.Via[0], drop.None
	case p.leadsTo(r, Transit):
		c, why := p.cross(nic, r, to)
		if why != drop.None {
			return NoInterface, why
		}
		return p.beyond(c.out, to)
	}
	for _, n := range r.To {
		vpc := &p.VPCs[n]
		if !vpc.holds(to) {
			continue
		}
		id, ok := vpc.Addrs[to]
		switch {
		case !ok:
			return NoInterface, drop.NoSuchAddress
		case p.Interfaces[id].Kind == Resolver:
			return NoInterface, drop.ForeignResolver
		case r.Internet && nic.Public == (packet.Addr{}):
			return NoInterface, drop.NoPublicAddress
		}
		return id, drop.None
	}
	if r.Internet {
		return NoInterface, drop.Internet
	}
	if r.Path == flowlog.Peering && len(r.To) > 0 {
		return NoInterface, drop.NotTransitive
	}
	return NoInterface, drop.Blackhole
}

// way says by what an interface's packets to an address leave its VPC, for flow
// logs (F4.15).
func (p *Program) way(from InterfaceID, to packet.Addr) flowlog.Path {
	nic := &p.Interfaces[from]
	if p.VPCs[nic.VPC].holds(to) {
		return flowlog.WithinVPC
	}
	if r := nic.route(to); r != nil {
		return r.Path
	}
	return flowlog.NoPath
}

// home is the interface that has a target's address, as a node sees it: its routes
// may lead elsewhere than another node's.
func (p *Program) home(node InterfaceID, t *Target) InterfaceID {
	if id, _, why := p.find(node, t.Addr); why == drop.None && p.Interfaces[id].Kind != NAT {
		return id
	}
	return t.Interface
}
