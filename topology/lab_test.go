package topology

import (
	"strings"

	"github.com/goccy/go-yaml"
)

// twoAccounts is the lab that most tests start from: a service in two zones and
// a consumer with the very same CIDR block.
const twoAccounts = `
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    owner_id: "111111111111"
    subnets:
      a: { cidr_block: 10.0.1.0/24, availability_zone: us-east-1a }
      b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }
    security_groups:
      web:
        ingress:
          - { protocol: tcp, from_port: 8080, cidr_blocks: [10.0.0.0/16] }
    instances:
      web-1: { subnet_id: a, vpc_security_group_ids: [web], services: [{ type: http, port: 8080 }] }
      web-2: { subnet_id: a, vpc_security_group_ids: [web] }
      web-3: { subnet_id: b, vpc_security_group_ids: [web] }
  consumer:
    cidr_block: 10.0.0.0/16
    owner_id: "222222222222"
    subnets:
      a: { cidr_block: 10.0.1.0/24, availability_zone: us-east-1a }
      b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }
    security_groups:
      app: {}
      endpoint:
        ingress:
          - { protocol: tcp, from_port: 80, to_port: 80, security_groups: [app] }
    instances:
      app: { subnet_id: a, vpc_security_group_ids: [app] }
      stranger: { subnet_id: a }
target_groups:
  web: { vpc_id: provider, port: 8080, protocol: TCP, targets: [web-1, web-2, web-3] }
load_balancers:
  api:
    subnets: [provider/a, provider/b]
    listeners:
      - { port: 80, protocol: TCP, default_action: { target_group_arn: web } }
endpoint_services:
  api:
    network_load_balancer_arns: [api]
    allowed_principals: ["arn:aws:iam::222222222222:root"]
    private_dns_name: api.example.com
vpc_endpoints:
  api:
    vpc_id: consumer
    service_name: api
    subnet_ids: [a, b]
    security_group_ids: [endpoint]
    private_dns_enabled: true
`

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// parse reads a spec as sim/scenario would, without its checks.
func parse(t tester, text string) *Spec {
	t.Helper()
	spec := &Spec{}
	target := yaml.CustomUnmarshaler(func(t *Target, b []byte) error {
		type plain Target
		if strings.Contains(string(b), "target_id") {
			return yaml.Unmarshal(b, (*plain)(t))
		}
		return yaml.Unmarshal(b, &t.TargetID)
	})
	if err := yaml.UnmarshalWithOptions([]byte(text), spec, yaml.Strict(), target); err != nil {
		t.Fatal(err)
	}
	return spec
}

// build makes a lab of a text in which each pair of old and new has been
// exchanged; an old that is not there is a mistake in the test.
func build(t tester, text string, exchange ...string) (*Lab, error) {
	t.Helper()
	for i := 0; i+1 < len(exchange); i += 2 {
		if !strings.Contains(text, exchange[i]) {
			t.Fatalf("the lab's text has no %q", exchange[i])
		}
		text = strings.Replace(text, exchange[i], exchange[i+1], 1)
	}
	return New("test", parse(t, text))
}

// mustBuild is build for a lab without mistakes.
func mustBuild(t tester, text string, exchange ...string) *Lab {
	t.Helper()
	l, err := build(t, text, exchange...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
