// Package drop names every way in which a packet can die. Reasons are data, not
// errors: they are counted for each interface and shown to users under a stable
// name, so a name never changes its meaning.
package drop

// Reason says why a packet went no further. The zero Reason is None.
type Reason uint8

// The reasons, in the order in which a packet can meet them.
const (
	// None: the packet was forwarded, or answered by the fabric itself.
	None Reason = iota

	// Decoding: the frame is not a packet that a VPC carries.
	TruncatedFrame       // shorter than its Ethernet header says
	UnknownEtherType     // neither ARP, IPv4 nor IPv6 (VLAN tags included)
	BadARP               // ARP or neighbour discovery other than a well-formed question of its sender
	TruncatedIP          // shorter than its IP header
	BadIPHeader          // wrong version, header length or IPv6 extension chain
	BadIPLength          // total length beyond the frame
	BadIPChecksum        // IPv4 header checksum
	Fragment             // IP fragment: load balancers carry none but UDP's (F1.41)
	BadFragment          // offset and length that no fragment can have
	TinyFragment         // a first fragment that cuts the transport header
	TruncatedTransport   // shorter than its TCP, UDP or ICMP header
	BadTransportLength   // TCP data offset or UDP length beyond the packet
	BadTransportChecksum // TCP, UDP or ICMP checksum
	BadOffload           // virtio-net header that does not fit the frame
	UnsupportedProtocol  // an IP protocol other than TCP, UDP, ICMP, ICMPv6

	// The interface: an instance may speak only for itself.
	SourceMAC       // source MAC is not the interface's
	DestinationMAC  // destination MAC is nobody's in this subnet
	SourceDestCheck // source address is not the interface's
	BadAddress      // loopback, unspecified or multicast where a host is needed
	Multicast       // a VPC carries no multicast
	Broadcast       // nor broadcast (F1.3)
	Unanswered      // ARP or neighbour request for an address nobody has
	RouterOnly      // packet to the VPC router's own address

	// Fragments of one packet.
	OrphanFragment      // the first one did not come, or too long ago
	OverlappingFragment // says again what the first one said
	UncheckedFragment   // of a datagram without checksum, which IPv6 does not allow

	// The network.
	NoRoute         // destination outside the VPC, and no route leads there
	Blackhole       // the route leads to what is gone, or has no way to the address
	Internet        // the route leads to the internet, where no host has the address
	NoPublicAddress // the internet gateway has no public address for the sender
	NotTransitive   // beyond the VPC at the other end of a peering connection
	NoSuchAddress   // inside the VPC, but no interface has it
	ForeignResolver // the resolver of another VPC
	TransitZone     // no interface of the transit gateway's attachment in the sender's zone
	TransitRoute    // no route in the transit gateway's route table
	NATInbound      // to a NAT gateway, and of no flow that began behind it (F2.33)
	ZoneLost        // an interface on the way is in an Availability Zone that a fault has taken away
	MTU             // larger than the interface MTU of 9001
	TTL             // time to live used up

	// The links that the lab declares.
	LinkDown  // a link on the way is down
	LinkMTU   // longer than a link on the way carries: no ICMP is sent
	LinkLoss  // a link on the way loses a share of its packets
	LinkQueue // too much waits already to enter a link on the way

	// Filters.
	SecurityGroupEgress
	NetworkACLEgress  // refused where the packet leaves a subnet (F3.19)
	NetworkACLIngress // refused where it enters one
	SecurityGroupIngress
	TrackingTable // the interface tracks as many flows as it can (F3.16)

	// The interface endpoint.
	EndpointNotAvailable // pendingAcceptance, pending, rejected, deleted (F1.9)
	EndpointRevoked      // the flow's endpoint was rejected or deleted: answered with RST by a setting (F1.19)
	EndpointPing         // endpoints do not answer ping (F1.35)
	EndpointMTU          // over 8500 bytes, no ICMP is sent (F1.31)
	EndpointNoZone       // no load balancer node in the endpoint interface's zone (F1.46)

	// The load balancer.
	NoListener                // no listener for protocol and port: silence (F2.10)
	LoadBalancerICMP          // ICMP other than type 3 to a node (F2.10)
	ICMPFamily                // an ICMP error that the other address family has no word for
	LoadBalancerSecurityGroup // refused by the load balancer's groups (F2.65)
	TargetUnhealthy           // the flow's target turned unhealthy: answered with RST (F2.55)
	NoTarget                  // no registered target in reach of this zone (F2.19)
	PreservedAddress          // a target would see the client's address where it cannot (F2.24, F2.28)
	BalancerLoop              // load balancers that are each other's targets (F2.28)
	PortAllocation            // no source port left towards this target (F2.30)
	UnknownFlow               // TCP segment of no known flow: answered with RST (F2.10, F2.45)

	// The engine.
	PortDown   // the interface has no device behind it, or one that is down
	QueueFull  // the device's queue is full
	LinkMemory // more is under way on links than there is memory for
	// NumReasons is the size of a table indexed by Reason.
	NumReasons
)
