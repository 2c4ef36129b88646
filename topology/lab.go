package topology

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
)

// Lab is a lab with everything filled in, resolved and addressed: what its
// [Spec] comes to, and the state that its life has changed since. One goroutine
// owns a Lab. Others get what [Lab.Compile] and [Lab.Names] return, which never
// changes; after an edit the owner calls both again. What a lab is made of may be
// read by others all the while, but not the health of its targets.
type Lab struct {
	Name   string
	Region string

	// The parts, sorted by name. They are for reading only. Networks on premises, and the
	// internet, come after the VPCs.
	Networks  []*Network
	Hosts     []*Host
	Endpoints []*Endpoint
	FlowLogs  []*FlowLog
	// NICs are the network interfaces by their dataplane.InterfaceID.
	NICs []*NIC
	// Events are what endpoint services and their consumers were notified of.
	Events []Event

	spec      *Spec
	ids       *ids
	subnets   []*subnet // by number
	balancers []*balancer
	offers    []*offer
	pools     []*pool
	peerings  []*peering
	wires     []*wire
	tunnels   []*tunnel
	internet  *Network // nil: there is none

	translators []*translator
	eips        map[string]netip.Addr
	rules       []dataplane.RuleInfo // every rule that ever was, so that a RuleID never changes its meaning
	texts       map[string][]string  // public TXT records, by name
	epoch       uint32
	numbers     numbers
	places      places

	now      clock.Time          // as Advance has it
	closures []dataplane.Closure // since the last program
	lost     map[dataplane.ZoneID]bool
	tracks   map[tracked]*metrics.Track

	find struct {
		subnets     scoped[*subnet]
		groups      scoped[*group]
		tables      scoped[*table]
		acls        scoped[*acl]
		hosts       scoped[*Host]
		networks    map[string]*Network // VPCs
		sites       map[string]*Network // on premises
		prefixes    map[string]*prefixList
		peerings    map[string]*peering
		wires       map[string]*wire
		gateways    map[string]*gateway // VPN gateways
		internet    map[string]*gateway
		nat         map[string]*gateway
		transits    map[string]*transit
		attachments map[string]*attachment
		certs       map[string]*ACMCertificate
		pools       map[string]*pool
		balancers   map[string]*balancer
		offers      map[string]*offer
		endpoints   map[string]*Endpoint
	}
}

// Network is a VPC of the lab, or a network on premises or the internet, which is a VPC
// without most of what one has.
type Network struct {
	*VPC
	Name     string
	CIDRs    []netip.Prefix // one a family, IPv4 first
	Resolver *NIC           // at base+2 (F1.3); nil where enable_dns_support is false

	number  dataplane.VPCID
	region  string
	path    string
	outside dataplane.Kind // of its hosts' interfaces, on premises or on the internet; 0: a VPC
	dnsAt   netip.Addr
	// settled says that all blocks of the network and its subnets are known, so
	// that an address outside them is a mistake of its own.
	settled bool
}

// Host is an instance of the lab.
type Host struct {
	*Instance
	Name    string // VPC/NAME
	Network *Network
	NIC     *NIC // its eth0

	name     string // without the VPC
	path     string
	fullName string // ip-10-0-1-10.ec2.internal
}

// Hostname returns what AWS calls the machine: ip-10-0-1-10.
func (h *Host) Hostname() string {
	short, _, _ := strings.Cut(h.fullName, ".")
	return short
}

// SearchDomain returns the domain that AWS's DHCP hands out: ec2.internal in
// us-east-1, REGION.compute.internal elsewhere.
func (h *Host) SearchDomain() string {
	_, domain, _ := strings.Cut(h.fullName, ".")
	return domain
}

// has reports whether the network has a block of a family.
func (n *Network) has(f *family) bool {
	_, ok := n.cidr(f)
	return ok
}

// ResolverAddr returns where the instance sends its DNS queries: fd00:ec2::253 if it
// has IPv6 alone, else the VPC's base
// address plus two, whether or not enable_dns_support lets anyone answer there.
func (h *Host) ResolverAddr() netip.Addr {
	if !h.NIC.Addr().IsValid() {
		return resolver6
	}
	return h.Network.dnsAt
}

// NIC is a network interface.
type NIC struct {
	Index     dataplane.InterfaceID
	ID        string         // eni-…
	Label     string         // consumer/app, vpc_endpoint.api.us-east-1a, load_balancer.api.us-east-1a, vpc.consumer.resolver
	Kind      dataplane.Kind // Absent once deleted
	Network   *Network
	SubnetID  string // "" for a resolver outside every subnet
	Zone      Zone
	MAC       packet.MAC
	RouterMAC packet.MAC
	Addrs     []netip.Prefix // with the subnet's length; the primary of each family first
	Routers   []netip.Addr   // default gateways, one a family
	MTU       int            // bytes
	Public    netip.Addr     // what an internet gateway shows of it; not valid: nothing
	Host      *Host          // Kind Instance
	Endpoint  *Endpoint      // Kind Endpoint

	path     string     // the same for what takes its place
	ready    clock.Time // Kind Endpoint: from when on it carries what its endpoint may
	subnet   uint16     // number within the lab
	groups   []*group
	tracking *ConnectionTracking // nil: AWS's defaults
	open     bool                // no groups at all: everything allowed (F2.63)
	balancer *balancer
}

// Addr returns the primary IPv4 address.
func (n *NIC) Addr() netip.Addr { return n.addr(ipv4) }

// addr returns the primary address of a family; it is not valid if there is none.
func (n *NIC) addr(f *family) netip.Addr {
	for _, p := range n.Addrs {
		if f.holds(p.Addr()) {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// Logged reports whether AWS keeps a flow log of the interface.
func (n *NIC) Logged() bool { return n.Network.outside == 0 }

// FlowLog returns what the interface's flow log records say of it (F4.6): AWS's
// own interfaces have no instance, and, but for gateways' (F4.16), an account that is not
// known.
func (n *NIC) FlowLog() flowlog.Interface {
	i := flowlog.Interface{
		AccountID: "unknown", ID: n.ID, VPCID: n.Network.ID, SubnetID: n.SubnetID,
		Region: n.Network.region, AZID: n.Zone.ID, Label: n.Label,
	}
	for _, g := range n.groups {
		i.Groups = append(i.Groups, g.String())
	}
	if n.Host != nil {
		i.AccountID, i.InstanceID = n.Network.OwnerID, n.Host.ID
	}
	if n.Kind == dataplane.NAT || n.Kind == dataplane.Transit {
		i.AccountID = n.Network.OwnerID
	}
	for _, p := range n.Addrs {
		i.Addrs = append(i.Addrs, packet.AddrFrom(p.Addr()))
	}
	return i
}

// Endpoint is an interface endpoint.
type Endpoint struct {
	*VPCEndpoint
	Name    string
	State   EndpointState
	Network *Network
	NICs    []*NIC // one a zone, sorted by the zone's name; they stay listed, as Absent, after a deletion

	path    string
	offer   *offer
	zones   []*subnet
	groups  []*group
	blocks  int // how many families it has addresses of
	dnsName string
	private string     // the private name that it has, "" without private DNS
	settles clock.Time // when it is available, while State is Pending
}

// DNSName returns the regional name (F1.22).
func (e *Endpoint) DNSName() string { return e.dnsName }

// ZonalDNSName returns the name of one zone's interface (F1.22).
func (e *Endpoint) ZonalDNSName(zone string) string {
	first, rest, _ := strings.Cut(e.dnsName, ".")
	return first + "-" + zone + "." + rest
}

// subnet is a subnet of the lab.
type subnet struct {
	*Subnet
	name      string
	network   *Network
	number    uint16
	zone      Zone
	blocks    []*block // IPv4 and, where it has one, IPv6
	acl       *acl     // nil on premises
	table     *table   // nil on premises
	routerMAC packet.MAC
}

// has reports whether the subnet has a block of a family.
func (s *subnet) has(f *family) bool {
	return slices.ContainsFunc(s.blocks, func(b *block) bool { return b.family == f })
}

func (s *subnet) String() string { return s.network.Name + "/" + s.name }

// group is a security group of the lab.
type group struct {
	*SecurityGroup
	name    string
	network *Network
	path    string
	rules   [2][]permission // by direction
}

func (g *group) String() string { return g.network.Name + "/" + g.name }

// pool is a target group of the lab.
type pool struct {
	*TargetGroup
	id      string // the 16 hex digits in its ARN
	name    string
	path    string
	network *Network
	family  *family // in which its targets are reached
	number  uint16
	members []member
	leavers []leaver // that are not registered again
}

// member is a registered target: an instance, an address, or a node of an
// Application Load Balancer.
type member struct {
	host   *Host
	node   *NIC
	addr   netip.Addr
	family *family
	port   uint16
	zone   Zone

	health *health    // of a registered target
	known  clock.Time // from when on load balancers give it flows
}

// same reports whether two members are the same target.
func (m *member) same(o member) bool {
	return m.host == o.host && m.node == o.node && m.addr == o.addr && m.port == o.port
}

// address returns where the target is.
func (m *member) address() netip.Addr {
	switch {
	case m.host != nil:
		return m.host.NIC.addr(m.family)
	case m.node != nil:
		return m.node.addr(m.family)
	}
	return m.addr
}

// balancer is a load balancer of the lab.
type balancer struct {
	*LoadBalancer
	name     string
	path     string
	number   uint16
	network  *Network
	zones    []*subnet
	groups   []*group
	blocks   int
	forwards []forwarding // of its listeners, in their order
	endings  []ending     // of flows to target groups whose weight became 0
	nodes    []*NIC
	offer    *offer // the endpoint service that it stands behind, if any
	offered  []Zone // that the service has of it since it was last updated (F1.49)
	dnsName  string
}

// offer is an endpoint service of the lab. An edit replaces its EndpointService,
// which the spec keeps as the file has it.
type offer struct {
	*EndpointService
	State       ServiceState
	name        string
	path        string
	account     string
	balancers   []*balancer
	serviceName string
}

// zoned reports whether the service is offered in a zone.
func (o *offer) zoned(z Zone) bool {
	return slices.ContainsFunc(o.balancers, func(lb *balancer) bool { return lb.serves(z) })
}

// serves reports whether the endpoint service has the load balancer's node in a zone.
func (lb *balancer) serves(z Zone) bool {
	return slices.ContainsFunc(lb.offered, func(o Zone) bool { return o.ID == z.ID })
}

// update makes a service take on the zones that its load balancers have now (F1.49).
func (o *offer) update() {
	for _, lb := range o.balancers {
		lb.offered = lb.placed()
	}
}

// hostName returns the DNS name above those of the service's endpoints (F1.21).
func (o *offer) hostName(region string) string { return o.ID + "." + region + ".vpce.amazonaws.com" }

// Instance finds an instance by VPC/NAME, or by NAME where it is unique.
func (l *Lab) Instance(name string) (*Host, error) { return l.find.hosts.find("", name) }

// Endpoint finds an interface endpoint by name.
func (l *Lab) Endpoint(name string) (*Endpoint, error) {
	return find("VPC endpoint", l.find.endpoints, name)
}

// TargetGroup finds a target group by name, as the file has it: edits do not
// show in it.
func (l *Lab) TargetGroup(name string) (*TargetGroup, error) {
	p, err := find("target group", l.find.pools, name)
	if err != nil {
		return nil, err
	}
	return p.TargetGroup, nil
}

// SecurityGroup finds a security group by VPC/NAME, or by NAME where it is
// unique, as the file has it: edits do not show in it.
func (l *Lab) SecurityGroup(name string) (*SecurityGroup, error) {
	g, err := l.find.groups.find("", name)
	if err != nil {
		return nil, err
	}
	return g.SecurityGroup, nil
}
