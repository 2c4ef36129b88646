package live

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
	w := New(l.Lab, Options{})
	for _, name := range []string{"${vpc_endpoint.api.dns_name}", "${load_balancer.api.dns_name}"} {
		name, err := scenario.Expand(l.Lab, name)
		if err != nil {
			t.Fatal(err)
		}
		r := w.Resolver("lab")
		first := map[string]int{}
		for range 10 {
			m := r.Answer(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), netip.Addr{}, true)
			if len(m.Answer) != 2 {
				t.Fatalf("%s has %d addresses", name, len(m.Answer))
			}
			first[Addresses(m)[0].String()]++
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

// TestAnswers: a client routing policy holds for its share of the queries of a hundred
// (F2.5), and public TXT records are answered (F1.27).
func TestAnswers(t *testing.T) {
	l, err := scenario.LoadBytes("policy.yaml", []byte(`
name: policy
vpcs:
  lab:
    cidr_block: 10.0.0.0/16
    subnets: { a: { cidr_block: 10.0.1.0/24 }, b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b } }
    instances: { app: { subnet_id: b, private_ip: 10.0.2.9 } }
load_balancers: { api: { subnets: [a, b], dns_record_client_routing_policy: partial_availability_zone_affinity } }
route53_records: { proof: { name: _abc.Example.com., type: TXT, records: ["vpce:one", "two"] } }
`))
	if err != nil {
		t.Fatal(err)
	}
	w := New(l.Lab, Options{})
	r := w.Resolver("lab")
	ask := func(name string, kind uint16, from string) *dns.Msg {
		return r.Answer(new(dns.Msg).SetQuestion(dns.Fqdn(name), kind), netip.MustParseAddr(from), true)
	}
	name, err := scenario.Expand(l.Lab, "${load_balancer.api.dns_name}")
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]int{"10.0.2.9": 85, "10.0.2.200": 0} {
		near := 0
		for range 100 {
			if a := Addresses(ask(name, dns.TypeA, from)); len(a) == 1 && strings.HasPrefix(a[0].String(), "10.0.2.") {
				near++
			}
		}
		if near != want {
			t.Errorf("%s got its own zone alone %d times of 100, want %d", from, near, want)
		}
	}
	m := ask("_abc.example.com", dns.TypeTXT, "10.0.2.9")
	if len(m.Answer) != 2 || m.Answer[0].(*dns.TXT).Txt[0] != "vpce:one" {
		t.Errorf("the TXT record: %v", m.Answer)
	}
	if m := ask("_abc.example.com", dns.TypeA, "10.0.2.9"); len(m.Answer) != 0 || m.Rcode != dns.RcodeSuccess {
		t.Errorf("an address of the TXT record's name: %v", m)
	}
}
