package topology

import (
	"reflect"
	"slices"
	"strings"
)

const enforceSG = "enforce_security_group_inbound_rules_on_private_link_traffic"

// applicationSettings completes an Application Load Balancer, and refuses what
// only network ones have.
func (b *builder) applicationSettings(path string, spec *LoadBalancer) {
	for key, given := range map[string]bool{
		enforceSG:                          spec.EnforceSG != "",
		"dns_record_client_routing_policy": spec.RoutingPolicy != "",
		secondaryIPs:                       spec.SecondaryIPs != nil && *spec.SecondaryIPs != 0,
	} {
		if given {
			b.problems.add(at(path, key), "is for network load balancers, and this one's load_balancer_type is application: remove it")
		}
	}
	if orTrue(&spec.CrossZone); !*spec.CrossZone {
		b.problems.add(at(path, "enable_cross_zone_load_balancing"), "cannot be false: an application load balancer always uses the targets of every zone")
	}
	spec.SecondaryIPs = new(int)
	if len(spec.Subnets) == 1 {
		b.problems.add(at(path, "subnets"), "has one subnet: AWS wants two zones at least for an application load balancer")
	}
	if len(spec.SecurityGroups) == 0 {
		spec.SecurityGroups = []string{defaultGroup}
	}
}

// listenerProtocol checks the protocol of a listener.
func (b *builder) listenerProtocol(path string, lb *balancer, protocol string) bool {
	own, other, kind := networkProtocols, applicationProtocols, "network"
	if lb.application() {
		own, other, kind = other, own, "application"
	}
	if slices.Contains(other, protocol) {
		if lb.LoadBalancerType != kind {
			return true // its type is the mistake
		}
		b.problems.add(path, "%s is not for %s load balancers, such as %s; choose from %s", protocol, kind, lb.name, strings.Join(own, ", "))
		return false
	}
	return b.protocol(path, protocol, own)
}

// withArticle puts an article before a protocol: a TCP, an HTTP.
func withArticle(protocol string) string {
	if strings.HasPrefix(protocol, "H") {
		return "an " + protocol
	}
	return "a " + protocol
}

// fixedAttributes refuses attributes that a target group cannot have: one for an
// Application Load Balancer keeps the defaults (F2.22a), and one behind it has few
// of those that groups of network load balancers have.
func (b *builder) fixedAttributes(path string, g *TargetGroup) {
	var why string
	var free []string // that it can have
	switch {
	case g.TargetType == "alb":
		why = "cannot be set where target_type is alb: AWS keeps the default (F2.22a)"
	case g.Protocol == "HTTP":
		why = "is for target groups of network load balancers, and this one's protocol is HTTP"
		free = []string{"deregistration_delay", "target_group_health"}
	default:
		return
	}
	standard := TargetGroup{Protocol: g.Protocol, TargetType: g.TargetType}
	(&builder{Lab: b.Lab}).completeAttributes("", &standard)
	own, fresh := reflect.ValueOf(&g.TargetGroupAttributes).Elem(), reflect.ValueOf(standard.TargetGroupAttributes)
	for i := range own.NumField() {
		key, _, _ := strings.Cut(own.Type().Field(i).Tag.Get("yaml"), ",")
		if slices.Contains(free, key) || own.Field(i).IsZero() || reflect.DeepEqual(own.Field(i).Interface(), fresh.Field(i).Interface()) {
			continue
		}
		b.problems.add(at(path, key), "%s", why)
		own.Field(i).Set(fresh.Field(i)) // one mistake, one message
	}
}

// frontPool checks a target group whose target is an Application Load Balancer.
func (b *builder) frontPool(p *pool) {
	if p.Protocol != "TCP" && fits[p.Protocol] != nil {
		b.problems.add(at(p.path, "protocol"), "%s does not fit target_type alb, which takes TCP (F2.22a)", p.Protocol)
	}
	if p.family == ipv6 {
		b.problems.add(at(p.path, "ip_address_type"), "ipv6 does not fit target_type alb: a network load balancer speaks IPv4 with an application one")
	}
}

// frontNetwork finds the VPC of a target group for an Application Load Balancer:
// the one it names, or that of its target.
func (b *builder) frontNetwork(p *pool) *Network {
	if p.VPCID != "" || len(p.Targets) == 0 || p.Targets[0] == nil {
		return b.poolNetwork(p.path, p)
	}
	front := b.find.balancers[p.Targets[0].TargetID]
	if front == nil || front.network == nil {
		return nil // its target will say what is wrong
	}
	p.VPCID = front.network.Name
	return front.network
}

// frontNodes finds the nodes of the Application Load Balancer that a target names.
func (l *Lab) frontNodes(problems *Problems, p *pool, name string, port int) []*NIC {
	if name == "" {
		problems.add("target_id", "is missing: name an application load balancer")
		return nil
	}
	front, err := find("load balancer", l.find.balancers, name)
	switch {
	case err != nil:
		problems.add("target_id", "%v", err)
	case front.LoadBalancerType == "network":
		problems.add("target_id", "%s is a network load balancer: with target_type alb a target is one of load_balancer_type application", name)
	case front.network != nil && p.network != nil && front.network != p.network:
		problems.add("target_id", "load balancer %s is in VPC %s, but the target group is in VPC %s", name, front.network.Name, p.network.Name)
	case !slices.ContainsFunc(front.Listeners, func(o *Listener) bool { return o != nil && o.Port == port }):
		problems.add("target_id", "load balancer %s has no listener on port %d: the port of a target must be one of its listeners' (F2.22a)", name, port)
	default:
		return front.nodes
	}
	return nil
}

// maxEntrances is how many network load balancers can have one application load
// balancer as their target.
const maxEntrances = 2

// checkFronts checks who forwards to Application Load Balancers: two network load
// balancers at most, each with a target group of its own.
func (b *builder) checkFronts() {
	users := map[*pool]*balancer{}
	entrances := map[string][]*balancer{} // by the name of the target
	for _, lb := range b.Lab.balancers {
		for p := range lb.pools() {
			if p.TargetType != "alb" || len(p.Targets) == 0 || p.Targets[0] == nil {
				continue
			}
			if other := users[p]; other != nil {
				b.problems.add(p.path, "load balancers %s and %s forward to it: with target_type alb each needs a target group of its own", other.name, lb.name)
			}
			users[p] = lb
			name := p.Targets[0].TargetID
			if slices.Contains(entrances[name], lb) {
				continue
			}
			entrances[name] = append(entrances[name], lb)
			if len(entrances[name]) == maxEntrances+1 {
				b.problems.add(lb.path, "is the third to forward to application load balancer %s: AWS takes %d at most", name, maxEntrances)
			}
		}
	}
}
