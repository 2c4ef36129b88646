package scenario_test

import (
	"strings"
	"testing"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// TestOutlasts: what a file describes is as it says, whatever was done before; what it is silent about stays, as long
// as what has it does.
func TestOutlasts(t *testing.T) {
	const lab = `name: lab
vpcs:
  a: { cidr_block: 10.1.0.0/16, owner_id: "111111111111", subnets: { a: { availability_zone: us-east-1a } }, security_groups: { web: {} },
       instances: { web: { services: [{ type: http, port: 80 }] } } }
  b: { cidr_block: 10.2.0.0/16, owner_id: "222222222222", subnets: { a: { availability_zone: us-east-1a } } }
links: { line: { instance: web } }
target_groups: { web: { vpc_id: a, port: 80, protocol: TCP, targets: [web] } }
load_balancers: { api: { subnets: [a/a], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }] } }
endpoint_services: { api: { network_load_balancer_arns: [api], acceptance_required: true, allowed_principals: ["*"], private_dns_name: api.example.com } }
vpc_endpoints: { api: { vpc_id: b, service_name: api, subnet_ids: [a] } }
steps:
`
	of := func(address string, action topology.Fate, attributes ...string) []topology.Change {
		c := topology.Change{Address: address, Action: action}
		for _, a := range attributes {
			c.Attributes = append(c.Attributes, topology.AttributeChange{Name: a})
		}
		return []topology.Change{{Address: "instance.a/other", Action: topology.Replace}, c}
	}
	for _, c := range []struct {
		step    string
		changes []topology.Change
		want    bool
	}{
		{"wait: 1s", of("instance.a/web", topology.Replace), true},
		{`request: { from: web, url: "http://10.1.0.4/" }`, nil, true},
		{"accept: api", nil, true},
		{"accept: api", of("vpc_endpoint.api", topology.Update, "security_group_ids"), true},
		{"accept: api", of("vpc_endpoint.api", topology.Replace), false},
		{"reject: api", of("vpc_endpoint.other", topology.Destroy), true},
		{"reject: api", of("vpc_endpoint.api", topology.Create), false},
		{"delete: api", nil, false},
		{"revoke: { security_group_id: web, egress: { protocol: all, cidr_blocks: [0.0.0.0/0] } }", nil, false},
		{"deregister: { target_group_arn: web, target_id: web }", nil, false},
		{"fail: { availability_zone: use1-az1 }", of("instance.a/web", topology.Replace), true},
		{"heal: { availability_zone: use1-az1 }", nil, true},
		{"fail: { instance: web, port: 80 }", of("instance.a/web", topology.Update, "vpc_security_group_ids"), true},
		{"fail: { instance: web, port: 80 }", of("instance.a/web", topology.Update, "services"), false},
		{"fail: { instance: a/web }", of("instance.a/web", topology.Update, "environment.A"), false},
		{"fail: { instance: web }", of("instance.a/web", topology.Replace), false},
		{"heal: { instance: web }", of("instance.a/web", topology.Replace), false},
		{"modify_link: { link: line, down: true }", of("link.line", topology.Update, "delay"), true},
		{"modify_link: { link: line, down: true, delay: 1s }", of("link.line", topology.Update, "delay"), false},
		{"modify_link: { link: line, down: true }", of("link.line", topology.Replace), false},
		{"fail: { link: line }", of("link.line", topology.Update, "delay"), true},
		{"fail: { link: line }", of("link.line", topology.Update, "down"), false},
		{"heal: { link: line }", of("link.line", topology.Destroy), false},
		{"start_vpc_endpoint_service_private_dns_verification: api", of("endpoint_service.api", topology.Update), true},
		{"start_vpc_endpoint_service_private_dns_verification: api", of("endpoint_service.api", topology.Destroy), false},
	} {
		story := lab
		if fault, ok := strings.CutPrefix(c.step, "heal"); ok {
			story += "  - fail" + fault + "\n"
		}
		l, err := scenario.LoadBytes("lab.yaml", []byte(story+"  - "+c.step+"\n"))
		if err != nil {
			t.Errorf("%s: %v", c.step, err)
			continue
		}
		if got := l.Scenario.Steps[len(l.Scenario.Steps)-1].Outlasts(c.changes); got != c.want {
			t.Errorf("%s outlasts %v: %v", c.step, c.changes, got)
		}
	}
}
