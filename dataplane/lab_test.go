package dataplane_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/ppv2"
)

// A lab is a program written by hand, one thing a line:
//
//	vpc NAME CIDR
//	subnet VPC/NAME ZONE CIDR
//	instance VPC/NAME SUBNET ADDR [groups=G,G] [established=350s] [udp=30s] [stream=180s]  (or resolver, premises)
//	node VPC/NAME SUBNET ADDR[,ADDR] BALANCER [groups=G,G]
//	endpoint VPC/NAME SUBNET ADDR NODE,NODE [groups=G,G] [pending]
//	nat VPC/NAME SUBNET ADDR [public=ADDR]           (an instance may have a public address, too)
//	transit VPC/NAME SUBNET ADDR                     (an attachment's interface)
//	internet VPC/NAME SUBNET ADDR                    (a host's)
//	allow GROUP in|out PROTO PORT PEER               (- for any; a peer is a CIDR or a group)
//	acl SUBNET in|out NUMBER allow|deny PROTO PORTS CIDR  (- for any; FIRST-LAST; of ICMP the type)
//	route SUBNET CIDR peering|gateway [VPC,VPC]      (without a VPC it leads nowhere)
//	route SUBNET CIDR nat|transit NAME,NAME          (by those interfaces)
//	transit_route VPC CIDR [NAME,NAME]               (for what comes from the VPC; without a name nowhere)
//	balancer NAME [enforce]
//	listener BALANCER PROTO PORT TARGETS[*WEIGHT],… [ipv6=TARGETS[*WEIGHT],…] [idle=350s] [sticky=60s]
//	targets NAME [cross_zone] [preserve] [tls] [proxy[=early|wide]] [sticky=client|endpoint] [INTERFACE:PORT[/avoid][/reset][/failopen]…]
//	former NAME INTERFACE:PORT…                      (targets that have left)
//	zone_lost ZONE                                   (a fault)
//	reset_revoked                                    (flows of endpoints that are gone)
//	lost BALANCER ZONE NODE                          (which it had there, when it is loaded)
//	close NAME [INTERFACE:PORT] [listener=PORT]      (flows end when it is loaded)
//	link NAME instance INTERFACE [QUALITY…]          (or subnet SUBNET, zone ZONE, zones ZONE,ZONE, peering VPC,VPC)
//
// An interface without groups is not filtered, nor is a subnet without acl lines: with
// one, it has a network ACL that denies all else in both directions. ADDR may be
// ADDR,ADDR of two families. Addresses are written in IPv4;
// in a lab of IPv6 each decimal of one becomes a group of the other, so that
// 10.0.1.10 is fd00::10:0:1:10 and 10.0.1.0/24 is fd00::10:0:1:0/112.
type lab struct {
	v6    bool
	text  []string
	ids   map[string]dataplane.InterfaceID // lasting from program to program
	wires []string                         // links by ID, likewise
	infos []dataplane.RuleInfo             // so are rules: a tracked flow names a rule that is gone
	epoch uint32
	prog  *dataplane.Program

	zones, subnets []string
	nics           map[string]*dataplane.Interface
	sets           map[string]*[2][]rule // by group, then by way
	groups         map[string][]string   // by interface
	targets        map[string]*dataplane.TargetGroup
	acls           map[string]*[2][]filter.Entry // by subnet, then by way
	routes         map[string][]dataplane.Route  // by subnet
	transits       map[string][]dataplane.Route  // by VPC
}

// rule is a rule whose peer is not known before all interfaces are.
type rule struct {
	filter.Rule
	peer string
}

// newLab returns the lab of a text.
func newLab(t testing.TB, v6 bool, text string) *lab {
	t.Helper()
	l := &lab{v6: v6, ids: map[string]dataplane.InterfaceID{}, text: lines(text)}
	if err := l.compile(); err != nil {
		t.Fatal(err)
	}
	return l
}

// edit removes and adds lines of the text, and compiles the next epoch.
func (l *lab) edit(diff string) error {
	for _, s := range lines(diff) {
		sign, line, _ := strings.Cut(s, " ")
		i := slices.Index(l.text, strings.TrimSpace(line))
		switch {
		case sign == "+":
			l.text = append(l.text, strings.TrimSpace(line))
		case sign == "-" && i >= 0:
			l.text = slices.Delete(l.text, i, i+1)
		default:
			return fmt.Errorf("cannot apply %q", s)
		}
	}
	return l.compile()
}

// lines returns the lines of a text that say something, blanks squeezed.
func lines(text string) []string {
	var all []string
	for s := range strings.Lines(text) {
		s, _, _ = strings.Cut(s, "#")
		if f := strings.Fields(s); len(f) > 0 {
			all = append(all, strings.Join(f, " "))
		}
	}
	return all
}

// id returns the number of an interface, a new one for a new name.
func (l *lab) id(name string) dataplane.InterfaceID {
	if _, ok := l.ids[name]; !ok {
		l.ids[name] = dataplane.InterfaceID(len(l.ids))
	}
	return l.ids[name]
}

// name is the inverse of id.
func (l *lab) name(id dataplane.InterfaceID) string {
	for name, i := range l.ids {
		if i == id {
			return name
		}
	}
	return "nobody"
}

func (l *lab) compile() error {
	l.epoch++
	l.prog = &dataplane.Program{Epoch: l.epoch}
	l.zones, l.subnets = nil, nil
	l.nics = map[string]*dataplane.Interface{}
	l.sets = map[string]*[2][]rule{}
	l.groups = map[string][]string{}
	l.targets = map[string]*dataplane.TargetGroup{}
	l.acls = map[string]*[2][]filter.Entry{}
	l.routes, l.transits = map[string][]dataplane.Route{}, map[string][]dataplane.Route{}
	// Names may be used before their lines: what is named by index comes first.
	for _, kinds := range []string{"reset_revoked vpc subnet balancer targets", "instance resolver node endpoint premises nat transit internet allow listener acl route transit_route"} {
		for _, s := range l.text {
			f := strings.Fields(s)
			if !slices.Contains(strings.Fields(kinds), f[0]) {
				continue
			}
			if err := l.line(f); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
	}
	return l.link()
}

// link resolves what names interfaces, now that all are known.
func (l *lab) link() error {
	l.prog.Rules = slices.Clone(l.infos)
	l.prog.Interfaces = make([]dataplane.Interface, len(l.ids))
	for name, nic := range l.nics {
		id := l.id(name)
		nic.ID, nic.Label = fmt.Sprintf("eni-%d", id), name
		nic.Lost = slices.Contains(l.text, fmt.Sprintf("zone_lost az%d", nic.Zone)) && nic.Kind != dataplane.Resolver
		nic.MAC = packet.MAC{2, 0, 0, 0, 0, byte(id)}
		for _, a := range nic.Addrs {
			l.prog.VPCs[nic.VPC].Addrs[a] = id
		}
		if nic.Public != (packet.Addr{}) {
			l.prog.VPCs[l.vpc("internet")].Addrs[nic.Public] = id
		}
	}
	for name, nic := range l.nics {
		if groups := l.groups[name]; groups != nil {
			nic.Ingress, nic.Egress = l.rules(groups, flow.Ingress), l.rules(groups, flow.Egress)
		}
		l.borders(nic)
		l.prog.Interfaces[l.id(name)] = *nic
	}
	for _, s := range l.text {
		f := strings.Fields(s)
		if f[0] == "link" {
			if err := l.wire(f); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		if f[0] == "lost" {
			c := dataplane.Closure{Balancer: uint16(l.balancer(f[1])), Zone: dataplane.ZoneID(number(strings.TrimPrefix(f[2], "az")))}
			l.prog.Closures = append(l.prog.Closures, c)
			hole := &l.prog.Interfaces[l.id(f[3])]
			hole.Balancer, hole.Zone = c.Balancer, c.Zone
		}
		if f[0] != "targets" && f[0] != "former" && f[0] != "close" {
			continue
		}
		g := l.targets[f[1]]
		by := uint16(number(option(f, "listener")))
		if f[0] == "close" && !strings.Contains(s, ":") {
			l.prog.Closures = append(l.prog.Closures, dataplane.Closure{Group: g.Number, Listener: by})
		}
		for _, target := range f[2:] {
			name, port, ok := strings.Cut(target, ":")
			if !ok {
				continue
			}
			nic := l.nics[name]
			if nic == nil {
				return fmt.Errorf("%s: no interface %s", s, name)
			}
			health := strings.Split(port, "/")
			member := dataplane.Target{
				Interface: l.id(name), Addr: nic.Addrs[0], Port: uint16(number(health[0])), Zone: nic.Zone,
				Avoid: slices.Contains(health, "avoid"), Reset: slices.Contains(health, "reset"),
				FailOpen: slices.Contains(health, "failopen"),
			}
			switch f[0] {
			case "targets":
				g.Targets = append(g.Targets, member)
			case "former":
				g.Former = append(g.Former, member)
			case "close":
				l.prog.Closures = append(l.prog.Closures, dataplane.Closure{Group: g.Number, Addr: member.Addr, Port: member.Port, Listener: by})
			}
		}
	}
	return nil
}

func (l *lab) line(f []string) error {
	word := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	switch f[0] {
	case "vpc":
		l.prog.VPCs = append(l.prog.VPCs, dataplane.VPC{
			ID: word(1), Addrs: map[packet.Addr]dataplane.InterfaceID{}, Prefixes: []filter.Prefix{l.prefix(word(2))},
		})
	case "reset_revoked":
		l.prog.ResetRevoked = true
	case "subnet":
		l.subnets = append(l.subnets, strings.Join(f[1:], " "))
	case "balancer":
		l.prog.Balancers = append(l.prog.Balancers, dataplane.LoadBalancer{
			ID: word(1), Label: word(1), EnforceSG: slices.Contains(f, "enforce"),
			Listeners: map[dataplane.ListenerKey]*dataplane.Listener{},
		})
	case "targets":
		l.targets[word(1)] = &dataplane.TargetGroup{
			Label: word(1), CrossZone: slices.Contains(f, "cross_zone"), TLS: slices.Contains(f, "tls"), PreserveClientIP: slices.Contains(f, "preserve"),
			Proxy: dataplane.ProxyProtocol{
				Enabled: slices.Contains(f, "proxy") || option(f, "proxy") != "", Early: option(f, "proxy") == "early",
				IPv6Size: pick(option(f, "proxy") == "wide", ppv2.WideSize, ppv2.Size),
			},
			Number: uint16(len(l.targets)), Sticky: stickiness[option(f, "sticky")],
		}
	case "allow":
		return l.allow(word(1), word(2), word(3), word(4), word(5))
	case "acl":
		return l.acl(word(1), word(2), word(3), word(4), word(5), word(6), word(7))
	case "route":
		r := dataplane.Route{Prefix: l.prefix(word(2)), Path: paths[word(3)], Internet: word(3) == "internet", Text: word(2)}
		for vpc := range strings.SplitSeq(word(4), ",") {
			if word(3) == "nat" || word(3) == "transit" {
				r.Via = append(r.Via, l.id(vpc))
				continue
			}
			if at := l.vpc(vpc); at >= 0 {
				r.To = append(r.To, dataplane.VPCID(at))
			}
		}
		l.routes[word(1)] = append(l.routes[word(1)], r)
	case "transit_route":
		r := dataplane.Route{Prefix: l.prefix(word(2)), Text: word(2)}
		if len(f) > 3 {
			for name := range strings.SplitSeq(word(3), ",") {
				r.Via = append(r.Via, l.id(name))
			}
		}
		l.transits[word(1)] = append(l.transits[word(1)], r)
		l.prog.VPCs[l.vpc(word(1))].Transits = true
	case "listener":
		lb := l.balancer(word(1))
		listener := &dataplane.Listener{TLS: word(2) == "tls", IdleTimeout: 350 * time.Second} // F2.44
		forward := func(to *dataplane.Listener, text string) error {
			for s := range strings.SplitSeq(text, ",") {
				name, weight, weighted := strings.Cut(s, "*")
				g := l.targets[name]
				if lb < 0 || g == nil {
					return fmt.Errorf("no balancer %s or no targets %s", word(1), name)
				}
				f := dataplane.Forward{Group: g, Weight: 1}
				if weighted {
					f.Weight = number(weight)
				}
				to.Forward = append(to.Forward, f)
			}
			return nil
		}
		if s := option(f, "ipv6"); s != "" {
			listener.IPv6 = &dataplane.Listener{}
			if err := forward(listener.IPv6, s); err != nil {
				return err
			}
		}
		if err := forward(listener, word(4)); err != nil {
			return err
		}
		if word(2) == "udp" {
			listener.IdleTimeout = 120 * time.Second
		}
		listener.Sticky, _ = time.ParseDuration(option(f, "sticky"))
		if s := option(f, "idle"); s != "" {
			listener.IdleTimeout, _ = time.ParseDuration(s)
		}
		l.prog.Balancers[lb].Listeners[dataplane.ListenerKey{
			Proto: protocols[word(2)], Port: uint16(number(word(3))),
		}] = listener
	default:
		return l.nic(f, word)
	}
	return nil
}

var stickiness = map[string]dataplane.Stickiness{"client": dataplane.StickyClient, "endpoint": dataplane.StickyEndpoint}

var protocols = map[string]packet.Proto{"tcp": packet.TCP, "tls": packet.TCP, "udp": packet.UDP, "icmp": packet.ICMP}

func (l *lab) nic(f []string, word func(int) string) error {
	vpc, _, _ := strings.Cut(word(1), "/")
	n := &dataplane.Interface{MTU: 9001}
	for a := range strings.SplitSeq(word(3), ",") {
		n.Addrs = append(n.Addrs, l.addr(a))
	}
	at := l.vpc(vpc)
	sub := slices.IndexFunc(l.subnets, func(s string) bool { return strings.HasPrefix(s, word(2)+" ") })
	if at < 0 || sub < 0 {
		return fmt.Errorf("no VPC %s or no subnet %s", vpc, word(2))
	}
	subnet := strings.Fields(l.subnets[sub])
	base := netip.MustParsePrefix(subnet[2]).Addr()
	if !slices.Contains(l.zones, subnet[1]) {
		l.zones = append(l.zones, subnet[1])
		slices.Sort(l.zones)
	}
	n.VPC, n.Subnet = dataplane.VPCID(at), uint16(sub)
	n.Zone = dataplane.ZoneID(number(strings.TrimLeft(subnet[1], "abcdefghijklmnopqrstuvwxyz")))
	n.Routers = []packet.Addr{l.addr(base.Next().String())}
	n.RouterMAC = packet.MAC{2, 0xff, 0, 0, 0, byte(sub)}
	if g := option(f, "groups"); g != "" {
		l.groups[word(1)] = strings.Split(g, ",")
	}
	switch f[0] {
	case "instance":
		n.Kind = dataplane.Instance
		n.Tracking = timers(f)
		n.Public = l.public(f)
	case "nat":
		n.Kind, n.MTU, n.Public = dataplane.NAT, 8500, l.public(f)
	case "transit":
		n.Kind, n.MTU = dataplane.Transit, 8500
	case "internet":
		n.Kind, n.MTU = dataplane.Internet, 1500
	case "premises":
		n.Kind = dataplane.OnPremises
	case "resolver":
		n.Kind, n.Exempt = dataplane.Resolver, true
	case "node":
		n.Kind = dataplane.Node
		lb := l.balancer(word(4))
		if lb < 0 {
			return fmt.Errorf("no balancer %s", word(4))
		}
		n.Balancer = uint16(lb)
	case "endpoint":
		n.Kind, n.MTU = dataplane.Endpoint, 8500
		n.Endpoint = dataplane.EndpointInterface{EndpointID: "vpce-" + strings.ReplaceAll(word(1), "/", "-"), Available: !slices.Contains(f, "pending")}
		for name := range strings.SplitSeq(word(4), ",") {
			if name != "-" {
				n.Endpoint.Nodes = append(n.Endpoint.Nodes, l.id(name))
			}
		}
	default:
		return fmt.Errorf("no such thing as a %s", f[0])
	}
	l.id(word(1))
	l.nics[word(1)] = n
	return nil
}

// public returns the public address of an interface.
func (l *lab) public(f []string) packet.Addr {
	if a := option(f, "public"); a != "" {
		return l.addr(a)
	}
	return packet.Addr{}
}

// timers returns the timeouts that an interface has of its own, or nil (F3.14).
func timers(f []string) *conntrack.Timeouts {
	t, own := conntrack.DefaultTimeouts(), false
	for name, to := range map[string]*time.Duration{"established": &t.TCPEstablished, "udp": &t.UDP, "stream": &t.UDPStream} {
		if d, err := time.ParseDuration(option(f, name)); err == nil {
			*to, own = d, true
		}
	}
	if !own {
		return nil
	}
	return &t
}

func (l *lab) balancer(name string) int {
	return slices.IndexFunc(l.prog.Balancers, func(b dataplane.LoadBalancer) bool { return b.ID == name })
}

func (l *lab) vpc(name string) int {
	return slices.IndexFunc(l.prog.VPCs, func(v dataplane.VPC) bool { return v.ID == name })
}

var paths = map[string]flowlog.Path{"peering": flowlog.Peering, "gateway": flowlog.PrivateGateway, "internet": flowlog.InternetGatewayNitro, "nat": flowlog.WithinVPC, "transit": flowlog.WithinVPC}

var ways = map[string]flow.Way{"in": flow.Ingress, "out": flow.Egress}

// acl adds an entry to the network ACL of a subnet.
func (l *lab) acl(subnet, way, num, action, proto, ports, cidr string) error {
	w, ok := ways[way]
	if !ok || number(num) == 0 || action != "allow" && action != "deny" {
		return fmt.Errorf("not an entry of a network ACL")
	}
	e := filter.Entry{Number: number(num), Allow: action == "allow"}
	e.Traffic = filter.Rule{Proto: filter.AnyProto, To: 65535, Prefix: l.prefix(cidr)}
	if proto != "-" {
		e.Traffic.Proto = int(l.proto(proto))
	}
	first, last, ranged := strings.Cut(ports, "-")
	switch {
	case ports == "-" && proto == "icmp":
		e.Traffic.From, e.Traffic.To = -1, -1
	case ports == "-":
	case proto == "icmp":
		e.Traffic.From, e.Traffic.To = l.icmpType(ports), -1
	case ranged:
		e.Traffic.From, e.Traffic.To = number(first), number(last)
	default:
		e.Traffic.From, e.Traffic.To = number(ports), number(ports)
	}
	if l.acls[subnet] == nil {
		l.acls[subnet] = new([2][]filter.Entry)
	}
	l.acls[subnet][w] = append(l.acls[subnet][w], e)
	return nil
}

// icmpType reads echo or answer.
func (l *lab) icmpType(name string) int {
	return map[string]int{"echo": pick(l.v6, 128, 8), "answer": pick(l.v6, 129, 0)}[name]
}

// borders gives an interface what its subnet has: a network ACL and routes.
func (l *lab) borders(nic *dataplane.Interface) {
	subnet, _, _ := strings.Cut(l.subnets[nic.Subnet], " ")
	nic.Routes = slices.SortedStableFunc(slices.Values(l.routes[subnet]), func(a, b dataplane.Route) int {
		return int(b.Prefix.Bits) - int(a.Prefix.Bits)
	})
	vpc, _, _ := strings.Cut(subnet, "/")
	nic.Transit = slices.SortedStableFunc(slices.Values(l.transits[vpc]), func(a, b dataplane.Route) int {
		return int(b.Prefix.Bits) - int(a.Prefix.Bits)
	})
	acl := l.acls[subnet]
	if acl == nil {
		return
	}
	for _, entries := range acl {
		slices.SortFunc(entries, func(a, b filter.Entry) int { return a.Number - b.Number })
	}
	nic.ACLIngress = filter.NewACL("acl-"+subnet, subnet, slices.Clone(acl[flow.Ingress]))
	nic.ACLEgress = filter.NewACL("acl-"+subnet, subnet, slices.Clone(acl[flow.Egress]))
}

func (l *lab) allow(group, way, proto, port, peer string) error {
	r := rule{peer: peer}
	info := dataplane.RuleInfo{Group: group, Text: strings.Join([]string{way, proto, port, peer}, " ")}
	id := slices.Index(l.infos, info)
	if id < 0 {
		id = len(l.infos)
		l.infos = append(l.infos, info)
	}
	r.ID = filter.RuleID(id)
	r.Proto, r.From, r.To = filter.AnyProto, number(port), number(port)
	if proto != "-" {
		r.Proto = int(l.proto(proto))
	}
	if port == "-" {
		r.From, r.To = 0, 65535
		if proto == "icmp" {
			r.From, r.To = -1, -1
		}
	}
	if l.sets[group] == nil {
		l.sets[group] = new([2][]rule)
	}
	w, ok := ways[way]
	if !ok {
		return fmt.Errorf("neither in nor out: %q", way)
	}
	l.sets[group][w] = append(l.sets[group][w], r)
	return nil
}

// rules pools the rules of groups (F3.1).
func (l *lab) rules(groups []string, way flow.Way) *filter.RuleSet {
	all := []filter.Rule{}
	for _, g := range groups {
		if l.sets[g] == nil {
			continue // a group without rules allows nothing
		}
		for _, r := range l.sets[g][way] {
			if strings.Contains(r.peer, "/") {
				r.Prefix = l.prefix(r.peer)
			} else {
				r.Group = &filter.Group{Members: map[packet.Addr]struct{}{}} // F3.6
				for name, nic := range l.nics {
					if slices.Contains(l.groups[name], r.peer) {
						for _, a := range nic.Addrs {
							r.Group.Members[a] = struct{}{}
						}
					}
				}
			}
			all = append(all, r.Rule)
		}
	}
	return filter.NewRuleSet(all)
}

// proto returns the protocol of a name, in the lab's family.
func (l *lab) proto(name string) packet.Proto { return protoOf(name, l.v6) }

func protoOf(name string, v6 bool) packet.Proto {
	if name == "icmp" && v6 {
		return packet.ICMPv6
	}
	return protocols[name]
}

// addr returns the address that a text of IPv4 stands for.
func (l *lab) addr(text string) packet.Addr { return packet.AddrFrom(l.ip(text)) }

func (l *lab) ip(text string) netip.Addr {
	a := netip.MustParseAddr(text)
	if !l.v6 || !a.Is4() {
		return a
	}
	if a.IsUnspecified() {
		return netip.IPv6Unspecified()
	}
	if rest, ok := strings.CutPrefix(text, "240.0.0."); ok { // a client at a TLS listener
		return netip.MustParseAddr("100::" + rest)
	}
	return netip.MustParseAddr("fd00::" + strings.ReplaceAll(text, ".", ":"))
}

// show is the inverse of addr.
func (l *lab) show(a netip.Addr) string {
	if s, ok := strings.CutPrefix(a.String(), "100::"); ok && l.v6 {
		return "240.0.0." + cmp.Or(s, "0")
	}
	if s, ok := strings.CutPrefix(a.String(), "fd00::"); ok && l.v6 {
		return strings.ReplaceAll(s, ":", ".")
	}
	return a.String()
}

func (l *lab) prefix(text string) filter.Prefix {
	p := netip.MustParsePrefix(text)
	switch {
	case l.v6 && p.Bits() == 0:
		p = netip.MustParsePrefix("::/0")
	case l.v6:
		p = netip.PrefixFrom(l.ip(p.Addr().String()), 64+2*p.Bits())
	}
	return filter.PrefixFrom(p)
}

// describe is what flow logs say of the lab's interfaces.
func (l *lab) describe(s flow.Scope) (flowlog.Interface, bool) {
	nic := &l.prog.Interfaces[s]
	return flowlog.Interface{ID: nic.Label, Addrs: nic.Addrs}, nic.Kind != dataplane.Absent
}

// records takes the records of everything so far out of a walk.
func records(w *dataplane.Walk, l *lab) []flowlog.Record {
	a := flowlog.NewAggregator(flowlog.ShortWindow, time.Time{}, 0)
	a.Add(w.LogSoFar())
	return a.Flush(l.describe)
}

// all returns all interfaces, in the order of their numbers.
func (l *lab) all() []dataplane.InterfaceID { return slices.Sorted(maps.Values(l.ids)) }

// option returns the value of NAME=VALUE among fields.
func option(f []string, name string) string {
	for _, s := range f {
		if v, ok := strings.CutPrefix(s, name+"="); ok {
			return v
		}
	}
	return ""
}

// number reads a number; a text that is none is 0.
func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
