package topology

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// drawNetworks draws accounts, VPCs and what is in them, and the networks outside AWS.
func (d *drawing) drawNetworks() {
	type owner struct {
		side Side
		id   string
	}
	accounts := map[owner]*Box{}
	for _, n := range d.Networks {
		if n.outside != 0 {
			continue
		}
		of := owner{d.sideOf(n), n.OwnerID}
		if accounts[of] == nil {
			b := d.box(nil, AccountBox, "account", "account "+n.OwnerID)
			b.Side = of.side
			accounts[of] = b
		}
		d.drawVPC(accounts[of], n)
	}
	for _, n := range d.Networks {
		if n.outside != 0 {
			d.drawOutside(n)
		}
	}
}

// sideOf says where a VPC is drawn: one that offers a service on the providers' side, and
// so is one that only balances its own load.
func (d *drawing) sideOf(n *Network) Side {
	mine := func(lb *balancer) bool { return lb.network == n }
	offers := func(lb *balancer) bool { return mine(lb) && lb.offer != nil }
	consumes := func(e *Endpoint) bool { return e.Network == n }
	if slices.ContainsFunc(d.Lab.balancers, offers) ||
		slices.ContainsFunc(d.Lab.balancers, mine) && !slices.ContainsFunc(d.Endpoints, consumes) {
		return Providers
	}
	return Consumers
}

func (d *drawing) drawVPC(account *Box, n *Network) {
	var blocks []string
	for _, c := range n.CIDRs {
		blocks = append(blocks, c.String())
	}
	vpc := d.box(account, NetworkBox, "vpc", "VPC "+n.Name, n.ID, strings.Join(blocks, ", "), resolverOf(n), d.unusedGroups(n))
	d.networks[n] = vpc
	if n.Resolver != nil {
		d.nics[n.Resolver] = vpc
	}
	for _, lb := range d.Lab.balancers {
		if lb.network == n {
			d.drawBalancer(vpc, lb)
		}
	}
	var zone *Box
	last := ""
	for _, s := range slices.SortedFunc(slices.Values(d.Lab.subnets), byZone) {
		if s.network != n {
			continue
		}
		if zone == nil || last != s.zone.ID {
			zone, last = d.box(vpc, ZoneBox, "zone", fmt.Sprintf("%s (%s)", s.zone.Name, s.zone.ID)), s.zone.ID
			if d.lost[s.zone.Num] {
				zone.State = "lost"
			}
		}
		d.drawSubnet(zone, s)
	}
	for _, p := range d.Lab.pools {
		if p.network == n {
			d.drawPool(vpc, p)
		}
	}
	for _, all := range []map[string]*gateway{d.find.internet, d.find.gateways} {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if g := all[name]; g.network == n {
				d.gateways[g] = d.box(vpc, GatewayBox, "gateway", g.kind+" "+g.name, g.id)
			}
		}
	}
}

// unusedGroups names the security groups of a VPC that guard nothing.
func (d *drawing) unusedGroups(n *Network) string {
	used := map[string]bool{"default": true}
	mark := func(groups []*group) {
		for _, g := range groups {
			if g.network == n {
				used[g.name] = true
			}
		}
	}
	for _, nic := range d.NICs {
		mark(nic.groups)
	}
	for _, e := range d.Endpoints {
		mark(e.groups)
	}
	for _, lb := range d.Lab.balancers {
		mark(lb.groups)
	}
	var names []string
	for name := range n.SecurityGroups {
		if !used[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return prefixed("unused sg ", strings.Join(names, ", "))
}

func (d *drawing) drawSubnet(zone *Box, s *subnet) {
	var blocks []string
	for _, b := range s.blocks {
		blocks = append(blocks, b.prefix.String())
	}
	text := []string{strings.Join(blocks, ", ")}
	if s.acl != nil && s.acl.name != "default" {
		text = append(text, "network ACL "+s.acl.name)
	}
	if s.table != nil && s.table.name != "main" {
		text = append(text, "route table "+s.table.name)
	}
	b := d.box(zone, SubnetBox, "subnet", "subnet "+s.name, text...)
	for _, n := range d.NICs {
		if n.Network == s.network && n.subnet == s.number {
			d.drawInterface(b, n)
		}
	}
}

// drawInterface draws what has an interface: in the words of what it is.
func (d *drawing) drawInterface(in *Box, n *NIC) {
	text := addresses(n)
	if n.Public.IsValid() {
		text = append(text, "public "+n.Public.String())
	}
	groups := d.groupsOf(n.groups)
	var b *Box
	switch n.Kind {
	case dataplane.Instance, dataplane.OnPremises, dataplane.Internet:
		b = d.box(in, HostBox, "instance", n.Host.name, append(append(text, groups), servers(n.Host)...)...)
	case dataplane.Endpoint:
		b = d.box(in, InterfaceBox, "interface", "interface of "+n.Endpoint.Name, append([]string{n.ID}, append(text, groups)...)...)
		b.State = string(n.Endpoint.State)
	case dataplane.Node, dataplane.Proxy:
		b = d.box(in, NodeBox, "node", "node of "+n.balancer.name, append([]string{n.ID}, text...)...)
	case dataplane.NAT:
		b = d.box(in, GatewayBox, "gateway", "NAT gateway "+strings.TrimPrefix(n.Label, "nat_gateway."), append([]string{n.ID}, text...)...)
	case dataplane.Transit:
		name := strings.TrimSuffix(strings.TrimPrefix(n.Label, "transit_gateway_vpc_attachment."), "."+n.Zone.Name)
		b = d.box(in, AttachmentBox, "attachment", "attachment "+name, append([]string{n.ID}, text...)...)
	default: // deleted, or the resolver, which the VPC names
		return
	}
	d.nics[n] = b
}

// addresses lists what an interface is found by.
func addresses(n *NIC) (all []string) {
	for _, p := range n.Addrs {
		all = append(all, p.Addr().String())
	}
	return all
}

// resolverOf says where the resolver of a network answers.
func resolverOf(n *Network) string {
	if n.Resolver == nil {
		return "no resolver"
	}
	return "resolver " + strings.Join(addresses(n.Resolver), ", ")
}

// servers lists what listens on a host.
func servers(h *Host) (all []string) {
	for _, s := range h.Services {
		all = append(all, fmt.Sprintf("%s:%d", s.Type, s.Port))
	}
	if len(h.Command) > 0 && h.WaitForPort > 0 {
		all = append(all, fmt.Sprintf("program:%d", h.WaitForPort))
	} else if len(h.Command) > 0 {
		all = append(all, "program")
	}
	return all
}

func (d *drawing) drawBalancer(vpc *Box, lb *balancer) {
	kind := "network load balancer "
	if lb.application() {
		kind = "application load balancer "
	}
	var text []string
	for i, listener := range lb.Listeners {
		f := lb.forwards[i]
		text = append(text, portOf(listener)+" to "+shareNames(f.shares))
		for _, r := range f.rules {
			text = append(text, portOf(listener)+" by rule to "+shareNames(r.shares))
		}
	}
	if *lb.CrossZone {
		text = append(text, "cross-zone")
	}
	d.balancers[lb] = d.box(vpc, BalancerBox, "balancer", kind+lb.name, append(text, d.groupsOf(lb.groups))...)
}

// shareNames names target groups, with their weights where these say something.
func shareNames(shares []share) string {
	var names []string
	for _, s := range shares {
		name := s.name
		if len(shares) > 1 {
			name += fmt.Sprintf(" (weight %d)", s.weight)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func (d *drawing) drawPool(vpc *Box, p *pool) {
	text := []string{}
	health, _ := d.TargetHealth(p.name) // it exists
	for _, h := range health {
		line := h.Target
		if _, err := netip.ParseAddrPort(line); err != nil && !strings.Contains(line, ":") {
			line += fmt.Sprintf(":%d", p.Port)
		} else if a, err := netip.ParseAddr(line); err == nil {
			line = netip.AddrPortFrom(a, uint16(p.Port)).String()
		}
		text = append(text, line+" "+string(h.State))
	}
	d.pools[p] = d.box(vpc, GroupBox, "group", fmt.Sprintf("target group %s (%s:%d)", p.name, p.Protocol, p.Port), text...)
}

// drawOutside draws a network on premises, or the internet.
func (d *drawing) drawOutside(n *Network) {
	title, side := "on premises: "+n.Name, Consumers
	if n == d.internet {
		title, side = "the internet", Between
	}
	b := d.box(nil, OutsideBox, "network", title, n.CIDRBlock, resolverOf(n))
	b.Side = side
	d.networks[n] = b
	for _, nic := range d.NICs {
		if nic.Network == n {
			d.drawInterface(b, nic)
		}
	}
}

// drawJoints draws what joins networks: peering and VPN connections, transit gateways,
// and the ways to the internet.
func (d *drawing) drawJoints() {
	for _, p := range d.Lab.peerings {
		if !p.deleted {
			b := d.joint(PeeringBox, "peering", "peering connection "+p.name, p.ID)
			d.join(Edge{From: d.networks[p.ends[0]], To: b})
			d.join(Edge{From: b, To: d.networks[p.ends[1]]})
		}
	}
	for _, t := range d.Lab.tunnels {
		b := d.joint(TunnelBox, "tunnel", "VPN connection "+t.name, t.ID)
		d.join(Edge{From: d.networks[t.site], To: b})
		d.join(Edge{From: b, To: d.gateways[t.gateway]})
	}
	for _, name := range slices.Sorted(maps.Keys(d.find.transits)) {
		t := d.find.transits[name]
		b := d.joint(GatewayBox, "gateway", "transit gateway "+name, t.ID)
		for _, a := range t.attachments {
			for _, n := range a.nics {
				d.join(Edge{From: d.nics[n], To: b})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.find.internet)) {
		g := d.find.internet[name]
		for _, t := range d.Lab.translators {
			if t.network == g.network && t.ConnectivityType == "public" {
				d.join(Edge{From: d.nics[t.nics[0]], To: d.gateways[g]})
			}
		}
		d.join(Edge{From: d.gateways[g], To: d.networks[d.internet]})
	}
}
