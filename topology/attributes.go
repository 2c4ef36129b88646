package topology

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// udp reports whether datagrams go to the group.
func (g *TargetGroup) udp() bool { return g.Protocol == "UDP" || g.Protocol == "TCP_UDP" }

// poolAttributes completes and checks what can be modified of a target group.
func (b *builder) poolAttributes(path string, g *TargetGroup) {
	b.fixedAttributes(path, g)
	b.completeAttributes(path, g)
}

func (b *builder) completeAttributes(path string, g *TargetGroup) {
	on := g.udp() || g.TargetType != "ip" && g.Protocol != "HTTP" // F2.24
	g.PreserveClientIP = cmp.Or(g.PreserveClientIP, &on)
	if g.udp() && !*g.PreserveClientIP {
		b.problems.add(at(path, "preserve_client_ip"), "cannot be false for %s: AWS always preserves there, except towards PrivateLink clients", g.Protocol)
	}
	b.proxyProtocol(path, g)
	b.choice(at(path, "load_balancing_cross_zone_enabled"), &g.CrossZone, "a setting", "use_load_balancer_configuration", "true", "false")
	b.stickiness(at(path, "stickiness"), g.Stickiness)
	b.draining(path, g)
	b.healthState(at(path, "target_health_state"), &g.HealthState)
	b.groupHealth(at(path, "target_group_health"), &g.GroupHealth)
}

// ModifyTargetGroupAttributes changes the attributes of a target group that are
// given, and leaves the others. New flows follow them; those that exist keep what
// they began with (F2.24). The error is of type [Problems], with paths relative to
// the attributes, where they are at fault.
func (l *Lab) ModifyTargetGroupAttributes(name string, a *TargetGroupAttributes) error {
	p, g, err := l.modifiedGroup(name, a)
	if err != nil {
		return err
	}
	before := p.TargetGroup
	p.TargetGroup = g
	for _, lb := range l.balancers {
		if why := lb.crowded(); why != "" {
			p.TargetGroup = before
			return Problems{{Path: "load_balancing_cross_zone_enabled", Msg: why}}
		}
	}
	return nil
}

// CheckTargetGroupAttributes tells whether a target group could get attributes at
// all, without changing anything.
func (l *Lab) CheckTargetGroupAttributes(name string, a *TargetGroupAttributes) error {
	_, _, err := l.modifiedGroup(name, a)
	return err
}

// modifiedGroup finds a target group, and returns what it becomes with attributes.
func (l *Lab) modifiedGroup(name string, a *TargetGroupAttributes) (*pool, *TargetGroup, error) {
	p, err := find("target group", l.find.pools, name)
	switch {
	case err != nil:
		return nil, nil, err
	case a == nil || *a == (TargetGroupAttributes{}):
		return nil, nil, fmt.Errorf("no attribute of target group %s is given", name)
	}
	g := *p.TargetGroup
	g.PreserveClientIP = cmp.Or(a.PreserveClientIP, g.PreserveClientIP)
	g.ProxyProtocolV2 = cmp.Or(a.ProxyProtocolV2, g.ProxyProtocolV2)
	if !*g.ProxyProtocolV2 {
		g.ProxyPlacement, g.ProxyIPv6Length = "", 0 // they go with the header
	}
	g.ProxyPlacement = cmp.Or(a.ProxyPlacement, g.ProxyPlacement)
	g.ProxyIPv6Length = cmp.Or(a.ProxyIPv6Length, g.ProxyIPv6Length)
	g.CrossZone = cmp.Or(a.CrossZone, g.CrossZone)
	g.Stickiness = clone(cmp.Or(a.Stickiness, g.Stickiness))
	g.DeregistrationDelay = cmp.Or(a.DeregistrationDelay, g.DeregistrationDelay)
	g.ConnectionTermination = cmp.Or(a.ConnectionTermination, g.ConnectionTermination)
	g.HealthState = clone(cmp.Or(a.HealthState, g.HealthState))
	g.GroupHealth = clone(cmp.Or(a.GroupHealth, g.GroupHealth))
	g.GroupHealth.DNS, g.GroupHealth.Routing = clone(g.GroupHealth.DNS), clone(g.GroupHealth.Routing)

	b := &builder{Lab: l}
	b.poolAttributes("", &g)
	if g.Stickiness != nil && g.Stickiness.Enabled && l.behindTLS(p) {
		b.problems.add("stickiness.enabled", "cannot be true for target group %s: TLS listeners, which do not know stickiness, forward to it", p.name)
	}
	b.problems.sort()
	return p, &g, b.problems.err()
}

// clone returns a copy that can be completed without changing what someone wrote.
func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// maxSecondaryIPs is how many addresses a node can have beside its own (F2.2).
const maxSecondaryIPs = 7

// balancerAttributes completes and checks what can be modified of a load balancer.
func (b *builder) balancerAttributes(path string, a *LoadBalancerAttributes) {
	a.CrossZone = cmp.Or(a.CrossZone, new(bool))
	a.SecondaryIPs = cmp.Or(a.SecondaryIPs, new(int))
	b.routingPolicy(path, a)
	if n := *a.SecondaryIPs; n < 0 || n > maxSecondaryIPs {
		b.problems.add(at(path, secondaryIPs), "%d is out of range: AWS takes 0 to %d", n, maxSecondaryIPs)
	}
}

const secondaryIPs = "secondary_ips_auto_assigned_per_subnet"

// ModifyLoadBalancerAttributes changes the attributes of a load balancer that are
// given, and leaves the others. The number of secondary addresses can grow, and
// never shrink (F2.2). The error is of type [Problems], with paths relative to the
// attributes, where they are at fault.
func (l *Lab) ModifyLoadBalancerAttributes(name string, a *LoadBalancerAttributes) error {
	lb, spec, err := l.modifiedBalancer(name, a)
	if err != nil {
		return err
	}
	if err := l.addSecondaryIPs(lb, *spec.SecondaryIPs); err != nil {
		return err
	}
	lb.LoadBalancer = spec
	return nil
}

// CheckLoadBalancerAttributes tells whether a load balancer could get attributes
// at all, without changing anything.
func (l *Lab) CheckLoadBalancerAttributes(name string, a *LoadBalancerAttributes) error {
	_, _, err := l.modifiedBalancer(name, a)
	return err
}

// modifiedBalancer finds a load balancer, and returns what it becomes with attributes.
func (l *Lab) modifiedBalancer(name string, a *LoadBalancerAttributes) (*balancer, *LoadBalancer, error) {
	lb, err := l.networkBalancer(name)
	switch {
	case err != nil:
		return nil, nil, err
	case a == nil || *a == (LoadBalancerAttributes{}):
		return nil, nil, fmt.Errorf("no attribute of load balancer %s is given", name)
	}
	spec := *lb.LoadBalancer
	spec.CrossZone = cmp.Or(a.CrossZone, spec.CrossZone)
	spec.SecondaryIPs = cmp.Or(a.SecondaryIPs, spec.SecondaryIPs)
	spec.RoutingPolicy = cmp.Or(a.RoutingPolicy, spec.RoutingPolicy)
	b := &builder{Lab: l}
	b.balancerAttributes("", &spec.LoadBalancerAttributes)
	if has, n := *lb.SecondaryIPs, *spec.SecondaryIPs; n < has {
		b.problems.add(secondaryIPs, "%d is fewer than the %d that load balancer %s has: AWS never takes one back", n, has, name)
	}
	grown := *lb
	grown.LoadBalancer = &spec
	if why := grown.crowded(); why != "" {
		b.problems.add("enable_cross_zone_load_balancing", "%s", why)
	}
	return lb, &spec, b.problems.err()
}

// addSecondaryIPs gives each node of a load balancer IPv4 addresses of its subnet
// until it has so many beside its own (F2.2); all of them, or none.
func (l *Lab) addSecondaryIPs(lb *balancer, count int) error {
	grown := make([][]netip.Prefix, len(lb.nodes))
	for i, n := range lb.nodes {
		s := l.subnets[n.subnet]
		block := s.blocks[0] // IPv4
		grown[i] = slices.Clone(n.Addrs)
		for has := n.secondaryIPs(); has < count; has++ {
			a, ok := block.allot(n.Label)
			if !ok {
				return fmt.Errorf("subnet %s (%s) has no address left for %s, which is to have %d beside its own", s.name, block.prefix, n.Label, count)
			}
			grown[i] = append(grown[i], netip.PrefixFrom(a, block.prefix.Bits()))
		}
	}
	for i, n := range lb.nodes {
		n.Addrs = byFamily(grown[i])
	}
	return nil
}

// secondaryIPs returns how many IPv4 addresses the interface has beside its primary.
func (n *NIC) secondaryIPs() int {
	more := -1
	for _, p := range n.Addrs {
		if ipv4.holds(p.Addr()) {
			more++
		}
	}
	return more
}

// byFamily puts IPv4 addresses first, the primary of each family before its others.
func byFamily(addrs []netip.Prefix) []netip.Prefix {
	slices.SortStableFunc(addrs, func(a, b netip.Prefix) int { return a.Addr().BitLen() - b.Addr().BitLen() })
	return addrs
}
