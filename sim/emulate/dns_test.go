package emulate

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim/scenario"
)

// TestRotation asks for a regional name several times: each zone's address comes
// first in its turn (F1.25), for an endpoint as for a load balancer, and every
// record lives 60 seconds (F2.3).
func TestRotation(t *testing.T) {
	l, err := scenario.LoadBytes("zones.yaml", []byte(`
name: zones
vpcs:
  lab:
    cidr_block: 10.0.0.0/16
    subnets: { a: { cidr_block: 10.0.1.0/24 }, b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b } }
    instances: { web: { subnet_id: a } }
target_groups: { web: { port: 80, protocol: TCP, targets: [web] } }
load_balancers: { api: { subnets: [a, b], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }] } }
endpoint_services: { api: { network_load_balancer_arns: [api], allowed_principals: ["*"] } }
vpc_endpoints: { api: { vpc_id: lab, service_name: api, subnet_ids: [a, b] } }
`))
	if err != nil {
		t.Fatal(err)
	}
	w := &World{}
	w.names.Store(l.Lab.Names())
	for _, name := range []string{"${vpc_endpoint.api.dns_name}", "${load_balancer.api.dns_name}"} {
		name, err := scenario.Expand(l.Lab, name)
		if err != nil {
			t.Fatal(err)
		}
		r := &resolver{world: w, vpc: "lab"}
		first := map[string]int{}
		for range 10 {
			q := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
			m := new(dns.Msg).SetReply(q)
			r.answer(m, q.Question[0], netip.Addr{})
			if len(m.Answer) != 2 {
				t.Fatalf("%s has %d addresses", name, len(m.Answer))
			}
			first[addresses(m)[0].String()]++
			for _, rr := range m.Answer {
				if ttl := rr.Header().Ttl; ttl != 60 {
					t.Errorf("%s lives %d s", name, ttl)
				}
			}
		}
		if len(first) != 2 {
			t.Errorf("%s always begins with the same address: %v", name, first)
		}
		for a, n := range first {
			if n != 5 || !strings.HasPrefix(a, "10.0.") {
				t.Errorf("%s begins %d times of 10 with %s", name, n, a)
			}
		}
	}
}
