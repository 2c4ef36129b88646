package topology

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Protocols of the listeners of a kind of load balancer, and of target groups.
var (
	networkProtocols     = []string{"TCP", "UDP", "TCP_UDP", "TLS"}
	applicationProtocols = []string{"HTTP", "HTTPS"}
	poolProtocols        = append(slices.Clone(networkProtocols), "HTTP")
)

// quic are the protocols that stay out of a lab (F2.13).
var quic = []string{"QUIC", "TCP_QUIC"}

// protocol checks the protocol of a listener or a target group.
func (b *builder) protocol(path, protocol string, choices []string) bool {
	switch {
	case protocol == "":
		b.problems.add(path, "is missing: choose from %s", strings.Join(choices, ", "))
	case slices.Contains(choices, protocol):
		return true
	case slices.Contains(quic, protocol):
		b.problems.add(path, "%s is left out of plsim: it is routed by connection ID, and whether it works behind PrivateLink is not known; choose from %s", protocol, strings.Join(choices, ", "))
	case protocol == "HTTPS": // of a target group
		b.problems.add(path, "HTTPS is left out of plsim: application load balancers speak HTTP in clear with their targets; choose from %s", strings.Join(choices, ", "))
	default:
		b.problems.add(path, "%q is not a protocol here%s", protocol, hint(protocol, choices))
	}
	return false
}

var elbName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)

// elbName checks a name that AWS puts into DNS names.
func (b *builder) elbName(path, kind, name string) {
	if nameForm.MatchString(name) && !elbName.MatchString(name) {
		b.problems.add(path, "%q is not a name for a %s: AWS takes 1 to 32 letters, digits and -, no - at either end", name, kind)
	}
}

// addPools resolves the target groups. Registered targets get their addresses
// from the plan.
func (b *builder) addPools() {
	b.find.pools = map[string]*pool{}
	each(&b.problems, "target_groups", b.spec.TargetGroups, func(path, name string, spec *TargetGroup) {
		p := &pool{TargetGroup: spec, name: name, path: path, number: b.numbers.pool(), id: b.ids.short("targetgroup", path)}
		b.pools = append(b.pools, p)
		b.find.pools[name] = p

		b.elbName(path, "target group", name)
		b.protocol(at(path, "protocol"), spec.Protocol, poolProtocols)
		b.port(at(path, "port"), spec.Port)
		b.poolAttributes(path, spec)
		if spec.HealthCheck == nil {
			spec.HealthCheck = new(HealthCheck)
		}
		b.healthCheck(at(path, "health_check"), spec)
		if spec.TargetType == "lambda" {
			b.problems.add(at(path, "target_type"), "lambda is for functions, and a lab has none; choose from instance, ip, alb")
			return
		}
		if !b.choice(at(path, "target_type"), &spec.TargetType, "a target type", "instance", "ip", "alb") {
			return
		}
		b.poolFamily(p)
		if spec.TargetType == "alb" {
			b.frontPool(p)
		} else if p.network = b.poolNetwork(path, p); p.network != nil {
			b.addTargets(p)
		}
	})
}

// addTargets registers the targets of a group that the file names.
func (b *builder) addTargets(p *pool) {
	elements(&b.problems, at(p.path, "targets"), p.Targets, func(path string, t *Target) {
		members, problems := b.membersOf(p, t)
		for _, m := range members {
			if len(problems) == 0 {
				problems = b.zoned(p, &m, t.AvailabilityZone)
			}
			if len(problems) == 0 {
				problems = p.register(m)
			}
		}
		b.problems.under(path, problems)
	})
}

// poolFamily completes and checks ip_address_type: all targets of a group are
// reached in one family (F2.22a).
func (b *builder) poolFamily(p *pool) {
	if p.IPAddressType == "" && len(p.Targets) > 0 && p.Targets[0] != nil {
		if a, err := netip.ParseAddr(p.Targets[0].TargetID); err == nil && ipv6.holds(a) {
			p.IPAddressType = "ipv6"
		}
	}
	b.choice(at(p.path, "ip_address_type"), &p.IPAddressType, "an address type of a target group", "ipv4", "ipv6")
	p.family = ipv4
	if p.IPAddressType == "ipv6" {
		p.family = ipv6
	}
}

// poolNetwork finds the VPC of a target group: the one it names, or the only one
// that has all its targets.
func (b *builder) poolNetwork(path string, p *pool) *Network {
	path = at(path, "vpc_id")
	if p.VPCID != "" {
		n, err := find("VPC", b.find.networks, p.VPCID)
		if err != nil {
			b.problems.add(path, "%v", err)
		}
		return n
	}
	var names []string
	for _, n := range b.vpcs() {
		if !slices.ContainsFunc(p.Targets, func(t *Target) bool { return t != nil && !b.plausible(n, p, t) }) {
			names = append(names, n.Name)
		}
	}
	switch {
	case len(names) == 1:
		p.VPCID = names[0]
		return b.find.networks[p.VPCID]
	case len(b.vpcs()) == 0:
	case len(b.vpcs()) == 1:
		p.VPCID = b.vpcs()[0].Name
		return b.vpcs()[0] // Its targets will say what is wrong.
	case len(names) > 1:
		b.problems.add(path, "is missing: %s could be meant", list(names))
	default:
		b.strayTargets(path, p)
	}
	return nil
}

// strayTargets says why no VPC has all the targets: some do not exist at all, or
// they stand in several VPCs.
func (b *builder) strayTargets(path string, p *pool) {
	exist := true
	for i, t := range p.Targets {
		if t == nil || p.TargetType == "ip" {
			continue
		}
		if _, err := b.find.hosts.find("", t.TargetID); err != nil {
			b.problems.add(at(item(at(p.path, "targets"), i), "target_id"), "%v", err)
			exist = false
		}
	}
	if exist {
		b.problems.add(path, "is missing, and no VPC has all the targets: name the VPC and check the targets")
	}
}

// plausible reports whether a VPC has what a target names.
func (b *builder) plausible(n *Network, p *pool, t *Target) bool {
	if p.TargetType == "ip" {
		a, err := netip.ParseAddr(t.TargetID)
		return err == nil && (n.holds(a) || t.AvailabilityZone == allZones.Name)
	}
	h, err := b.find.hosts.find(n.Name, t.TargetID)
	return err == nil && h.Network == n
}

// membersOf resolves a target: it is one member of its group, and an Application
// Load Balancer one for each of its nodes. The problems' paths are relative to it.
func (l *Lab) membersOf(p *pool, t *Target) (members []member, problems Problems) {
	if t.Port < 0 || t.Port > 65535 {
		problems.add("port", "%d is not a port: give one from 1 to 65535, or leave it out for the group's", t.Port)
	}
	m := member{port: uint16(t.Port), family: p.family}
	if t.Port == 0 {
		m.port = uint16(p.Port)
	}
	if p.TargetType == "alb" {
		nodes := l.frontNodes(&problems, p, t.TargetID, int(m.port))
		for _, n := range nodes {
			m.node = n
			members = append(members, m)
		}
		return members, problems
	}
	l.resolve(&problems, p, t, &m)
	return []member{m}, problems
}

// resolve finds the instance or the address that a target names.
func (l *Lab) resolve(problems *Problems, p *pool, t *Target, m *member) {
	bad := func(format string, args ...any) { problems.add("target_id", format, args...) }
	a, err := netip.ParseAddr(t.TargetID)
	switch {
	case t.TargetID == "":
		bad("is missing: name an instance, or an address where target_type is ip")
	case p.TargetType == "instance" && err == nil:
		bad("%s is an address, but target_type is instance: name an instance, or set target_type: ip", a)
	case p.TargetType == "instance":
		h, err := l.find.hosts.find(p.network.Name, t.TargetID)
		switch {
		case err != nil && l.spec.LoadBalancers[t.TargetID] != nil:
			bad("%s is a load balancer, but target_type is instance: set target_type: alb", t.TargetID)
		case err != nil:
			bad("%v", err)
		case h.Network != p.network:
			bad("instance %s is in VPC %s, but the target group is in VPC %s", t.TargetID, h.Network.Name, p.network.Name)
		case h.NIC != nil && h.Network.settled && !l.subnets[h.NIC.subnet].has(p.family):
			bad("instance %s has no %s address, and the target group's ip_address_type is %s", t.TargetID, p.family.name, p.IPAddressType)
		default:
			m.host = h
		}
	case err != nil:
		if _, err := l.find.hosts.find(p.network.Name, t.TargetID); err == nil {
			bad("%s is an instance, but target_type is ip: write its address, or set target_type: instance", t.TargetID)
		} else {
			bad("%q is not an address", t.TargetID)
		}
	case !p.family.holds(a):
		bad("%s is not %s, and the target group's ip_address_type is %s: a group holds IPv4 targets or IPv6 targets, not both", a, p.family.name, p.IPAddressType)
	default:
		m.addr = a
		s := l.subnetOf(p.network, a)
		switch {
		case s != nil:
			m.zone = s.zone
		case !p.network.holds(a):
			if why := l.beyond(p, a); why != "" {
				bad("%s", why)
			}
		case p.network.settled:
			bad("%s is in no subnet of VPC %s", a, p.network.Name)
		}
	}
}

// subnetOf returns the subnet of a network that an address belongs to.
func (l *Lab) subnetOf(n *Network, a netip.Addr) *subnet {
	for _, s := range l.subnets {
		if s.network != n {
			continue
		}
		for _, b := range s.blocks {
			if b.prefix.Contains(a) {
				return s
			}
		}
	}
	return nil
}

// register adds a target to the group. The problems' paths are relative to the target.
func (p *pool) register(m member) (problems Problems) {
	switch {
	case p.index(m) >= 0:
		problems.add("", "is registered twice with port %d", m.port)
	case m.node != nil && slices.ContainsFunc(p.members, func(o member) bool { return o.node.balancer != m.node.balancer || o.port != m.port }):
		problems.add("", "target group %s has its target, %s: with target_type alb it takes one (F2.22a)", p.name, p.nameOf(p.members[0]))
	}
	if len(problems) == 0 {
		m.health = new(health)
		p.members = append(p.members, m)
	}
	return problems
}

// index finds a registered target, -1 if it is none.
func (p *pool) index(m member) int {
	return slices.IndexFunc(p.members, m.same)
}

// addBalancers resolves the load balancers and their listeners.
func (b *builder) addBalancers() {
	b.find.balancers = map[string]*balancer{}
	each(&b.problems, "load_balancers", b.spec.LoadBalancers, func(path, name string, spec *LoadBalancer) {
		lb := &balancer{LoadBalancer: spec, name: name, path: path, number: b.numbers.balancer(), blocks: 1}
		b.Lab.balancers = append(b.Lab.balancers, lb)
		b.find.balancers[name] = lb

		b.elbName(path, "load balancer", name)
		b.ids.balancer(&b.problems, path, &spec.ID)
		lb.dnsName = strings.ToLower(fmt.Sprintf("%s-%s.elb.%s.amazonaws.com", name, spec.ID, b.Region))
		if spec.LoadBalancerType == "gateway" {
			b.problems.add(at(path, "load_balancer_type"), "gateway is left out of plsim; choose from network, application")
		} else {
			b.choice(at(path, "load_balancer_type"), &spec.LoadBalancerType, "a load balancer type", "network", "application")
		}
		orTrue(&spec.Internal)
		if !*spec.Internal {
			b.problems.add(at(path, "internal"), "cannot be false: a lab has no internet to face")
		}
		if lb.application() {
			b.applicationSettings(path, spec)
		} else {
			b.balancerAttributes(path, &spec.LoadBalancerAttributes)
			b.choice(at(path, enforceSG), &spec.EnforceSG, "a setting", "on", "off")
		}

		lb.zones = b.subnetRefs(at(path, "subnets"), "load balancer "+name, nil, spec.Subnets)
		if len(lb.zones) > 0 {
			lb.network = lb.zones[0].network
			lb.groups = b.groupRefs(at(path, "security_groups"), lb.network, spec.SecurityGroups)
		}
		if b.choice(at(path, "ip_address_type"), &spec.IPAddressType, "an address type", "ipv4", "dualstack") && spec.IPAddressType == "dualstack" {
			lb.blocks = 2
		}
		b.fitSubnets(at(path, "ip_address_type"), spec.IPAddressType, lb.zones)
	})
	for _, p := range b.pools {
		if p.TargetType == "alb" {
			p.network = b.frontNetwork(p)
		}
	}
	for _, lb := range b.Lab.balancers {
		b.addListeners(lb)
	}
	b.checkFronts()
}

func (b *builder) addListeners(lb *balancer) {
	path := at(lb.path, "listeners")
	if n := len(lb.Listeners); n > maxListeners {
		b.problems.add(path, "%d listeners: a load balancer takes %d at most", n, maxListeners)
	}
	ports := map[int]*Listener{}
	lb.forwards = make([]forwarding, 0, len(lb.Listeners))
	elements(&b.problems, path, lb.Listeners, func(path string, l *Listener) {
		known := b.listenerProtocol(at(path, "protocol"), lb, l.Protocol)
		if b.port(at(path, "port"), l.Port) {
			switch first := ports[l.Port]; {
			case first == nil:
				ports[l.Port] = l
			case known && first.Protocol != l.Protocol && fits[first.Protocol] != nil:
				b.problems.add(at(path, "port"), "port %d already has a %s listener: for TCP and UDP on one port use one TCP_UDP listener", l.Port, first.Protocol)
			default:
				b.problems.add(at(path, "port"), "port %d already has a listener", l.Port)
			}
		}
		b.idleTimeout(path, l)
		b.tlsListener(path, l)
		rules := b.listenerRules(path, lb, l)
		path = at(path, "default_action")
		if l.DefaultAction == nil {
			b.problems.add(path, "is missing: write { target_group_arn: NAME }")
			lb.forwards = append(lb.forwards, forwarding{})
			return
		}
		f, problems := b.forward(lb, l, l.DefaultAction)
		f.rules = rules
		lb.forwards = append(lb.forwards, f)
		b.problems.under(path, problems)
	})
}

// idleTimeout completes and checks tcp_idle_timeout_seconds (F2.44).
func (b *builder) idleTimeout(path string, l *Listener) {
	path = at(path, "tcp_idle_timeout_seconds")
	switch {
	case l.Protocol == "UDP" && l.TCPIdleTimeout != 0:
		b.problems.add(path, "is for TCP: a UDP listener forgets flows after 120 seconds, always")
	case l.Protocol == "TLS" && l.TCPIdleTimeout != 0:
		b.problems.add(path, "is for TCP: a TLS listener forgets flows after 350 seconds, always")
	case slices.Contains(applicationProtocols, l.Protocol) && l.TCPIdleTimeout != 0:
		b.problems.add(path, "is for TCP: an %s listener belongs to an application load balancer, which closes idle connections after 60 seconds", l.Protocol)
	case l.Protocol != "TCP" && l.Protocol != "TCP_UDP":
	case l.TCPIdleTimeout == 0:
		l.TCPIdleTimeout = 350
	case l.TCPIdleTimeout < 60 || l.TCPIdleTimeout > 6000:
		b.problems.add(path, "%d is out of range: AWS takes 60 to 6000 seconds", l.TCPIdleTimeout)
	}
}
