package topology

import (
	"cmp"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// SetSubnets changes the subnets of a load balancer, and so its zones. A node that
// goes ends all connections of its zone and to the targets there (F2.61); a zone
// that comes belongs to the endpoint service once that is updated, and one in which
// endpoints are connected cannot go (F1.49). Errors are those of
// [Lab.CreateVPCEndpoint].
func (l *Lab) SetSubnets(c *SubnetChange) error {
	lb, err := l.networkBalancer(c.LoadBalancer)
	if err != nil {
		return err
	}
	b := &builder{Lab: l}
	zones := b.subnetRefs("subnets", "load balancer "+lb.name, lb.network, c.Subnets)
	for i, s := range zones {
		if slices.ContainsFunc(lb.zones, func(o *subnet) bool { return o != s && o.zone.ID == s.zone.ID }) {
			b.refuse(item("subnets", i), "InvalidConfigurationRequest: You cannot specify an additional subnet from an Availability Zone that is already associated with the load balancer",
				"%s has another subnet in %s: remove that first", lb.name, s.zone.Name)
		}
	}
	for _, s := range lb.zones {
		if e := l.using(lb, s.zone); e != nil && !slices.Contains(zones, s) {
			b.refuse("subnets", "ResourceInUse: Subnet '"+s.ID+"' has active VPC endpoint associations and cannot be removed",
				"endpoint %s has an interface in %s: reject it, or have its consumer remove the subnet", e.Name, s.zone.ID)
		}
	}
	if err := b.problems.verdict(""); err != nil {
		return err
	}
	if err := b.newNodes(lb, zones); err != nil {
		return err
	}
	own := *lb.LoadBalancer
	own.Subnets = slices.Clone(c.Subnets)
	lb.LoadBalancer, lb.zones = &own, zones
	return nil
}

// using returns an endpoint that needs a load balancer's node in a zone, nil if
// there is none.
func (l *Lab) using(lb *balancer, z Zone) *Endpoint {
	if lb.offer == nil || !lb.serves(z) {
		return nil
	}
	for _, e := range l.connected(lb.offer) {
		if slices.ContainsFunc(e.zones, func(s *subnet) bool { return s.zone.ID == z.ID }) {
			return e
		}
	}
	return nil
}

// newNodes gives a load balancer a node in each of the subnets, and takes away the
// others. Where an address is lacking, nothing changes.
func (b *builder) newNodes(lb *balancer, zones []*subnet) error {
	before, old := len(b.NICs), lb.nodes
	var nodes []*NIC
	for _, s := range sortedByZone(zones) {
		i := slices.IndexFunc(old, func(n *NIC) bool { return n.subnet == s.number })
		if i >= 0 {
			nodes = append(nodes, old[i])
		} else {
			nodes = append(nodes, b.addNode(lb, s))
		}
	}
	lb.nodes = nodes
	if len(b.problems) == 0 {
		if err := b.addSecondaryIPs(lb, *lb.SecondaryIPs); err != nil {
			b.problems.add("subnets", "%v", err)
		}
	}
	if err := b.problems.verdict(lb.path); err != nil {
		for _, n := range b.NICs[before:] {
			b.remove(n)
		}
		b.NICs, lb.nodes = b.NICs[:before], old
		return err
	}
	for _, n := range old {
		if !slices.Contains(nodes, n) {
			b.removeNode(lb, n)
		}
	}
	return nil
}

// removeNode takes a node away, with its connections and what it thought of targets.
func (l *Lab) removeNode(lb *balancer, n *NIC) {
	l.remove(n)
	l.closures = append(l.closures, dataplane.Closure{Balancer: lb.number, Zone: n.Zone.Num})
	lb.offered = slices.DeleteFunc(slices.Clone(lb.offered), func(z Zone) bool { return z.ID == n.Zone.ID })
	for _, p := range l.pools {
		p.overlook(n)
	}
}

// overlook forgets what a node thought of a group's targets.
func (p *pool) overlook(n *NIC) {
	for _, m := range p.members {
		delete(m.health.views, n.Index)
		if len(m.health.views) == 0 {
			m.health.now = "" // nobody checks it any more
		}
	}
}

// SetSecurityGroups changes the security groups of a load balancer that was created
// with some; it keeps one at least (F2.63). It also says whether their inbound rules
// matter to what comes through PrivateLink (F2.64).
func (l *Lab) SetSecurityGroups(c *GroupChange) error {
	lb, err := find("load balancer", l.find.balancers, c.LoadBalancer)
	if err != nil {
		return err
	}
	b := &builder{Lab: l}
	switch {
	case len(lb.SecurityGroups) == 0:
		b.refuse("", "InvalidConfigurationRequest: You cannot set security groups on a Network Load Balancer which was created without any security groups.",
			"%s lets everything in: only a load balancer that has groups from the start can have others", lb.name)
	case len(c.SecurityGroups) == 0:
		b.refuse("", "InvalidConfigurationRequest: You must specify at least one security group",
			"the groups of %s can be changed, but never all removed", lb.name)
	}
	groups := b.groupRefs("security_groups", lb.network, c.SecurityGroups)
	enforce := cmp.Or(c.EnforceSG, lb.EnforceSG)
	switch {
	case c.EnforceSG == "":
	case lb.LoadBalancerType == "application":
		b.problems.add(enforceSG, "is for Network Load Balancers: endpoint services stand on no others, and %s is an Application Load Balancer", lb.name)
	default:
		b.choice(enforceSG, &enforce, "a setting", "on", "off")
	}
	if err := b.problems.verdict(""); err != nil {
		return err
	}
	own := *lb.LoadBalancer
	own.SecurityGroups, own.EnforceSG = slices.Clone(c.SecurityGroups), enforce
	lb.LoadBalancer, lb.groups = &own, groups
	for _, n := range lb.nodes {
		n.groups = groups
	}
	return nil
}

// routingPolicies are how many of a hundred queries for a load balancer's name are
// answered with the asker's own zone alone, if it is healthy (F2.5).
var routingPolicies = map[string]int{
	"any_availability_zone":              0,
	"availability_zone_affinity":         100,
	"partial_availability_zone_affinity": 85,
}

// routingPolicy completes and checks the policy.
func (b *builder) routingPolicy(path string, a *LoadBalancerAttributes) {
	b.choice(at(path, "dns_record_client_routing_policy"), &a.RoutingPolicy, "a client routing policy",
		"any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity")
}

// arn returns the load balancer's ARN.
func (lb *balancer) arn(region string) string {
	return strings.Join([]string{"arn:aws:elasticloadbalancing", region, lb.network.OwnerID, "loadbalancer/" + lb.arnSuffix()}, ":")
}
