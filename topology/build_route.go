package topology

import (
	"net/netip"
)

const mainTable = "main"

// peering is a VPC peering connection of the lab.
type peering struct {
	*VPCPeeringConnection
	name    string
	ends    [2]*Network
	deleted bool
}

// tunnel is a VPN connection of the lab.
type tunnel struct {
	*VPNConnection
	name    string
	gateway *gateway
	site    *Network
}

// table is a route table of the lab.
type table struct {
	*RouteTable
	name        string
	network     *Network
	routes      []route
	propagating []*gateway
}

// route is a route of a table: over a peering connection, or to a gateway.
type route struct {
	to      netip.Prefix
	list    *prefixList // in place of to, all its entries
	peering *peering
	gateway *gateway
}

// addPeerings resolves the VPC peering connections.
func (b *builder) addPeerings() {
	b.find.peerings = map[string]*peering{}
	each(&b.problems, "vpc_peering_connections", b.spec.PeeringConnections, func(path, name string, spec *VPCPeeringConnection) {
		p := &peering{VPCPeeringConnection: spec, name: name}
		b.find.peerings[name] = p
		b.ids.given(&b.problems, "pcx", path, &spec.ID)
		for i, end := range []struct{ key, name string }{{"vpc_id", spec.VPCID}, {"peer_vpc_id", spec.PeerVPCID}} {
			p.ends[i] = b.vpcRef(at(path, end.key), end.name)
		}
		a, z := p.ends[0], p.ends[1]
		if a == nil || z == nil {
			return
		}
		path = at(path, "peer_vpc_id")
		if a == z {
			b.problems.add(path, "VPC %s cannot be peered with itself", a.Name)
			return
		}
		for _, other := range b.Lab.peerings {
			if other.joins(a, z) {
				b.problems.add(path, "VPCs %s and %s are peered by %s already", a.Name, z.Name, other.name)
				return
			}
		}
		if o, ok := overlap(a, z); ok {
			b.problems.add(path, "VPCs %s and %s overlap (%s), and peering needs CIDR blocks that do not; PrivateLink does not mind (F1.42)", a.Name, z.Name, o)
			return
		}
		b.Lab.peerings = append(b.Lab.peerings, p)
	})
}

// vpcRef resolves the name of a VPC.
func (b *builder) vpcRef(path, name string) *Network {
	if name == "" {
		b.problems.add(path, "is missing: name a VPC")
		return nil
	}
	n, err := find("VPC", b.find.networks, name)
	if err != nil {
		b.problems.add(path, "%v", err)
	}
	return n
}

// overlap returns a block that two networks share, the smaller of the two that meet.
func overlap(a, z *Network) (netip.Prefix, bool) {
	for _, p := range a.CIDRs {
		for _, q := range z.CIDRs {
			if p.Overlaps(q) {
				if p.Bits() > q.Bits() {
					return p, true
				}
				return q, true
			}
		}
	}
	return netip.Prefix{}, false
}

// joins reports whether p peers two networks, in either order.
func (p *peering) joins(a, z *Network) bool {
	return p.ends == [2]*Network{a, z} || p.ends == [2]*Network{z, a}
}

// peered reports whether two VPCs are.
func (l *Lab) peered(a, z *Network) bool {
	for _, p := range l.peerings {
		if !p.deleted && p.joins(a, z) {
			return true
		}
	}
	return false
}

// far returns the other end of a peering connection, nil if n is at none.
func (p *peering) far(n *Network) *Network {
	switch n {
	case p.ends[0]:
		return p.ends[1]
	case p.ends[1]:
		return p.ends[0]
	}
	return nil
}

// DeletePeeringConnection ends a VPC peering connection. The routes over it stay, and
// lead nowhere; rules that name groups over it match nobody there. The error is a
// *[Refusal] where it was deleted before.
func (l *Lab) DeletePeeringConnection(name string) error {
	p, err := find("VPC peering connection", l.find.peerings, name)
	if err != nil {
		return err
	}
	if p.deleted {
		return &Refusal{
			"InvalidStateTransition: Invalid state transition for " + p.ID + ", attempted to transition from deleted to deleting",
			"peering connection " + name + " is deleted already",
		}
	}
	p.deleted = true
	return nil
}

// addTables resolves the route tables, and says which subnet has which.
func (b *builder) addTables() {
	for _, n := range b.vpcs() {
		if n.RouteTables == nil {
			n.RouteTables = map[string]*RouteTable{}
		}
		if n.RouteTables[mainTable] == nil {
			n.RouteTables[mainTable] = &RouteTable{}
		}
		owners := map[*subnet]string{}
		var fallback *table
		each(&b.problems, at(n.path, "route_tables"), n.RouteTables, func(path, name string, spec *RouteTable) {
			t := &table{RouteTable: spec, name: name, network: n}
			b.find.tables.put(n.Name, name, t)
			if name == mainTable {
				fallback = t
			}
			b.ids.given(&b.problems, "rtb", path, &spec.ID)
			b.addRoutes(path, n, t)
			for _, s := range b.associate(path, n, spec.SubnetIDs, name, "route table", owners) {
				s.table = t
			}
		})
		for _, s := range b.leftover(n, owners) {
			s.table = fallback
			fallback.SubnetIDs = append(fallback.SubnetIDs, s.name)
		}
	}
}

// addRoutes resolves the routes of a table.
func (b *builder) addRoutes(path string, n *Network, t *table) {
	defer b.checkRoutes(path, t)
	elements(&b.problems, at(path, "route"), t.Routes, func(path string, spec *Route) {
		r, ok := b.route(path, n, spec)
		if !ok {
			return
		}
		if t.find(r) >= 0 {
			key, what := "cidr_block", r.destination()
			switch {
			case r.list != nil:
				key, what = "destination_prefix_list_id", r.list.String()
			case spec.CIDRBlock == "":
				key = "ipv6_cidr_block"
			}
			b.problems.add(at(path, key), "route table %s has a route to %s already", t.name, what)
			return
		}
		t.routes = append(t.routes, r)
	})
	for i, name := range t.PropagatingVGWs {
		if g := b.gatewayRef(item(at(path, "propagating_vgws"), i), n, b.find.gateways, vpnGateway, name); g != nil {
			t.propagating = append(t.propagating, g)
		}
	}
}

// route resolves a route of a VPC. ok is false where it has a mistake.
func (b *builder) route(path string, n *Network, spec *Route) (r route, ok bool) {
	r, ok = b.routeTarget(path, n, spec)
	to := b.destination(path, spec)
	if to == nil || !ok {
		return r, false
	}
	r.to, r.list = to.to, to.list
	if r.list != nil {
		for _, to := range r.list.entries {
			if own, in := n.around(to); in {
				b.problems.add(at(path, "destination_prefix_list_id"), "%s of prefix list %s lies in VPC %s (%s), where the local route leads", to, r.list.name, n.Name, own)
			}
		}
		return r, true
	}
	if own, in := n.around(r.to); in {
		key := "cidr_block"
		if spec.CIDRBlock == "" {
			key = "ipv6_cidr_block"
		}
		b.problems.add(at(path, key), "%s lies in VPC %s (%s), where the local route leads", r.to, n.Name, own)
		return r, false
	}
	return r, true
}

// destination resolves where a route leads to; nil where that is a mistake.
func (b *builder) destination(path string, spec *Route) *route {
	blocks := spec.CIDRBlock + spec.IPv6CIDRBlock
	switch {
	case spec.PrefixListID != "" && blocks != "":
		b.problems.add(at(path, "destination_prefix_list_id"), "a route has one destination: make two routes, one of them with a block")
		return nil
	case spec.PrefixListID != "":
		list, err := find("prefix list", b.find.prefixes, spec.PrefixListID)
		if err != nil {
			b.problems.add(at(path, "destination_prefix_list_id"), "%v", err)
			return nil
		}
		return &route{list: list}
	case blocks == "":
		b.problems.add(at(path, "cidr_block"), "is missing: give cidr_block, ipv6_cidr_block or destination_prefix_list_id")
		return nil
	case spec.CIDRBlock != "" && spec.IPv6CIDRBlock != "":
		b.problems.add(at(path, "ipv6_cidr_block"), "a route has one destination: make two routes, one with cidr_block and one with ipv6_cidr_block")
		return nil
	}
	var problems Problems
	peerBlock(&problems, &spec.CIDRBlock, &spec.IPv6CIDRBlock)
	b.problems.under(path, problems)
	if len(problems) > 0 {
		return nil
	}
	return &route{to: netip.MustParsePrefix(spec.CIDRBlock + spec.IPv6CIDRBlock)}
}

// routeTarget resolves what a route names.
func (b *builder) routeTarget(path string, n *Network, spec *Route) (r route, ok bool) {
	const choices = "vpc_peering_connection_id, gateway_id, nat_gateway_id or transit_gateway_id"
	named := 0
	for _, name := range []string{spec.PeeringID, spec.GatewayID, spec.NATGatewayID, spec.TransitID} {
		if name != "" {
			named++
		}
	}
	switch {
	case named == 0:
		b.problems.add(path, "leads nowhere: give "+choices)
	case named > 1:
		b.problems.add(path, "a route leads one way: give one of "+choices)
	case spec.NATGatewayID != "":
		r.gateway = b.gatewayRef(at(path, "nat_gateway_id"), n, b.find.nat, natGateway, spec.NATGatewayID)
		return r, r.gateway != nil
	case spec.TransitID != "":
		r.gateway = b.attachmentRef(at(path, "transit_gateway_id"), n, spec.TransitID)
		return r, r.gateway != nil
	case b.find.internet[spec.GatewayID] != nil:
		r.gateway = b.gatewayRef(at(path, "gateway_id"), n, b.find.internet, internetGateway, spec.GatewayID)
		return r, r.gateway != nil
	case spec.GatewayID != "":
		r.gateway = b.gatewayRef(at(path, "gateway_id"), n, b.find.gateways, vpnGateway, spec.GatewayID)
		return r, r.gateway != nil
	default:
		p, err := find("VPC peering connection", b.find.peerings, spec.PeeringID)
		switch {
		case err != nil:
			b.problems.add(at(path, "vpc_peering_connection_id"), "%v", err)
		case p.ends[0] == nil || p.ends[1] == nil: // said already
		case p.far(n) == nil:
			b.problems.add(at(path, "vpc_peering_connection_id"), "%s peers VPCs %s and %s: routes of VPC %s cannot use it, since peering is not transitive", p.name, p.ends[0].Name, p.ends[1].Name, n.Name)
		default:
			r.peering = p
			return r, true
		}
	}
	return r, false
}
