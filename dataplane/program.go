package dataplane

import (
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/link"
	"github.com/plsim/plsim/dataplane/packet"
)

// InterfaceID is the index of a network interface in [Program.Interfaces]. It is
// the same in every program of a lab: an edit never renumbers, and a deleted
// interface leaves a hole of kind Absent.
type InterfaceID uint32

// NoInterface is no interface at all.
const NoInterface InterfaceID = ^InterfaceID(0)

// VPCID is the index of a VPC in [Program.VPCs].
type VPCID uint16

// ZoneID numbers the lab's zones by AZ ID: two accounts' different zone names
// for one place share a ZoneID (F1.46).
type ZoneID uint16

// Program is a lab compiled for the walk: everything that a decision needs, by
// index. It is immutable; a change of the lab is a new Program with a higher Epoch.
type Program struct {
	Epoch      uint32 // from 1
	Interfaces []Interface
	VPCs       []VPC
	Balancers  []LoadBalancer
	Rules      []RuleInfo // by filter.RuleID
	Links      Links
	// Closures name flows that end when this program is loaded, at once.
	Closures []Closure
	// ResetRevoked says that flows whose endpoint was rejected, or whose interface
	// of it deleted, are reset; else they meet silence (F1.19).
	ResetRevoked bool
}

// Kind says what stands behind an interface.
type Kind uint8

// The kinds of interface.
const (
	Absent     Kind = iota // deleted, or never made
	Instance               // an instance's eth0
	OnPremises             // a host's outside AWS
	Resolver               // the VPC resolver at base+2
	Endpoint               // one zone's interface of an interface endpoint
	Node                   // one zone's node of a Network Load Balancer
	Proxy                  // one zone's node of an Application Load Balancer: a device like an instance's
	NAT                    // a NAT gateway's
	Transit                // of a transit gateway's attachment, in one subnet
	Internet               // a host's on the internet
)

// Interface is a network interface of the lab: a port of the fabric.
type Interface struct {
	Kind      Kind
	ID        string // eni-…
	Label     string // what users call it: consumer/app
	VPC       VPCID
	Subnet    uint16 // number of the subnet within the lab
	Zone      ZoneID
	MAC       packet.MAC
	RouterMAC packet.MAC    // the VPC router as this subnet sees it
	Routers   []packet.Addr // the router's addresses in this subnet, one a family
	Addrs     []packet.Addr // IPv4 before IPv6, the primary of each family first
	MTU       int           // bytes of IP packet: 9001, or 8500 at an endpoint (F1.31)

	Ingress, Egress *filter.RuleSet // nil: everything allowed (F2.63)
	// Tracking are the timeouts of the groups' memory where they are the interface's
	// own (F3.14); nil: those of Settings.
	Tracking *conntrack.Timeouts
	Exempt   bool // never filtered: the resolver (F3.5, F3.22)
	Lost     bool // its zone is lost: nothing passes to or from it
	// What holds for all of the subnet: its network ACL, where nil allows
	// everything, and the routes beside the VPC's own, longest prefix first.
	ACLIngress, ACLEgress *filter.ACL
	Routes                []Route
	// Link joins the interface to its subnet, and SubnetLink that to all others.
	Link, SubnetLink link.ID

	// Public is what an internet gateway shows of the primary IPv4 address; zero: nothing.
	Public packet.Addr

	Endpoint EndpointInterface // Kind Endpoint
	Balancer uint16            // Kind Node: index in Program.Balancers
	// Transit is what the transit gateway's route table says of what comes by this
	// interface, longest prefix first.
	Transit []Route
}

// balances reports whether a load balancer stands behind the interface.
func (n *Interface) balances() bool { return n.Kind == Node || n.Kind == Endpoint }

// receives reports whether what comes to the interface goes on as a flow of its own.
func (n *Interface) receives() bool { return n.balances() || n.Kind == NAT }

// own returns the interface's addresses of the same family as another address, the
// primary first.
func (n *Interface) own(like packet.Addr) []packet.Addr {
	v6 := slices.IndexFunc(n.Addrs, func(a packet.Addr) bool { return !a.Is4() })
	if v6 < 0 {
		v6 = len(n.Addrs)
	}
	if like.Is4() {
		return n.Addrs[:v6]
	}
	return n.Addrs[v6:]
}

// EndpointInterface is what is special about an interface of an endpoint.
type EndpointInterface struct {
	EndpointID string // vpce-…
	Available  bool   // the endpoint's state is "available" (F1.9)
	// Nodes are the nodes in this interface's zone of all the service's load
	// balancers. The walk binds the interface to one of them at its first
	// connection (F1.47).
	Nodes []InterfaceID
}

// VPC finds the interface that has an address. A network on premises is one, too, and
// so is the internet, where interfaces have their public addresses.
type VPC struct {
	ID       string // vpc-…
	Addrs    map[packet.Addr]InterfaceID
	Prefixes []filter.Prefix // the VPC's CIDR blocks
	Transits bool            // routes may lead to a transit gateway
}

// LoadBalancer is a Network Load Balancer.
type LoadBalancer struct {
	ID        string // net/NAME/ID
	Label     string
	EnforceSG bool // inbound rules apply to PrivateLink traffic (F2.64)
	CrossZone bool
	Listeners map[ListenerKey]*Listener
}

// ListenerKey names a listener: one protocol, one port.
type ListenerKey struct {
	Proto packet.Proto
	Port  uint16
}

// Listener forwards to target groups.
type Listener struct {
	// TLS says that the node itself answers: the client's connection ends there,
	// and the node's server asks for another one to a target (F2.8).
	TLS         bool
	IdleTimeout time.Duration // TCP 60–6000 s, default 350; TLS 350; UDP 120 (F2.44)
	Forward     []Forward
	// Sticky is for how long after its last new flow a client keeps its target
	// group (F2.11); 0: not at all.
	Sticky time.Duration
	// IPv6 is the listener for clients of IPv6, where a rule tells them from those of
	// IPv4 (F2.12); nil: it is the same for all.
	IPv6 *Listener
}

// Forward is a target group's share of a listener's new flows (F2.11).
type Forward struct {
	Group  *TargetGroup
	Weight int // 0–999, relative to the listener's others
}

// TargetGroup is where a listener's flows go.
type TargetGroup struct {
	Label            string
	CrossZone        bool // the group's setting already merged with the balancer's (F2.19)
	PreserveClientIP bool // overridden for PrivateLink (F2.25)
	TLS              bool // targets of a TLS listener are spoken to in TLS (F2.9)
	Proxy            ProxyProtocol
	Sticky           Stickiness
	Targets          []Target
	// Former targets get no new flows. What they send of flows that are
	// forgotten is still answered as a target's is.
	Former []Target
	// Number is the group's own in the lab, the same in every program and behind
	// every load balancer.
	Number uint16
}

// Stickiness says what the choice of a target depends on.
type Stickiness uint8

// The kinds of stickiness (F2.18). Across PrivateLink AWS does not say whose
// address counts.
const (
	NotSticky      Stickiness = iota
	StickyClient              // the client's address, also across PrivateLink
	StickyEndpoint            // across PrivateLink the address of the endpoint's interface
)

// Closure names flows that a load balancer closes: those to a target group, or with
// Zone those of a zone. The next TCP segment of one is reset, whichever side sends
// it; its next datagram is a new flow.
type Closure struct {
	Group uint16      // TargetGroup.Number
	Addr  packet.Addr // of the target
	Port  uint16      // of the target; 0: flows to all targets of the group

	Balancer uint16 // index in Program.Balancers
	Listener uint16 // the port of its listener; 0: flows from every load balancer

	// Zone is where the load balancer has lost its node: all flows through that node
	// and to targets in the zone end (F2.61); 0: nowhere.
	Zone ZoneID
}

// ProxyProtocol says which PROXY protocol version 2 header goes before the
// streams to a target group. Datagrams get none (F2.43).
type ProxyProtocol struct {
	Enabled bool // default false (F2.35)
	// Early sends the header with the client's first segment after its SYN;
	// else it waits for the first that has payload (F2.40).
	Early bool
	// IPv6Size is how many bytes a header for IPv6 has (F2.43): ppv2.Size or
	// ppv2.WideSize.
	IPv6Size int
}

// Target is one member of a target group.
type Target struct {
	Interface InterfaceID // NoInterface for an address that nobody has
	Addr      packet.Addr
	Port      uint16
	Zone      ZoneID

	// FailOpen says that it gets new flows although it is not healthy (F2.56).
	FailOpen bool
	// Avoid keeps new flows away: the target is not healthy, and its group does
	// not fail open (F2.56, F2.57).
	Avoid bool
	// Reset ends its flows: the target turned unhealthy, and its group asks for
	// that (F2.55).
	Reset bool
}

// RuleInfo describes a security group rule to people.
type RuleInfo struct {
	Group string // sg-…
	Label string // consumer/endpoint
	Text  string // tcp 80 from 10.0.0.0/16
	Path  string // where the scenario says it: lab.yaml:12
}
