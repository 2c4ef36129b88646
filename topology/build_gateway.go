package topology

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/plsim/plsim/dataplane"
)

// The kinds of gateway that routes of a VPC can lead to.
const (
	vpnGateway      = "VPN gateway"
	internetGateway = "internet gateway"
	natGateway      = "NAT gateway"
	transitGateway  = "transit gateway"
)

// disable is the default of ipv6_support.
const disable = "disable"

// gateway is a gateway of the lab as routes of its VPC see it; of a transit gateway, the
// attachment of that VPC.
type gateway struct {
	kind    string
	name    string
	id      string
	network *Network
	nics    []*NIC // of a NAT gateway, or of an attachment in each of its subnets
}

// attachment is an attachment of a VPC to a transit gateway.
type attachment struct {
	*TransitGatewayVPCAttachment
	gateway
	transit *transit
	path    string
	subnets []*subnet
}

// transit is a transit gateway of the lab, with its one route table.
type transit struct {
	*TransitGateway
	name        string
	attachments []*attachment
	static      []transitRoute
}

// transitRoute is a static route of a transit gateway. Without an attachment it is a
// blackhole.
type transitRoute struct {
	to netip.Prefix
	by *attachment
}

// translator is a NAT gateway of the lab.
type translator struct {
	*NATGateway
	*gateway
	path   string
	subnet *subnet
}

// addInternetGateways resolves the internet gateways.
func (b *builder) addInternetGateways() {
	b.find.internet = map[string]*gateway{}
	attached := map[*Network]string{}
	each(&b.problems, "internet_gateways", b.spec.InternetGateways, func(path, name string, spec *InternetGateway) {
		b.ids.given(&b.problems, "igw", path, &spec.ID)
		g := &gateway{kind: internetGateway, name: name, id: spec.ID, network: b.vpcRef(at(path, "vpc_id"), spec.VPCID)}
		if other := attached[g.network]; g.network != nil && other != "" {
			b.problems.add(at(path, "vpc_id"), "VPC %s has internet gateway %s already: it can have one", spec.VPCID, other)
		}
		attached[g.network] = name
		b.find.internet[name] = g
	})
}

// addNATGateways resolves the NAT gateways, each with an interface in its subnet.
func (b *builder) addNATGateways() {
	b.find.nat = map[string]*gateway{}
	owners := map[string]string{} // of the elastic IP addresses
	each(&b.problems, "nat_gateways", b.spec.NATGateways, func(path, name string, spec *NATGateway) {
		b.ids.given(&b.problems, "nat", path, &spec.ID)
		g := &gateway{kind: natGateway, name: name, id: spec.ID}
		b.find.nat[name] = g
		b.choice(at(path, "connectivity_type"), &spec.ConnectivityType, "a kind of NAT gateway", "public", "private")
		s, err := b.find.subnets.find("", spec.SubnetID)
		if err != nil {
			b.problems.add(at(path, "subnet_id"), "%v", err)
			return
		}
		g.network = s.network
		if s.IPv6Native {
			b.problems.add(at(path, "subnet_id"), "subnet %s is IPv6-only: a NAT gateway needs IPv4", s)
			return
		}
		switch private := spec.ConnectivityType == "private"; {
		case private && spec.AllocationID != "":
			b.refuse(at(path, "allocation_id"), "InvalidParameterCombination: An allocation ID cannot be specified for a private NAT gateway",
				"is for public NAT gateways: a private one has no public address")
		case !private && !slices.ContainsFunc(slices.Collect(maps.Values(b.find.internet)), func(i *gateway) bool { return i.network == g.network }):
			b.refuse(at(path, "subnet_id"), "Gateway.NotAttached: Network "+g.network.ID+" has no Internet gateway attached",
				"VPC %s has no internet gateway, which a public NAT gateway needs: add one, or make this connectivity_type: private", g.network.Name)
		case !private:
			b.allocate(path, name, spec, owners)
		}
		nic := b.addNIC(&NIC{Kind: dataplane.NAT, Label: "nat_gateway." + name, MTU: 8500, open: true}, path)
		b.attach(nic, s)
		g.nics = []*NIC{nic}
		b.translators = append(b.translators, &translator{spec, g, path, s})
	})
}

// allocate finds a NAT gateway's elastic IP address; without allocation_id it gets one
// of its own name.
func (b *builder) allocate(path, name string, spec *NATGateway, owners map[string]string) {
	if spec.AllocationID == "" {
		spec.AllocationID = name
		if b.spec.EIPs == nil {
			b.spec.EIPs = map[string]*EIP{}
		}
		if b.spec.EIPs[name] == nil {
			b.spec.EIPs[name] = &EIP{}
		}
	}
	path = at(path, "allocation_id")
	if _, err := find("elastic IP address", b.spec.EIPs, spec.AllocationID); err != nil {
		b.problems.add(path, "%v", err)
		return
	}
	if other := owners[spec.AllocationID]; other != "" {
		b.refuse(path, "Resource.AlreadyAssociated: resource "+spec.AllocationID+" is already associated",
			"NAT gateway %s has this address already: give each its own", other)
	}
	owners[spec.AllocationID] = name
}

// addTransitGateways resolves the transit gateways and their attachments, each with an
// interface in every subnet that it names.
func (b *builder) addTransitGateways() {
	b.find.transits, b.find.attachments = map[string]*transit{}, map[string]*attachment{}
	each(&b.problems, "transit_gateways", b.spec.TransitGateways, func(path, name string, spec *TransitGateway) {
		b.ids.given(&b.problems, "tgw", path, &spec.ID)
		b.find.transits[name] = &transit{TransitGateway: spec, name: name}
	})
	each(&b.problems, "transit_gateway_vpc_attachments", b.spec.TransitGatewayAttachments, b.addAttachment)
	for _, name := range slices.Sorted(maps.Keys(b.find.transits)) {
		b.addTransitRoutes(at(at("transit_gateways", name), "route"), b.find.transits[name])
	}
}

func (b *builder) addAttachment(path, name string, spec *TransitGatewayVPCAttachment) {
	b.ids.given(&b.problems, "tgw-attach", path, &spec.ID)
	b.choice(at(path, "ipv6_support"), &spec.IPv6Support, "a setting", disable, "enable")
	a := &attachment{TransitGatewayVPCAttachment: spec, path: path}
	b.find.attachments[name] = a
	t, err := find("transit gateway", b.find.transits, spec.TransitGatewayID)
	if err != nil {
		b.problems.add(at(path, "transit_gateway_id"), "%v", err)
	}
	n := b.vpcRef(at(path, "vpc_id"), spec.VPCID)
	if n == nil || t == nil {
		return
	}
	a.transit, a.gateway = t, gateway{kind: transitGateway, name: t.name, id: t.ID, network: n}
	if t.of(n) != nil {
		b.refuse(at(path, "vpc_id"), "DuplicateTransitGatewayAttachment: "+t.ID+" has non-deleted Transit Gateway Attachments with same VPC ID",
			"VPC %s is attached to transit gateway %s already", n.Name, t.name)
		return
	}
	t.attachments = append(t.attachments, a)
	a.subnets = b.subnetRefs(at(path, "subnet_ids"), "attachment "+name, n, spec.SubnetIDs)
	for _, s := range sortedByZone(a.subnets) {
		nic := b.addNIC(&NIC{Kind: dataplane.Transit, Label: "transit_gateway_vpc_attachment." + name + "." + s.zone.Name, MTU: 8500, open: true}, at(path, s.name))
		b.attach(nic, s)
		a.nics = append(a.nics, nic)
	}
}

// of returns the attachment of a VPC, nil if it has none.
func (t *transit) of(n *Network) *attachment {
	for _, a := range t.attachments {
		if a.network == n {
			return a
		}
	}
	return nil
}

// addTransitRoutes resolves the static routes of a transit gateway.
func (b *builder) addTransitRoutes(path string, t *transit) {
	elements(&b.problems, path, t.Routes, func(path string, spec *TransitGatewayRoute) {
		f := ipv4
		if p, err := netip.ParsePrefix(spec.DestinationCIDRBlock); err == nil && !p.Addr().Is4() {
			f = ipv6
		}
		to, msg := f.block(spec.DestinationCIDRBlock, f.otherKey)
		if msg != "" {
			b.problems.add(at(path, "destination_cidr_block"), "%s", msg)
			return
		}
		spec.DestinationCIDRBlock = to.String()
		r := transitRoute{to: to}
		by := at(path, "transit_gateway_attachment_id")
		switch {
		case spec.Blackhole && spec.AttachmentID != "":
			b.problems.add(by, "cannot stand beside blackhole: what such a route takes goes nowhere")
			return
		case spec.Blackhole:
		case spec.AttachmentID == "":
			b.problems.add(by, "is missing: name an attachment, or write blackhole: true")
			return
		default:
			a, err := find("attachment", b.find.attachments, spec.AttachmentID)
			if err != nil {
				b.problems.add(by, "%v", err)
				return
			}
			if a.transit != nil && a.transit != t {
				b.problems.add(by, "%s is an attachment to transit gateway %s", spec.AttachmentID, a.transit.name)
			}
			r.by = a
		}
		if slices.ContainsFunc(t.static, func(o transitRoute) bool { return o.to == to }) {
			b.problems.add(at(path, "destination_cidr_block"), "transit gateway %s has a route to %s already", t.name, to)
		}
		t.static = append(t.static, r)
	})
}

// gatewayRef resolves a gateway that a route table of a VPC names.
func (b *builder) gatewayRef(path string, n *Network, known map[string]*gateway, kind, name string) *gateway {
	g, err := find(kind, known, name)
	switch {
	case err != nil:
		b.problems.add(path, "%v", err)
	case g.network == nil: // said already
	case g.network != n:
		b.problems.add(path, "%s %s belongs to VPC %s: routes of VPC %s cannot use it", kind, name, g.network.Name, n.Name)
	default:
		return g
	}
	return nil
}

// attachmentRef resolves a transit gateway that a route table of a VPC names.
func (b *builder) attachmentRef(path string, n *Network, name string) *gateway {
	t, err := find("transit gateway", b.find.transits, name)
	if err != nil {
		b.problems.add(path, "%v", err)
		return nil
	}
	if a := t.of(n); a != nil {
		return &a.gateway
	}
	b.refuse(path, "InvalidTransitGatewayID.NotFound: transitGateway "+t.ID+" is not attached to "+n.ID,
		"VPC %s is not attached to transit gateway %s: add it to transit_gateway_vpc_attachments", n.Name, name)
	return nil
}

// designateGateways takes the addresses that the file gives to NAT gateways.
func (b *builder) designateGateways() {
	for _, t := range b.translators {
		if t.PrivateIP != "" {
			b.take(t.nics[0], t.subnet, ipv4, at(t.path, "private_ip"), t.PrivateIP)
		}
	}
}

// allotGateways gives free addresses to the gateways' interfaces.
func (b *builder) allotGateways() {
	for _, t := range b.translators {
		b.allot(t.nics[0], t.subnet, 1, t.path)
		t.PrivateIP = text(t.nics[0].Addr())
		if e := b.spec.EIPs[t.AllocationID]; e != nil {
			t.nics[0].Public = b.eips[t.AllocationID]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.find.attachments)) {
		a := b.find.attachments[name]
		for _, n := range a.nics {
			s := b.subnets[n.subnet]
			b.allot(n, s, len(s.blocks), a.path)
		}
	}
}

// publicBlock is where public addresses come from: a block for documents (RFC 5737).
var publicBlock = netip.MustParsePrefix("198.51.100.0/24")

// addPublicAddresses gives elastic IP addresses and instances on the internet their
// addresses: those that the file gives first, then the next free ones.
func (b *builder) addPublicAddresses() {
	owners := map[netip.Addr]string{}
	taken := func(path, owner, address string) netip.Addr {
		a, err := netip.ParseAddr(address)
		switch {
		case err != nil || !a.Is4():
			b.problems.add(path, "%q is not an IPv4 address", address)
			return netip.Addr{}
		case unusable(netip.PrefixFrom(a, 32)) || a.IsPrivate():
			b.problems.add(path, "%s is no public address: choose one of %s, or leave it out", a, publicBlock)
		case b.internet != nil && b.internet.holds(a):
			b.problems.add(path, "%s is among the hosts of the internet (%s): choose one of %s, or leave it out", a, b.internet.CIDRBlock, publicBlock)
		case owners[a] != "":
			b.problems.add(path, "%s is already taken by %s", a, owners[a])
		}
		owners[a] = owner
		return a
	}
	next := publicBlock.Addr()
	kept := b.keptPublic()
	free := func(path, owner string) netip.Addr {
		if a, ok := kept[owner]; ok && owners[a] == "" && (b.internet == nil || !b.internet.holds(a)) {
			owners[a] = owner
			return a
		}
		for next = next.Next(); owners[next] != "" || slices.Contains(slices.Collect(maps.Values(kept)), next) || b.internet != nil && b.internet.holds(next); {
			next = next.Next()
		}
		if next == lastAddr(publicBlock) {
			b.problems.add(path, "there is no public address left in %s: give it a public_ip of another block", publicBlock)
		}
		owners[next] = owner
		return next
	}
	b.eips = map[string]netip.Addr{}
	names := slices.Sorted(maps.Keys(b.spec.EIPs))
	path := func(name string) string { return at(at("eips", name), "public_ip") }
	each(&b.problems, "eips", b.spec.EIPs, func(_, name string, spec *EIP) {
		if spec.PublicIP != "" {
			b.eips[name] = taken(path(name), "elastic IP address "+name, spec.PublicIP)
		}
	})
	for _, h := range b.Hosts {
		if h.PublicIP != "" && h.NIC != nil {
			h.AssociatePublicIP = true
			h.NIC.Public = taken(at(h.path, "public_ip"), h.Name, h.PublicIP)
		}
	}
	for _, name := range names {
		if e := b.spec.EIPs[name]; e != nil && e.PublicIP == "" {
			b.eips[name] = free(path(name), "elastic IP address "+name)
			e.PublicIP = b.eips[name].String()
		}
	}
	for _, h := range b.Hosts {
		if h.AssociatePublicIP && h.PublicIP == "" && h.NIC != nil {
			h.NIC.Public = free(at(h.path, "public_ip"), h.Name)
			h.PublicIP = h.NIC.Public.String()
		}
	}
}

// defaultInternet is the block of the internet's hosts: another one for documents.
const defaultInternet = "203.0.113.0/24"

// addInternet resolves the internet: a network outside AWS, to which internet gateways
// lead.
func (b *builder) addInternet() {
	spec := b.spec.Internet
	if spec == nil {
		return
	}
	spec.CIDRBlock = cmp.Or(spec.CIDRBlock, defaultInternet)
	b.internet = b.addOutside("internet", "internet", dataplane.Internet, &spec.CIDRBlock, spec.Hosts)
	if b.internet == nil {
		return
	}
	for _, n := range b.vpcs() {
		if o, ok := overlap(b.internet, n); ok {
			b.problems.add(at("internet", "cidr_block"), "the internet and VPC %s overlap (%s): what is sent there would stay in the VPC", n.Name, o)
		}
	}
}
