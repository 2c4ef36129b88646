package topology

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// addAddresses gives every interface its addresses: designated ones first, so
// that none is taken by chance, then the free ones to instances, endpoint
// interfaces and load balancer nodes, each in the order of their names. So a
// plan only depends on the file.
func (b *builder) addAddresses() {
	for _, h := range b.Hosts {
		if h.NIC != nil {
			b.designateHost(h)
		}
	}
	b.designateGateways()
	for _, e := range b.Endpoints {
		for _, s := range sortedByZone(e.zones) {
			e.NICs = append(e.NICs, b.addEndpointNIC(e, s))
		}
		b.designateEndpoint(e, e.NICs)
	}
	for _, h := range b.Hosts {
		if h.NIC == nil {
			continue
		}
		s := b.subnets[h.NIC.subnet]
		b.allot(h.NIC, s, len(s.blocks), h.path)
		h.PrivateIP = text(h.NIC.Addr())
		h.IPv6Addresses = nil
		for _, p := range h.NIC.Addrs {
			if ipv6.holds(p.Addr()) {
				h.IPv6Addresses = append(h.IPv6Addresses, p.Addr().String())
			}
		}
	}
	for _, e := range b.Endpoints {
		b.allotEndpoint(e, e.NICs)
	}
	for _, lb := range b.Lab.balancers {
		for _, s := range sortedByZone(lb.zones) {
			lb.nodes = append(lb.nodes, b.addNode(lb, s))
		}
	}
	b.addPublicAddresses()
	b.allotGateways()
	for _, p := range b.pools {
		if p.TargetType == "alb" {
			b.addTargets(p)
		}
	}
	for _, n := range b.NICs {
		n.Addrs = byFamily(n.Addrs) // designated IPv6 addresses may have come before an allotted IPv4 one
	}
	if len(b.problems) > 0 {
		return
	}
	for _, lb := range b.Lab.balancers {
		if err := b.addSecondaryIPs(lb, *lb.SecondaryIPs); err != nil {
			b.problems.add(at(lb.path, secondaryIPs), "%v", err)
		}
	}
}

// addNode makes a load balancer's node in a subnet, with its addresses (F2.1).
func (b *builder) addNode(lb *balancer, s *subnet) *NIC {
	kind := dataplane.Node
	if lb.application() {
		kind = dataplane.Proxy
	}
	n := b.addNIC(&NIC{Kind: kind, Label: "load_balancer." + lb.name + "." + s.zone.Name, balancer: lb, groups: lb.groups, open: len(lb.SecurityGroups) == 0}, at(at(lb.path, "nodes"), s.name))
	b.attach(n, s)
	b.allot(n, s, lb.blocks, lb.path)
	return n
}

// allotEndpoint gives free addresses to interfaces of an endpoint, and writes
// down which all of them have.
func (b *builder) allotEndpoint(e *Endpoint, nics []*NIC) {
	e.PrivateIPs = nil
	for _, n := range nics {
		s := b.subnets[n.subnet]
		if len(n.Routers) == 0 {
			b.allot(n, s, e.blocks, e.path)
		}
		if !n.Addr().IsValid() {
			continue
		}
		if e.PrivateIPs == nil {
			e.PrivateIPs = map[string]string{}
		}
		e.PrivateIPs[s.name] = n.Addr().String()
	}
}

// designateHost takes the addresses that the file gives to an instance.
func (b *builder) designateHost(h *Host) {
	s := b.subnets[h.NIC.subnet]
	if h.PrivateIP != "" {
		b.take(h.NIC, s, ipv4, at(h.path, "private_ip"), h.PrivateIP)
	}
	for i, a := range h.IPv6Addresses {
		b.take(h.NIC, s, ipv6, item(at(h.path, "ipv6_addresses"), i), a)
	}
}

// designateEndpoint takes the addresses that an endpoint designates for
// interfaces that have none yet (F1.2).
func (b *builder) designateEndpoint(e *Endpoint, nics []*NIC) {
	if e.Network == nil {
		return
	}
	path := at(e.path, "private_ips")
	for _, name := range slices.Sorted(maps.Keys(e.PrivateIPs)) {
		s, err := b.find.subnets.find(e.Network.Name, name)
		i := slices.IndexFunc(nics, func(n *NIC) bool { return s != nil && n.subnet == s.number })
		switch {
		case err != nil:
			b.problems.add(at(path, name), "%v", err)
		case i < 0 && !slices.ContainsFunc(e.SubnetIDs, func(id string) bool { return id == name || id == s.String() }):
			b.problems.add(at(path, name), "subnet %s is not among the endpoint's subnet_ids", name)
		case i >= 0 && len(nics[i].Addrs) == 0:
			b.take(nics[i], s, ipv4, at(path, name), e.PrivateIPs[name])
		}
	}
}

// take gives an interface a designated address.
func (b *builder) take(n *NIC, s *subnet, f *family, path, address string) {
	for _, block := range s.blocks {
		if block.family != f {
			continue
		}
		a, msg := block.take(address, s.name, n.Label)
		if msg != "" {
			b.problems.add(path, "%s", msg)
			return
		}
		n.Addrs = append(n.Addrs, netip.PrefixFrom(a, block.prefix.Bits()))
		return
	}
	switch {
	case f == ipv4 && s.IPv6Native:
		b.problems.add(path, "subnet %s is IPv6-only: it has no IPv4 addresses", s.name)
	case f == ipv6 && s.network.IPv6CIDRBlock == "":
		b.problems.add(path, "subnet %s has no IPv6: give VPC %s an ipv6_cidr_block", s.name, s.network.Name)
	}
}

// allot gives an interface a free address of each family that it lacks, and its
// routers.
func (b *builder) allot(n *NIC, s *subnet, families int, path string) {
	for _, block := range s.blocks[:min(families, len(s.blocks))] {
		n.Routers = append(n.Routers, block.router())
		if n.addr(block.family).IsValid() {
			continue
		}
		a, ok := block.allot(n.Label)
		if !ok {
			if !block.full {
				b.problems.add(path, "subnet %s (%s) has no address left for %s: AWS reserves five in each; use a larger block or another subnet", s.name, block.prefix, n.Label)
			}
			block.full = true
			continue
		}
		n.Addrs = append(n.Addrs, netip.PrefixFrom(a, block.prefix.Bits()))
	}
}

// resolver6 is where the Amazon DNS server is reached over IPv6, in every VPC.
var resolver6 = netip.MustParseAddr("fd00:ec2::253")

// addResolvers makes the interface of each VPC's resolver (F1.3). Where no
// subnet has the address, the resolver stands in a link of its own with a router,
// which no instance shares.
func (b *builder) addResolvers() {
	for _, n := range b.Networks {
		vpc, ok := n.cidr(ipv4)
		if !ok || !*n.EnableDNS {
			continue
		}
		path := at(n.path, "resolver")
		label := "vpc." + n.Name + ".resolver"
		if n.outside != 0 {
			label = "on_premises." + n.Name + ".resolver"
		}
		if n == b.internet {
			label = "internet.resolver"
		}
		r := b.addNIC(&NIC{Kind: dataplane.Resolver, Label: label, open: true}, path)
		r.Network, r.Routers = n, []netip.Addr{nth(vpc, 1)}
		n.Resolver = r
		if s := b.subnetOf(n, n.dnsAt); s != nil {
			b.attach(r, s)
			r.Addrs = []netip.Prefix{netip.PrefixFrom(n.dnsAt, s.blocks[0].prefix.Bits())}
		} else {
			r.subnet, r.RouterMAC = uint16(len(b.subnets)+int(n.number)), b.ids.mac(at(path, "router"))
			r.Addrs = []netip.Prefix{netip.PrefixFrom(n.dnsAt, 30)}
		}
		if n.has(ipv6) {
			r.Addrs, r.Routers = append(r.Addrs, netip.PrefixFrom(resolver6, 64)), append(r.Routers, netip.MustParseAddr("fd00:ec2::1"))
		}
	}
}

// addNames gives instances their names, and https servers those of the services
// in front of them.
func (b *builder) addNames() {
	b.nameCertificates()
	domain := b.Region + ".compute.internal"
	if b.Region == "us-east-1" {
		domain = "ec2.internal"
	}
	for _, h := range b.Hosts {
		switch {
		case h.NIC == nil:
		case h.Network.outside != 0:
			h.fullName = strings.ToLower(h.name + "." + h.Network.Name + ".internal")
		case b.subnets[h.NIC.subnet].IPv6Native:
			h.fullName = h.ID + "." + domain // there is no IPv4 address to be named by
		case h.NIC.Addr().IsValid():
			h.fullName = "ip-" + strings.ReplaceAll(h.NIC.Addr().String(), ".", "-") + "." + domain
		}
	}
	for _, h := range b.Hosts {
		names := b.frontNames(h)
		for _, s := range h.Services {
			if s != nil && s.Type == "https" && len(s.Names) == 0 {
				s.Names = slices.Clone(names)
			}
		}
	}
}

// frontNames returns the private DNS names under which clients reach a host.
func (b *builder) frontNames(h *Host) []string {
	var names []string
	for _, lb := range b.Lab.balancers {
		if lb.offer == nil || lb.offer.PrivateDNSName == "" || slices.Contains(names, lb.offer.PrivateDNSName) {
			continue
		}
		if slices.ContainsFunc(lb.forwards, func(f forwarding) bool {
			return slices.ContainsFunc(f.all(), func(s share) bool { return s.serves(h) })
		}) {
			names = append(names, lb.offer.PrivateDNSName)
		}
	}
	return names
}

// serves reports whether a host is a target of the group.
func (p *pool) serves(h *Host) bool {
	return h.NIC != nil && h.Network == p.network && slices.ContainsFunc(p.members, func(m member) bool {
		return m.host == h || m.host == nil && slices.ContainsFunc(h.NIC.Addrs, func(a netip.Prefix) bool { return a.Addr() == m.addr })
	})
}
