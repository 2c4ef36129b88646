package scenario_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/plsim/plsim/sim/scenario"
)

// lab is what the steps of a story play in.
const lab = `
name: story
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    owner_id: "111111111111"
    subnets: { a: { availability_zone: us-east-1a } }
    security_groups:
      web: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [0.0.0.0/0] }] }
    instances:
      web: { vpc_security_group_ids: [web], services: [{ type: http, port: 80 }] }
      app: {}
  consumer:
    cidr_block: 10.0.0.0/16
    owner_id: "222222222222"
    subnets: { a: { availability_zone: us-east-1a } }
    instances:
      app: {}
      client: {}
target_groups: { web: { port: 80, protocol: TCP, targets: [web] } }
load_balancers:
  api:
    subnets: [provider/a]
    listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }]
endpoint_services: { api: { network_load_balancer_arns: [api], allowed_principals: ["*"] } }
vpc_endpoints: { api: { vpc_id: consumer, service_name: api, subnet_ids: [a] } }
`

// The files hold scenarios and the very mistakes that their authors are told.
// Run with -rewrite after a change, and read the difference as a newcomer would:
// does each line say what is wrong, where, and what to write instead?
//
//	load      a whole scenario
//	story     the steps of a scenario, with the lab above behind them
//	excerpt   as load, shown as on a terminal
func TestMistakes(t *testing.T) {
	datadriven.Walk(t, "testdata/mistakes", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			text := d.Input + "\n"
			if d.Cmd == "story" {
				text += lab
			}
			_, err := scenario.LoadBytes("lab.yaml", []byte(text))
			var mistakes scenario.Mistakes
			switch {
			case err == nil:
				return "none\n"
			case !errors.As(err, &mistakes):
				t.Fatalf("%s: %v is no Mistakes", d.Pos, err)
			case d.Cmd == "excerpt":
				return mistakes.Excerpt()
			}
			return mistakes.Error() + "\n"
		})
	})
}
