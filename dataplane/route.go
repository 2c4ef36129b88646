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
	// Internet says that it leads out of the lab, where there is nothing.
	Internet bool
	Text     string // 10.1.0.0/16 by pcx-…
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
func (n *Interface) route(to packet.Addr) *Route {
	for i := range n.Routes {
		if r := &n.Routes[i]; r.Prefix.Contains(to) {
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
	id, why := p.follow(r, to)
	return id, r, why
}

// follow finds an address at the end of a route.
func (p *Program) follow(r *Route, to packet.Addr) (InterfaceID, drop.Reason) {
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
	if id, _, why := p.find(node, t.Addr); why == drop.None {
		return id
	}
	return t.Interface
}
