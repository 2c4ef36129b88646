package drop

// entry is what people see of a reason.
type entry struct{ name, why string }

// entries holds the stable name of each reason, as it stands in scenarios,
// results and metrics, and one sentence that explains it.
var entries = [NumReasons]entry{
	None: {"none", "The packet was forwarded, or answered by the fabric itself."},

	TruncatedFrame:       {"truncated_frame", "The frame is shorter than its Ethernet header says."},
	UnknownEtherType:     {"unknown_ether_type", "The frame is neither ARP, IPv4 nor IPv6, which is all that a VPC carries."},
	BadARP:               {"bad_arp", "The ARP or neighbour discovery message is malformed, speaks for another interface, or is no question."},
	TruncatedIP:          {"truncated_ip", "The packet is shorter than its IP header."},
	BadIPHeader:          {"bad_ip_header", "The IP header has a wrong version, header length or chain of extension headers."},
	BadIPLength:          {"bad_ip_length", "The IP header claims more bytes than the frame holds."},
	BadIPChecksum:        {"bad_ip_checksum", "The checksum of the IPv4 header is wrong."},
	Fragment:             {"fragment", "The packet is an IP fragment, which the path does not carry."},
	BadFragment:          {"bad_fragment", "The offset and length of the IP fragment lie beyond the longest packet, or between two units of eight bytes."},
	TinyFragment:         {"tiny_fragment", "The first IP fragment does not hold the whole TCP, UDP or ICMP header."},
	TruncatedTransport:   {"truncated_transport", "The packet is shorter than its TCP, UDP or ICMP header."},
	BadTransportLength:   {"bad_transport_length", "The TCP data offset or the UDP length points beyond the packet."},
	BadTransportChecksum: {"bad_transport_checksum", "The TCP, UDP or ICMP checksum is wrong."},
	BadOffload:           {"bad_offload", "The offload request of the sender does not fit its frame."},
	UnsupportedProtocol:  {"unsupported_protocol", "The IP protocol is none of TCP, UDP, ICMP and ICMPv6."},

	SourceMAC:       {"source_mac", "The source MAC address is not the sending interface's own."},
	DestinationMAC:  {"destination_mac", "The destination MAC address belongs to nobody in this subnet."},
	SourceDestCheck: {"source_dest_check", "The source address is not the sending interface's own."},
	BadAddress:      {"bad_address", "A loopback, unspecified or multicast address stands where a host's is needed."},
	Multicast:       {"multicast", "The destination is a multicast group, and a VPC carries no multicast."},
	Broadcast:       {"broadcast", "The destination is a broadcast address, and a VPC carries no broadcast."},
	Unanswered:      {"unanswered", "An ARP or neighbour request asks for an address that nobody has."},
	RouterOnly:      {"router_only", "The packet is addressed to the VPC's router itself."},

	OrphanFragment:      {"orphan_fragment", "The IP fragment comes before the first one of its packet, or long after it."},
	OverlappingFragment: {"overlapping_fragment", "The IP fragment would overwrite what the first one of its packet said."},
	UncheckedFragment:   {"unchecked_fragment", "The IPv4 fragment is of a datagram without checksum, which cannot become one of IPv6."},

	NoRoute:         {"no_route", "The destination lies outside the VPC, and no route leads there."},
	Internet:        {"internet", "The route to the destination leads to the internet, where no host has this address."},
	NoPublicAddress: {"no_public_address", "The route leads to an internet gateway, and the sender's interface has no public address to be seen by."},
	Blackhole:       {"blackhole", "The route to the destination leads to something that is gone, or to a gateway that has no way there."},
	NotTransitive:   {"not_transitive", "The destination lies beyond the VPC at the other end of the peering connection, which leads to that VPC alone."},
	NoSuchAddress:   {"no_such_address", "The destination lies inside the VPC, but no interface has this address."},
	ForeignResolver: {"foreign_resolver", "A VPC's resolver answers only those in the VPC."},
	ZoneLost:        {"zone_lost", "The Availability Zone of an interface on the way is lost, and nothing passes to or from it."},
	TransitZone:     {"transit_zone", "The route leads to a transit gateway whose attachment has no subnet in the sender's zone."},
	TransitRoute:    {"transit_route", "The transit gateway's route table has no route to the destination."},
	NATInbound:      {"nat_inbound", "The packet comes to a NAT gateway and belongs to no flow that began behind it."},
	MTU:             {"mtu", "The packet is larger than the MTU of an interface, or of a gateway on its way."},
	TTL:             {"ttl", "The packet's time to live is used up."},

	LinkDown:  {"link_down", "A link that the packet crosses is down."},
	LinkMTU:   {"link_mtu", "The packet is longer than a link that it crosses carries; no ICMP message is sent."},
	LinkLoss:  {"link_loss", "A link that the packet crosses loses a share of all packets, and this was one."},
	LinkQueue: {"link_queue", "So much waits already for the bandwidth of a link that the packet crosses that its queue takes no more."},

	SecurityGroupEgress:  {"security_group_egress", "No outbound rule of the sender's security groups allows the packet."},
	NetworkACLEgress:     {"network_acl_egress", "The network ACL of the subnet that the packet leaves denies it."},
	NetworkACLIngress:    {"network_acl_ingress", "The network ACL of the subnet that the packet enters denies it."},
	SecurityGroupIngress: {"security_group_ingress", "No inbound rule of the receiver's security groups allows the packet."},
	TrackingTable:        {"tracking_table", "An interface on the way tracks as many flows as it can; new ones are dropped."},

	EndpointNotAvailable: {"endpoint_not_available", "The interface endpoint is not in the state available: it waits for acceptance, or was rejected or deleted."},
	EndpointRevoked:      {"endpoint_revoked", "The flow's interface endpoint was rejected or deleted, and the setting revoked_flows says that a RST tells of it."},
	EndpointPing:         {"endpoint_ping", "Interface endpoints do not answer ping."},
	EndpointMTU:          {"endpoint_mtu", "The packet exceeds the 8500 bytes that an interface endpoint carries; no ICMP message is sent."},
	EndpointNoZone:       {"endpoint_no_zone", "The service's load balancer has no node in the zone of this endpoint interface."},

	NoListener:                {"no_listener", "The load balancer has no listener for this protocol and port."},
	LoadBalancerICMP:          {"load_balancer_icmp", "Load balancer nodes take no ICMP but destination unreachable; through an endpoint none that speaks of a packet's size."},
	ICMPFamily:                {"icmp_family", "The ICMP error is about a flow between IPv4 and IPv6, and the other family has no word for what it says."},
	LoadBalancerSecurityGroup: {"load_balancer_security_group", "No inbound rule of the load balancer's security groups allows the packet."},
	TargetUnhealthy:           {"target_unhealthy", "The flow's target has turned unhealthy, so the load balancer ends the flow; it answers with RST."},
	NoTarget:                  {"no_target", "No registered target is within reach of this zone's load balancer node."},
	PreservedAddress:          {"preserved_address", "The target group preserves the client's address, which does not work towards a target that is on premises, or itself an endpoint or a load balancer."},
	BalancerLoop:              {"balancer_loop", "The packet passed as many load balancers as it can: they are each other's targets."},
	PortAllocation:            {"port_allocation", "The load balancer node has no source port left towards this target."},
	UnknownFlow:               {"unknown_flow", "The TCP segment belongs to no known flow; it is answered with RST."},

	PortDown:   {"port_down", "The interface has no device behind it, or one that is down."},
	QueueFull:  {"queue_full", "The queue of the receiving device is full."},
	LinkMemory: {"link_memory", "More packets are under way on delaying links than plsim has memory for."},
}

// byName is the inverse of entries.
var byName = func() map[string]Reason {
	m := make(map[string]Reason, NumReasons)
	for r, e := range entries {
		m[e.name] = Reason(r)
	}
	return m
}()

// String returns the stable name of r, such as security_group_ingress.
func (r Reason) String() string {
	if r >= NumReasons {
		return "unknown"
	}
	return entries[r].name
}

// Explain returns one sentence for people.
func (r Reason) Explain() string {
	if r >= NumReasons {
		return "The reason is unknown to this version of plsim."
	}
	return entries[r].why
}

// Parse returns the reason of this name, and whether there is one.
func Parse(name string) (Reason, bool) {
	r, ok := byName[name]
	return r, ok
}

// All returns every reason but None, in the order in which a packet can meet
// them.
func All() []Reason {
	all := make([]Reason, 0, NumReasons-1)
	for r := None + 1; r < NumReasons; r++ {
		all = append(all, r)
	}
	return all
}
