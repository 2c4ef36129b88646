package topology

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// addEndpoints resolves the interface endpoints.
func (b *builder) addEndpoints() {
	b.find.endpoints = map[string]*Endpoint{}
	each(&b.problems, "vpc_endpoints", b.spec.VPCEndpoints, func(path, name string, spec *VPCEndpoint) {
		e := &Endpoint{VPCEndpoint: spec, Name: name, path: path}
		b.resolveEndpoint(e)
		b.Endpoints = append(b.Endpoints, e)
		b.find.endpoints[name] = e
	})
}

// resolveEndpoint completes and checks an endpoint that is to be created.
func (b *builder) resolveEndpoint(e *Endpoint) {
	path, spec := e.path, e.VPCEndpoint
	b.ids.given(&b.problems, "vpce", path, &spec.ID)
	if o := b.ran(e.Name); o != nil && spec.DNSSuffix == "" {
		spec.DNSSuffix = o.DNSSuffix
	}
	if spec.DNSSuffix == "" {
		spec.DNSSuffix = b.ids.suffix(path)
	} else if !dnsSuffixID.MatchString(spec.DNSSuffix) {
		b.problems.add(at(path, "dns_suffix"), "%q is not a suffix: write 8 lower-case letters and digits, or leave it out", spec.DNSSuffix)
	}
	b.choice(at(path, "vpc_endpoint_type"), &spec.VPCEndpointType, "an endpoint type that a lab has", "Interface")
	e.offer = b.service(at(path, "service_name"), spec.ServiceName)

	if spec.VPCID == "" {
		b.problems.add(at(path, "vpc_id"), "is missing: name the consumer's VPC%s", hint("", slices.Collect(maps.Keys(b.find.networks))))
		return
	}
	var err error
	if e.Network, err = find("VPC", b.find.networks, spec.VPCID); err != nil {
		b.problems.add(at(path, "vpc_id"), "%v", err)
		return
	}
	b.endpointQuota(e)
	b.endpointPlaces(e)
	admitted := b.admission(e)
	if e.offer == nil || !admitted {
		return // To a consumer who is not admitted the service does not exist, nor what it offers.
	}
	e.State = e.initialState()
	e.dnsName = fmt.Sprintf("%s-%s.%s.%s.vpce.amazonaws.com", spec.ID, spec.DNSSuffix, e.offer.ID, b.Region)
	b.offered(e)
}

// endpointQuota counts the endpoints of a VPC (F1.7).
func (b *builder) endpointQuota(e *Endpoint) {
	n := 1
	for _, other := range b.Endpoints {
		if other.Network == e.Network && other.State != Deleted && other.Name != e.Name {
			n++
		}
	}
	if n > maxEndpoints {
		b.refuse(at(e.path, "vpc_id"), "VpcEndpointLimitExceeded: The maximum number of VPC endpoints has been reached.",
			"VPC %s would have %d interface endpoints: AWS takes %d by default", e.Network.Name, n, maxEndpoints)
	}
}

// endpointPlaces resolves an endpoint's security groups and subnets.
func (b *builder) endpointPlaces(e *Endpoint) {
	if len(e.SecurityGroups) == 0 {
		e.SecurityGroups = []string{defaultGroup} // F1.5
	}
	e.groups = b.groupRefs(at(e.path, "security_group_ids"), e.Network, e.SecurityGroups)
	e.zones = b.subnetRefs(at(e.path, "subnet_ids"), "endpoint "+e.Name, e.Network, e.SubnetIDs)
}

// offered checks that the service has what an endpoint asks of it.
func (b *builder) offered(e *Endpoint) {
	b.sharedZones(e)
	b.privateName(e)
	b.endpointFamilies(e)
}

// service resolves an endpoint's service, by its name in the file or in AWS.
func (b *builder) service(path, name string) *offer {
	if name == "" {
		b.problems.add(path, "is missing: name the endpoint service%s", hint("", slices.Collect(maps.Keys(b.find.offers))))
		return nil
	}
	rest, vpce := strings.CutPrefix(name, "com.amazonaws.vpce.")
	if !vpce {
		if strings.HasPrefix(name, "com.amazonaws.") {
			b.problems.add(path, "%s is one of AWS's own services, which a lab does not have: name an endpoint service of the lab", name)
			return nil
		}
		o, err := find("endpoint service", b.find.offers, name)
		if err != nil {
			b.problems.add(path, "%v", err)
		}
		return o
	}
	if region, _, _ := strings.Cut(rest, "."); region != b.Region {
		b.problems.add(path, "%s is in Region %q, but the lab is in %s: cross-Region access is not supported", name, region, b.Region)
		return nil
	}
	known := map[string]*offer{}
	for _, o := range b.Lab.offers {
		known[o.serviceName] = o
	}
	o, err := find("endpoint service", known, name)
	if err != nil {
		b.problems.add(path, "%v", err)
	}
	return o
}

// admission checks who creates an endpoint, and reports whether the service lets
// them (F1.14).
func (b *builder) admission(e *Endpoint) bool {
	path, owner := at(e.path, "principal"), e.Network.OwnerID
	if !accountForm.MatchString(owner) {
		return false // Said already.
	}
	if e.Principal == "" {
		e.Principal = "arn:aws:iam::" + owner + ":root"
	}
	if msg := badPrincipal(e.Principal, false); msg != "" {
		b.problems.add(path, "%s", msg)
		return false
	}
	if account := principalForm.FindStringSubmatch(e.Principal)[1]; account != owner {
		b.problems.add(path, "%s is of account %s, but VPC %s belongs to %s: who creates an endpoint is of the account that owns the VPC", e.Principal, account, e.Network.Name, owner)
		return false
	}
	if e.offer == nil {
		return false
	}
	if e.offer.State == ServiceDeleted {
		b.refuse(at(e.path, "service_name"), noSuchService(e.offer), "endpoint service %s has been deleted", e.offer.name)
		return false
	}
	if !e.offer.allows(e.Principal) {
		b.refuse(at(e.path, "service_name"), noSuchService(e.offer),
			"%s is not among the allowed_principals of endpoint service %s, so to AWS the service does not exist; add it there", e.Principal, e.offer.name)
		return false
	}
	if e.AutoAccept && e.offer.account != "" && e.offer.account != owner {
		b.problems.add(at(e.path, "auto_accept"), "works within one account only: the service belongs to %s, VPC %s to %s; let a step accept the endpoint", e.offer.account, e.Network.Name, owner)
	}
	return true
}

// sharedZones checks that the service is in the zones of the endpoint's subnets,
// which the two accounts may call by different names (F1.46).
func (b *builder) sharedZones(e *Endpoint) {
	var offered []string
	if len(e.offer.balancers) != len(e.offer.LoadBalancers) {
		return // Where the service is cannot be told, and why has been.
	}
	for _, lb := range e.offer.balancers {
		if len(lb.zones) != len(lb.Subnets) {
			return
		}
		for _, s := range lb.zones {
			if s.zone.ID == "" {
				return
			}
			if !lb.serves(s.zone) {
				continue
			}
			if z := fmt.Sprintf("%s (%s to account %s)", s.zone.ID, s.zone.Name, s.network.OwnerID); !slices.Contains(offered, z) {
				offered = append(offered, z)
			}
		}
	}
	slices.Sort(offered)
	for i, name := range e.SubnetIDs {
		s, err := b.find.subnets.find(e.Network.Name, name)
		if err != nil || !slices.Contains(e.zones, s) || s.zone.ID == "" || len(offered) == 0 || e.offer.zoned(s.zone) {
			continue
		}
		b.refuse(item(at(e.path, "subnet_ids"), i), fmt.Sprintf("InvalidParameter: The VPC endpoint service %s does not support the availability zone of the subnet: %s.", e.offer.serviceName, s.ID),
			"subnet %s is in %s (%s to account %s), where endpoint service %s has no load balancer; it is in %s",
			name, s.zone.ID, s.zone.Name, e.Network.OwnerID, e.offer.name, list(offered))
	}
}

// endpointFamilies completes and checks an endpoint's address type (F1.51).
func (b *builder) endpointFamilies(e *Endpoint) {
	path := at(e.path, "ip_address_type")
	e.blocks = 1
	accepts := func(t string) bool { return slices.Contains(e.offer.IPAddressTypes, t) }
	if e.IPAddressType == "" {
		e.IPAddressType = "ipv4"
		switch native := func(s *subnet) bool { return s.IPv6Native }; {
		case len(e.zones) > 0 && slices.ContainsFunc(e.zones, native):
			e.IPAddressType = "ipv6"
		case accepts("ipv4") && accepts("ipv6") && e.Network.IPv6CIDRBlock != "":
			e.IPAddressType = "dualstack"
		}
	}
	if !b.choice(path, &e.IPAddressType, "an address type", "ipv4", "ipv6", "dualstack") {
		return
	}
	if e.IPAddressType == "dualstack" {
		e.blocks = 2
	}
	for _, t := range []string{"ipv4", "ipv6"} {
		if (e.IPAddressType == t || e.blocks == 2) && !accepts(t) {
			b.problems.add(path, "%s needs a service that accepts %s: add %s to the supported_ip_address_types of %s", e.IPAddressType, familyOf(t).name, t, e.offer.name)
		}
	}
	b.fitSubnets(path, e.IPAddressType, e.zones)
	b.recordTypes(e)
}

// familyOf returns the family of an address type.
func familyOf(addressType string) *family {
	if addressType == "ipv6" {
		return ipv6
	}
	return ipv4
}

// fitSubnets checks that all subnets have what an address type asks of them (F1.51).
func (b *builder) fitSubnets(path, addressType string, subnets []*subnet) {
	for _, s := range subnets {
		switch {
		case addressType == "ipv6" && !s.IPv6Native:
			b.problems.add(path, "ipv6 is for IPv6-only subnets, and subnet %s is not one: set its ipv6_native, or write dualstack", s.name)
		case addressType != "ipv6" && s.IPv6Native:
			b.problems.add(path, "%s needs IPv4 in every subnet, and subnet %s is IPv6-only: choose others", addressType, s.name)
		case addressType == "dualstack" && s.network.IPv6CIDRBlock == "":
			b.problems.add(path, "dualstack needs IPv6 in every subnet, and VPC %s has no ipv6_cidr_block", s.network.Name)
		default:
			continue
		}
		return
	}
}

// recordTypes completes and checks which records an endpoint's names have (F1.28).
func (b *builder) recordTypes(e *Endpoint) {
	path, fit := at(at(e.path, "dns_options"), "dns_record_ip_type"), []string{e.IPAddressType}
	if e.IPAddressType == "dualstack" {
		fit = []string{"dualstack", "ipv4", "ipv6", "service-defined"}
	}
	if e.DNSOptions == nil {
		e.DNSOptions = &DNSOptions{}
	}
	t := &e.DNSOptions.RecordIPType
	if *t == "" {
		*t = fit[0]
	}
	if b.choice(path, t, "a type of records", "dualstack", "ipv4", "ipv6", "service-defined") && !slices.Contains(fit, *t) {
		b.problems.add(path, "%s does not fit an endpoint whose ip_address_type is %s: AWS takes %s", *t, e.IPAddressType, strings.Join(fit, ", "))
	}
}

// records returns the families of an endpoint's names: of those that the public can
// resolve, or of its private one.
func (e *Endpoint) records(private bool) []*family {
	switch t := e.DNSOptions.RecordIPType; {
	case t == "ipv4", t == "service-defined" && private:
		return []*family{ipv4}
	case t == "ipv6":
		return []*family{ipv6}
	}
	return []*family{ipv4, ipv6}
}

// label names an interface of an endpoint as scenario variables do.
func (e *Endpoint) label(z Zone) string { return "vpc_endpoint." + e.Name + "." + z.Name }

// addEndpointNIC makes an endpoint's interface in a subnet (F1.1), without an address.
func (b *builder) addEndpointNIC(e *Endpoint, s *subnet) *NIC {
	n := b.addNIC(&NIC{Kind: dataplane.Endpoint, Label: e.label(s.zone), MTU: 8500, Endpoint: e, groups: e.groups}, at(at(e.path, "interfaces"), s.name))
	b.attach(n, s)
	return n
}

// noSuchService is what AWS says to those whom a service does not admit.
func noSuchService(o *offer) string {
	return fmt.Sprintf("InvalidServiceName: The Vpc Endpoint Service '%s' does not exist", o.serviceName)
}

// sortedByZone returns subnets in the order of their zones' names.
func sortedByZone(subnets []*subnet) []*subnet {
	return slices.SortedFunc(slices.Values(subnets), func(a, b *subnet) int { return strings.Compare(a.zone.Name, b.zone.Name) })
}
