package topology

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestLifeCycle is the table of F1.9, F1.11 and F1.17: what each act makes of
// an endpoint in each state; "" is a refusal.
func TestLifeCycle(t *testing.T) {
	setUp := func(l *Lab, _ string) error {
		l.Advance(l.now.Add(10 * time.Second))
		return nil
	}
	ways := map[EndpointState][]func(*Lab, string) error{ // how to get there
		PendingAcceptance: nil,
		Pending:           {(*Lab).Accept},
		Available:         {(*Lab).Accept, setUp},
		Rejected:          {(*Lab).Accept, setUp, (*Lab).Reject},
		Deleted:           {(*Lab).Delete},
	}
	acts := map[string]func(*Lab, string) error{
		"accept": (*Lab).Accept, "set up": setUp, "reject": (*Lab).Reject, "delete": (*Lab).Delete,
	}
	for from, want := range map[EndpointState]map[string]EndpointState{
		PendingAcceptance: {"accept": Pending, "set up": PendingAcceptance, "reject": Rejected, "delete": Deleted},
		Pending:           {"accept": "", "set up": Available, "reject": Rejected, "delete": Deleted},
		Available:         {"accept": "", "set up": Available, "reject": Rejected, "delete": Deleted},
		Rejected:          {"accept": "", "set up": Rejected, "reject": "", "delete": Deleted},
		Deleted:           {"accept": "", "set up": Deleted, "reject": "", "delete": ""},
	} {
		for verb, act := range acts {
			l := mustBuild(t, "settings: { setup_delay: 10 }\n"+twoAccounts)
			for _, step := range ways[from] {
				if err := step(l, "api"); err != nil {
					t.Fatal(err)
				}
			}
			err, now := act(l, "api"), l.Endpoints[0].State
			switch {
			case want[verb] == "" && (err == nil || now != from):
				t.Errorf("%s in state %s: state %s, error %v; want a refusal", verb, from, now, err)
			case want[verb] != "" && (err != nil || now != want[verb]):
				t.Errorf("%s in state %s: state %s, error %v; want %s", verb, from, now, err, want[verb])
			}
		}
	}
}

// TestInitialState: who needs no acceptance is available at once (F1.9).
func TestInitialState(t *testing.T) {
	for _, c := range []struct {
		exchange []string
		want     EndpointState
	}{
		{nil, PendingAcceptance}, // F1.15
		{[]string{"    private_dns_name", "    acceptance_required: false\n    private_dns_name"}, Available},
		{[]string{"222222222222\"", "111111111111\"", "222222222222:root", "111111111111:root", "    vpc_id: consumer\n", "    vpc_id: consumer\n    auto_accept: true\n"}, Available},
	} {
		if got := mustBuild(t, twoAccounts, c.exchange...).Endpoints[0].State; got != c.want {
			t.Errorf("%q: %s, want %s", c.exchange, got, c.want)
		}
	}
}

// TestDeleteFreesEverything: interfaces, addresses and names go; numbers stay (F1.17).
func TestDeleteFreesEverything(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	before := l.Compile()
	e, _ := l.Endpoint("api")
	if err := l.Delete("api"); err != nil {
		t.Fatal(err)
	}
	after := l.Compile()
	if len(after.Interfaces) != len(before.Interfaces) || after.Epoch != before.Epoch+1 {
		t.Fatalf("interfaces %d to %d, epoch %d to %d", len(before.Interfaces), len(after.Interfaces), before.Epoch, after.Epoch)
	}
	for i := range after.Interfaces {
		was, is := before.Interfaces[i], after.Interfaces[i]
		if was.ID != is.ID || was.Kind != is.Kind && was.Kind != dataplane.Endpoint {
			t.Errorf("interface %d was %s, is %s", i, was.Label, is.Label)
		}
		if was.Kind == dataplane.Endpoint && is.Kind != dataplane.Absent {
			t.Errorf("%s is still there", was.Label)
		}
	}
	for _, n := range e.NICs {
		a := packet.AddrFrom(n.Addr())
		if _, ok := after.VPCs[n.Network.number].Addrs[a]; ok {
			t.Errorf("%s is still somebody's", n.Addr())
		}
		if _, ok := before.VPCs[n.Network.number].Addrs[a]; !ok {
			t.Errorf("%s was nobody's before", n.Addr())
		}
	}
	if got := l.Names().Lookup("consumer", e.DNSName()); got.Found {
		t.Errorf("the deleted endpoint's name still answers %v", got)
	}
}

func TestRules(t *testing.T) {
	port := func(n int) *int { return &n }
	q := filter.Query{Proto: packet.TCP, Port: 443, Peer: packet.AddrFrom(netip.MustParseAddr("10.0.9.9"))}
	allowed := func(l *Lab) (string, bool) {
		p := l.Compile()
		e, _ := l.Endpoint("api")
		id, ok := p.Interfaces[e.NICs[0].Index].Ingress.Match(q)
		if !ok {
			return "", false
		}
		return p.Rules[id].Text, true
	}
	l := mustBuild(t, twoAccounts)
	rule := func() *Rule {
		return &Rule{Protocol: "TCP", FromPort: port(443), CIDRBlocks: []string{"10.0.9.1/24"}}
	}
	if text, ok := allowed(l); ok {
		t.Fatalf("%s allows it before", text)
	}
	given := rule()
	if err := l.AuthorizeIngress("consumer/endpoint", given); err != nil {
		t.Fatal(err)
	}
	if given.CIDRBlocks[0] != "10.0.9.1/24" || given.ToPort != nil {
		t.Error("the caller's rule was changed")
	}
	if text, ok := allowed(l); !ok || text != "tcp 443 from 10.0.9.0/24" {
		t.Errorf("allowed by %q, %v", text, ok)
	}
	count := len(l.rules)
	for _, c := range []struct {
		err  error
		want string
	}{
		{l.AuthorizeIngress("endpoint", rule()), "security group endpoint already has this rule: tcp 443 from 10.0.9.0/24"},
		{l.AuthorizeIngress("endpoit", rule()), `there is no security group "endpoit"; did you mean endpoint?`},
		{l.AuthorizeIngress("endpoint", &Rule{Protocol: "tcp", CIDRBlocks: []string{"10.0.0.1"}}), "cidr_blocks[0]: 10.0.0.1 is an address, not a CIDR block: add its prefix length, such as 10.0.0.1/32\nfrom_port: is missing: give the first port, and to_port for a range; 0 and 65535 are all of them"},
		{l.CheckRule("endpoint", &Rule{Protocol: "-1"}), "has no peer: give cidr_blocks, ipv6_cidr_blocks, prefix_list_ids, security_groups or self: true"},
		{l.RevokeIngress("endpoint", &Rule{Protocol: "-1", Self: true}), "security group consumer/endpoint has no ingress rule all from consumer/endpoint; it has tcp 80 from consumer/app and tcp 443 from 10.0.9.0/24"},
		{l.RevokeEgress("endpoint", nil), "no egress rule is given for security group endpoint"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got %v\nwant %s", c.err, c.want)
		}
	}
	if err := l.RevokeIngress("endpoint", rule()); err != nil {
		t.Fatal(err)
	}
	if text, ok := allowed(l); ok {
		t.Errorf("%s still allows it", text)
	}
	// The rule's number outlives it, so that a flow can still say what admitted it.
	if len(l.rules) != count || l.rules[count-1].Text != "tcp 443 from 10.0.9.0/24" {
		t.Errorf("rules are now %v", l.rules)
	}
	if err := l.RevokeEgress("endpoint", &Rule{Protocol: "-1", CIDRBlocks: []string{"0.0.0.0/0"}}); err != nil {
		t.Error(err)
	}
}

func TestTargets(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	ports := func() (out []uint16) {
		for _, target := range l.Compile().Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward[0].Group.Targets {
			out = append(out, target.Port)
		}
		return out
	}
	add, remove := l.RegisterTarget, l.DeregisterTarget
	for _, c := range []struct {
		act    func(string, *Target) error
		target Target
		want   int // targets then
		err    string
	}{
		{remove, Target{TargetID: "web-2"}, 2, ""},
		{remove, Target{TargetID: "web-2"}, 2, ""}, // as AWS has it
		{add, Target{TargetID: "provider/web-2", Port: 9090}, 3, ""},
		{add, Target{TargetID: "web-2", Port: 9090}, 3, ""},
		{remove, Target{TargetID: "web-2"}, 3, ""}, // another port is another target
		{remove, Target{TargetID: "web-2", Port: 9090}, 2, ""},
		{add, Target{TargetID: "web-22"}, 2, `target_id: VPC provider has no instance "web-22"; did you mean web-2?`},
		{add, Target{TargetID: "web-2", Port: -1}, 2, `port: -1 is not a port: give one from 1 to 65535, or leave it out for the group's`},
	} {
		err := c.act("web", &c.target)
		if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("%v: error %v, want %q", c.target, err, c.err)
		}
		if got := ports(); len(got) != c.want {
			t.Errorf("%v: targets are now %v, want %d", c.target, got, c.want)
		}
	}
	var problems Problems
	if err := add("web", &Target{TargetID: ""}); !errors.As(err, &problems) {
		t.Errorf("error %v is not of type Problems", err)
	}
	if err := add("wep", &Target{TargetID: "web-1"}); err == nil || !strings.Contains(err.Error(), "did you mean web?") {
		t.Errorf("error %v", err)
	}
}
