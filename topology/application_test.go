package topology

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// frontedLab is twoAccounts with an Application Load Balancer behind the network one.
var frontedLab = strings.NewReplacer(
	"  web: { vpc_id: provider, port: 8080, protocol: TCP, targets: [web-1, web-2, web-3] }\n",
	"  alb: { port: 8080, protocol: TCP, target_type: alb, targets: [front] }\n"+
		"  web: { vpc_id: provider, port: 8080, protocol: HTTP, targets: [web-1, web-2, web-3] }\n",
	"target_group_arn: web } }\n", "target_group_arn: alb } }\n"+
		"  front:\n    load_balancer_type: application\n    subnets: [provider/a, provider/b]\n"+
		"    listeners: [{ port: 8080, protocol: HTTP, default_action: { target_group_arn: web } }]\n",
).Replace(twoAccounts)

// pass tells the lab that checks of a group have passed or failed: all those
// towards one of the addresses, or all.
func pass(l *Lab, p *pool, passed bool, addrs ...string) {
	for range 5 {
		for _, c := range l.Checks() {
			known := slices.ContainsFunc(p.members, func(m member) bool { return m.health == c.health })
			if known && (len(addrs) == 0 || slices.Contains(addrs, c.To.Addr().String())) {
				l.Checked(c, passed)
			}
		}
	}
}

// TestApplicationTarget: what an Application Load Balancer is as a target: one of its
// group (F2.22a), of which each node is a target to the packets, in its zone or, where
// the load balancer in front crosses zones, in all (F2.19), with the client's address
// preserved (F2.24).
func TestApplicationTarget(t *testing.T) {
	for _, crossed := range []bool{false, true} {
		l := mustBuild(t, frontedLab, "  api:\n    subnets:", fmt.Sprintf("  api:\n    enable_cross_zone_load_balancing: %v\n    subnets:", crossed))
		front, alb := l.find.balancers["front"], l.find.pools["alb"]
		program := l.Compile()
		g := program.Balancers[0].Listeners[dataplane.ListenerKey{Proto: 6, Port: 80}].Forward[0].Group
		if g.CrossZone != crossed || !g.PreserveClientIP || len(g.Targets) != 2 {
			t.Fatalf("the group is %+v", g)
		}
		for i, target := range g.Targets {
			nic := program.Interfaces[target.Interface]
			if n := front.nodes[i]; nic.Kind != dataplane.Proxy || nic.Addrs[0] != target.Addr || nic.Zone != target.Zone || target.Port != 8080 || nic.Label != n.Label {
				t.Errorf("target %+v is %+v", target, nic)
			}
			if nic.Ingress == nil || nic.Egress == nil {
				t.Error("without groups of its own it has the VPC's default one")
			}
		}
		if checks := poolChecks(l, alb); len(checks) != map[bool]int{false: 2, true: 4}[crossed] || checks[0].Protocol != "HTTP" {
			t.Errorf("crossed %v: checks %+v", crossed, checks)
		}
		if checks := poolChecks(l, l.find.pools["web"]); len(checks) != 6 || checks[0].Node.Kind != dataplane.Proxy { // it crosses zones, always
			t.Errorf("crossed %v: checks of web %+v", crossed, checks)
		}
	}
}

func poolChecks(l *Lab, p *pool) (checks []Check) {
	for _, c := range l.Checks() {
		if slices.ContainsFunc(p.members, func(m member) bool { return m.health == c.health }) {
			checks = append(checks, c)
		}
	}
	return checks
}

// TestApplicationTargetHealth: the target is as healthy as its best node (F2.54), gets
// no new flows in the zone of another (F2.57), and leaves and returns as a whole (F2.59).
func TestApplicationTargetHealth(t *testing.T) {
	l := mustBuild(t, frontedLab)
	front, alb := l.find.balancers["front"], l.find.pools["alb"]
	state := func() string {
		t.Helper()
		all, err := l.TargetHealth("alb")
		one, err2 := l.HealthOf("alb", &Target{TargetID: "front"})
		if err != nil || err2 != nil || len(all) > 1 || len(all) == 1 && all[0] != one {
			t.Fatalf("%v and %v, %v and %v", all, one, err, err2)
		}
		return fmt.Sprint(one.Target, " ", one.State, " ", one.Reason)
	}
	expect := func(want string) {
		t.Helper()
		if got := state(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("front initial Elb.InitialHealthChecking")
	pass(l, alb, true)
	expect("front healthy ")
	pass(l, alb, false, front.nodes[1].Addr().String())
	expect("front healthy ")
	if lb := l.find.balancers["api"]; !lb.healthyIn(front.nodes[0].Zone) || lb.healthyIn(front.nodes[1].Zone) {
		t.Error("the zone of the node that fails its checks is the one that is not healthy")
	}
	pass(l, alb, false)
	expect("front unhealthy Target.FailedHealthChecks")
	if err := l.DeregisterTarget("alb", &Target{TargetID: "front"}); err != nil {
		t.Fatal(err)
	}
	expect("front draining Target.DeregistrationInProgress")
	l.Advance(clock.Time(300 * time.Second))
	expect("front unused Target.NotRegistered")
	if err := l.RegisterTarget("alb", &Target{TargetID: "front"}); err != nil {
		t.Fatal(err)
	}
	expect("front initial Elb.InitialHealthChecking")
	if len(alb.members) != 2 {
		t.Errorf("%d members", len(alb.members))
	}
}

// TestBackends: the targets to which an Application Load Balancer forwards: the healthy
// ones, in whatever zone; if none is, all (F2.56).
func TestBackends(t *testing.T) {
	l := mustBuild(t, frontedLab)
	web := l.find.pools["web"]
	backends := func() string {
		listeners := l.HTTPListeners()
		if len(listeners) != 2 || listeners[0].Node == listeners[1].Node {
			t.Fatalf("listeners %+v", listeners)
		}
		return fmt.Sprint(l.Backends().Of(listeners[0]))
	}
	addr := func(name string) string {
		h, err := l.Instance(name)
		if err != nil {
			t.Fatal(err)
		}
		return h.NIC.Addr().String()
	}
	one, two, three := addr("web-1"), addr("web-2"), addr("web-3")
	expect := func(addrs ...string) {
		t.Helper()
		for i := range addrs {
			addrs[i] += ":8080"
		}
		if got := backends(); got != fmt.Sprint(addrs) {
			t.Errorf("got %s, want %s", got, addrs)
		}
	}
	expect(one, two, three) // fails open
	pass(l, web, true, two)
	expect(two)
	pass(l, web, true)
	pass(l, web, false, one)
	expect(two, three)
	if err := l.DeregisterTarget("web", &Target{TargetID: "web-3"}); err != nil {
		t.Fatal(err)
	}
	expect(two)
	pass(l, web, false)
	expect(one, two)
	for _, name := range []string{"web-1", "web-2"} {
		if err := l.DeregisterTarget("web", &Target{TargetID: name}); err != nil {
			t.Fatal(err)
		}
	}
	expect()
}

// TestApplicationMetrics: an Application Load Balancer is not counted among the hosts
// of a network one, and has no metrics of its own there (F2.69).
func TestApplicationMetrics(t *testing.T) {
	l := mustBuild(t, frontedLab)
	pass(l, l.find.pools["alb"], true)
	l.Observe(0)
	for _, s := range l.Metrics(clock.Time(time.Minute), nil) {
		for _, d := range s.Dimensions {
			if d.Name == cloudwatch.TargetGroup || strings.HasPrefix(d.Value, "app/") {
				t.Errorf("%s has the dimension %+v", s.Name, d)
			}
		}
	}
}

// TestApplicationCertificate: an HTTPS listener's certificate is for the name by which
// clients come: that of the service before it (F2.22a).
func TestApplicationCertificate(t *testing.T) {
	l := mustBuild(t, frontedLab,
		"\ntarget_groups:\n", "\nacm_certificates: { web: {} }\ntarget_groups:\n",
		"protocol: HTTP, default", "protocol: HTTPS, certificate_arn: web, default")
	listener := l.HTTPListeners()[0]
	if !l.EndsTLS() || len(l.TLSListeners()) != 0 || listener.TLS == nil || !slices.Equal(listener.TLS.Names, []string{"api.example.com"}) {
		t.Errorf("listener %+v", listener)
	}
}

// TestApplicationMistakes: what does not fit the type of a load balancer or of a target
// (F2.9, F2.22a, F2.50).
func TestApplicationMistakes(t *testing.T) {
	for _, m := range []struct{ name, old, new, want string }{
		{"one zone", "type: application\n    subnets: [provider/a, provider/b]", "type: application\n    subnets: [provider/a]",
			`load_balancers.front.subnets: has one subnet: AWS wants two zones at least for an application load balancer`},
		{"cross-zone", "type: application\n", "type: application\n    enable_cross_zone_load_balancing: false\n",
			`load_balancers.front.enable_cross_zone_load_balancing: cannot be false: an application load balancer always uses the targets of every zone`},
		{"of network ones", "type: application\n", "type: application\n    secondary_ips_auto_assigned_per_subnet: 1\n",
			`load_balancers.front.secondary_ips_auto_assigned_per_subnet: is for network load balancers, and this one's load_balancer_type is application: remove it`},
		{"gateway", "  api:\n    subnets:", "  api:\n    load_balancer_type: gateway\n    subnets:",
			`load_balancers.api.load_balancer_type: gateway is left out of plsim; choose from network, application`},
		{"TCP listener", "port: 8080, protocol: HTTP, default", "port: 8080, protocol: TCP, default",
			`load_balancers.front.listeners[0].protocol: TCP is not for application load balancers, such as front; choose from HTTP, HTTPS`},
		{"HTTP listener", "{ port: 80, protocol: TCP", "{ port: 80, protocol: HTTP",
			`load_balancers.api.listeners[0].protocol: HTTP is not for network load balancers, such as api; choose from TCP, UDP, TCP_UDP, TLS`},
		{"certificate missing", "port: 8080, protocol: HTTP, default", "port: 8080, protocol: HTTPS, default",
			`load_balancers.front.listeners[0].certificate_arn: is missing: an HTTPS listener needs a certificate; name one of acm_certificates, such as web: { domain_name: api.example.com }`},
		{"idle timeout", "port: 8080, protocol: HTTP, default", "port: 8080, protocol: HTTP, tcp_idle_timeout_seconds: 60, default",
			`load_balancers.front.listeners[0].tcp_idle_timeout_seconds: is for TCP: an HTTP listener belongs to an application load balancer, which closes idle connections after 60 seconds`},
		{"weights", "default_action: { target_group_arn: web }", "default_action: { forward: { target_group: [{ arn: web }] } }",
			`load_balancers.front.listeners[0].default_action.forward: is for network load balancers here, and front is an application one: name its target group with target_group_arn`},
		{"TLS listener before it", "{ port: 80, protocol: TCP", "{ port: 80, protocol: TLS, certificate_arn: web",
			`load_balancers.api.listeners[0].default_action.target_group_arn: a TLS listener cannot forward to target group alb, whose target_type is alb; it needs a TCP listener`},
		{"group behind a network one", "{ target_group_arn: alb }", "{ target_group_arn: web }",
			`load_balancers.api.listeners[0].default_action.target_group_arn: a TCP listener cannot forward to target group web, whose protocol is HTTP; it needs TCP or TCP_UDP`},
		{"behind an endpoint service", "network_load_balancer_arns: [api]", "network_load_balancer_arns: [front]",
			`endpoint_services.api.network_load_balancer_arns[0]: front is an application load balancer, and an endpoint service needs a network one: put one before it, with a target group of target_type alb`},
		{"not an application one", "targets: [front]", "targets: [api]",
			`target_groups.alb.targets[0].target_id: api is a network load balancer: with target_type alb a target is one of load_balancer_type application`},
		{"no target type", "protocol: TCP, target_type: alb, targets: [front]", "vpc_id: provider, protocol: TCP, targets: [front]",
			`target_groups.alb.targets[0].target_id: front is a load balancer, but target_type is instance: set target_type: alb`},
		{"unknown type", "type: application\n", "type: alb\n",
			`load_balancers.front.load_balancer_type: "alb" is not a load balancer type; choose from application, network`},
		{"unknown", "targets: [front]", "targets: [fron]",
			`target_groups.alb.targets[0].target_id: there is no load balancer "fron"; did you mean front?`},
		{"two", "targets: [front]", "targets: [front, { target_id: front, port: 81 }]",
			`target_groups.alb.targets[1].target_id: load balancer front has no listener on port 81: the port of a target must be one of its listeners' (F2.22a)`},
		{"another VPC", "alb: { port: 8080", "alb: { vpc_id: consumer, port: 8080",
			`load_balancers.api.listeners[0].default_action.target_group_arn: target group alb is in VPC consumer, but load balancer api is in VPC provider` +
				"\n" + `target_groups.alb.targets[0].target_id: load balancer front is in VPC provider, but the target group is in VPC consumer`},
		{"port", "alb: { port: 8080", "alb: { port: 80",
			`target_groups.alb.targets[0].target_id: load balancer front has no listener on port 80: the port of a target must be one of its listeners' (F2.22a)`},
		{"protocol", "alb: { port: 8080, protocol: TCP", "alb: { port: 8080, protocol: TCP_UDP",
			`target_groups.alb.protocol: TCP_UDP does not fit target_type alb, which takes TCP (F2.22a)`},
		{"IPv6", "target_type: alb", "target_type: alb, ip_address_type: ipv6",
			`load_balancers.api.listeners[0].default_action.target_group_arn: target group alb has ip_address_type ipv6, and load balancer api is not dualstack: set its ip_address_type` +
				"\n" + `target_groups.alb.ip_address_type: ipv6 does not fit target_type alb: a network load balancer speaks IPv4 with an application one`},
		{"attribute", "target_type: alb", "target_type: alb, preserve_client_ip: false",
			`target_groups.alb.preserve_client_ip: cannot be set where target_type is alb: AWS keeps the default (F2.22a)`},
		{"attribute of network ones", "protocol: HTTP, targets", "protocol: HTTP, proxy_protocol_v2: true, targets",
			`target_groups.web.proxy_protocol_v2: is for target groups of network load balancers, and this one's protocol is HTTP`},
		{"TCP check", "target_type: alb", "target_type: alb, health_check: { protocol: TCP }",
			`target_groups.alb.health_check.protocol: "TCP" is not a protocol of health checks of this target group; choose from HTTP, HTTPS`},
		{"HTTPS group", "protocol: HTTP, targets", "protocol: HTTPS, targets",
			`target_groups.web.protocol: HTTPS is left out of plsim: application load balancers speak HTTP in clear with their targets; choose from TCP, UDP, TCP_UDP, TLS, HTTP`},
		{"one group before two", "  front:\n", "  other: { subnets: [provider/a], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: alb } }] }\n  front:\n",
			`target_groups.alb: load balancers api and other forward to it: with target_type alb each needs a target group of its own`},
	} {
		t.Run(m.name, func(t *testing.T) {
			text := frontedLab
			if strings.Contains(m.new, "certificate_arn") {
				text = strings.Replace(text, "\ntarget_groups:\n", "\nacm_certificates: { web: {} }\ntarget_groups:\n", 1)
			}
			_, err := build(t, text, m.old, m.new)
			if got := fmt.Sprint(err); got != m.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, m.want)
			}
		})
	}
}

// TestThirdEntrance: AWS takes two network load balancers at most before an
// application one (F2.22a).
func TestThirdEntrance(t *testing.T) {
	groups, balancers := "", ""
	for _, name := range []string{"x", "y"} {
		groups += "  " + name + ": { port: 8080, protocol: TCP, target_type: alb, targets: [front] }\n"
		balancers += "  " + name + ": { subnets: [provider/a], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: " + name + " } }] }\n"
	}
	_, err := build(t, frontedLab, "  front:\n", balancers+"  front:\n", "  alb: {", groups+"  alb: {")
	if want := "load_balancers.y: is the third to forward to application load balancer front: AWS takes 2 at most"; fmt.Sprint(err) != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// TestApplicationEdits: edits that are for network load balancers say so, and another
// one cannot join a group that has its target (F2.22a).
func TestApplicationEdits(t *testing.T) {
	l := mustBuild(t, frontedLab, "  front:\n", "  back: { load_balancer_type: application, subnets: [provider/a, provider/b], listeners: [{ port: 8080, protocol: HTTP, default_action: { target_group_arn: web } }] }\n  front:\n")
	yes := true
	for want, err := range map[string]error{
		"load balancer front is an application one, and this is for network load balancers":                           l.SetSubnets(&SubnetChange{LoadBalancer: "front", Subnets: []string{"provider/a"}}),
		"preserve_client_ip: cannot be set where target_type is alb: AWS keeps the default (F2.22a)":                  l.ModifyTargetGroupAttributes("alb", &TargetGroupAttributes{PreserveClientIP: new(bool)}),
		"proxy_protocol_v2: is for target groups of network load balancers, and this one's protocol is HTTP":          l.ModifyTargetGroupAttributes("web", &TargetGroupAttributes{ProxyProtocolV2: &yes}),
		"target group alb has its target, front: with target_type alb it takes one (F2.22a)":                          l.RegisterTarget("alb", &Target{TargetID: "back"}),
		"target_id: there is no load balancer \"web-1\"; choose from api, back, front":                                l.RegisterTarget("alb", &Target{TargetID: "web-1"}),
		"target_group_arn: an HTTP listener cannot forward to target group alb, whose protocol is TCP; it needs HTTP": l.ModifyListener("front", 8080, &Action{TargetGroup: "alb"}),
	} {
		if fmt.Sprint(err) != want {
			t.Errorf("got:\n%v\nwant:\n%s", err, want)
		}
	}
	if err := l.SetSecurityGroups(&GroupChange{LoadBalancer: "front", SecurityGroups: []string{"web"}, EnforceSG: "off"}); err == nil || !strings.Contains(err.Error(), "is for Network Load Balancers") {
		t.Errorf("what an Application Load Balancer enforces: %v", err)
	}
	if err := l.SetSecurityGroups(&GroupChange{LoadBalancer: "front", SecurityGroups: []string{"web"}}); err != nil || l.find.balancers["front"].nodes[0].groups[0].name != "web" {
		t.Errorf("other security groups: %v", err)
	}
	if err := l.ModifyTargetGroupAttributes("web", &TargetGroupAttributes{DeregistrationDelay: new(int)}); err != nil {
		t.Error(err)
	}
	d, err := l.Describe(&Part{LoadBalancer: "front"})
	if b, ok := d.(balancerDescription); err != nil || !ok || b.Type != "application" || !strings.Contains(b.LoadBalancerARN, ":loadbalancer/app/front/") {
		t.Errorf("%+v, %v", d, err)
	}
}
