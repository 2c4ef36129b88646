package topology

import (
	"fmt"
	"testing"
)

// TestTargetQuotas (F2.7): targets of a group, of a load balancer in a zone, and of
// one whose targets serve all zones.
func TestTargetQuotas(t *testing.T) {
	// More groups of so many targets each, which are ports of web-1 and web-3 in
	// turn: in both zones.
	lab := func(groups, targets int, crossZone bool) *Spec {
		spec := parse(t, twoAccounts)
		api := spec.LoadBalancers["api"]
		api.LoadBalancerAttributes.CrossZone = &crossZone
		for g := range groups {
			name := fmt.Sprintf("g%d", g)
			group := &TargetGroup{Port: 9, Protocol: "TCP", VPCID: "provider"}
			for i := range targets {
				group.Targets = append(group.Targets, &Target{TargetID: fmt.Sprintf("web-%d", 1+i%2*2), Port: 1 + i})
			}
			spec.TargetGroups[name] = group
			api.Listeners = append(api.Listeners, &Listener{Port: 9000 + g, Protocol: "TCP", DefaultAction: &Action{TargetGroup: name}})
		}
		return spec
	}
	const zone = "load_balancers.api: load balancer api has 503 targets in us-east-1a: it takes 500 a zone at most"
	for _, c := range []struct {
		spec *Spec
		want string
	}{
		{lab(1, 996, false), "<nil>"}, // two of twoAccounts' own are in zone a
		{lab(1, 1001, false), zone + "\ntarget_groups.g0.targets: 1001 targets: a target group takes 1000 at most"},
		{lab(3, 334, false), zone},
		{lab(1, 497, true), "<nil>"},
		{lab(1, 498, true), "load_balancers.api: load balancer api has 501 targets that serve all zones: with cross-zone load balancing it takes 500 at most"},
	} {
		if _, err := New("test", c.spec); fmt.Sprint(err) != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
	l, err := New("test", lab(1, 996, false))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{l.RegisterTarget("g0", &Target{TargetID: "web-2", Port: 2000}), "load balancer api has 501 targets in us-east-1a: it takes 500 a zone at most"},
		{l.RegisterTarget("g0", &Target{TargetID: "web-3", Port: 2000}), "<nil>"},
		{l.ModifyTargetGroupAttributes("g0", &TargetGroupAttributes{CrossZone: "true"}), "load_balancing_cross_zone_enabled: load balancer api has 997 targets that serve all zones: with cross-zone load balancing it takes 500 at most"},
		{l.DeregisterTarget("g0", &Target{TargetID: "web-1", Port: 1}), "<nil>"},
		{l.ModifyListener("api", 80, &Action{TargetGroup: "g0"}), "<nil>"},
		{l.RegisterTarget("g0", &Target{TargetID: "web-1", Port: 1}), "<nil>"},
		{l.RegisterTarget("g0", &Target{TargetID: "web-1", Port: 2001}), "<nil>"},
		{l.RegisterTarget("g0", &Target{TargetID: "web-1", Port: 2002}), "<nil>"},
		{l.ModifyListener("api", 80, &Action{TargetGroup: "web"}), "load balancer api has 502 targets in us-east-1a: it takes 500 a zone at most"},
		{l.ModifyLoadBalancerAttributes("api", &LoadBalancerAttributes{CrossZone: ptr(true)}), "enable_cross_zone_load_balancing: load balancer api has 999 targets that serve all zones: with cross-zone load balancing it takes 500 at most"},
	} {
		if fmt.Sprint(c.err) != c.want {
			t.Errorf("got  %v\nwant %s", c.err, c.want)
		}
	}
}

// TestTargetsOfABalancer (F2.7): targets in zones that it is not in count as well.
func TestTargetsOfABalancer(t *testing.T) {
	lb := &balancer{name: "api", LoadBalancer: &LoadBalancer{LoadBalancerAttributes: LoadBalancerAttributes{CrossZone: ptr(false)}}}
	for n, want := range []string{"", "", "", "load balancer api has 4000 targets: it takes 3000 at most"} {
		p := &pool{TargetGroup: &TargetGroup{}, members: make([]member, 1000)}
		lb.Listeners = append(lb.Listeners, &Listener{Port: 80 + n})
		lb.forwards = append(lb.forwards, forwarding{shares: []share{{p, 1}}})
		if got := lb.crowded(); got != want {
			t.Errorf("%d groups: %q, want %q", n+1, got, want)
		}
	}
}
