package topology

import (
	"net/netip"
	"slices"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/flowlog"
)

// gatewayRoute leads to a gateway. NAT gateways and transit gateways have interfaces in
// the VPC itself, which is what flow logs say of the way there (F4.15).
func (c *compiler) gatewayRoute(to netip.Prefix, g *gateway) dataplane.Route {
	path := flowlog.WithinVPC
	switch {
	case g.kind == vpnGateway:
		path = flowlog.PrivateGateway
	case g.kind == internetGateway && *c.spec.Settings.Nitro:
		path = flowlog.InternetGatewayNitro
	case g.kind == internetGateway:
		path = flowlog.InternetGateway
	}
	out := newRoute(to, path, g.kind+" "+g.name, g.id)
	for _, n := range g.nics {
		out.Via = append(out.Via, n.Index)
	}
	out.Internet = g.kind == internetGateway
	if out.Internet && c.internet != nil {
		out.To = []dataplane.VPCID{c.internet.number}
	}
	for _, t := range c.tunnels {
		if t.gateway == g {
			out.To = append(out.To, t.site.number)
		}
	}
	return out
}

// transits compiles the routes of the transit gateways, as each of their interfaces sees
// them: static ones come before those that the attached VPCs propagate.
func (c *compiler) transits() {
	for _, t := range c.find.transits {
		for _, a := range t.attachments {
			c.program.VPCs[a.network.number].Transits = true
			routes := c.transitRoutes(t, a)
			for _, n := range a.nics {
				c.program.Interfaces[n.Index].Transit = routes
			}
		}
	}
}

func (c *compiler) transitRoutes(t *transit, from *attachment) (all []dataplane.Route) {
	add := func(to netip.Prefix, by *attachment) {
		if by != nil && !to.Addr().Is4() && (by.IPv6Support == disable || from.IPv6Support == disable) {
			return
		}
		out := newRoute(to, flowlog.NoPath, transitGateway+" "+t.name, t.ID)
		if by != nil && by != from {
			for _, n := range by.nics {
				out.Via = append(out.Via, n.Index)
			}
		}
		all = append(all, out)
	}
	for _, r := range t.static {
		add(r.to, r.by)
	}
	for _, by := range t.attachments {
		for _, to := range by.network.CIDRs {
			add(to, by)
		}
	}
	slices.SortStableFunc(all, func(a, b dataplane.Route) int { return int(b.Prefix.Bits) - int(a.Prefix.Bits) })
	return all
}
