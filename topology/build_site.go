package topology

import (
	"github.com/plsim/plsim/dataplane"
)

// addSites resolves the networks on premises. Each is a network of one subnet, where
// nothing is filtered, with a resolver of its own at base+2.
func (b *builder) addSites() {
	b.find.sites = map[string]*Network{}
	each(&b.problems, "on_premises", b.spec.OnPremises, func(path, name string, spec *OnPremises) {
		if n := b.addOutside(path, name, dataplane.OnPremises, &spec.CIDRBlock, spec.Hosts); n != nil {
			b.find.sites[name] = n
		}
	})
}

// addOutside adds a network that is none of AWS's. It returns nil where its name is
// taken.
func (b *builder) addOutside(path, name string, kind dataplane.Kind, block *string, hosts map[string]*Instance) *Network {
	yes := true
	n := &Network{
		VPC:  &VPC{CIDRBlock: *block, Instances: hosts, EnableDNS: &yes, EnableHosts: &yes},
		Name: name, number: dataplane.VPCID(len(b.Networks)), region: b.Region, path: path, outside: kind,
	}
	if b.find.networks[name] != nil || b.find.sites[name] != nil {
		b.problems.add(path, "%s is the name of another network already, and hosts are found by NETWORK/NAME: choose another", name)
		return nil
	}
	b.Networks = append(b.Networks, n)
	b.find.hosts.open(name)
	n.ID = b.ids.hex("cgw", path)
	if *block == "" {
		b.problems.add(at(path, "cidr_block"), "is missing: give an IPv4 CIDR block such as 192.168.0.0/24")
		return n
	}
	what := "network on premises"
	if kind == dataplane.Internet {
		what = "block of the internet"
	}
	p, msg := ipv4.sized(*block, what, ipv4.vpcMin, ipv4.vpcMax)
	if msg == "" && unusable(p) {
		msg = p.String() + " is not for hosts: choose from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
	}
	if msg != "" {
		b.problems.add(at(path, "cidr_block"), "%s", msg)
		return n
	}
	*block = p.String()
	n.CIDRBlock, n.dnsAt = p.String(), nth(p, 2)
	n.CIDRs = append(n.CIDRs, p)
	return n
}

// vpcs returns the networks that are no sites.
func (b *builder) vpcs() []*Network { return b.Networks[:len(b.find.networks)] }

// addSiteSubnet makes all of a network on premises one subnet.
func (b *builder) addSiteSubnet(n *Network) {
	s := &subnet{Subnet: &Subnet{}, name: n.Name, network: n, number: uint16(len(b.subnets))}
	s.routerMAC = b.ids.mac(at(n.path, "router"))
	b.subnets = append(b.subnets, s)
	for _, p := range n.CIDRs {
		s.blocks = append(s.blocks, b.newBlock(s, ipv4, p))
	}
	n.settled = len(n.CIDRs) > 0
}

// internetMTU is that of the hosts on the internet, in bytes.
const internetMTU = 1500

// addSiteHost makes a host on premises or on the internet, which has nothing that only
// AWS gives.
func (b *builder) addSiteHost(h *Host) {
	for key, given := range map[string]bool{
		"id": h.ID != "", "subnet_id": h.SubnetID != "", "ipv6_addresses": len(h.IPv6Addresses) > 0,
		"associate_public_ip_address": h.AssociatePublicIP, "public_ip": h.PublicIP != "",
		"vpc_security_group_ids": len(h.SecurityGroups) > 0, "connection_tracking_specification": h.Tracking != nil,
	} {
		if given {
			b.problems.add(at(h.path, key), "is for instances: %s is outside AWS", h.Name)
		}
	}
	b.programs(h.path, h.Instance)
	h.NIC = b.addNIC(&NIC{Kind: h.Network.outside, Label: h.Name, Host: h, open: true}, h.path)
	if h.Network.outside == dataplane.Internet {
		h.NIC.MTU = internetMTU
	}
	for _, s := range b.subnets {
		if s.network == h.Network {
			b.attach(h.NIC, s)
		}
	}
}

// addGateways resolves the virtual private gateways and the VPN connections.
func (b *builder) addGateways() {
	b.find.gateways = map[string]*gateway{}
	attached := map[*Network]string{}
	each(&b.problems, "vpn_gateways", b.spec.VPNGateways, func(path, name string, spec *VPNGateway) {
		b.ids.given(&b.problems, "vgw", path, &spec.ID)
		g := &gateway{kind: vpnGateway, name: name, id: spec.ID, network: b.vpcRef(at(path, "vpc_id"), spec.VPCID)}
		b.find.gateways[name] = g
		if other := attached[g.network]; g.network != nil && other != "" {
			b.problems.add(at(path, "vpc_id"), "VPC %s has VPN gateway %s already: it can have one", spec.VPCID, other)
		}
		attached[g.network] = name
	})
	each(&b.problems, "vpn_connections", b.spec.VPNConnections, func(path, name string, spec *VPNConnection) {
		t := &tunnel{VPNConnection: spec, name: name}
		b.ids.given(&b.problems, "vpn", path, &spec.ID)
		var err error
		if t.gateway, err = find("VPN gateway", b.find.gateways, spec.VPNGatewayID); err != nil {
			b.problems.add(at(path, "vpn_gateway_id"), "%v", err)
		}
		if t.site, err = find("network on premises", b.find.sites, spec.CustomerGatewayID); err != nil {
			b.problems.add(at(path, "customer_gateway_id"), "%v", err)
		}
		if t.gateway == nil || t.gateway.network == nil || t.site == nil || !b.separate(path, t) {
			return
		}
		b.tunnels = append(b.tunnels, t)
	})
}

// separate checks that a VPN connection joins networks that tell their addresses
// apart from each other's and from all others in reach.
func (b *builder) separate(path string, t *tunnel) bool {
	vpc := t.gateway.network
	path = at(path, "customer_gateway_id")
	if o, ok := overlap(vpc, t.site); ok {
		b.problems.add(path, "%s and VPC %s overlap (%s): what is sent there would stay at home", t.site.Name, vpc.Name, o)
		return false
	}
	for _, other := range b.tunnels {
		switch {
		case other.site == t.site && other.gateway == t.gateway:
			b.problems.add(path, "%s and VPN gateway %s are joined by %s already", t.site.Name, t.gateway.name, other.name)
			return false
		case other.site == t.site:
			if o, ok := overlap(vpc, other.gateway.network); ok {
				b.problems.add(path, "%s reaches VPC %s already, which overlaps VPC %s (%s): it could not tell them apart", t.site.Name, other.gateway.network.Name, vpc.Name, o)
				return false
			}
		case other.gateway == t.gateway:
			if o, ok := overlap(t.site, other.site); ok {
				b.problems.add(path, "VPN gateway %s leads to %s already, which overlaps %s (%s): it could not tell them apart", t.gateway.name, other.site.Name, t.site.Name, o)
				return false
			}
		}
	}
	return true
}
