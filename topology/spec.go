package topology

// Spec is a lab as its author wrote it: what exists, in the words of
// Terraform's AWS provider. [New] adds what AWS would add, in place; the keys
// of its maps are the names by which the parts refer to each other. A name is
// unique within its VPC; from elsewhere it is VPC/NAME, or NAME alone where only
// one VPC has it.
type Spec struct {
	Region   string          `yaml:"region,omitempty" doc:"AWS Region, in names and flow logs. Default us-east-1."`
	Settings *Settings       `yaml:"settings,omitempty" doc:"What AWS does not publish."`
	VPCs     map[string]*VPC `yaml:"vpcs" doc:"Virtual private clouds, by name. Their CIDR blocks may overlap (F1.42)."`

	PrefixLists        map[string]*ManagedPrefixList    `yaml:"managed_prefix_lists,omitempty" doc:"Prefix lists of customers, by name, for security groups and route tables (F3.2)."`
	PeeringConnections map[string]*VPCPeeringConnection `yaml:"vpc_peering_connections,omitempty" doc:"VPC peering connections, by name."`
	Internet           *Internet                        `yaml:"internet,omitempty" doc:"The internet, as far as the lab needs one: hosts with public addresses."`
	OnPremises         map[string]*OnPremises           `yaml:"on_premises,omitempty" doc:"Networks outside AWS, by name, which no VPC has."`
	VPNGateways        map[string]*VPNGateway           `yaml:"vpn_gateways,omitempty" doc:"Virtual private gateways, by name."`
	InternetGateways   map[string]*InternetGateway      `yaml:"internet_gateways,omitempty" doc:"Internet gateways, by name."`
	EIPs               map[string]*EIP                  `yaml:"eips,omitempty" doc:"Elastic IP addresses, by name (aws_eip)."`
	NATGateways        map[string]*NATGateway           `yaml:"nat_gateways,omitempty" doc:"NAT gateways, by name."`
	TransitGateways    map[string]*TransitGateway       `yaml:"transit_gateways,omitempty" doc:"Transit gateways, by name (aws_ec2_transit_gateway)."`
	VPNConnections     map[string]*VPNConnection        `yaml:"vpn_connections,omitempty" doc:"Site-to-Site VPN connections, by name."`

	TransitGatewayAttachments map[string]*TransitGatewayVPCAttachment `yaml:"transit_gateway_vpc_attachments,omitempty" doc:"Attachments of VPCs to transit gateways, by name (aws_ec2_transit_gateway_vpc_attachment)."`

	ACMCertificates  map[string]*ACMCertificate  `yaml:"acm_certificates,omitempty" doc:"Certificates of TLS and HTTPS listeners, by name (aws_acm_certificate)."`
	TargetGroups     map[string]*TargetGroup     `yaml:"target_groups,omitempty" doc:"Target groups, by name (aws_lb_target_group)."`
	LoadBalancers    map[string]*LoadBalancer    `yaml:"load_balancers,omitempty" doc:"Load balancers, by name (aws_lb)."`
	EndpointServices map[string]*EndpointService `yaml:"endpoint_services,omitempty" doc:"Endpoint services, by name (aws_vpc_endpoint_service)."`
	VPCEndpoints     map[string]*VPCEndpoint     `yaml:"vpc_endpoints,omitempty" doc:"Interface endpoints, by name (aws_vpc_endpoint)."`
	FlowLogs         map[string]*FlowLogSpec     `yaml:"flow_logs,omitempty" doc:"Flow logs, by name (aws_flow_log). Default: everything is logged, in AWS's default format."`
	Links            map[string]*Link            `yaml:"links,omitempty" doc:"Links, by name: delay, loss, bandwidth and the like between parts of the lab, of which AWS publishes nothing. Default: packets arrive at once."`
	Route53Records   map[string]*Route53Record   `yaml:"route53_records,omitempty" doc:"Records of public hosted zones, by name (aws_route53_record): the proofs of private DNS names (F1.27)."`
}

// VPC is an aws_vpc with what lives inside it.
type VPC struct {
	ID             string                    `yaml:"id,omitempty" doc:"vpc-…; made from the names if not given."`
	OwnerID        string                    `yaml:"owner_id,omitempty" doc:"Account that owns the VPC and all in it: 12 digits, quoted."`
	CIDRBlock      string                    `yaml:"cidr_block" doc:"IPv4 CIDR block, /16 to /28."`
	IPv6CIDRBlock  string                    `yaml:"ipv6_cidr_block,omitempty" doc:"IPv6 CIDR block; none if not given."`
	EnableDNS      *bool                     `yaml:"enable_dns_support,omitempty" doc:"Whether the resolver at base+2 answers. Default true."`
	EnableHosts    *bool                     `yaml:"enable_dns_hostnames,omitempty" doc:"Whether instances have DNS names; private endpoint names need it (F1.26). Default true."`
	Zones          map[string]string         `yaml:"availability_zones,omitempty" doc:"This account's zone names and their AZ IDs, e.g. us-east-1a: use1-az1 (F1.46). Default: a is az1, b is az2 and so on."`
	Subnets        map[string]*Subnet        `yaml:"subnets,omitempty" doc:"Subnets, by name."`
	SecurityGroups map[string]*SecurityGroup `yaml:"security_groups,omitempty" doc:"Security groups, by name. default exists in each VPC (F3.3)."`
	NetworkACLs    map[string]*NetworkACL    `yaml:"network_acls,omitempty" doc:"Network ACLs, by name. default exists in each VPC (F3.18)."`
	RouteTables    map[string]*RouteTable    `yaml:"route_tables,omitempty" doc:"Route tables, by name. main exists in each VPC."`
	Instances      map[string]*Instance      `yaml:"instances,omitempty" doc:"Instances, by name: one network namespace each."`
}

// Subnet is an aws_subnet.
type Subnet struct {
	ID               string `yaml:"id,omitempty" doc:"subnet-…"`
	CIDRBlock        string `yaml:"cidr_block,omitempty" doc:"IPv4 CIDR block within the VPC's, /16 to /28 (F1.3). Default: the next free /24."`
	IPv6CIDRBlock    string `yaml:"ipv6_cidr_block,omitempty" doc:"IPv6 CIDR block within the VPC's, /44 to /64 in steps of 4. Default: the next free /64 where the VPC has IPv6."`
	IPv6Native       bool   `yaml:"ipv6_native,omitempty" doc:"Whether the subnet is IPv6-only (F1.51): it has no cidr_block. Default false."`
	AvailabilityZone string `yaml:"availability_zone,omitempty" doc:"Zone name, e.g. us-east-1a. Default: the Region's first."`
}

// SecurityGroup is an aws_security_group.
type SecurityGroup struct {
	ID          string  `yaml:"id,omitempty" doc:"sg-…"`
	Description string  `yaml:"description,omitempty" doc:"Free text."`
	Ingress     []*Rule `yaml:"ingress,omitzero" doc:"What may come in. Default: nothing; into the default group, its own members (F3.3)."`
	Egress      []*Rule `yaml:"egress,omitzero" doc:"What may go out. Default, where the key is absent: everything; an empty list: nothing (F3.3)."`
}

// Rule allows traffic in one direction (F3.2).
type Rule struct {
	Protocol       string   `yaml:"protocol" doc:"tcp, udp, icmp, icmpv6, a number, or -1 for all."`
	FromPort       *int     `yaml:"from_port,omitempty" doc:"First port, or ICMP type (-1: any)."`
	ToPort         *int     `yaml:"to_port,omitempty" doc:"Last port, or ICMP code (-1: any). Default: from_port."`
	CIDRBlocks     []string `yaml:"cidr_blocks,omitempty" doc:"IPv4 peers."`
	IPv6CIDRBlocks []string `yaml:"ipv6_cidr_blocks,omitempty" doc:"IPv6 peers."`
	PrefixLists    []string `yaml:"prefix_list_ids,omitempty" doc:"Peers by prefix list, by name: all its entries. It counts as max_entries rules (F3.8)."`
	SecurityGroups []string `yaml:"security_groups,omitempty" doc:"Peers by their security group, in the same VPC or a peered one (F3.6)."`
	Self           bool     `yaml:"self,omitempty" doc:"Peers in this same group."`
	Description    string   `yaml:"description,omitempty" doc:"Free text."`
}

// Instance is an aws_instance with what runs on it.
type Instance struct {
	ID                string              `yaml:"id,omitempty" doc:"i-…"`
	SubnetID          string              `yaml:"subnet_id,omitempty" doc:"Subnet, by name. Default: the VPC's only one."`
	PrivateIP         string              `yaml:"private_ip,omitempty" doc:"Primary IPv4 address. Default: the subnet's next free one."`
	IPv6Addresses     []string            `yaml:"ipv6_addresses,omitempty" doc:"IPv6 addresses. Default: one where the subnet has IPv6."`
	AssociatePublicIP bool                `yaml:"associate_public_ip_address,omitempty" doc:"Whether an internet gateway shows it with a public address. Default false."`
	PublicIP          string              `yaml:"public_ip,omitempty" doc:"Its public address. Default, with associate_public_ip_address: the next free one of 198.51.100.0/24."`
	SecurityGroups    []string            `yaml:"vpc_security_group_ids,omitempty" doc:"Security groups, by name. Default: the VPC's default group."`
	Tracking          *ConnectionTracking `yaml:"connection_tracking_specification,omitempty" doc:"For how long security groups remember its idle connections (F3.14)."`
	Services          []*Service          `yaml:"services,omitempty" doc:"Servers built into plsim."`
	Command           Command             `yaml:"command,omitempty" doc:"A program to start: a shell command line, or a list of words."`
	Environment       map[string]string   `yaml:"environment,omitempty" doc:"Environment of the programs of this instance."`
	Files             map[string]string   `yaml:"files,omitempty" doc:"Files in the instance's home directory: name and content."`
	WaitForPort       int                 `yaml:"wait_for_port,omitempty" doc:"TCP port that must answer on the instance before the first step runs."`
}

// ConnectionTracking is the ConnectionTrackingSpecification of a network interface.
type ConnectionTracking struct {
	TCPEstablished int `yaml:"tcp_established_timeout,omitempty" doc:"Seconds for TCP after its handshake: 60 to 432000 (default); 350 on the newest types of instances."`
	UDPStream      int `yaml:"udp_stream_timeout,omitempty" doc:"Seconds for UDP with more than one request and response: 60 to 180 (default)."`
	UDP            int `yaml:"udp_timeout,omitempty" doc:"Seconds for UDP in one direction, or with a single request and response: 30 (default) to 60."`
}

// Command is a program with its arguments; a scenario may also write it as one
// line for the shell, which becomes /bin/sh -c LINE.
type Command []string

// Service is a server built into plsim.
type Service struct {
	Type string `yaml:"type" doc:"http, https, tcp_echo, udp_echo, tcp_sink, udp_sink or dns."`
	Port int    `yaml:"port" doc:"Port to listen on; dns does for UDP and TCP."`
	// Routes, Names and ProxyProtocol are for http and https.
	Routes        map[string]string `yaml:"routes,omitempty" doc:"Path and the body it answers; every other path is 404. Default: every path answers with what the server saw, as JSON."`
	ProxyProtocol bool              `yaml:"proxy_protocol,omitempty" doc:"Whether http and https servers demand a PROXY protocol header before all else, and tell of it in what they answer (F2.36). Default false."`
	Names         []string          `yaml:"names,omitempty" doc:"DNS names of the certificate of an https server. Default: the private DNS names of the services in front of it."`

	Records []*DNSRecord `yaml:"records,omitempty" doc:"What a dns server knows; every other name does not exist."`
}

// DNSRecord is what a built-in DNS server knows of a name.
type DNSRecord struct {
	Name    string   `yaml:"name" doc:"Domain name."`
	Type    string   `yaml:"type,omitempty" doc:"A (default), AAAA, CNAME or TXT."`
	Records []string `yaml:"records" doc:"Addresses, the name that it stands for, or texts."`
	TTL     int      `yaml:"ttl,omitempty" doc:"Seconds, 1 to 604800. Default 60."`
}

// TargetGroup is an aws_lb_target_group with its attachments.
type TargetGroup struct {
	VPCID         string `yaml:"vpc_id,omitempty" doc:"VPC of the targets. Default: the only VPC that has them all."`
	Port          int    `yaml:"port" doc:"Port on which targets receive traffic."`
	Protocol      string `yaml:"protocol" doc:"TCP, UDP, TCP_UDP, TLS, which only TLS listeners forward to (F2.9), or HTTP behind application load balancers."`
	TargetType    string `yaml:"target_type,omitempty" doc:"instance (default), ip, or alb for one application load balancer, whose attributes are always the defaults (F2.22a)."`
	IPAddressType string `yaml:"ip_address_type,omitempty" doc:"ipv4 or ipv6, where targets are reached; ipv6 needs dualstack load balancers (F2.22a). Default: that of its first target, where this is an address, else ipv4."`

	TargetGroupAttributes `yaml:",inline"`

	HealthCheck *HealthCheck `yaml:"health_check,omitempty" doc:"How targets are checked. They always are."`
	Targets     []*Target    `yaml:"targets,omitempty" doc:"Targets: an instance's name or an address, or target_id with port."`
}

// TargetGroupAttributes are what AWS lets people modify of a target group.
type TargetGroupAttributes struct {
	PreserveClientIP      *bool              `yaml:"preserve_client_ip,omitempty" doc:"Whether targets see the client's address. Default true for instance targets and UDP; PrivateLink overrides it (F2.24, F2.25)."`
	ProxyProtocolV2       *bool              `yaml:"proxy_protocol_v2,omitempty" doc:"Whether a PROXY protocol version 2 header goes before each TCP stream to a target (F2.35). Default false."`
	ProxyPlacement        string             `yaml:"proxy_protocol_v2_client_to_server_header_placement,omitempty" doc:"on_first_ack_with_payload (default): with the client's first payload; on_first_ack: with its first segment after the SYN (F2.40)."`
	ProxyIPv6Length       int                `yaml:"proxy_protocol_v2_ipv6_length,omitempty" doc:"Bytes of the header over IPv6, which AWS does not publish (F2.43): 100 (default), the length over IPv4, or 124, with the padding of IPv4."`
	CrossZone             string             `yaml:"load_balancing_cross_zone_enabled,omitempty" doc:"true, false or use_load_balancer_configuration (default) (F2.19)."`
	Stickiness            *Stickiness        `yaml:"stickiness,omitempty" doc:"Whether a client keeps its target (F2.18)."`
	DeregistrationDelay   *int               `yaml:"deregistration_delay,omitempty" doc:"Seconds for which a deregistered target is draining, 0 to 3600; default 300 (F2.59)."`
	ConnectionTermination *bool              `yaml:"connection_termination,omitempty" doc:"Whether its flows are closed shortly after that. Default true for UDP and TCP_UDP (F2.60)."`
	HealthState           *TargetHealthState `yaml:"target_health_state,omitempty" doc:"What becomes of the flows of a target that turns unhealthy."`
	GroupHealth           *TargetGroupHealth `yaml:"target_group_health,omitempty" doc:"How many targets must be healthy."`
}

// HealthCheck is the health_check of a target group.
type HealthCheck struct {
	Protocol           string `yaml:"protocol,omitempty" doc:"TCP (default), HTTP or HTTPS, whose certificates are not verified (F2.50, F2.51). HTTP (default) or HTTPS for target_type alb and groups of protocol HTTP."`
	Port               string `yaml:"port,omitempty" doc:"A port, or traffic-port (default)."`
	Path               string `yaml:"path,omitempty" doc:"What HTTP and HTTPS ask for. Default /."`
	Matcher            string `yaml:"matcher,omitempty" doc:"Status codes that pass, from 200 to 599, such as 200,204 or 200-299. Default 200-399; for groups of protocol HTTP 200."`
	Interval           int    `yaml:"interval,omitempty" doc:"Seconds between two checks by one node, 5 to 300; default 30."`
	Timeout            int    `yaml:"timeout,omitempty" doc:"Seconds after which a check has failed, 2 to 120. Default: 6 for HTTP, 10 for TCP and HTTPS; for groups of protocol HTTP 5."`
	HealthyThreshold   int    `yaml:"healthy_threshold,omitempty" doc:"Passed checks in a row that make an unhealthy target healthy, 2 to 10; default 5. A new target needs one (F2.20)."`
	UnhealthyThreshold int    `yaml:"unhealthy_threshold,omitempty" doc:"Failed checks in a row that make a target unhealthy, 2 to 10; default 2."`
}

// TargetHealthState is the target_health_state of a target group.
type TargetHealthState struct {
	TerminateUnhealthy *bool `yaml:"enable_unhealthy_connection_termination,omitempty" doc:"Whether clients of a target that turns unhealthy get a RST at their next packet (F2.55). Default true."`
	DrainingInterval   int   `yaml:"unhealthy_draining_interval,omitempty" doc:"Seconds for which it is unhealthy.draining before it is unhealthy, where its clients are not reset: 0 (default) to 360000 (F2.55)."`
}

// TargetGroupHealth is the target_group_health of a target group.
type TargetGroupHealth struct {
	DNS     *HealthThreshold `yaml:"dns_failover,omitempty" doc:"With fewer healthy targets a zone leaves the load balancer's DNS name. No lower than unhealthy_state_routing (F2.57, F2.58)."`
	Routing *HealthThreshold `yaml:"unhealthy_state_routing,omitempty" doc:"With fewer healthy targets all targets get new flows (F2.56, F2.57)."`
}

// HealthThreshold is a number of healthy targets: of a zone, or with cross-zone
// load balancing of all.
type HealthThreshold struct {
	Count      string `yaml:"minimum_healthy_targets_count,omitempty" doc:"A number; default 1. For dns_failover also off."`
	Percentage string `yaml:"minimum_healthy_targets_percentage,omitempty" doc:"1 to 100, or off (default)."`
}

// Stickiness is the stickiness of a target group.
type Stickiness struct {
	Enabled bool   `yaml:"enabled,omitempty" doc:"Whether flows of one source address and protocol go to one target. Default false."`
	Type    string `yaml:"type,omitempty" doc:"source_ip, the only type here and the default."`
	Source  string `yaml:"source,omitempty" doc:"A setting of plsim: whose address counts across PrivateLink, client (default) or endpoint (F2.18)."`
}

// Target is an aws_lb_target_group_attachment. A scenario may write the
// target_id alone.
type Target struct {
	TargetID string `yaml:"target_id" doc:"An instance's name; an address where target_type is ip, the name of an application load balancer where it is alb."`
	Port     int    `yaml:"port,omitempty" doc:"Overrides the group's port."`

	AvailabilityZone string `yaml:"availability_zone,omitempty" doc:"Of an address outside the group's VPC: all, or the zone whose nodes use it (F2.22a)."`
}

// LoadBalancer is an aws_lb with its listeners.
type LoadBalancer struct {
	ID               string      `yaml:"id,omitempty" doc:"The 16 hex digits in the load balancer's names."`
	LoadBalancerType string      `yaml:"load_balancer_type,omitempty" doc:"network (default), or application for a reverse proxy, which may be the target of a network one (F2.22a)."`
	Internal         *bool       `yaml:"internal,omitempty" doc:"Default true: a lab has no internet."`
	Subnets          []string    `yaml:"subnets" doc:"One subnet a zone; each gets a node (F2.1). AWS wants two zones at least for an application load balancer."`
	SecurityGroups   []string    `yaml:"security_groups,omitempty" doc:"Security groups. None: everything is allowed (F2.63); for an application load balancer the VPC's default group."`
	EnforceSG        string      `yaml:"enforce_security_group_inbound_rules_on_private_link_traffic,omitempty" doc:"on (default) or off (F2.64)."`
	IPAddressType    string      `yaml:"ip_address_type,omitempty" doc:"ipv4 (default) or dualstack, where all its subnets have IPv6."`
	Listeners        []*Listener `yaml:"listeners,omitempty" doc:"Listeners (aws_lb_listener)."`

	LoadBalancerAttributes `yaml:",inline"`
}

// LoadBalancerAttributes are what AWS lets people modify of a load balancer.
type LoadBalancerAttributes struct {
	CrossZone     *bool  `yaml:"enable_cross_zone_load_balancing,omitempty" doc:"Whether a node uses the targets of every zone. Default false (F2.19); of an application load balancer always true."`
	RoutingPolicy string `yaml:"dns_record_client_routing_policy,omitempty" doc:"Which zones its regional name answers with: any_availability_zone (default), availability_zone_affinity for the asker's own, or partial_availability_zone_affinity for that in 85 of 100 answers (F2.5)."`
	SecondaryIPs  *int   `yaml:"secondary_ips_auto_assigned_per_subnet,omitempty" doc:"IPv4 addresses that a node has beside its own, for more source ports towards its targets: 0 (default) to 7 (F2.2)."`
}

// Listener is an aws_lb_listener.
type Listener struct {
	Port           int     `yaml:"port" doc:"1 to 65535."`
	Protocol       string  `yaml:"protocol" doc:"TCP, UDP, TCP_UDP or TLS, where the client's connection ends at the load balancer (F2.8). HTTP or HTTPS for an application load balancer."`
	TCPIdleTimeout int     `yaml:"tcp_idle_timeout_seconds,omitempty" doc:"60 to 6000; default 350 (F2.44)."`
	CertificateARN string  `yaml:"certificate_arn,omitempty" doc:"Certificate of a TLS or HTTPS listener, by its name under acm_certificates."`
	SSLPolicy      string  `yaml:"ssl_policy,omitempty" doc:"Versions that a TLS or HTTPS listener speaks, by the name of AWS's policy. Default ELBSecurityPolicy-2016-08."`
	ALPNPolicy     string  `yaml:"alpn_policy,omitempty" doc:"HTTP1Only, HTTP2Only, HTTP2Optional, HTTP2Preferred or None (default): what a TLS listener picks from the protocols that a client offers."`
	DefaultAction  *Action `yaml:"default_action" doc:"What to do with new flows."`

	Rules []*ListenerRule `yaml:"rules,omitempty" doc:"Rules of a dualstack load balancer's listener: the first whose condition holds decides instead of default_action (F2.12)."`
}

// ListenerRule is an aws_lb_listener_rule.
type ListenerRule struct {
	Priority  int            `yaml:"priority" doc:"1 to 50000; the lowest is asked first."`
	Condition *RuleCondition `yaml:"condition" doc:"Which clients it is for."`
	Action    *Action        `yaml:"action" doc:"What to do with their new flows."`
}

// RuleCondition is the condition of a rule.
type RuleCondition struct {
	SourceIP *SourceIP `yaml:"source_ip" doc:"By the client's address."`
}

// SourceIP is the source_ip of a condition.
type SourceIP struct {
	IPAddressType string `yaml:"ip_address_type" doc:"ipv4 or ipv6: the client's address family."`
}

// ACMCertificate is an aws_acm_certificate. Without certificate_body it is made
// when the lab starts, by an authority that the lab's instances trust.
type ACMCertificate struct {
	DomainName  string   `yaml:"domain_name,omitempty" doc:"The name that it is for; *.NAME for all below. Default: the private DNS names of the services behind whose load balancers it stands, or else those load balancers' DNS names."`
	Alternative []string `yaml:"subject_alternative_names,omitempty" doc:"More names."`
	Body        string   `yaml:"certificate_body,omitempty" doc:"A certificate of your own, PEM, with the chain below it. Instances trust the last one of it."`
	PrivateKey  string   `yaml:"private_key,omitempty" doc:"Its key, PEM."`
}

// Action is a listener's default_action.
type Action struct {
	Type        string         `yaml:"type,omitempty" doc:"forward, the only type here and the default."`
	TargetGroup string         `yaml:"target_group_arn,omitempty" doc:"Target group, by name; or forward, for several."`
	Forward     *ForwardAction `yaml:"forward,omitempty" doc:"Several target groups with weights (F2.11)."`
}

// ForwardAction is the forward of an action.
type ForwardAction struct {
	TargetGroups []*WeightedGroup `yaml:"target_group" doc:"The target groups."`
	Stickiness   *GroupStickiness `yaml:"stickiness,omitempty" doc:"Whether a client keeps its target group."`
}

// GroupStickiness is the stickiness of a forward.
type GroupStickiness struct {
	Enabled  bool `yaml:"enabled,omitempty" doc:"Whether flows of one source address go to one target group (F2.11). Default false."`
	Duration int  `yaml:"duration,omitempty" doc:"For how many seconds after the last new flow, 1 to 604800."`
}

// WeightedGroup is a target_group of a forward.
type WeightedGroup struct {
	ARN    string `yaml:"arn" doc:"Target group, by name."`
	Weight *int   `yaml:"weight,omitempty" doc:"Its share of new flows, 0 to 999; default 1. After a change to 0 its flows are closed shortly after (F2.11)."`
}

// EndpointService is an aws_vpc_endpoint_service.
type EndpointService struct {
	ID                 string   `yaml:"id,omitempty" doc:"vpce-svc-…"`
	LoadBalancers      []string `yaml:"network_load_balancer_arns" doc:"Load balancers, by name."`
	AcceptanceRequired *bool    `yaml:"acceptance_required,omitempty" doc:"Whether the provider must accept each endpoint. Default true (F1.15)."`
	AllowedPrincipals  []string `yaml:"allowed_principals,omitempty" doc:"Who may create endpoints: arn:aws:iam::ACCOUNT:root, …:role/NAME, …:user/NAME or * (F1.14). Default: nobody."`
	PrivateDNSName     string   `yaml:"private_dns_name,omitempty" doc:"Private name (F1.26)."`
	PrivateDNSProof    *Proof   `yaml:"private_dns_name_configuration,omitempty" doc:"The proof that the provider owns the private name (F1.27)."`
	IPAddressTypes     []string `yaml:"supported_ip_address_types,omitempty" doc:"ipv4, ipv6 or both; ipv6 where all its load balancers are dualstack (F1.52). Default ipv4."`
}

// Proof is the private_dns_name_configuration of an aws_vpc_endpoint_service: what
// its TXT record must say, and whether AWS has found it.
type Proof struct {
	State string `yaml:"state,omitempty" doc:"verified (default), pendingVerification or failed when the lab starts."`
	Name  string `yaml:"name,omitempty" doc:"First label of the TXT record, _…; made from the names if not given."`
	Value string `yaml:"value,omitempty" doc:"What the TXT record says, vpce:…; made from the names if not given."`
}

// Route53Record is an aws_route53_record of a public hosted zone.
type Route53Record struct {
	Name    string   `yaml:"name" doc:"Domain name."`
	Type    string   `yaml:"type" doc:"TXT, the only type here."`
	Records []string `yaml:"records" doc:"What the record says."`
	TTL     int      `yaml:"ttl,omitempty" doc:"Seconds. Default 1800, as AWS suggests."`
}

// VPCEndpoint is an aws_vpc_endpoint of type Interface.
type VPCEndpoint struct {
	ID              string            `yaml:"id,omitempty" doc:"vpce-…"`
	DNSSuffix       string            `yaml:"dns_suffix,omitempty" doc:"The random label after the ID in DNS names (F1.22)."`
	VPCEndpointType string            `yaml:"vpc_endpoint_type,omitempty" doc:"Interface, the only type here and the default."`
	VPCID           string            `yaml:"vpc_id" doc:"The consumer's VPC, by name."`
	ServiceName     string            `yaml:"service_name" doc:"Endpoint service: its name in this file, or com.amazonaws.vpce.REGION.vpce-svc-…"`
	SubnetIDs       []string          `yaml:"subnet_ids" doc:"At most one subnet a zone; each gets an interface (F1.1)."`
	PrivateIPs      map[string]string `yaml:"private_ips,omitempty" doc:"Designated addresses, by subnet name (F1.2)."`
	SecurityGroups  []string          `yaml:"security_group_ids,omitempty" doc:"Security groups. Default: the VPC's default group (F1.5)."`
	PrivateDNS      bool              `yaml:"private_dns_enabled,omitempty" doc:"Whether the service's private name resolves in this VPC."`
	IPAddressType   string            `yaml:"ip_address_type,omitempty" doc:"ipv4 and dualstack, where all its subnets have what it says, or ipv6, where all are IPv6-only (F1.51). Default: what all its subnets and the service have."`
	DNSOptions      *DNSOptions       `yaml:"dns_options,omitempty" doc:"Which records the endpoint's names have."`
	Principal       string            `yaml:"principal,omitempty" doc:"Who creates the endpoint. Default: the root of the VPC's account."`
	AutoAccept      bool              `yaml:"auto_accept,omitempty" doc:"Accept at once; service and VPC must share an account."`
}

// DNSOptions is the dns_options of an interface endpoint.
type DNSOptions struct {
	RecordIPType string `yaml:"dns_record_ip_type,omitempty" doc:"ipv4: A records; ipv6: AAAA; dualstack: both; service-defined: both, but A alone for the private name. The last two, and fewer than there are addresses, for dualstack endpoints. Default: the endpoint's ip_address_type (F1.28)."`
}
