package topology

import (
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// addNetworks resolves the VPCs and the accounts' zones.
func (b *builder) addNetworks() {
	if len(b.spec.VPCs) == 0 {
		b.problems.add("vpcs", "is missing: a lab needs at least one VPC")
	}
	if n := len(b.spec.VPCs); n > maxVPCs {
		b.problems.add("vpcs", "%d VPCs: a lab takes %d at most", n, maxVPCs)
	}
	b.find.networks = map[string]*Network{}
	each(&b.problems, "vpcs", b.spec.VPCs, func(path, name string, v *VPC) {
		n := &Network{VPC: v, Name: name, number: dataplane.VPCID(len(b.Networks)), region: b.Region, path: path}
		b.Networks = append(b.Networks, n)
		b.find.networks[name] = n
		b.find.subnets.open(name)
		b.find.groups.open(name)
		b.find.tables.open(name)
		b.find.hosts.open(name)

		b.ids.given(&b.problems, "vpc", path, &v.ID)
		b.account(path, &v.OwnerID)
		b.zones.learn(&b.problems, at(path, "availability_zones"), v.OwnerID, v.Zones)
		orTrue(&v.EnableDNS)
		orTrue(&v.EnableHosts)
		if v.CIDRBlock == "" {
			b.problems.add(at(path, "cidr_block"), "is missing: give an IPv4 CIDR block such as 10.0.0.0/16")
		}
		for _, f := range []*family{ipv4, ipv6} {
			key, cidr := "cidr_block", &v.CIDRBlock
			if f == ipv6 {
				key, cidr = "ipv6_cidr_block", &v.IPv6CIDRBlock
			}
			if *cidr == "" {
				continue
			}
			p, msg := f.sized(*cidr, "VPC", f.vpcMin, f.vpcMax)
			if msg == "" && unusable(p) {
				msg = p.String() + " is not for hosts: choose from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
			}
			if msg != "" {
				b.problems.add(at(path, key), "%s", msg)
				continue
			}
			*cidr = p.String()
			n.CIDRs = append(n.CIDRs, p)
			if f == ipv4 {
				n.dnsAt = nth(p, 2)
			}
		}
	})
	b.zones.complete()
}

// account checks an account number.
func (b *builder) account(path string, id *string) {
	if *id == "" {
		*id = "123456789012"
	}
	if !accountForm.MatchString(*id) {
		b.problems.add(at(path, "owner_id"), "%q is not an account: write 12 digits in quotes", *id)
	}
}

// unusable reports whether a block holds addresses that no host may have.
func unusable(p netip.Prefix) bool {
	for _, s := range []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"} {
		if netip.MustParsePrefix(s).Overlaps(p) {
			return true
		}
	}
	return false
}

func orTrue(v **bool) {
	if *v == nil {
		yes := true
		*v = &yes
	}
}

// cidr returns the network's block of a family.
func (n *Network) cidr(f *family) (netip.Prefix, bool) {
	for _, p := range n.CIDRs {
		if f.holds(p.Addr()) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// addSubnets resolves the subnets of every VPC: the blocks that the author
// wrote first, then the others in the gaps.
func (b *builder) addSubnets() {
	for _, n := range b.Networks {
		if n.outside != 0 {
			b.addSiteSubnet(n)
			continue
		}
		if len(n.Subnets) == 0 && len(n.Instances) > 0 {
			n.Subnets = map[string]*Subnet{"default": {}}
		}
		if c := len(n.Subnets); c > maxSubnets {
			b.problems.add(at(n.path, "subnets"), "%d subnets: a VPC takes %d at most", c, maxSubnets)
		}
		var own []*subnet
		zones := maps.Clone(n.Zones)
		each(&b.problems, at(n.path, "subnets"), n.Subnets, func(path, name string, spec *Subnet) {
			s := &subnet{Subnet: spec, name: name, network: n, number: uint16(len(b.subnets))}
			b.subnets = append(b.subnets, s)
			b.find.subnets.put(n.Name, name, s)
			own = append(own, s)

			b.ids.given(&b.problems, "subnet", path, &spec.ID)
			s.routerMAC = b.ids.mac(at(path, "router"))
			if spec.AvailabilityZone == "" {
				spec.AvailabilityZone = b.Region + zoneLetters[:1]
			}
			var ok bool
			if s.zone, ok = b.zones.zone(n.OwnerID, spec.AvailabilityZone); !ok {
				b.problems.add(at(path, "availability_zone"), "%q is not a zone of %s%s", spec.AvailabilityZone, b.Region, hint(spec.AvailabilityZone, b.zones.all()))
				return
			}
			if zones == nil {
				zones = map[string]string{}
			}
			zones[s.zone.Name] = s.zone.ID
		})
		n.Zones = zones
		n.settled = true
		for _, f := range []*family{ipv4, ipv6} {
			b.addBlocks(n, own, f)
		}
	}
}

// addBlocks gives the subnets of one VPC their blocks of one family.
func (b *builder) addBlocks(n *Network, subnets []*subnet, f *family) {
	vpc, ok := n.cidr(f)
	cidr := func(s *subnet) (key string, value *string) {
		if f == ipv4 {
			return "cidr_block", &s.CIDRBlock
		}
		return "ipv6_cidr_block", &s.IPv6CIDRBlock
	}
	var taken []netip.Prefix
	broken := false
	give := func(s *subnet, p netip.Prefix, value *string) {
		*value = p.String()
		taken = append(taken, p)
		s.blocks = append(s.blocks, b.newBlock(s, f, p))
	}
	for _, s := range subnets {
		key, value := cidr(s)
		path := at(at(at(n.path, "subnets"), s.name), key)
		if *value == "" {
			continue
		}
		if f == ipv4 && s.IPv6Native {
			b.problems.add(path, "cannot stand beside ipv6_native: such a subnet has IPv6 only; remove one of them")
			continue
		}
		p, msg := f.sized(*value, "subnet", f.subMin, f.subMax)
		switch {
		case msg != "":
		case !ok && f == ipv6 && n.IPv6CIDRBlock == "":
			msg = "VPC " + n.Name + " has no ipv6_cidr_block: add one to it first"
		case !ok: // The VPC's own block is wrong, and that has been said.
			broken = true
			continue
		case !vpc.Contains(p.Addr()) || p.Bits() < vpc.Bits():
			msg = p.String() + " is outside VPC " + n.Name + " (" + vpc.String() + ")"
		}
		for _, other := range subnets {
			if msg != "" {
				break
			}
			for _, o := range other.blocks {
				if o.family == f && o.prefix.Overlaps(p) {
					msg = p.String() + " overlaps subnet " + other.name + " (" + o.prefix.String() + ")"
				}
			}
		}
		if msg != "" {
			b.problems.add(path, "%s", msg)
			broken = true
			continue
		}
		give(s, p, value)
	}
	if f == ipv6 && n.IPv6CIDRBlock == "" {
		b.nativeWithout(n, subnets)
	}
	if !ok || broken {
		// Without the VPC's block, or with one of its subnets' unknown, there is
		// no telling where the gaps are.
		n.settled = n.settled && !broken && (ok || f == ipv6 && n.IPv6CIDRBlock == "")
		return
	}
	for _, s := range subnets {
		_, value := cidr(s)
		if p, had := b.hadBlock(s, f); had && *value == "" && !(f == ipv4 && s.IPv6Native) && vacant(vpc, p, taken) {
			give(s, p, value)
		}
	}
	for _, s := range subnets {
		key, value := cidr(s)
		if *value != "" || f == ipv4 && s.IPv6Native {
			continue
		}
		p, ok := nextFree(vpc, f.subnetDefault, taken)
		if !ok {
			b.problems.add(at(at(at(n.path, "subnets"), s.name), key), "VPC %s (%s) has no /%d left for this subnet: make the VPC larger or give the subnets smaller blocks", n.Name, vpc, max(f.subnetDefault, vpc.Bits()))
			n.settled = false
			continue
		}
		give(s, p, value)
	}
}

// nativeWithout refuses IPv6-only subnets in a VPC without IPv6.
func (b *builder) nativeWithout(n *Network, subnets []*subnet) {
	for _, s := range subnets {
		if s.IPv6Native {
			b.problems.add(at(at(at(n.path, "subnets"), s.name), "ipv6_native"), "VPC %s has no ipv6_cidr_block: add one to it first", n.Name)
			n.settled = false
		}
	}
}

// addHosts resolves the instances. Their addresses come with the plan.
func (b *builder) addHosts() {
	for _, n := range b.Networks {
		subnets := b.find.subnets.names(n.Name)
		key := "instances"
		if n.outside != 0 {
			key = "hosts"
		}
		each(&b.problems, at(n.path, key), n.Instances, func(path, name string, spec *Instance) {
			h := &Host{Instance: spec, Name: n.Name + "/" + name, Network: n, name: name, path: path}
			b.Hosts = append(b.Hosts, h)
			b.find.hosts.put(n.Name, name, h)
			if n.outside != 0 {
				b.addSiteHost(h)
				return
			}

			b.ids.given(&b.problems, "i", path, &spec.ID)
			if len(spec.SecurityGroups) == 0 {
				spec.SecurityGroups = []string{defaultGroup}
			}
			groups := b.groupRefs(at(path, "vpc_security_group_ids"), n, spec.SecurityGroups)
			b.tracking(at(path, "connection_tracking_specification"), spec.Tracking)
			b.programs(path, spec)

			if spec.SubnetID == "" {
				if len(subnets) > 1 {
					b.problems.add(at(path, "subnet_id"), "is missing: VPC %s has the subnets %s", n.Name, list(subnets))
					return
				}
				spec.SubnetID = subnets[0]
			}
			s, err := b.find.subnets.find(n.Name, spec.SubnetID)
			switch {
			case err != nil:
				b.problems.add(at(path, "subnet_id"), "%v", err)
				return
			case s.network != n:
				b.problems.add(at(path, "subnet_id"), "subnet %s is in another VPC than the instance", spec.SubnetID)
				return
			}
			h.NIC = b.addNIC(&NIC{Kind: dataplane.Instance, Label: h.Name, Host: h, groups: groups, tracking: clone(spec.Tracking)}, path)
			b.attach(h.NIC, s)
		})
	}
}

// attach puts an interface into a subnet.
func (b *builder) attach(n *NIC, s *subnet) {
	n.Network, n.SubnetID, n.Zone, n.subnet, n.RouterMAC = s.network, s.ID, s.zone, s.number, s.routerMAC
}

// programs checks what runs on an instance.
func (b *builder) programs(path string, spec *Instance) {
	b.services(at(path, "services"), spec.Services)
	for _, name := range slices.Sorted(maps.Keys(spec.Files)) {
		if name == "." || !fs.ValidPath(name) {
			b.problems.add(at(at(path, "files"), name), "%q leaves the instance's home directory: write a relative name without ..", name)
		}
		for i := range name {
			if _, taken := spec.Files[name[:i]]; taken && name[i] == '/' {
				b.problems.add(at(at(path, "files"), name), "%s is a file here, so it cannot be a directory", name[:i])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Environment)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			b.problems.add(at(at(path, "environment"), name), "%q is not the name of an environment variable", name)
		}
	}
	if spec.WaitForPort != 0 {
		b.port(at(path, "wait_for_port"), spec.WaitForPort)
	}
}
