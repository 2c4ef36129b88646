package topology

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flowlog"
)

// border gives an interface what holds for its subnet: network ACL and routes.
func (c *compiler) border(n *NIC, i *dataplane.Interface) {
	if int(n.subnet) >= len(c.subnets) {
		return // A resolver that stands in no subnet.
	}
	i.Routes = c.routes[n.subnet]
	a := c.subnets[n.subnet].acl
	if a == nil {
		return
	}
	// What lets everything pass is not asked, and says nothing.
	if !a.opens(ingress) {
		i.ACLIngress = filter.NewACL(a.ID, a.String(), a.entries[ingress])
	}
	if !a.opens(egress) {
		i.ACLEgress = filter.NewACL(a.ID, a.String(), a.entries[egress])
	}
}

// reaches reports whether a rule of a security group may name another.
func (c *compiler) reaches(g, peer *group) bool {
	return g.network == peer.network || c.peered(g.network, peer.network)
}

// tables compiles the routes of every subnet, longest prefix first; what a gateway
// propagates comes after a route of the same length.
func (c *compiler) tables() map[uint16][]dataplane.Route {
	routes := map[uint16][]dataplane.Route{}
	for _, s := range c.subnets {
		all := c.siteRoutes(s.network)
		if s.table != nil {
			all = c.tableRoutes(s.network, s.table)
		}
		slices.SortStableFunc(all, func(a, b dataplane.Route) int { return int(b.Prefix.Bits) - int(a.Prefix.Bits) })
		routes[s.number] = all
	}
	return routes
}

func (c *compiler) tableRoutes(n *Network, t *table) (all []dataplane.Route) {
	for r := range t.each {
		if r.gateway != nil {
			all = append(all, c.gatewayRoute(r.to, r.gateway))
			continue
		}
		out := newRoute(r.to, flowlog.Peering, "peering connection "+r.peering.name, r.peering.ID)
		if !r.peering.deleted {
			out.To = []dataplane.VPCID{r.peering.far(n).number}
		}
		all = append(all, out)
	}
	for _, g := range t.propagating {
		for _, tunnel := range c.tunnels {
			if tunnel.gateway == g {
				all = append(all, c.gatewayRoute(tunnel.site.CIDRs[0], g))
			}
		}
	}
	return all
}

// each visits the routes of a table, with an entry of a prefix list in place of the list:
// after all others, which go before one of the same length.
func (t *table) each(yield func(route) bool) {
	for _, r := range t.routes {
		if r.list == nil && !yield(r) {
			return
		}
	}
	for _, r := range t.routes {
		if r.list == nil {
			continue
		}
		for _, to := range r.list.entries {
			r.to = to
			if !yield(r) {
				return
			}
		}
	}
}

// siteRoutes lead from a network on premises to the VPCs at the other ends of its
// VPN connections.
func (c *compiler) siteRoutes(n *Network) (all []dataplane.Route) {
	if n == c.internet {
		return []dataplane.Route{{Prefix: filter.PrefixFrom(netip.MustParsePrefix("0.0.0.0/0")), Internet: true, Text: "0.0.0.0/0 of the internet"}}
	}
	for _, t := range c.tunnels {
		if vpc := t.gateway.network; t.site == n {
			out := newRoute(vpc.CIDRs[0], flowlog.PrivateGateway, "VPN connection "+t.name, t.ID)
			out.To = []dataplane.VPCID{vpc.number}
			all = append(all, out)
		}
	}
	return all
}

func newRoute(to netip.Prefix, path flowlog.Path, by, id string) dataplane.Route {
	return dataplane.Route{Prefix: filter.PrefixFrom(to), Path: path, Text: fmt.Sprintf("%s by %s (%s)", to, by, id)}
}
