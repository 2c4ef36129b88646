package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// faraway is twoAccounts' target group as one of addresses: of a peered VPC, where each
// zone uses them, and one of the provider itself in zone a.
var faraway = []string{
	"protocol: TCP, targets: [web-1, web-2, web-3]",
	"protocol: TCP, target_type: ip, targets: [{ target_id: 10.7.0.4, availability_zone: all }, { target_id: 10.7.0.5, availability_zone: us-east-1b }, 10.0.1.4]",
	"\n  consumer:\n", "\n  far: { cidr_block: 10.7.0.0/16, instances: { web: { private_ip: 10.7.0.4 } } }\n  consumer:\n",
	"\ntarget_groups:\n", "\nvpc_peering_connections: { far: { vpc_id: provider, peer_vpc_id: far } }\ntarget_groups:\n",
}

// TestTargetsBeyond (F2.22a): a target outside the VPC is used by the nodes in every
// zone, or by those in the zone that was named for it.
func TestTargetsBeyond(t *testing.T) {
	l := mustBuild(t, twoAccounts, faraway...)
	p, lb := l.pools[0], l.balancers[0]
	used := func() string {
		var words []string
		for _, c := range l.Checks() {
			words = append(words, c.To.Addr().String()+" by "+c.Node.Zone.Name)
		}
		return strings.Join(words, ", ")
	}
	const each = "10.7.0.4 by us-east-1a, 10.7.0.4 by us-east-1b, 10.7.0.5 by us-east-1b, 10.0.1.4 by us-east-1a"
	if got := used(); got != each {
		t.Errorf("checked are %s, want %s", got, each)
	}
	*lb.CrossZone = true
	const all = "10.7.0.4 by us-east-1a, 10.7.0.4 by us-east-1b, 10.7.0.5 by us-east-1a, 10.7.0.5 by us-east-1b, 10.0.1.4 by us-east-1a, 10.0.1.4 by us-east-1b"
	if got := used(); got != all {
		t.Errorf("with cross-zone load balancing checked are %s, want %s", got, all)
	}
	if got := l.Compile().Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward[0].Group.Targets; len(got) != 3 {
		t.Errorf("with cross-zone load balancing there are %d targets: each is to be chosen as often as the others", len(got))
	}
	if got, _ := l.TargetHealth(p.name); got[0].State != TargetInitial {
		t.Errorf("the target of all zones is %s", got[0].State)
	}
}

// TestBeyondFailsOpen (F2.22a, F2.56): one unhealthy target of all zones is avoided
// where a healthy one stands beside it, and used where none does.
func TestBeyondFailsOpen(t *testing.T) {
	l := mustBuild(t, twoAccounts, faraway...)
	for i, state := range []TargetState{TargetUnhealthy, TargetUnhealthy, TargetHealthy} {
		l.pools[0].members[i].health.now = state
	}
	web, err := l.Instance("far/web")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, x := range l.Compile().Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward[0].Group.Targets {
		got[fmt.Sprintf("%s in %d", x.Addr, x.Zone)] = fmt.Sprintf("%t %t %t", x.Interface == web.NIC.Index, x.Avoid, x.FailOpen)
	}
	want := map[string]string{
		"10.7.0.4 in 1": "true true false", "10.7.0.4 in 2": "true false true",
		"10.7.0.5 in 2": "false false true", "10.0.1.4 in 1": "false false false",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("targets (far/web's own, avoided, failing open) are %v, want %v", got, want)
	}
}

// TestBeyondIsCounted (F2.22a): a target of all zones is one host in each of them and
// one of the load balancer (F2.69), and one of its zones' quotas each (F2.7).
func TestBeyondIsCounted(t *testing.T) {
	l := mustBuild(t, twoAccounts, faraway...)
	for i := range l.pools[0].members {
		l.pools[0].members[i].health.now = TargetHealthy
	}
	l.Observe(0)
	got := map[string]float64{}
	for _, s := range l.Metrics(60e9, nil) {
		if s.Namespace == cloudwatch.NetworkELB && s.Name == "HealthyHostCount" && len(s.Points) > 0 {
			zone := "all"
			for _, d := range s.Dimensions {
				if d.Name == cloudwatch.AvailabilityZone {
					zone = d.Value
				}
			}
			got[zone] = s.Points[0].Maximum
		}
	}
	if want := map[string]float64{"all": 3, "us-east-1a": 2, "us-east-1b": 2}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("healthy hosts are %v, want %v", got, want)
	}
	p := l.pools[0]
	for port := range uint16(maxZoneTargets - 2) {
		m := p.members[0]
		m.port = 1 + port
		if problems := l.room(p, m); len(problems) > 0 {
			t.Fatalf("after %d targets: %v", len(p.members), problems)
		}
		p.members = append(p.members, m)
	}
	if problems := l.room(p, p.members[0]); len(problems) != 2-1 || !strings.Contains(problems.Error(), "501 targets in us-east-1a") {
		t.Errorf("one too many: %v", problems)
	}
}

// TestRegisterBeyond (F2.22a): what AWS says to a registration without a zone, and that
// no zone needs to be told afterwards.
func TestRegisterBeyond(t *testing.T) {
	l := mustBuild(t, twoAccounts, faraway...)
	for zone, want := range map[string]string{
		"":           "ValidationError: The Availability Zone is required for IP address '10.7.0.9' because it is not in the VPC",
		"us-east-1f": "ValidationError: You must specify a valid Availability Zone or select 'all' for all enabled Availability zones, since the IP address '10.7.0.9' is outside the VPC",
	} {
		err := l.RegisterTarget("web", &Target{TargetID: "10.7.0.9", AvailabilityZone: zone})
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.AWS != want {
			t.Errorf("zone %q: got %v, want %s", zone, err, want)
		}
	}
	err := l.RegisterTarget("web", &Target{TargetID: "10.0.1.5", AvailabilityZone: "all"})
	const within = "ValidationError: The IP address '10.0.1.5' is within the VPC, and cannot have its Availability Zone overridden to 'all' from 'us-east-1a'"
	if err == nil || !strings.HasPrefix(err.Error(), within) {
		t.Errorf("got %v, want %s", err, within)
	}
	if err := l.DeregisterTarget("web", &Target{TargetID: "10.7.0.4"}); err != nil {
		t.Error(err)
	}
	if h, err := l.HealthOf("web", &Target{TargetID: "10.7.0.4"}); err != nil || h.State != TargetDraining {
		t.Errorf("it is %s, %v", h.State, err)
	}
}
