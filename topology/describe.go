package topology

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// Part names what a description is about: one of its fields is set.
type Part struct {
	VPCEndpoint     string `yaml:"vpc_endpoint,omitempty" doc:"Endpoint, by name: what DescribeVpcEndpoints says of it."`
	EndpointService string `yaml:"endpoint_service,omitempty" doc:"Endpoint service, by name: what DescribeVpcEndpointServiceConfigurations says of it, with its allowed principals and its connections."`
	LoadBalancer    string `yaml:"load_balancer,omitempty" doc:"Load balancer, by name: what DescribeLoadBalancers says of it."`
}

// What descriptions consist of: the keys are those of AWS's API. Events are plsim's own.
type (
	dnsEntry struct {
		DNSName      string `json:"DnsName"`
		HostedZoneID string `json:"HostedZoneId"`
	}
	groupEntry struct {
		GroupID   string `json:"GroupId"`
		GroupName string
	}
	endpointDescription struct {
		VPCEndpointID       string `json:"VpcEndpointId"`
		VPCEndpointType     string `json:"VpcEndpointType"`
		VPCID               string `json:"VpcId"`
		ServiceName         string
		State               EndpointState
		SubnetIDs           []string `json:"SubnetIds"`
		Groups              []groupEntry
		IPAddressType       string     `json:"IpAddressType"`
		PrivateDNSEnabled   bool       `json:"PrivateDnsEnabled"`
		NetworkInterfaceIDs []string   `json:"NetworkInterfaceIds"`
		DNSEntries          []dnsEntry `json:"DnsEntries"`
		OwnerID             string     `json:"OwnerId"`
		Events              []string
	}
	proofEntry struct{ State, Type, Value, Name string }
	connection struct {
		VPCEndpointID    string        `json:"VpcEndpointId"`
		VPCEndpointOwner string        `json:"VpcEndpointOwner"`
		VPCEndpointState EndpointState `json:"VpcEndpointState"`
	}
	serviceDescription struct {
		ServiceID             string `json:"ServiceId"`
		ServiceName           string
		ServiceState          ServiceState
		AvailabilityZones     []string
		AcceptanceRequired    bool
		LoadBalancerARNs      []string    `json:"NetworkLoadBalancerArns"`
		SupportedAddressTypes []string    `json:"SupportedIpAddressTypes"`
		BaseEndpointDNSNames  []string    `json:"BaseEndpointDnsNames"`
		PrivateDNSName        string      `json:"PrivateDnsName,omitempty"`
		PrivateDNSProof       *proofEntry `json:"PrivateDnsNameConfiguration,omitempty"`
		AllowedPrincipals     []string
		Connections           []connection `json:"VpcEndpointConnections"`
		Events                []string
	}
	addressEntry struct {
		PrivateIPv4Address string
		IPv6Address        string `json:",omitempty"`
	}
	zoneEntry struct {
		ZoneName              string
		SubnetID              string `json:"SubnetId"`
		LoadBalancerAddresses []addressEntry
	}
	balancerDescription struct {
		LoadBalancerARN       string `json:"LoadBalancerArn"`
		LoadBalancerName      string
		Type                  string
		DNSName               string
		CanonicalHostedZoneID string `json:"CanonicalHostedZoneId"`
		VPCID                 string `json:"VpcId"`
		State                 struct{ Code string }
		AvailabilityZones     []zoneEntry
		SecurityGroups        []string
		IPAddressType         string `json:"IpAddressType"`
	}
)

// Describe returns what AWS's API says of a part, ready to be written as JSON.
func (l *Lab) Describe(p *Part) (any, error) {
	switch {
	case p.VPCEndpoint != "":
		return l.describeEndpoint(p.VPCEndpoint)
	case p.EndpointService != "":
		return l.describeService(p.EndpointService)
	case p.LoadBalancer != "":
		return l.describeBalancer(p.LoadBalancer)
	}
	return nil, fmt.Errorf("name one of vpc_endpoint, endpoint_service, load_balancer")
}

func (l *Lab) describeEndpoint(name string) (any, error) {
	e, err := l.Endpoint(name)
	if err != nil {
		return nil, err
	}
	d := endpointDescription{
		VPCEndpointID: e.ID, VPCEndpointType: e.VPCEndpointType, VPCID: e.Network.ID, ServiceName: e.offer.serviceName,
		State: e.State, SubnetIDs: []string{}, IPAddressType: e.IPAddressType, PrivateDNSEnabled: e.PrivateDNS,
		NetworkInterfaceIDs: []string{}, DNSEntries: []dnsEntry{}, OwnerID: e.Network.OwnerID,
		Events: l.eventsOf(func(v Event) bool { return v.ID == e.ID }),
	}
	for _, g := range e.groups {
		d.Groups = append(d.Groups, groupEntry{g.ID, g.name})
	}
	if e.State == Deleted {
		return d, nil
	}
	for _, n := range e.NICs {
		d.SubnetIDs = append(d.SubnetIDs, n.SubnetID)
		d.NetworkInterfaceIDs = append(d.NetworkInterfaceIDs, n.ID)
	}
	d.DNSEntries = l.dnsEntries(e)
	return d, nil
}

// dnsEntries lists an endpoint's names: regional, zonal, private (F1.23). AWS has a
// public hosted zone for those of a Region's endpoints, and a hidden one for each
// private name.
func (l *Lab) dnsEntries(e *Endpoint) []dnsEntry {
	zone := l.ids.hostedZone("vpce." + l.Region)
	all := []dnsEntry{{e.DNSName(), zone}}
	for _, n := range e.NICs {
		all = append(all, dnsEntry{e.ZonalDNSName(n.Zone.Name), zone})
	}
	if e.private != "" {
		all = append(all, dnsEntry{e.private, l.ids.hostedZone(e.path + " " + e.private)})
	}
	return all
}

// eventsOf lists the events that are of interest to somebody, in their order.
func (l *Lab) eventsOf(mine func(Event) bool) []string {
	events := []string{}
	for _, v := range l.Events {
		if mine(v) {
			events = append(events, v.Event)
		}
	}
	return events
}

func (l *Lab) describeService(name string) (any, error) {
	o, err := find("endpoint service", l.find.offers, name)
	if err != nil {
		return nil, err
	}
	d := serviceDescription{
		ServiceID: o.ID, ServiceName: o.serviceName, ServiceState: o.State, AcceptanceRequired: *o.AcceptanceRequired,
		SupportedAddressTypes: o.IPAddressTypes, BaseEndpointDNSNames: []string{o.hostName(l.Region)},
		PrivateDNSName: o.PrivateDNSName, AllowedPrincipals: append([]string{}, o.AllowedPrincipals...),
		AvailabilityZones: []string{}, LoadBalancerARNs: []string{}, Connections: []connection{},
		Events: l.eventsOf(func(v Event) bool { return v.Service == o.ID }),
	}
	if p := o.PrivateDNSProof; p != nil {
		d.PrivateDNSProof = &proofEntry{p.State, "TXT", p.Value, p.Name}
	}
	seen := map[string]bool{}
	for _, lb := range o.balancers {
		d.LoadBalancerARNs = append(d.LoadBalancerARNs, lb.arn(l.Region))
		for _, z := range lb.offered {
			if !seen[z.Name] {
				d.AvailabilityZones, seen[z.Name] = append(d.AvailabilityZones, z.Name), true
			}
		}
	}
	for _, e := range l.Endpoints {
		if e.offer == o && e.State != Deleted {
			d.Connections = append(d.Connections, connection{e.ID, e.Network.OwnerID, e.State})
		}
	}
	return d, nil
}

func (l *Lab) describeBalancer(name string) (any, error) {
	lb, err := find("load balancer", l.find.balancers, name)
	if err != nil {
		return nil, err
	}
	d := balancerDescription{
		LoadBalancerARN: lb.arn(l.Region), LoadBalancerName: lb.name, Type: lb.LoadBalancerType, DNSName: lb.dnsName, VPCID: lb.network.ID,
		CanonicalHostedZoneID: l.ids.hostedZone("elb." + l.Region), State: struct{ Code string }{"active"},
		SecurityGroups: []string{}, IPAddressType: lb.IPAddressType,
	}
	for _, n := range lb.nodes {
		if n.Kind == dataplane.Absent {
			continue
		}
		d.AvailabilityZones = append(d.AvailabilityZones, zoneEntry{n.Zone.Name, n.SubnetID, []addressEntry{{text(n.Addr()), text(n.addr(ipv6))}}})
	}
	for _, g := range lb.groups {
		d.SecurityGroups = append(d.SecurityGroups, g.ID)
	}
	return d, nil
}

// hostedZone makes the ID of a Route 53 hosted zone.
func (x *ids) hostedZone(of string) string {
	d := x.digest("zone", of, 0)
	return "Z" + strings.ToUpper(hex.EncodeToString(d[:]))[:20]
}
