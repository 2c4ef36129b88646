package topology

import (
	"fmt"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// Compile makes the lab's program as it is now, whole. Each program has an epoch
// one above the last one's, and shares no memory that a later edit changes.
func (l *Lab) Compile() *dataplane.Program {
	l.epoch++
	c := &compiler{
		Lab:     l,
		program: &dataplane.Program{Epoch: l.epoch, Rules: slices.Clone(l.rules), Closures: l.closures, ResetRevoked: l.spec.Settings.RevokedFlows == "reset"},
		members: map[*group]*filter.Group{},
		sets:    map[string]*filter.RuleSet{},
	}
	l.closures = nil
	c.addrs()
	c.routes = c.tables()
	for _, n := range l.NICs {
		c.program.Interfaces = append(c.program.Interfaces, c.nic(n))
	}
	c.transits()
	c.links()
	c.balancers()
	return c.program
}

// CompileHealth makes the lab's program as it is now, if nothing but health checks has
// changed the lab since it made the last one: what they do not concern is that one's, which
// is nearly all in a large lab, and a thousand targets may fail one by one.
func (l *Lab) CompileHealth(last *dataplane.Program) *dataplane.Program {
	l.epoch++
	p := *last
	p.Epoch, p.Closures, p.Balancers = l.epoch, l.closures, nil
	l.closures = nil
	c := &compiler{Lab: l, program: &p}
	c.balancers()
	return &p
}

func (c *compiler) balancers() {
	c.program.Balancers = make([]dataplane.LoadBalancer, c.numbers.balancers)
	for _, lb := range c.Lab.balancers {
		c.program.Balancers[lb.number] = c.balancer(lb)
	}
}

// compiler is one compilation.
type compiler struct {
	*Lab
	program *dataplane.Program
	members map[*group]*filter.Group
	routes  map[uint16][]dataplane.Route // by subnet
	sets    map[string]*filter.RuleSet   // by direction and groups: many interfaces share one
}

// addrs fills in the VPCs with all their addresses, and the members of the groups.
func (c *compiler) addrs() {
	for _, n := range c.Networks {
		v := dataplane.VPC{ID: n.ID, Addrs: map[packet.Addr]dataplane.InterfaceID{}}
		for _, p := range n.CIDRs {
			v.Prefixes = append(v.Prefixes, filter.PrefixFrom(p))
		}
		c.program.VPCs = append(c.program.VPCs, v)
	}
	for _, n := range c.NICs {
		if n.Kind == dataplane.Absent {
			continue
		}
		for _, p := range n.Addrs {
			a := packet.AddrFrom(p.Addr())
			c.program.VPCs[n.Network.number].Addrs[a] = n.Index
			if n.Public.IsValid() && c.internet != nil {
				c.program.VPCs[c.internet.number].Addrs[packet.AddrFrom(n.Public)] = n.Index
			}
			for _, g := range n.groups {
				if c.members[g] == nil {
					c.members[g] = &filter.Group{Members: map[packet.Addr]struct{}{}}
				}
				c.members[g].Members[a] = struct{}{}
			}
		}
	}
}

func (c *compiler) nic(n *NIC) dataplane.Interface {
	i := dataplane.Interface{Kind: n.Kind, ID: n.ID, Label: n.Label}
	if c.has(n.Network) {
		i.VPC = n.Network.number
	}
	if n.Kind == dataplane.Absent {
		if n.balancer != nil { // its flows are about to be closed
			i.Zone, i.Balancer = n.Zone.Num, n.balancer.number
		}
		return i
	}
	i.Subnet, i.Zone, i.MAC, i.RouterMAC, i.MTU = n.subnet, n.Zone.Num, n.MAC, n.RouterMAC, n.MTU
	for _, a := range n.Routers {
		i.Routers = append(i.Routers, packet.AddrFrom(a))
	}
	for _, p := range n.Addrs {
		i.Addrs = append(i.Addrs, packet.AddrFrom(p.Addr()))
	}
	if !n.open {
		i.Ingress, i.Egress = c.rules(ingress, n.groups), c.rules(egress, n.groups)
	}
	if n.Public.IsValid() {
		i.Public = packet.AddrFrom(n.Public)
	}
	i.Tracking = n.tracking.timeouts()
	i.Lost = c.cut(n)
	c.border(n, &i)
	switch n.Kind {
	case dataplane.Resolver:
		i.Exempt = true // F3.5
	case dataplane.Endpoint:
		i.Endpoint = c.endpoint(n)
	case dataplane.Node:
		i.Balancer = n.balancer.number
	}
	return i
}

// rules pools the rules of several groups (F3.1).
func (c *compiler) rules(d direction, groups []*group) *filter.RuleSet {
	key := fmt.Sprint(d)
	for _, g := range groups {
		key += " " + g.ID
	}
	if set, ok := c.sets[key]; ok {
		return set
	}
	var rules []filter.Rule
	for _, g := range groups {
		for _, p := range g.rules[d] {
			rule := p.rule
			if p.list != nil {
				for _, to := range p.list.entries {
					rule.Prefix = filter.PrefixFrom(to)
					rules = append(rules, rule)
				}
				continue
			}
			if p.peer != nil {
				if rule.Group = c.members[p.peer]; rule.Group == nil || !c.reaches(g, p.peer) {
					rule.Group = new(filter.Group)
				}
			}
			rules = append(rules, rule)
		}
	}
	set := filter.NewRuleSet(rules)
	c.sets[key] = set
	return set
}

// endpoint finds the nodes that an endpoint's interface can lead to (F1.47).
func (c *compiler) endpoint(n *NIC) dataplane.EndpointInterface {
	e := dataplane.EndpointInterface{EndpointID: n.Endpoint.ID, Available: c.carries(n)}
	for _, lb := range n.Endpoint.offer.balancers {
		for _, node := range lb.nodes {
			if node.Zone.ID == n.Zone.ID && lb.serves(n.Zone) {
				e.Nodes = append(e.Nodes, node.Index)
			}
		}
	}
	return e
}

func (c *compiler) balancer(lb *balancer) dataplane.LoadBalancer {
	out := dataplane.LoadBalancer{
		ID: lb.arnSuffix(), Label: lb.name,
		EnforceSG: lb.EnforceSG == "on", CrossZone: *lb.CrossZone,
		Listeners: map[dataplane.ListenerKey]*dataplane.Listener{},
	}
	if lb.application() {
		return out // what it does with a connection is no business of the packets'
	}
	groups := map[*pool]*dataplane.TargetGroup{}
	for i, l := range lb.Listeners {
		listener := func(o dataplane.Listener) *dataplane.Listener {
			six := o
			act := func(to *dataplane.Listener, f forwarding) {
				to.Sticky = f.sticky
				for _, s := range f.shares {
					if groups[s.pool] == nil {
						groups[s.pool] = c.targetGroup(lb, s.pool)
					}
					to.Forward = append(to.Forward, dataplane.Forward{Group: groups[s.pool], Weight: s.weight})
				}
			}
			act(&o, lb.forwards[i].of(ipv4))
			act(&six, lb.forwards[i].of(ipv6))
			if len(lb.forwards[i].rules) > 0 {
				o.IPv6 = &six
			}
			return &o
		}
		tcp := dataplane.ListenerKey{Proto: packet.TCP, Port: uint16(l.Port)}
		udp := dataplane.ListenerKey{Proto: packet.UDP, Port: uint16(l.Port)}
		if l.Protocol == "TLS" {
			out.Listeners[tcp] = listener(dataplane.Listener{TLS: true, IdleTimeout: nlb.TCPIdle})
		}
		if l.Protocol == "TCP" || l.Protocol == "TCP_UDP" {
			out.Listeners[tcp] = listener(dataplane.Listener{IdleTimeout: time.Duration(l.TCPIdleTimeout) * time.Second})
		}
		if l.Protocol == "UDP" || l.Protocol == "TCP_UDP" {
			out.Listeners[udp] = listener(dataplane.Listener{IdleTimeout: nlb.UDPIdle})
		}
	}
	return out
}

// targetGroup compiles a target group as one load balancer sees it: targets in
// zones that the balancer is not in are unused (F2.19).
func (c *compiler) targetGroup(lb *balancer, p *pool) *dataplane.TargetGroup {
	out := &dataplane.TargetGroup{
		Label:            p.name,
		CrossZone:        lb.crosses(p),
		PreserveClientIP: *p.PreserveClientIP,
		TLS:              p.Protocol == "TLS",
		Proxy:            p.proxy(),
		Sticky:           p.sticky(),
		Number:           p.number,
	}
	failsOpen := map[dataplane.ZoneID]bool{}
	for _, m := range p.members {
		if m.known > c.now {
			continue
		}
		for _, t := range c.targets(lb, p, m) {
			open, known := failsOpen[t.Zone]
			if !known {
				open = lb.failsOpen(p, Zone{Num: t.Zone})
				failsOpen[t.Zone] = open
			}
			if m.health.now != TargetHealthy {
				t.FailOpen, t.Avoid = open, !open
				t.Reset = !open && m.health.now == TargetUnhealthy && *p.HealthState.TerminateUnhealthy
			}
			out.Targets = append(out.Targets, t)
		}
	}
	for _, o := range p.leavers {
		targets := c.targets(lb, p, o.member)
		if c.now < o.told {
			out.Targets = append(out.Targets, targets...)
		} else {
			out.Former = append(out.Former, targets...)
		}
	}
	return out
}
