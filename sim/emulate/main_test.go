package emulate

import (
	"os"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.RunTests(m)) }

// newWorld starts a scenario's lab, for as long as the test lasts.
func newWorld(t *testing.T, text string) (*World, *scenario.Loaded) {
	t.Helper()
	return newWorldOf(t, text, Options{Seed: 1})
}

func newWorldOf(t *testing.T, text string, opts Options) (*World, *scenario.Loaded) {
	t.Helper()
	netns.RequireSandbox(t)
	l, err := scenario.LoadBytes(t.Name()+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w, err := Start(t.Context(), l.Lab, opts)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, l
}

// echoes is a lab with echo servers: by way of an endpoint, from each address family to
// either, and within a subnet, where nothing is translated.
const echoes = `
name: echoes
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:a::/56
    subnets: { a: {} }
    security_groups: { echo: { ingress: [{ protocol: -1, cidr_blocks: [10.0.0.0/16], ipv6_cidr_blocks: ["2001:db8:a::/56"] }] } }
    instances: { echo: { vpc_security_group_ids: [echo], services: [{ type: tcp_echo, port: 7 }, { type: udp_echo, port: 7 }] } }
  consumer:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:b::/56
    subnets: { a: {} }
    security_groups:
      app: {}
      near: { ingress: [{ protocol: -1, security_groups: [app] }] }
      endpoint: { ingress: [{ protocol: -1, security_groups: [app] }] }
    instances:
      app: { vpc_security_group_ids: [app] }
      near: { vpc_security_group_ids: [near], private_ip: 10.0.0.7, services: [{ type: tcp_echo, port: 7 }, { type: udp_echo, port: 7 }] }
load_balancers:
  echo:
    subnets: [provider/a]
    ip_address_type: dualstack
    listeners:
      - { port: 4, protocol: TCP_UDP, default_action: { target_group_arn: echo4 } }
      - { port: 6, protocol: TCP_UDP, default_action: { target_group_arn: echo6 } }
target_groups:
  echo4: { port: 7, protocol: TCP_UDP, targets: [echo] }
  echo6: { port: 7, protocol: TCP_UDP, ip_address_type: ipv6, targets: [echo] }
endpoint_services:
  echo: { network_load_balancer_arns: [echo], acceptance_required: false, allowed_principals: ["*"], supported_ip_address_types: [ipv4, ipv6] }
vpc_endpoints:
  echo: { vpc_id: consumer, service_name: echo, subnet_ids: [a], security_group_ids: [endpoint] }
`

// await tries again until done is content.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
