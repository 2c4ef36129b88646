package topology

import (
	"iter"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// application reports whether it is an Application Load Balancer: a reverse proxy,
// whose nodes are devices to the packets and no part of their way.
func (lb *balancer) application() bool { return lb.LoadBalancerType == "application" }

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

// networkBalancers visits the Network Load Balancers.
func (l *Lab) networkBalancers() iter.Seq[*balancer] {
	return func(yield func(*balancer) bool) {
		for _, lb := range l.balancers {
			if !lb.application() && !yield(lb) {
				return
			}
		}
	}
}

// networkBalancer finds a load balancer for what only network ones can do.
func (l *Lab) networkBalancer(name string) (*balancer, error) {
	lb, err := find("load balancer", l.find.balancers, name)
	if err == nil && lb.application() {
		problem := Problems{}
		problem.add("", "load balancer %s is an application one, and this is for network load balancers", name)
		return nil, problem.err()
	}
	return lb, err
}

// fixedAttributes refuses attributes that a target group cannot have: one for an
// Application Load Balancer keeps the defaults (F2.22a), and one behind it has few
// of those that groups of network load balancers have.
func (b *builder) fixedAttributes(path string, g *TargetGroup) {
	why, free := "", []string{}
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

// front returns the Application Load Balancer that a target group has as its
// target; nil if it has none.
func (p *pool) front() *balancer {
	if len(p.members) == 0 || p.members[0].node == nil {
		return nil
	}
	return p.members[0].node.balancer
}

// entrances returns the load balancers through which clients come to a load
// balancer: itself, and those whose target it is.
func (l *Lab) entrances(lb *balancer) []*balancer {
	all := []*balancer{lb}
	for _, o := range l.balancers {
		for p := range o.pools() {
			if p.front() == lb && !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	return all
}

// HTTPListener is a listener of an Application Load Balancer, at one of its nodes.
type HTTPListener struct {
	Balancer string // its name
	Node     *NIC
	Port     uint16
	TLS      *TLSListener // what its handshakes follow; nil: it speaks HTTP in clear
}

// HTTPListeners returns the listeners of every node of the Application Load
// Balancers. They never change.
func (l *Lab) HTTPListeners() []HTTPListener {
	var all []HTTPListener
	for _, lb := range l.balancers {
		if !lb.application() {
			continue
		}
		for _, of := range lb.Listeners {
			for _, n := range lb.nodes {
				h := HTTPListener{Balancer: lb.name, Node: n, Port: uint16(of.Port)}
				if of.endsTLS() {
					ends := l.tlsListenerOf(lb, of, n)
					h.TLS = &ends
				}
				all = append(all, h)
			}
		}
	}
	return all
}

// Backends are the targets to which the listeners of Application Load Balancers
// forward at one moment. They never change.
type Backends struct {
	by map[backendsOf][]netip.AddrPort
}

type backendsOf struct {
	balancer string
	port     uint16
}

// Of returns the targets of a listener: its healthy ones, or if none is, all.
func (b *Backends) Of(h HTTPListener) []netip.AddrPort {
	return b.by[backendsOf{h.Balancer, h.Port}]
}

// Backends returns the targets behind Application Load Balancers as they are now.
func (l *Lab) Backends() *Backends {
	all := &Backends{by: map[backendsOf][]netip.AddrPort{}}
	for _, lb := range l.balancers {
		if !lb.application() {
			continue
		}
		for i, of := range lb.Listeners {
			for _, s := range lb.forwards[i].shares {
				all.by[backendsOf{lb.name, uint16(of.Port)}] = l.backends(lb, s.pool)
			}
		}
	}
	return all
}

func (l *Lab) backends(lb *balancer, p *pool) (to []netip.AddrPort) {
	for _, m := range p.members {
		open := lb.failsOpen(p, m.place()) // F2.56
		if m.known <= l.now && lb.uses(p, m, m.place()) && (open || m.health.now == TargetHealthy) {
			to = append(to, netip.AddrPortFrom(m.address(), m.port))
		}
	}
	for _, o := range p.leavers {
		if l.now < o.told {
			to = append(to, netip.AddrPortFrom(o.address(), o.port))
		}
	}
	return to
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
