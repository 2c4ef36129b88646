package topology

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
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
		b.proof(o)
		b.offerBalancers(o)
		b.offerFamilies(o)
		o.State = ServiceAvailable
	})
}

// offerBalancers resolves the load balancers behind an endpoint service.
func (b *builder) offerBalancers(o *offer) {
	b.standBehind(o, at(o.path, "network_load_balancer_arns"))
	for _, lb := range o.balancers {
		lb.offer = o
	}
	o.update()
}

// standBehind finds the load balancers of a service, as its list names them, and
// the account that they belong to.
func (b *builder) standBehind(o *offer, path string) {
	o.balancers, o.account = nil, ""
	if len(o.LoadBalancers) == 0 {
		b.problems.add(path, "is missing: name at least one load balancer")
	}
	for i, name := range o.LoadBalancers {
		lb, err := find("load balancer", b.find.balancers, name)
		switch {
		case err != nil:
			b.problems.add(item(path, i), "%v", err)
			continue
		case lb.application():
			b.problems.add(item(path, i), "%s is an application load balancer, and an endpoint service needs a network one: put one before it, with a target group of target_type alb", name)
			continue
		case slices.Contains(o.balancers, lb):
			b.problems.add(item(path, i), "load balancer %s is listed twice", name)
			continue
		case lb.offer != nil && lb.offer.name != o.name:
			b.problems.add(item(path, i), "load balancer %s already stands behind endpoint service %s: it can serve one only", name, lb.offer.name)
			continue
		}
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
