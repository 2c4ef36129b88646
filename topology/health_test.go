package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// checksOf returns the checks that are made of the target of an instance.
func checksOf(t *testing.T, l *Lab, instance string) (checks []Check) {
	t.Helper()
	h, err := l.Instance(instance)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range l.Checks() {
		if c.To.Addr() == h.NIC.Addr() {
			checks = append(checks, c)
		}
	}
	return checks
}

// report tells the lab what became of checks, one after the other, P for passed
// and F for failed, and returns the states that followed.
func report(t *testing.T, l *Lab, c Check, results string) (states []string) {
	t.Helper()
	mind := func() (m TargetState) {
		if v := c.health.views[c.Node.Index]; v != nil {
			m = v.mind
		}
		return m
	}
	for _, r := range results {
		was, thought := c.health.state(), mind()
		if changed := l.Checked(c, r == 'P'); changed != (thought != mind() || was != c.health.state()) {
			t.Errorf("%c: from %s to %s, from %s to %s in the node's mind, changed is %v", r, was, c.health.state(), thought, mind(), changed)
		}
		states = append(states, string(c.health.state()[0]))
	}
	return states
}

// crossZone makes twoAccounts' load balancer use all targets from each zone.
var crossZone = []string{"    subnets: [provider/a, provider/b]", "    enable_cross_zone_load_balancing: true\n    subnets: [provider/a, provider/b]"}

// TestThresholds: how many checks in a row change a target's state (F2.20, F2.50).
func TestThresholds(t *testing.T) {
	for _, c := range []struct{ settings, results, states string }{
		{"", "PFFPPPPPF", "hhuuuuuhh"},
		{"", "FPFF", "ihhu"}, // one passed check is enough for a new target
		{"", "FFPPPPP", "iuuuuuh"},
		{"", "PFPFPF", "hhhhhh"}, // in a row
		{"healthy_threshold: 2, unhealthy_threshold: 3", "FFFPPPFFPFFF", "iiuuhhhhhhhu"},
	} {
		l := mustBuild(t, twoAccounts, "targets: [web-1,", "health_check: { "+c.settings+" }, targets: [web-1,")
		if got := strings.Join(report(t, l, checksOf(t, l, "web-1")[0], c.results), ""); got != c.states {
			t.Errorf("%s: %s makes %s, want %s", c.settings, c.results, got, c.states)
		}
	}
}

// TestConsensus: several nodes check a target, and more than half must agree on a
// change (F2.51).
func TestConsensus(t *testing.T) {
	l := mustBuild(t, twoAccounts, crossZone...)
	nodes := checksOf(t, l, "web-1")
	if len(nodes) != 2 {
		t.Fatalf("%d nodes check web-1", len(nodes))
	}
	for _, step := range []struct {
		node    int
		results string
		want    string
	}{
		{0, "P", "h"},   // the first to know decides (F2.20)
		{1, "FF", "hh"}, // one against one
		{0, "FF", "hu"}, // both
		{1, "PPPPP", "uuuuu"},
		{0, "PPPPP", "uuuuh"},
	} {
		if got := strings.Join(report(t, l, nodes[step.node], step.results), ""); got != step.want {
			t.Errorf("node %d: %s makes %s, want %s", step.node, step.results, got, step.want)
		}
	}
}

// TestConsensusWithoutZone: a node in a zone that is lost has no say (F2.51), so the others come to agree
// without it, and take a change back.
func TestConsensusWithoutZone(t *testing.T) {
	l := mustBuild(t, twoAccounts, crossZone...)
	web := checksOf(t, l, "web-1")
	here, there := web[0], web[1]
	for _, step := range []struct {
		lose, restore string
		check         Check
		results, want string
	}{
		{check: here, results: "P", want: "h"},
		{check: there, results: "P", want: "h"},
		{lose: there.Node.Zone.Name, check: there, results: "FFFF", want: "hhhh"},
		{check: here, results: "FF", want: "hu"},
		{check: there, results: "FF", want: "uu"},
		{check: here, results: "PPPPP", want: "uuuuh"},
		{restore: there.Node.Zone.Name, check: there, results: "F", want: "h"},
		{check: here, results: "FF", want: "hu"}, // both
		{check: here, results: "PPPPP", want: "uuuuu"},
		{check: there, results: "PPPPP", want: "uuuuh"},
	} {
		if step.lose != "" {
			if err := l.LoseZone(step.lose); err != nil {
				t.Fatal(err)
			}
		}
		if step.restore != "" {
			if err := l.RestoreZone(step.restore); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(report(t, l, step.check, step.results), ""); got != step.want {
			t.Errorf("from %s, %s makes %s, want %s", step.check.Node.Zone.Name, step.results, got, step.want)
		}
	}
}

// TestChecks: who checks whom, and where (F2.19, F2.50, F2.51).
func TestChecks(t *testing.T) {
	for _, c := range []struct {
		exchange []string
		want     string
	}{
		{nil, "a 10.0.1.4:8080, a 10.0.1.5:8080, b 10.0.2.4:8080"},
		{crossZone, "a 10.0.1.4:8080, b 10.0.1.4:8080, a 10.0.1.5:8080, b 10.0.1.5:8080, a 10.0.2.4:8080, b 10.0.2.4:8080"},
		{[]string{"targets: [web-1, web-2, web-3]", "health_check: { port: 9 }, targets: [web-1, { target_id: web-3, port: 81 }]"}, "a 10.0.1.4:9, b 10.0.2.4:9"},
		{[]string{"targets: [web-1, web-2, web-3]", "targets: [web-1, { target_id: web-3, port: 81 }]"}, "a 10.0.1.4:8080, b 10.0.2.4:81"},
		{[]string{"    subnets: [provider/a, provider/b]", "    enable_cross_zone_load_balancing: true\n    subnets: [provider/b]", "subnet_ids: [a, b]", "subnet_ids: [b]"}, "b 10.0.2.4:8080"},
	} {
		l := mustBuild(t, twoAccounts, c.exchange...)
		var got []string
		for _, k := range l.Checks() {
			got = append(got, fmt.Sprintf("%s %s", k.Node.Zone.Name[len("us-east-1"):], k.To))
			if want := k.Node.Addr().String() + ":80"; k.Host != want {
				t.Errorf("the Host of a check is %s, want %s", k.Host, want)
			}
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("%q\ngot  %s\nwant %s", c.exchange, got, c.want)
		}
		if !slices.Equal(l.Checks(), l.Checks()) {
			t.Error("the same checks are not equal")
		}
	}
}

// TestRouting: who gets new flows, whose flows are reset, and which zones are in
// the DNS names, by the health of the three targets (F2.55, F2.56, F2.57, F2.58,
// F1.25).
func TestRouting(t *testing.T) {
	// web-1 and web-2 are in zone a, web-3 in zone b.
	health := func(settings string) []string {
		return []string{"targets: [web-1,", settings + ", targets: [web-1,"}
	}
	percent := "target_group_health: { %s: { minimum_healthy_targets_percentage: 60 }, dns_failover: { minimum_healthy_targets_percentage: 60 } }"
	for _, c := range []struct {
		name     string
		exchange []string
		health   string // h, u, or i for initial; by target
		use      string // A avoids it, R resets its flows too, . does neither
		zones    string
	}{
		{"all initial: as if all were healthy", nil, "iii", "...", "ab"},
		{"all healthy", nil, "hhh", "...", "ab"},
		{"one initial", nil, "hih", ".A.", "ab"},
		{"one unhealthy", nil, "huh", ".R.", "ab"},
		{"a zone's all unhealthy: that zone fails open, and is not in DNS", nil, "uuh", "...", "b"},
		{"the other's", nil, "huu", ".R.", "a"},
		{"all unhealthy: everything is used", nil, "uuu", "...", "ab"},
		{"across zones: a healthy one anywhere will do", crossZone, "uuh", "RR.", "ab"},
		{"across zones: none", crossZone, "uuu", "...", "ab"},
		{"connection termination off", health("target_health_state: { enable_unhealthy_connection_termination: false }"), "huh", ".A.", "ab"},
		{"DNS wants more than half", health("target_group_health: { dns_failover: { minimum_healthy_targets_percentage: 60 } }"), "huh", ".R.", "b"},
		{"DNS wants two: never in zone b", health("target_group_health: { dns_failover: { minimum_healthy_targets_count: 2 } }"), "hhh", "...", "a"},
		{"DNS wants none", health("target_group_health: { dns_failover: { minimum_healthy_targets_count: off } }"), "uuh", "...", "ab"},
		{"routing wants more than half", health(fmt.Sprintf(percent, "unhealthy_state_routing")), "huh", "...", "b"},
		{"routing wants more than half of all", append(health(fmt.Sprintf(percent, "unhealthy_state_routing")), crossZone...), "huh", ".R.", "ab"},
	} {
		l := mustBuild(t, twoAccounts, c.exchange...)
		before := l.Compile()
		for i, h := range c.health {
			for _, check := range checksOf(t, l, fmt.Sprintf("web-%d", i+1)) {
				report(t, l, check, map[rune]string{'h': "P", 'u': "FF"}[h])
			}
		}
		var use string
		for _, target := range l.Compile().Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward[0].Group.Targets {
			switch {
			case target.Reset && target.Avoid:
				use += "R"
			case target.Avoid:
				use += "A"
			case !target.Reset:
				use += "."
			}
		}
		if use != c.use {
			t.Errorf("%s: targets are %s, want %s", c.name, use, c.use)
		}
		for _, target := range before.Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward[0].Group.Targets {
			if target.Avoid || target.Reset {
				t.Errorf("%s: an older program has changed", c.name)
			}
		}
		e, _ := l.Endpoint("api")
		names := l.Names()
		for what, name := range map[string]string{"endpoint": e.DNSName(), "load balancer": l.balancers[0].dnsName} {
			zones := ""
			for _, a := range names.Lookup("consumer", name).Addrs {
				zones += string("?ab"[a.As4()[2]]) // 10.0.1.0/24 is zone a's
			}
			if zones != c.zones {
				t.Errorf("%s: the name of the %s has zones %s, want %s", c.name, what, zones, c.zones)
			}
		}
		if got := names.Lookup("consumer", e.ZonalDNSName("us-east-1a")).Addrs; len(got) != 1 {
			t.Errorf("%s: the zonal name has %v", c.name, got)
		}
	}
}

// TestOneGroupTakesItsZoneOutOfDNS, whatever the others say (F2.58); so does an
// empty zone (F2.19).
func TestOneGroupTakesItsZoneOutOfDNS(t *testing.T) {
	l := mustBuild(t, twoAccounts,
		"      - { port: 80,", "      - { port: 81, protocol: TCP, default_action: { target_group_arn: other } }\n      - { port: 80,",
		"target_groups:\n", "target_groups:\n  other: { vpc_id: provider, port: 1, protocol: TCP, targets: [web-1] }\n")
	for _, c := range l.Checks() {
		report(t, l, c, "P")
	}
	if got := l.Names().Lookup("provider", l.balancers[0].dnsName).Addrs; len(got) != 1 || got[0] != l.balancers[0].nodes[0].Addr() {
		t.Errorf("the name has %v; zone b has no target of the second group", got)
	}
}

// TestTargetHealth: states and reason codes (F2.54).
func TestTargetHealth(t *testing.T) {
	l := mustBuild(t, twoAccounts,
		"    subnets: [provider/a, provider/b]", "    subnets: [provider/a]", "subnet_ids: [a, b]", "subnet_ids: [a]",
		"targets: [web-1, web-2, web-3]", "targets: [web-1, web-2, web-3, { target_id: web-1, port: 81 }]",
		"target_groups:\n", "target_groups:\n  idle: { vpc_id: provider, port: 80, protocol: TCP, target_type: ip, targets: [10.0.1.4] }\n")
	checks := checksOf(t, l, "web-1")
	report(t, l, checks[0], "P")
	report(t, l, checks[1], "FF")
	for group, want := range map[string]string{
		"web":  "[{web-1 healthy } {web-2 initial Elb.InitialHealthChecking} {web-3 unused Target.NotInUse} {web-1:81 unhealthy Target.FailedHealthChecks}]",
		"idle": "[{10.0.1.4 unused Target.NotInUse}]",
	} {
		if all, err := l.TargetHealth(group); err != nil || fmt.Sprint(all) != want {
			t.Errorf("%s: %v, %v\nwant %s", group, all, err, want)
		}
	}
	for name, want := range map[string]string{
		"web-1":    "{web-1 healthy } <nil>",
		"web-1:81": "{web-1:81 unhealthy Target.FailedHealthChecks} <nil>",
		"web-1:82": "{web-1:82 unused Target.NotRegistered} <nil>",
		"wbe-1":    `{  } target_id: VPC provider has no instance "wbe-1"; did you mean web-1?`,
	} {
		target, err := ParseTarget(name)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := l.HealthOf("web", target); fmt.Sprint(h, " ", err) != want {
			t.Errorf("%s: %v %v, want %s", name, h, err, want)
		}
	}
	if _, err := l.TargetHealth("wbe"); err == nil {
		t.Error("there is no target group wbe")
	}
	// Who comes back begins anew.
	if err := l.DeregisterTarget("web", &Target{TargetID: "web-1"}); err != nil {
		t.Fatal(err)
	}
	if err := l.RegisterTarget("web", &Target{TargetID: "web-1"}); err != nil {
		t.Fatal(err)
	}
	if h, _ := l.HealthOf("web", &Target{TargetID: "web-1"}); h.State != TargetInitial {
		t.Errorf("registered again it is %s", h.State)
	}
}

func TestParseTarget(t *testing.T) {
	for name, want := range map[string]Target{
		"web": {TargetID: "web"}, "lab/web:80": {TargetID: "lab/web", Port: 80}, "10.0.0.4": {TargetID: "10.0.0.4"},
		"10.0.0.4:80": {TargetID: "10.0.0.4", Port: 80}, "2001:db8::4": {TargetID: "2001:db8::4"}, "[2001:db8::4]:80": {TargetID: "2001:db8::4", Port: 80},
	} {
		if got, err := ParseTarget(name); err != nil || *got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"web:", "web:0", "web:65536", ":80", "a:b:c"} {
		if got, err := ParseTarget(name); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// What a lab says of a target, it understands.
	p := &pool{TargetGroup: &TargetGroup{Port: 80}}
	for _, m := range []member{{addr: netip.MustParseAddr("10.0.0.4"), port: 80}, {addr: netip.MustParseAddr("2001:db8::4"), port: 81}} {
		if got, err := ParseTarget(p.nameOf(m)); err != nil || got.TargetID != m.addr.String() {
			t.Errorf("%s: %+v, %v", p.nameOf(m), got, err)
		}
	}
}

// TestMatcher: which status codes pass a check (F2.50).
func TestMatcher(t *testing.T) {
	for matcher, want := range map[string]string{"200-399": "200 204 302 399", "200": "200", "200,204,500-502": "200 204 500"} {
		c := Check{HealthCheck: &HealthCheck{Matcher: matcher}}
		var got []string
		for _, status := range []int{199, 200, 204, 302, 399, 400, 500, 503} {
			if c.Passes(status) {
				got = append(got, fmt.Sprint(status))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s takes %v, want %s", matcher, got, want)
		}
	}
	for _, bad := range []string{"", "200-", "300-200", "600", "ok", "200 204"} {
		if _, err := parseCodes(bad); err == nil {
			t.Errorf("%q is taken for a matcher", bad)
		}
	}
}

// TestHealthDefaults are AWS's (F2.50, F2.55, F2.57).
func TestHealthDefaults(t *testing.T) {
	for _, c := range []struct {
		settings string
		want     HealthCheck
	}{
		{"", HealthCheck{"TCP", "traffic-port", "", "", 30, 10, 5, 2}},
		{"protocol: HTTP", HealthCheck{"HTTP", "traffic-port", "/", "200-399", 30, 6, 5, 2}},
		{"protocol: HTTPS", HealthCheck{"HTTPS", "traffic-port", "/", "200-399", 30, 10, 5, 2}},
	} {
		l := mustBuild(t, twoAccounts, "targets: [web-1,", "health_check: { "+c.settings+" }, targets: [web-1,")
		g, _ := l.TargetGroup("web")
		if *g.HealthCheck != c.want {
			t.Errorf("%s: %+v, want %+v", c.settings, *g.HealthCheck, c.want)
		}
		if want := (HealthThreshold{"1", "off"}); *g.GroupHealth.DNS != want || *g.GroupHealth.Routing != want || !*g.HealthState.TerminateUnhealthy {
			t.Errorf("%+v, %+v, %v", *g.GroupHealth.DNS, *g.GroupHealth.Routing, *g.HealthState.TerminateUnhealthy)
		}
	}
}

// TestUnhealthyDraining: with the termination of connections off, a target that turns
// unhealthy is unhealthy.draining for a while; for routing it is unhealthy (F2.55).
func TestUnhealthyDraining(t *testing.T) {
	l := mustBuild(t, twoAccounts, "targets: [web-1,", "target_health_state: { enable_unhealthy_connection_termination: false, unhealthy_draining_interval: 60 }, targets: [web-1,")
	for _, name := range []string{"web-1", "web-2"} {
		report(t, l, checksOf(t, l, name)[0], "P")
	}
	check := checksOf(t, l, "web-1")[0]
	for _, step := range []struct {
		at      int
		results string
		want    string
		avoided bool
	}{
		{99, "", "healthy", false},
		{100, "FF", "unhealthy.draining Target.FailedHealthChecks", true},
		{159, "", "unhealthy.draining Target.FailedHealthChecks", true},
		{160, "", "unhealthy Target.FailedHealthChecks", true},
		{170, "PPPPP", "healthy", false},
		{180, "FF", "unhealthy.draining Target.FailedHealthChecks", true},
		{190, "PPPPP", "healthy", false}, // before the interval was over
	} {
		l.Advance(second(step.at))
		report(t, l, check, step.results)
		h, err := l.HealthOf("web", &Target{TargetID: "web-1"})
		if got := strings.TrimSpace(string(h.State) + " " + h.Reason); err != nil || got != step.want {
			t.Errorf("at %d: %s, %v; want %s", step.at, got, err, step.want)
		}
		target := l.Compile().Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward[0].Group.Targets[0]
		if target.Avoid != step.avoided || target.Reset {
			t.Errorf("at %d: avoided %t, its flows reset %t", step.at, target.Avoid, target.Reset)
		}
	}
	if err := l.DeregisterTarget("web", &Target{TargetID: "web-1"}); err != nil {
		t.Fatal(err)
	}
	if h, _ := l.HealthOf("web", &Target{TargetID: "web-1"}); h.State != TargetDraining {
		t.Errorf("deregistered, it is %s", h.State)
	}
}

// TestSuspected (F2.53): a target that fails passive checks is unhealthy at once, and
// healthy again after as many active ones as the threshold says. Groups with
// stickiness have no passive checks.
func TestSuspected(t *testing.T) {
	suspect := func(l *Lab, c Check) dataplane.Suspect {
		return dataplane.Suspect{Node: c.Node.Index, Group: l.find.pools["web"].number, Addr: packet.AddrFrom(c.To.Addr()), Port: c.To.Port()}
	}
	l := mustBuild(t, twoAccounts)
	c := checksOf(t, l, "web-1")[0]
	if l.Suspected(suspect(l, c)) {
		t.Error("a target that was never healthy is suspected")
	}
	if got := strings.Join(report(t, l, c, "P"), ""); got != "h" {
		t.Fatal(got)
	}
	other := suspect(l, c)
	other.Port++
	if l.Suspected(other) || !l.Suspected(suspect(l, c)) || l.Suspected(suspect(l, c)) {
		t.Error("the target's state does not change once")
	}
	if got := strings.Join(report(t, l, c, "PPPPP"), ""); got != "uuuuh" {
		t.Errorf("active checks then make it %s", got)
	}
	l = mustBuild(t, twoAccounts, "targets: [web-1, web-2, web-3]", "stickiness: { enabled: true, type: source_ip }, targets: [web-1, web-2, web-3]")
	c = checksOf(t, l, "web-1")[0]
	report(t, l, c, "P")
	if l.Suspected(suspect(l, c)) {
		t.Error("a sticky group has passive checks")
	}
}
