package topology

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// ruled has a listener with RULES, on a load balancer of both families.
const ruled = `
vpcs:
  shop:
    cidr_block: 10.1.0.0/16
    ipv6_cidr_block: "2001:db8:a::/56"
    subnets: { a: {} }
acm_certificates: { shop: {} }
target_groups:
  four: { vpc_id: shop, port: 80, protocol: TCP }
  six: { vpc_id: shop, port: 80, protocol: TCP, ip_address_type: ipv6 }
  kept: { vpc_id: shop, port: 80, protocol: TCP, ip_address_type: ipv6, stickiness: { enabled: true } }
load_balancers:
  shop:
    subnets: [a]
    ip_address_type: dualstack
    listeners:
      - { port: 80, protocol: TCP, default_action: { target_group_arn: four }, rules: [RULES] }
`

// TestListenerRules (F2.12): the rule of the lowest priority that is for the client's
// family decides, else the default action; and an edit of that leaves the rules alone.
func TestListenerRules(t *testing.T) {
	const (
		six  = "{ priority: 20, condition: { source_ip: { ip_address_type: ipv6 } }, action: { target_group_arn: six } }"
		late = "{ priority: 30, condition: { source_ip: { ip_address_type: ipv6 } }, action: { target_group_arn: four } }"
		four = "{ priority: 10, condition: { source_ip: { ip_address_type: ipv4 } }, action: { forward: { target_group: [{ arn: six, weight: 2 }, { arn: kept, weight: 0 }], stickiness: { enabled: true, duration: 9 } } } }"
	)
	for rules, want := range map[string]string{
		"":               "[four*1] 0s, the same",
		late + "," + six: "[four*1] 0s, [six*1] 0s",
		four:             "[six*2 kept*0] 9s, [four*1] 0s",
		six + "," + four: "[six*2 kept*0] 9s, [six*1] 0s",
	} {
		l := mustBuild(t, ruled, "RULES", rules)
		show := func(o *dataplane.Listener) string {
			if o == nil {
				return "the same"
			}
			var words []string
			for _, f := range o.Forward {
				words = append(words, fmt.Sprintf("%s*%d", f.Group.Label, f.Weight))
			}
			return fmt.Sprint(words, " ", o.Sticky)
		}
		got := func() string {
			o := l.Compile().Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}]
			return show(o) + ", " + show(o.IPv6)
		}
		if got() != want {
			t.Errorf("%s:\ngot  %s\nwant %s", rules, got(), want)
		}
		if err := l.ModifyListener("shop", 80, &Action{TargetGroup: "kept"}); err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(want, "four*1", "kept*1"); got() != want {
			t.Errorf("%s, after modify_listener:\ngot  %s\nwant %s", rules, got(), want)
		}
	}
}

// TestTargetsOfRules (F2.12): the targets behind a rule are checked as those of the
// default action are.
func TestTargetsOfRules(t *testing.T) {
	l := mustBuild(t, ruled, "RULES", "{ priority: 1, condition: { source_ip: { ip_address_type: ipv6 } }, action: { target_group_arn: six } }")
	var names []string
	for p, port := range l.balancers[0].pools() {
		names = append(names, p.name+" "+port)
	}
	if got := fmt.Sprint(names); got != "[four 80 six 80]" {
		t.Errorf("the load balancer looks after %s", got)
	}
}

// TestRuleMistakes (F2.12): what rules can be.
func TestRuleMistakes(t *testing.T) {
	const at = "load_balancers.shop.listeners[0].rules"
	for rules, want := range map[string]string{
		"{ priority: 0, condition: {}, action: { target_group_arn: sx } }": at + `[0].action.target_group_arn: there is no target group "sx"; did you mean six?
` + at + `[0].condition.source_ip: is missing: write { ip_address_type: ipv4 } or { ip_address_type: ipv6 }
` + at + `[0].priority: 0 is out of range: AWS takes 1 to 50000`,
		"{ priority: 5, condition: { source_ip: { ip_address_type: ipv5 } }, action: { target_group_arn: six } }, { priority: 5, condition: { source_ip: { ip_address_type: ipv6 } } }": at + `[0].condition.source_ip.ip_address_type: "ipv5" is not an address type of clients; did you mean ipv4?
` + at + `[1].action: is missing: write { target_group_arn: NAME }
` + at + `[1].priority: 5 is another rule's of this listener already`,
		"{ priority: 5, condition: { source_ip: { ip_address_type: ipv6 } }, action: { forward: { target_group: [{ arn: six }, { arn: four }] } } }": at + `[0].action.forward.target_group[1].arn: target groups six and four have different ip_address_types: those of one action have the same`,
	} {
		if _, err := build(t, ruled, "RULES", rules); fmt.Sprint(err) != want {
			t.Errorf("%s:\ngot:\n%v\nwant:\n%s", rules, err, want)
		}
	}
	const tls = at + "[0].action.target_group_arn: target group kept has stickiness, which TLS listeners do not know: remove it, or use another target group"
	_, err := build(t, ruled, "protocol: TCP, default", "protocol: TLS, certificate_arn: shop, default",
		"RULES", "{ priority: 5, condition: { source_ip: { ip_address_type: ipv6 } }, action: { target_group_arn: kept } }")
	if fmt.Sprint(err) != tls {
		t.Errorf("got:\n%v\nwant:\n%s", err, tls)
	}
}
