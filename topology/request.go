package topology

// The requests with which a running lab is changed, in the words of AWS's API.

// NewEndpoint is a CreateVpcEndpoint.
type NewEndpoint struct {
	Name string `yaml:"name" doc:"Name of the endpoint in later steps; one of a deleted endpoint may be used again."`

	VPCEndpoint `yaml:",inline"`
}

// EndpointChange is a ModifyVpcEndpoint.
type EndpointChange struct {
	VPCEndpoint   string            `yaml:"vpc_endpoint_id" doc:"Endpoint, by name."`
	AddSubnets    []string          `yaml:"add_subnet_ids,omitempty" doc:"Subnets that get an interface."`
	RemoveSubnets []string          `yaml:"remove_subnet_ids,omitempty" doc:"Subnets that lose theirs (F1.4)."`
	PrivateIPs    map[string]string `yaml:"private_ips,omitempty" doc:"Designated addresses, by subnet name. Where the endpoint has another, its interface is replaced (F1.4)."`
	AddGroups     []string          `yaml:"add_security_group_ids,omitempty" doc:"Security groups that its interfaces get."`
	RemoveGroups  []string          `yaml:"remove_security_group_ids,omitempty" doc:"Security groups that they lose."`
	PrivateDNS    *bool             `yaml:"private_dns_enabled,omitempty" doc:"Whether the service's private name resolves in this VPC."`
}

// PermissionChange is a ModifyVpcEndpointServicePermissions.
type PermissionChange struct {
	Service string   `yaml:"service_id" doc:"Endpoint service, by name."`
	Add     []string `yaml:"add_allowed_principals,omitempty" doc:"Who may create endpoints from now on (F1.14)."`
	Remove  []string `yaml:"remove_allowed_principals,omitempty" doc:"Who may no longer. Endpoints that exist live on."`
}

// ServiceChange is a ModifyVpcEndpointServiceConfiguration. Whatever it says, the
// service takes on the zones that its load balancers have by then (F1.49).
type ServiceChange struct {
	Service             string   `yaml:"service_id" doc:"Endpoint service, by name."`
	AcceptanceRequired  *bool    `yaml:"acceptance_required,omitempty" doc:"Whether the provider must accept each endpoint from now on (F1.15)."`
	AddLoadBalancers    []string `yaml:"add_network_load_balancer_arns,omitempty" doc:"Load balancers that come, by name."`
	RemoveLoadBalancers []string `yaml:"remove_network_load_balancer_arns,omitempty" doc:"Load balancers that go; AWS refuses while endpoints are connected (F1.49)."`
	PrivateDNSName      string   `yaml:"private_dns_name,omitempty" doc:"Another private name, whose ownership is to be proven (F1.27)."`
	RemovePrivateDNS    bool     `yaml:"remove_private_dns_name,omitempty" doc:"Take the private name away."`
}

// SubnetChange is a SetSubnets.
type SubnetChange struct {
	LoadBalancer string   `yaml:"load_balancer_arn" doc:"Load balancer, by name."`
	Subnets      []string `yaml:"subnets" doc:"All subnets that it is to have, one a zone."`
}

// GroupChange is a SetSecurityGroups.
type GroupChange struct {
	LoadBalancer   string   `yaml:"load_balancer_arn" doc:"Load balancer, by name."`
	SecurityGroups []string `yaml:"security_groups" doc:"All security groups that it is to have."`
	EnforceSG      string   `yaml:"enforce_security_group_inbound_rules_on_private_link_traffic,omitempty" doc:"on or off; if not given, it is as before (F2.64)."`
}

// InterfaceChange is a ModifyNetworkInterfaceAttribute.
type InterfaceChange struct {
	Interface string              `yaml:"network_interface_id" doc:"eni-… of an instance's interface: ${instance.NAME.network_interface}."`
	Groups    []string            `yaml:"groups,omitzero" doc:"All security groups that it is to have."`
	Tracking  *ConnectionTracking `yaml:"connection_tracking_specification,omitempty" doc:"For how long they remember its idle connections."`
}

// RecordChange is a change of Route 53's ChangeResourceRecordSets.
type RecordChange struct {
	Action  string   `yaml:"action" doc:"CREATE, UPSERT or DELETE."`
	Name    string   `yaml:"name" doc:"Domain name."`
	Type    string   `yaml:"type" doc:"TXT, the only type here."`
	Records []string `yaml:"records" doc:"What the record says; for DELETE what it has said."`
}
