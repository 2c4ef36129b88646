package topology

import (
	"fmt"
	"slices"
)

// ServiceState is the state of an endpoint service (F1.10). A lab has none that is
// pending, failed or deleting: what AWS does in minutes is done at once.
type ServiceState string

// The states.
const (
	ServiceAvailable ServiceState = "Available"
	ServiceDeleted   ServiceState = "Deleted"
)

// service finds an endpoint service that exists.
func (l *Lab) service(name string) (*offer, error) {
	o, err := find("endpoint service", l.find.offers, name)
	if err != nil {
		return nil, err
	}
	if o.State == ServiceDeleted {
		return nil, &Refusal{fmt.Sprintf("InvalidVpcEndpointServiceId.NotFound: The VpcEndpointService Id '%s' does not exist", o.ID), ""}
	}
	return o, nil
}

// change edits what the service is like now, and leaves alone what the file says.
func (o *offer) change(f func(*EndpointService)) {
	own := *o.EndpointService
	f(&own)
	o.EndpointService = &own
}

// connected returns the service's endpoints that are in use or wait for acceptance.
func (l *Lab) connected(o *offer) []*Endpoint {
	var all []*Endpoint
	for _, e := range l.Endpoints {
		if e.offer == o && e.State != Rejected && e.State != Deleted {
			all = append(all, e)
		}
	}
	return all
}

// ModifyServicePermissions changes who may create endpoints of a service. Those
// that exist live on (F1.14). To add who is there already, or to remove who is
// not, changes nothing.
func (l *Lab) ModifyServicePermissions(c *PermissionChange) error {
	o, err := l.service(c.Service)
	if err != nil {
		return err
	}
	var problems Problems
	for key, principals := range map[string][]string{"add_allowed_principals": c.Add, "remove_allowed_principals": c.Remove} {
		for i, p := range principals {
			if msg := badPrincipal(p, true); msg != "" {
				problems.add(item(key, i), "%s", msg)
			}
		}
	}
	if err := problems.verdict(""); err != nil {
		return err
	}
	all := slices.DeleteFunc(slices.Clone(o.AllowedPrincipals), func(p string) bool { return slices.Contains(c.Remove, p) })
	for _, p := range c.Add {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	o.change(func(s *EndpointService) { s.AllowedPrincipals = all })
	return nil
}

// ModifyService changes an endpoint service. Errors are those of
// [Lab.CreateVPCEndpoint].
func (l *Lab) ModifyService(c *ServiceChange) error {
	o, err := l.service(c.Service)
	if err != nil {
		return err
	}
	b := &builder{Lab: l}
	if len(c.RemoveLoadBalancers) > 0 {
		b.inUse(o, "remove_network_load_balancer_arns")
		if len(b.problems) > 0 {
			return b.problems.verdict("")
		}
	}
	draft := *o
	draft.change(func(s *EndpointService) {
		if c.AcceptanceRequired != nil {
			s.AcceptanceRequired = c.AcceptanceRequired
		}
		// To add one that is there already is how to update a service.
		add := slices.DeleteFunc(slices.Clone(c.AddLoadBalancers), func(n string) bool { return slices.Contains(s.LoadBalancers, n) })
		s.LoadBalancers = b.changed(o.path, "network_load_balancer_arns", s.LoadBalancers, add, c.RemoveLoadBalancers)
		switch {
		case c.RemovePrivateDNS && c.PrivateDNSName != "":
			b.problems.add(at(o.path, "remove_private_dns_name"), "cannot stand beside private_dns_name")
		case c.RemovePrivateDNS:
			s.PrivateDNSName, s.PrivateDNSProof = "", nil
		case c.PrivateDNSName != "" && c.PrivateDNSName != s.PrivateDNSName:
			if msg := badPrivateName(c.PrivateDNSName); msg != "" {
				b.problems.add(at(o.path, "private_dns_name"), "%s", msg)
			}
			s.PrivateDNSName, s.PrivateDNSProof = c.PrivateDNSName, l.newProof(c.PrivateDNSName, o.path)
		}
	})
	b.standBehind(&draft, at(o.path, "network_load_balancer_arns"))
	b.offerFamilies(&draft)
	if err := b.problems.verdict(o.path); err != nil {
		return err
	}
	for _, lb := range o.balancers {
		lb.offer = nil
	}
	*o = draft
	for _, lb := range o.balancers {
		lb.offer = o
	}
	o.update()
	return nil
}

// inUse refuses what cannot be done to a service while endpoints are connected
// (F1.12, F1.49).
func (b *builder) inUse(o *offer, path string) {
	if all := b.connected(o); len(all) > 0 {
		b.refuse(path, "ExistingVpcEndpointConnections: Service has existing active VPC Endpoint connections!",
			"endpoint %s is %s: reject it first", all[0].Name, all[0].State)
	}
}

// DeleteService deletes an endpoint service to which no endpoint is connected. Its
// load balancers stay, and may stand behind another (F1.12).
func (l *Lab) DeleteService(service string) error {
	o, err := l.service(service)
	if err != nil {
		return err
	}
	b := &builder{Lab: l}
	b.inUse(o, "")
	if err := b.problems.verdict(""); err != nil {
		return err
	}
	for _, lb := range o.balancers {
		lb.offer, lb.offered = nil, nil
	}
	o.balancers, o.State = nil, ServiceDeleted
	return nil
}

// ServiceState returns the state of an endpoint service.
func (l *Lab) ServiceState(service string) (ServiceState, error) {
	o, err := find("endpoint service", l.find.offers, service)
	if err != nil {
		return "", err
	}
	return o.State, nil
}
