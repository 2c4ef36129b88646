package topology

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// addOffers resolves the endpoint services.
func (b *builder) addOffers() {
	b.find.offers = map[string]*offer{}
	each(&b.problems, "endpoint_services", b.spec.EndpointServices, func(path, name string, spec *EndpointService) {
		o := &offer{EndpointService: spec, name: name, path: path}
		b.Lab.offers = append(b.Lab.offers, o)
		b.find.offers[name] = o

		b.ids.given(&b.problems, "vpce-svc", path, &spec.ID)
		o.serviceName = fmt.Sprintf("com.amazonaws.vpce.%s.%s", b.Region, spec.ID)
		orTrue(&spec.AcceptanceRequired)
		for i, p := range spec.AllowedPrincipals {
			if msg := badPrincipal(p, true); msg != "" {
				b.problems.add(item(at(path, "allowed_principals"), i), "%s", msg)
			}
		}
		if msg := badPrivateName(spec.PrivateDNSName); msg != "" {
			b.problems.add(at(path, "private_dns_name"), "%s", msg)
		}
		b.offerBalancers(o)
		b.offerFamilies(o)
	})
}

// offerBalancers resolves the load balancers behind an endpoint service.
func (b *builder) offerBalancers(o *offer) {
	path := at(o.path, "network_load_balancer_arns")
	if len(o.LoadBalancers) == 0 {
		b.problems.add(path, "is missing: name at least one load balancer")
	}
	for i, name := range o.LoadBalancers {
		lb, err := find("load balancer", b.find.balancers, name)
		switch {
		case err != nil:
			b.problems.add(item(path, i), "%v", err)
			continue
		case lb.offer == o:
			b.problems.add(item(path, i), "load balancer %s is listed twice", name)
			continue
		case lb.offer != nil:
			b.problems.add(item(path, i), "load balancer %s already stands behind endpoint service %s: it can serve one only", name, lb.offer.name)
			continue
		}
		lb.offer = o
		o.balancers = append(o.balancers, lb)
		if lb.network == nil {
			continue
		}
		if o.account == "" {
			o.account = lb.network.OwnerID
		} else if o.account != lb.network.OwnerID {
			b.problems.add(item(path, i), "load balancer %s belongs to account %s, but the others to %s: an endpoint service has one owner", name, lb.network.OwnerID, o.account)
		}
	}
}

// offerFamilies completes and checks the address types of an endpoint service (F1.52).
func (b *builder) offerFamilies(o *offer) {
	path := at(o.path, "supported_ip_address_types")
	if len(o.IPAddressTypes) == 0 {
		o.IPAddressTypes = []string{"ipv4"}
	}
	for i, t := range o.IPAddressTypes {
		p := item(path, i)
		if !b.choice(p, &t, "an address type of a service", "ipv4", "ipv6") || t != "ipv6" {
			continue
		}
		for _, lb := range o.balancers {
			if lb.blocks < 2 {
				b.problems.add(p, "ipv6 needs dualstack load balancers, and %s is not one: set its ip_address_type", lb.name)
				break
			}
		}
	}
	if !slices.Contains(o.IPAddressTypes, "ipv4") {
		b.problems.add(path, "needs ipv4 too: a lab's subnets all have IPv4, so its endpoints do")
	}
}

var principalForm = regexp.MustCompile(`^arn:aws(?:-cn|-us-gov)?:iam::([0-9]{12}):(?:root|(?:role|user)/[A-Za-z0-9+=,.@_/-]+)$`)

// badPrincipal says what is wrong with a principal, "" if nothing (F1.14).
func badPrincipal(p string, star bool) string {
	switch {
	case star && p == "*", principalForm.MatchString(p):
		return ""
	case accountForm.MatchString(p):
		return fmt.Sprintf("%q is an account number: write arn:aws:iam::%s:root", p, p)
	}
	return fmt.Sprintf("%q is not a principal: write arn:aws:iam::ACCOUNT:root, arn:aws:iam::ACCOUNT:role/NAME or arn:aws:iam::ACCOUNT:user/NAME, with 12 digits for ACCOUNT%s", p, map[bool]string{true: ", or *"}[star])
}

// allows reports whether a principal may create endpoints of the service (F1.14).
func (o *offer) allows(principal string) bool {
	account := principalForm.FindStringSubmatch(principal)[1]
	return slices.ContainsFunc(o.AllowedPrincipals, func(allowed string) bool {
		return allowed == "*" || allowed == principal || strings.HasSuffix(allowed, "::"+account+":root")
	})
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// badPrivateName says what is wrong with a private DNS name, "" if nothing (F1.26).
func badPrivateName(name string) string {
	switch {
	case name == "":
		return ""
	case name != strings.ToLower(name):
		return fmt.Sprintf("%q must be in lower case: write %s", name, strings.ToLower(name))
	case len(name) > 255:
		return "is longer than 255 characters"
	}
	labels := strings.Split(strings.TrimPrefix(name, "*."), ".")
	if len(labels) < 2 {
		return fmt.Sprintf("%q is not a domain name such as api.example.com", name)
	}
	for _, l := range labels {
		switch {
		case len(l) > 63:
			return fmt.Sprintf("label %q is longer than 63 characters", l)
		case strings.Contains(l, "*"):
			return fmt.Sprintf("%q: a wildcard can only be the whole first label, as in *.example.com", name)
		case !dnsLabel.MatchString(l):
			return fmt.Sprintf("%q is not a domain name such as api.example.com", name)
		}
	}
	return ""
}

// addEndpoints resolves the interface endpoints.
func (b *builder) addEndpoints() {
	b.find.endpoints = map[string]*Endpoint{}
	each(&b.problems, "vpc_endpoints", b.spec.VPCEndpoints, func(path, name string, spec *VPCEndpoint) {
		e := &Endpoint{VPCEndpoint: spec, Name: name, path: path, blocks: 1}
		b.Endpoints = append(b.Endpoints, e)
		b.find.endpoints[name] = e

		b.ids.given(&b.problems, "vpce", path, &spec.ID)
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
		if len(spec.SecurityGroups) == 0 {
			spec.SecurityGroups = []string{defaultGroup} // F1.5
		}
		e.groups = b.groupRefs(at(path, "security_group_ids"), e.Network, spec.SecurityGroups)
		e.zones = b.subnetRefs(at(path, "subnet_ids"), "endpoint "+name, e.Network, spec.SubnetIDs)
		admitted := b.admission(e)
		if e.offer == nil {
			return
		}
		if !admitted {
			return // To this consumer the service does not exist, nor what it offers.
		}
		e.State = e.initialState()
		e.dnsName = fmt.Sprintf("%s-%s.%s.%s.vpce.amazonaws.com", spec.ID, spec.DNSSuffix, e.offer.ID, b.Region)
		b.sharedZones(e)
		b.privateName(e)
		b.endpointFamilies(e)
	})
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
	if !e.offer.allows(e.Principal) {
		b.problems.add(at(e.path, "service_name"), "AWS would say that the service %s does not exist: %s is not among the allowed_principals of endpoint service %s; add it there", e.offer.serviceName, e.Principal, e.offer.name)
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
			if z := fmt.Sprintf("%s (%s to account %s)", s.zone.ID, s.zone.Name, s.network.OwnerID); !slices.Contains(offered, z) {
				offered = append(offered, z)
			}
		}
	}
	slices.Sort(offered)
	for i, name := range e.SubnetIDs {
		s, err := b.find.subnets.find(e.Network.Name, name)
		if err != nil || !slices.Contains(e.zones, s) || s.zone.ID == "" || len(offered) == 0 || e.offer.zoned(s.zone.ID) {
			continue
		}
		b.problems.add(item(at(e.path, "subnet_ids"), i), "subnet %s is in %s (%s to account %s), where endpoint service %s has no load balancer; it is in %s",
			name, s.zone.ID, s.zone.Name, e.Network.OwnerID, e.offer.name, list(offered))
	}
}

// privateName checks what private DNS needs (F1.26).
func (b *builder) privateName(e *Endpoint) {
	if !e.PrivateDNS {
		return
	}
	path, n := at(e.path, "private_dns_enabled"), e.Network
	if !*n.EnableDNS || !*n.EnableHosts {
		b.problems.add(path, "needs enable_dns_support and enable_dns_hostnames in VPC %s", n.Name)
	}
	name := e.offer.PrivateDNSName
	if name == "" {
		b.problems.add(path, "endpoint service %s has no private_dns_name", e.offer.name)
		return
	}
	for _, other := range b.Endpoints {
		if other != e && other.Network == n && other.PrivateDNS && other.offer != nil && other.offer.PrivateDNSName == name {
			b.problems.add(path, "endpoint %s already has %s in VPC %s: one endpoint can have it there", other.Name, name, n.Name)
		}
	}
}

// endpointFamilies completes and checks an endpoint's address type (F1.51).
func (b *builder) endpointFamilies(e *Endpoint) {
	path := at(e.path, "ip_address_type")
	accepts := slices.Contains(e.offer.IPAddressTypes, "ipv6")
	if e.IPAddressType == "" {
		e.IPAddressType = "ipv4"
		if accepts && e.Network.IPv6CIDRBlock != "" {
			e.IPAddressType = "dualstack"
		}
	}
	if e.IPAddressType == "ipv6" {
		b.problems.add(path, "ipv6 needs IPv6-only subnets, which a lab does not have; write dualstack")
		return
	}
	if !b.choice(path, &e.IPAddressType, "an address type", "ipv4", "dualstack") || e.IPAddressType == "ipv4" {
		return
	}
	e.blocks = 2
	if !accepts {
		b.problems.add(path, "dualstack needs a service that accepts IPv6: add ipv6 to the supported_ip_address_types of %s", e.offer.name)
	}
	b.dualstack(path, e.zones)
}

// label names an interface of an endpoint as scenario variables do.
func (e *Endpoint) label(z Zone) string { return "vpc_endpoint." + e.Name + "." + z.Name }

// addEndpointNICs makes an interface in each of an endpoint's subnets (F1.1).
func (b *builder) addEndpointNICs(e *Endpoint) {
	for _, s := range sortedByZone(e.zones) {
		n := b.addNIC(&NIC{Kind: dataplane.Endpoint, Label: e.label(s.zone), MTU: 8500, Endpoint: e, groups: e.groups}, at(at(e.path, "interfaces"), s.name))
		b.attach(n, s)
		e.NICs = append(e.NICs, n)
	}
}

// sortedByZone returns subnets in the order of their zones' names.
func sortedByZone(subnets []*subnet) []*subnet {
	return slices.SortedFunc(slices.Values(subnets), func(a, b *subnet) int { return strings.Compare(a.zone.Name, b.zone.Name) })
}
