package topology

// NetworkACL is an aws_network_acl: what may cross the edge of its subnets. It
// remembers nothing, so answers need entries of their own (F3.17, F3.21).
type NetworkACL struct {
	ID        string             `yaml:"id,omitempty" doc:"acl-…"`
	SubnetIDs []string           `yaml:"subnet_ids,omitempty" doc:"Its subnets, by name; each has one network ACL (F3.20). Default of default: all that no other has."`
	Ingress   []*NetworkACLEntry `yaml:"ingress,omitzero" doc:"What may enter the subnets. Default: nothing; of default: everything (F3.18)."`
	Egress    []*NetworkACLEntry `yaml:"egress,omitzero" doc:"What may leave them. Default: nothing; of default: everything (F3.18)."`
}

// NetworkACLEntry is a numbered rule of a network ACL (F3.17).
type NetworkACLEntry struct {
	RuleNo        int    `yaml:"rule_no" doc:"1 to 32766. The lowest number that matches decides."`
	Action        string `yaml:"action" doc:"allow or deny."`
	Protocol      string `yaml:"protocol" doc:"tcp, udp, icmp, icmpv6, a number, or -1 for all."`
	CIDRBlock     string `yaml:"cidr_block,omitempty" doc:"IPv4 peer: source of what enters, destination of what leaves. Either this or ipv6_cidr_block."`
	IPv6CIDRBlock string `yaml:"ipv6_cidr_block,omitempty" doc:"IPv6 peer."`
	FromPort      *int   `yaml:"from_port,omitempty" doc:"First destination port, of tcp and udp."`
	ToPort        *int   `yaml:"to_port,omitempty" doc:"Last destination port. Default: from_port."`
	ICMPType      *int   `yaml:"icmp_type,omitempty" doc:"ICMP type; default -1, any."`
	ICMPCode      *int   `yaml:"icmp_code,omitempty" doc:"ICMP code; default -1, any."`
}

// RouteTable is an aws_route_table. That of the name main holds for all subnets that
// no other has. What lies in the VPC itself needs no route.
type RouteTable struct {
	ID              string   `yaml:"id,omitempty" doc:"rtb-…"`
	SubnetIDs       []string `yaml:"subnet_ids,omitempty" doc:"Its subnets, by name; each has one route table. Default of main: all that no other has."`
	Routes          []*Route `yaml:"route,omitempty" doc:"Ways out of the VPC. The longest prefix that fits decides."`
	PropagatingVGWs []string `yaml:"propagating_vgws,omitempty" doc:"Virtual private gateways that add routes to the networks behind them."`
}

// ManagedPrefixList is an aws_ec2_managed_prefix_list, of a customer.
type ManagedPrefixList struct {
	ID            string             `yaml:"id,omitempty" doc:"pl-…"`
	AddressFamily string             `yaml:"address_family,omitempty" doc:"IPv4 (default) or IPv6: that of all its entries."`
	MaxEntries    int                `yaml:"max_entries" doc:"How many entries it may have, 1 to 1000; as so many it counts where it is used (F3.8)."`
	Entries       []*PrefixListEntry `yaml:"entry,omitempty" doc:"Its entries."`
}

// PrefixListEntry is an entry of a prefix list.
type PrefixListEntry struct {
	CIDR        string `yaml:"cidr" doc:"CIDR block."`
	Description string `yaml:"description,omitempty" doc:"Free text."`
}

// Route leads out of a VPC.
type Route struct {
	CIDRBlock     string `yaml:"cidr_block,omitempty" doc:"IPv4 destination. Either this or ipv6_cidr_block."`
	IPv6CIDRBlock string `yaml:"ipv6_cidr_block,omitempty" doc:"IPv6 destination."`
	PrefixListID  string `yaml:"destination_prefix_list_id,omitempty" doc:"Destinations by prefix list, by name, in place of a block. A route to a block of the same length comes before one of its entries."`
	PeeringID     string `yaml:"vpc_peering_connection_id,omitempty" doc:"Leads over this peering connection, by name. Either this, gateway_id, nat_gateway_id or transit_gateway_id."`
	GatewayID     string `yaml:"gateway_id,omitempty" doc:"Leads to this virtual private gateway or internet gateway, by name."`
	NATGatewayID  string `yaml:"nat_gateway_id,omitempty" doc:"Leads to this NAT gateway, by name."`
	TransitID     string `yaml:"transit_gateway_id,omitempty" doc:"Leads to this transit gateway, by name, which the VPC is attached to."`
}

// VPCPeeringConnection is an aws_vpc_peering_connection, accepted. It leads nowhere
// without routes on both sides.
type VPCPeeringConnection struct {
	ID        string `yaml:"id,omitempty" doc:"pcx-…"`
	VPCID     string `yaml:"vpc_id" doc:"VPC, by name."`
	PeerVPCID string `yaml:"peer_vpc_id" doc:"The other VPC, by name; their CIDR blocks must not overlap."`
}

// OnPremises is a network outside AWS. A VPN connection leads there.
type OnPremises struct {
	CIDRBlock string               `yaml:"cidr_block" doc:"IPv4 CIDR block, /16 to /28."`
	Hosts     map[string]*Instance `yaml:"hosts,omitempty" doc:"Hosts, by name: like instances, without id, subnet_id, ipv6_addresses, associate_public_ip_address, public_ip, vpc_security_group_ids and connection_tracking_specification."`
}

// Internet is what lies beyond internet gateways.
type Internet struct {
	CIDRBlock string               `yaml:"cidr_block,omitempty" doc:"IPv4 CIDR block of its hosts, /16 to /28. Default 203.0.113.0/24."`
	Hosts     map[string]*Instance `yaml:"hosts,omitempty" doc:"Hosts, by name, found as internet/NAME: like those on premises. private_ip is their public address."`
}

// VPNGateway is an aws_vpn_gateway: a VPC's end of VPN connections.
type VPNGateway struct {
	ID    string `yaml:"id,omitempty" doc:"vgw-…"`
	VPCID string `yaml:"vpc_id" doc:"VPC that it is attached to, by name; each can have one."`
}

// InternetGateway is an aws_internet_gateway: it shows public addresses to the internet
// in place of private ones.
type InternetGateway struct {
	ID    string `yaml:"id,omitempty" doc:"igw-…"`
	VPCID string `yaml:"vpc_id" doc:"VPC that it is attached to, by name; each can have one."`
}

// EIP is an aws_eip.
type EIP struct {
	PublicIP string `yaml:"public_ip,omitempty" doc:"The address. Default: the next free one of 198.51.100.0/24."`
}

// NATGateway is an aws_nat_gateway: whoever is behind it speaks with its address (F2.33).
type NATGateway struct {
	ID               string `yaml:"id,omitempty" doc:"nat-…"`
	SubnetID         string `yaml:"subnet_id" doc:"Subnet that it is in: VPC/NAME, or NAME where it is unique."`
	ConnectivityType string `yaml:"connectivity_type,omitempty" doc:"public (default), for the internet; or private, for other VPCs and networks."`
	AllocationID     string `yaml:"allocation_id,omitempty" doc:"Elastic IP address of a public one, by name. Default: one more, of the gateway's own name."`
	PrivateIP        string `yaml:"private_ip,omitempty" doc:"Its IPv4 address. Default: the subnet's next free one."`
}

// TransitGateway is an aws_ec2_transit_gateway with its default route table, to which all
// attachments are associated, and propagate the blocks of their VPCs.
type TransitGateway struct {
	ID     string                 `yaml:"id,omitempty" doc:"tgw-…"`
	Routes []*TransitGatewayRoute `yaml:"route,omitempty" doc:"Static routes, which come before propagated ones of the same length."`
}

// TransitGatewayRoute is an aws_ec2_transit_gateway_route.
type TransitGatewayRoute struct {
	DestinationCIDRBlock string `yaml:"destination_cidr_block" doc:"Destination, IPv4 or IPv6."`
	AttachmentID         string `yaml:"transit_gateway_attachment_id,omitempty" doc:"Leads to this attachment, by name. Either this or blackhole."`
	Blackhole            bool   `yaml:"blackhole,omitempty" doc:"Whether it leads nowhere. Default false."`
}

// TransitGatewayVPCAttachment is an aws_ec2_transit_gateway_vpc_attachment.
type TransitGatewayVPCAttachment struct {
	ID               string   `yaml:"id,omitempty" doc:"tgw-attach-…"`
	TransitGatewayID string   `yaml:"transit_gateway_id" doc:"Transit gateway, by name."`
	VPCID            string   `yaml:"vpc_id" doc:"VPC, by name."`
	SubnetIDs        []string `yaml:"subnet_ids" doc:"Subnets, one a zone, each of which gets an interface. Only zones that have one reach the transit gateway."`
	IPv6Support      string   `yaml:"ipv6_support,omitempty" doc:"enable or disable (default): whether it takes IPv6."`
}

// VPNConnection is an aws_vpn_connection with static routes, which is always up.
type VPNConnection struct {
	ID                string `yaml:"id,omitempty" doc:"vpn-…"`
	VPNGatewayID      string `yaml:"vpn_gateway_id" doc:"Virtual private gateway, by name."`
	CustomerGatewayID string `yaml:"customer_gateway_id" doc:"The on-premises network at the other end, by name."`
}
