package topology

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

func ptr[T any](v T) *T { return &v }

// TestModifyTargetGroupAttributes: what is given changes, by the rules of the file,
// and the rest stays (F2.24).
func TestModifyTargetGroupAttributes(t *testing.T) {
	l := mustBuild(t, twoAccounts, "port: 8080, protocol: TCP,", "port: 8080, protocol: TCP, deregistration_delay: 60, stickiness: { enabled: true },",
		"\nload_balancers:\n", "\n  dns: { vpc_id: provider, port: 53, protocol: UDP }\nload_balancers:\n")
	written := *l.spec.TargetGroups["web"]
	for _, c := range []struct {
		give TargetGroupAttributes
		want string
	}{
		{TargetGroupAttributes{PreserveClientIP: ptr(false)}, "preserve=false proxy=false cross=false sticky=1 delay=60"},
		{TargetGroupAttributes{DeregistrationDelay: ptr(0), Stickiness: &Stickiness{}}, "preserve=false proxy=false cross=false sticky=0 delay=0"},
		{TargetGroupAttributes{ProxyProtocolV2: ptr(true), ProxyPlacement: onFirstAck}, "preserve=false proxy=true cross=false sticky=0 delay=0"},
		{TargetGroupAttributes{ProxyProtocolV2: ptr(false)}, "preserve=false proxy=false cross=false sticky=0 delay=0"},
		{TargetGroupAttributes{CrossZone: "true"}, "preserve=false proxy=false cross=true sticky=0 delay=0"},
		{TargetGroupAttributes{Stickiness: &Stickiness{Enabled: true, Source: "endpoint"}, PreserveClientIP: ptr(true)}, "preserve=true proxy=false cross=true sticky=2 delay=0"},
	} {
		if err := l.ModifyTargetGroupAttributes("web", &c.give); err != nil {
			t.Fatal(err)
		}
		g := l.Compile().Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward[0].Group
		got := fmt.Sprintf("preserve=%t proxy=%t cross=%t sticky=%d delay=%d",
			g.PreserveClientIP, g.Proxy.Enabled, g.CrossZone, g.Sticky, *l.find.pools["web"].DeregistrationDelay)
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.give, got, c.want)
		}
	}
	if now := *l.spec.TargetGroups["web"]; now.PreserveClientIP != written.PreserveClientIP || now.Stickiness.Source != "client" {
		t.Errorf("the spec has changed: %+v", now)
	}
	for _, c := range []struct {
		name string
		give *TargetGroupAttributes
		want string
	}{
		{"wib", &TargetGroupAttributes{}, `there is no target group "wib"; did you mean web?`},
		{"web", &TargetGroupAttributes{}, "no attribute of target group web is given"},
		{"web", nil, "no attribute of target group web is given"},
		{"web", &TargetGroupAttributes{DeregistrationDelay: ptr(3601)}, "deregistration_delay: 3601 is out of range: AWS takes 0 to 3600 seconds"},
		{"web", &TargetGroupAttributes{ProxyPlacement: onFirstAck}, "proxy_protocol_v2_client_to_server_header_placement: is about a header that is not sent: add proxy_protocol_v2: true, or remove it"},
		{"web", &TargetGroupAttributes{GroupHealth: &TargetGroupHealth{DNS: &HealthThreshold{Count: "x"}}}, `target_group_health.dns_failover.minimum_healthy_targets_count: "x" is out of range: write a number from 1 to 1000, or off`},
		{"dns", &TargetGroupAttributes{PreserveClientIP: ptr(false)}, "preserve_client_ip: cannot be false for UDP: AWS always preserves there, except towards PrivateLink clients"},
	} {
		for _, f := range []func(string, *TargetGroupAttributes) error{l.CheckTargetGroupAttributes, l.ModifyTargetGroupAttributes} {
			if err := f(c.name, c.give); err == nil || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		}
	}
}

// TestSecondaryIPs (F2.2): each node gets addresses of its subnet, of which it never
// loses one.
func TestSecondaryIPs(t *testing.T) {
	l := mustBuild(t, twoAccounts, "    listeners:\n", "    secondary_ips_auto_assigned_per_subnet: 1\n    listeners:\n")
	nodes := func() string {
		var words []string
		for _, n := range l.find.balancers["api"].nodes {
			for _, a := range n.Addrs {
				words = append(words, a.String())
			}
		}
		return strings.Join(words, " ")
	}
	if got, want := nodes(), "10.0.1.6/24 10.0.1.7/24 10.0.2.5/24 10.0.2.6/24"; got != want {
		t.Errorf("the nodes have %s, want %s", got, want)
	}
	if err := l.ModifyLoadBalancerAttributes("api", &LoadBalancerAttributes{SecondaryIPs: ptr(2), CrossZone: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	if got, want := nodes(), "10.0.1.6/24 10.0.1.7/24 10.0.1.8/24 10.0.2.5/24 10.0.2.6/24 10.0.2.7/24"; got != want {
		t.Errorf("the nodes have %s, want %s", got, want)
	}
	prog := l.Compile()
	if n := len(prog.Interfaces[l.find.balancers["api"].nodes[0].Index].Addrs); n != 3 || !prog.Balancers[0].CrossZone {
		t.Errorf("%d addresses in the program; cross-zone %t", n, prog.Balancers[0].CrossZone)
	}
	for _, c := range []struct {
		name string
		give *LoadBalancerAttributes
		want string
	}{
		{"apy", &LoadBalancerAttributes{}, `there is no load balancer "apy"; did you mean api?`},
		{"api", nil, "no attribute of load balancer api is given"},
		{"api", &LoadBalancerAttributes{SecondaryIPs: ptr(8)}, "secondary_ips_auto_assigned_per_subnet: 8 is out of range: AWS takes 0 to 7"},
		{"api", &LoadBalancerAttributes{SecondaryIPs: ptr(1)}, "secondary_ips_auto_assigned_per_subnet: 1 is fewer than the 2 that load balancer api has: AWS never takes one back"},
	} {
		for _, f := range []func(string, *LoadBalancerAttributes) error{l.CheckLoadBalancerAttributes, l.ModifyLoadBalancerAttributes} {
			if err := f(c.name, c.give); err == nil || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		}
	}
	// A /28 has 11 addresses.
	small := []string{"b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }\n    security_groups:\n      web", "b: { cidr_block: 10.0.2.0/28, availability_zone: us-east-1b }\n    security_groups:\n      web"}
	l = mustBuild(t, twoAccounts, append(small, "      web-3: {", "      x1: { subnet_id: b }\n      x2: { subnet_id: b }\n      x3: { subnet_id: b }\n      web-3: {")...)
	if err := l.ModifyLoadBalancerAttributes("api", &LoadBalancerAttributes{SecondaryIPs: ptr(6)}); err != nil {
		t.Fatal(err)
	}
	want := "subnet b (10.0.2.0/28) has no address left for load_balancer.api.us-east-1b, which is to have 7 beside its own"
	if err := l.ModifyLoadBalancerAttributes("api", &LoadBalancerAttributes{SecondaryIPs: ptr(7)}); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if n := l.find.balancers["api"].nodes[0].secondaryIPs(); n != 6 {
		t.Errorf("one node has %d secondary addresses, although the other could not get its 7th", n)
	}
}
