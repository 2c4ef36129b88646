package topology

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/plsim/plsim/dataplane/filter"
)

// resource is a part of the lab as it is now, as Terraform's state would have it: all
// that its author can say of it, in one form however it was said.
type resource struct {
	kind       string
	address    string // instance.provider/web-1
	path       string // in the document
	attributes map[string]attribute
	// implied says that it comes with its VPC and goes with it.
	implied bool
}

// attribute is what an attribute of a resource says: one value, or a set of them.
type attribute struct {
	set    bool
	values []string // sorted, those of a set
}

func one(value string) attribute { return attribute{values: []string{value}} }

func setOf(values []string) attribute { return attribute{true, slices.Sorted(slices.Values(values))} }

// Completion returns an instance as it runs: with its references replaced.
type Completion func(*Lab, *Instance) (*Instance, error)

// lister lists the resources of a lab.
type lister struct {
	*Lab
	complete Completion
	all      map[string]*resource
}

// resources lists the parts of the lab by their addresses.
func (l *Lab) resources(complete Completion) map[string]*resource {
	s := &lister{l, complete, map[string]*resource{}}
	s.networks()
	s.filters()
	s.hosts()
	s.balancing()
	s.endpoints()
	s.gateways()
	for _, f := range l.FlowLogs {
		s.add("flow_log", f.Name, at("flow_logs", f.Name), f.FlowLogSpec)
	}
	for _, w := range l.wires {
		link := *l.spec.Links[w.name]
		link.LinkQualities = w.qualities
		s.add("link", w.name, at("links", w.name), &link)
	}
	for name, c := range l.spec.ACMCertificates {
		s.add("acm_certificate", name, at("acm_certificates", name), c)
	}
	for name, r := range l.spec.Route53Records {
		s.add("route53_record", name, at("route53_records", name), r)
	}
	return s.all
}

// add lists a part with the attributes that its part of the spec has.
func (s *lister) add(kind, name, path string, spec any) *resource {
	r := &resource{kind: kind, address: kind + "." + name, path: path, attributes: map[string]attribute{}}
	r.read("", reflect.ValueOf(spec).Elem())
	s.all[r.address] = r
	return r
}

func (r *resource) say(name, value string) { r.attributes[name] = one(value) }

func (r *resource) sayAll(name string, values []string) { r.attributes[name] = setOf(values) }

func (s *lister) networks() {
	for _, n := range s.Networks {
		switch {
		case n == s.internet:
			s.add("internet", n.Name, n.path, &VPC{CIDRBlock: n.CIDRBlock})
		case n.outside != 0:
			s.add("on_premises", n.Name, n.path, &VPC{CIDRBlock: n.CIDRBlock})
		default:
			spec := *n.VPC
			spec.Subnets, spec.SecurityGroups, spec.NetworkACLs, spec.RouteTables, spec.Instances = nil, nil, nil, nil, nil
			spec.Zones = nil // each subnet says its own
			s.add("vpc", n.Name, n.path, &spec)
		}
	}
	for _, sub := range s.subnets {
		if sub.network.outside != 0 {
			continue
		}
		r := s.add("subnet", sub.String(), at(at(sub.network.path, "subnets"), sub.name), sub.Subnet)
		r.say("vpc_id", sub.network.Name)
		r.say("availability_zone_id", sub.zone.ID)
	}
}

// filters lists what filters packets, and what leads them.
func (s *lister) filters() {
	for _, vpc := range s.find.groups.vpcs {
		for _, g := range vpc {
			r := s.add("security_group", g.String(), g.path, &SecurityGroup{ID: g.ID, Description: g.Description})
			r.say("vpc_id", g.network.Name)
			if g.name == defaultGroup {
				r.implied = true
				delete(r.attributes, "description") // AWS's own
			}
			for d, rules := range g.rules {
				var texts []string
				for _, p := range rules {
					texts = append(texts, p.text)
				}
				r.sayAll(direction(d).String(), texts)
			}
		}
	}
	for _, vpc := range s.find.acls.vpcs {
		for _, a := range vpc {
			r := s.add("network_acl", a.String(), a.path, &NetworkACL{ID: a.ID})
			r.say("vpc_id", a.network.Name)
			r.implied = a.name == defaultACL
			r.sayAll("subnet_ids", s.subnetsOf(func(sub *subnet) bool { return sub.acl == a }))
			for d, entries := range a.entries {
				var texts []string
				for _, e := range entries {
					texts = append(texts, entryText(e))
				}
				r.sayAll(direction(d).String(), texts)
			}
		}
	}
	for _, vpc := range s.find.tables.vpcs {
		for _, t := range vpc {
			r := s.add("route_table", t.String(), at(at(t.network.path, "route_tables"), t.name), &RouteTable{ID: t.ID, PropagatingVGWs: t.PropagatingVGWs})
			r.say("vpc_id", t.network.Name)
			r.implied = t.name == mainTable
			r.sayAll("subnet_ids", s.subnetsOf(func(sub *subnet) bool { return sub.table == t }))
			var texts []string
			for _, way := range t.routes {
				texts = append(texts, way.String())
			}
			r.sayAll("route", texts)
		}
	}
	for name, list := range s.find.prefixes {
		spec := *list.ManagedPrefixList
		spec.Entries = nil
		r := s.add("managed_prefix_list", name, at("managed_prefix_lists", name), &spec)
		var texts []string
		for _, p := range list.entries {
			texts = append(texts, p.String())
		}
		r.sayAll("entry", texts)
	}
}

// entryText says what an entry of a network ACL lets pass, or not.
func entryText(e filter.Entry) string {
	proto, from, to := strconv.Itoa(e.Traffic.Proto), &e.Traffic.From, &e.Traffic.To
	t := traffic{protocol: &proto, from: &from, to: &to, kind: &from, code: &to}
	_, text := t.match(new(Problems))
	action := "deny"
	if e.Allow {
		action = "allow"
	}
	peer, _ := e.Traffic.Prefix.Addr.IP().Prefix(int(e.Traffic.Prefix.Bits))
	if e.Traffic.Prefix.Addr.Is4() {
		peer, _ = e.Traffic.Prefix.Addr.IP().Prefix(int(e.Traffic.Prefix.Bits) - 96)
	}
	return fmt.Sprintf("%d %s %s %s", e.Number, action, text, peer)
}

func (s *lister) subnetsOf(is func(*subnet) bool) (names []string) {
	for _, sub := range s.subnets {
		if is(sub) {
			names = append(names, sub.name)
		}
	}
	return names
}

// String says where a route leads, and by what.
func (r route) String() string {
	to := r.to.String()
	if r.list != nil {
		to = r.list.String()
	}
	if r.peering != nil {
		return to + " over VPC peering connection " + r.peering.name
	}
	return to + " to " + r.gateway.kind + " " + r.gateway.name
}

func (s *lister) hosts() {
	for _, h := range s.Hosts {
		spec := *h.Instance
		if as, err := s.complete(s.Lab, h.Instance); err == nil {
			spec = *as
		}
		spec.Tracking = h.NIC.tracking
		r := s.add("instance", h.Name, h.path, &spec)
		if h.Network.outside == 0 {
			r.say("subnet_id", s.subnets[h.NIC.subnet].String())
			r.sayAll("vpc_security_group_ids", groupNames(h.NIC.groups))
		}
	}
}

func groupNames(groups []*group) (names []string) {
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

func subnetNames(subnets []*subnet) (names []string) {
	for _, sub := range subnets {
		names = append(names, sub.String())
	}
	return names
}

func (s *lister) balancing() {
	for _, p := range s.pools {
		spec := *p.TargetGroup
		spec.Targets = nil
		r := s.add("target_group", p.name, p.path, &spec)
		r.say("vpc_id", p.network.Name)
		r.sayAll("target", p.targets())
	}
	for _, lb := range s.Lab.balancers {
		spec := *lb.LoadBalancer
		spec.Listeners = nil
		r := s.add("load_balancer", lb.name, lb.path, &spec)
		r.say("vpc_id", lb.network.Name)
		r.sayAll("subnets", subnetNames(lb.zones))
		r.sayAll("security_groups", groupNames(lb.groups))
		for i, listener := range lb.Listeners {
			spec := *listener
			spec.DefaultAction, spec.Rules = nil, nil
			r := s.add("listener", lb.name+":"+strconv.Itoa(spec.Port), item(at(lb.path, "listeners"), i), &spec)
			r.say("load_balancer", lb.name)
			f := lb.forwards[i]
			r.sayAll("default_action", f.shareTexts())
			if f.sticky > 0 {
				r.say("stickiness", f.sticky.String())
			}
			for _, rule := range f.rules {
				r.sayAll(fmt.Sprintf("rule.%d", rule.priority), append(rule.shareTexts(), "clients of "+rule.family.name))
			}
		}
	}
}

// targets names the registered targets.
func (p *pool) targets() (names []string) {
	for _, m := range p.members {
		name := p.nameOf(m)
		if m.host == nil && m.node == nil && m.zone == allZones {
			name += " in all zones"
		}
		if !slices.Contains(names, name) { // an Application Load Balancer has several nodes
			names = append(names, name)
		}
	}
	return names
}

// shareTexts says where a listener forwards to.
func (f forwarding) shareTexts() (texts []string) {
	for _, s := range f.shares {
		text := "forward to " + s.name
		if len(f.shares) > 1 || s.weight != 1 {
			text += " with weight " + strconv.Itoa(s.weight)
		}
		texts = append(texts, text)
	}
	return texts
}

func (s *lister) endpoints() {
	for _, o := range s.offers {
		if o.State == ServiceDeleted {
			continue
		}
		spec := *o.EndpointService
		if p := clone(spec.PrivateDNSProof); p != nil {
			p.State, spec.PrivateDNSProof = "", p // what AWS has found, not what anybody says
		}
		s.add("endpoint_service", o.name, o.path, &spec)
	}
	for _, e := range s.Endpoints {
		if e.State == Deleted {
			continue
		}
		r := s.add("vpc_endpoint", e.Name, e.path, e.VPCEndpoint)
		r.say("service_name", e.offer.name)
		r.sayAll("subnet_ids", subnetNames(e.zones))
		r.sayAll("security_group_ids", groupNames(e.groups))
	}
}

func (s *lister) gateways() {
	spec := s.spec
	for _, p := range s.peerings {
		if !p.deleted {
			s.add("vpc_peering_connection", p.name, at("vpc_peering_connections", p.name), p.VPCPeeringConnection)
		}
	}
	for name, g := range spec.VPNGateways {
		s.add("vpn_gateway", name, at("vpn_gateways", name), g)
	}
	for name, g := range spec.VPNConnections {
		s.add("vpn_connection", name, at("vpn_connections", name), g)
	}
	for name, g := range spec.InternetGateways {
		s.add("internet_gateway", name, at("internet_gateways", name), g)
	}
	for name, e := range spec.EIPs {
		s.add("eip", name, at("eips", name), e)
	}
	for name, g := range spec.NATGateways {
		r := s.add("nat_gateway", name, at("nat_gateways", name), g)
		r.say("subnet_id", s.subnets[s.find.nat[name].nics[0].subnet].String())
	}
	for name, g := range spec.TransitGateways {
		s.add("transit_gateway", name, at("transit_gateways", name), g)
	}
	for name, a := range spec.TransitGatewayAttachments {
		r := s.add("transit_gateway_vpc_attachment", name, at("transit_gateway_vpc_attachments", name), a)
		r.sayAll("subnet_ids", subnetNames(s.find.attachments[name].subnets))
	}
}
