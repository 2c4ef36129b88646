package service_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/topology"
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
	for _, name := range []string{"${vpc_endpoint.api.dns_name}", "${load_balancer.api.dns_name}"} {
		name, err := scenario.Expand(l.Lab, name)
		if err != nil {
			t.Fatal(err)
		}
		r := &service.Resolver{VPC: "lab", Names: l.Lab.Names}
		first := map[string]int{}
		for range 10 {
			q := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
			m := new(dns.Msg).SetReply(q)
			r.Answer(m, q.Question[0], netip.Addr{})
			if len(m.Answer) != 2 {
				t.Fatalf("%s has %d addresses", name, len(m.Answer))
			}
			first[addresses(m)[0]]++
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
	r := &service.Resolver{VPC: "lab", Names: l.Lab.Names}
	ask := func(name string, kind uint16, from string) *dns.Msg {
		q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
		m := new(dns.Msg).SetReply(q)
		r.Answer(m, q.Question[0], netip.MustParseAddr(from))
		return m
	}
	name, err := scenario.Expand(l.Lab, "${load_balancer.api.dns_name}")
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]int{"10.0.2.9": 85, "10.0.2.200": 0} {
		near := 0
		for range 100 {
			if a := addresses(ask(name, dns.TypeA, from)); len(a) == 1 && strings.HasPrefix(a[0], "10.0.2.") {
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

// addresses returns the addresses of a reply, in its order.
func addresses(m *dns.Msg) (list []string) {
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			list = append(list, rr.A.String())
		case *dns.AAAA:
			list = append(list, rr.AAAA.String())
		}
	}
	return list
}

// A built-in DNS server answers from its records: aliases followed as far as it
// knows, names above its own as empty, others as unknown.
func TestZone(t *testing.T) {
	z, err := service.NewZone([]*topology.DNSRecord{
		{Name: "web.Example.com", Type: "A", Records: []string{"10.0.0.1", "10.0.0.2"}, TTL: 30},
		{Name: "web.example.com.", Type: "AAAA", Records: []string{"2001:db8::1"}, TTL: 30},
		{Name: "www.example.com", Type: "CNAME", Records: []string{"web.example.com"}, TTL: 60},
		{Name: "away.example.com", Type: "CNAME", Records: []string{"elsewhere.example.net"}, TTL: 60},
		{Name: "a.loop.example.com", Type: "CNAME", Records: []string{"b.loop.example.com"}, TTL: 60},
		{Name: "b.loop.example.com", Type: "CNAME", Records: []string{"a.loop.example.com"}, TTL: 60},
		{Name: "_v.example.com", Type: "TXT", Records: []string{"one"}, TTL: 60},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		kind  uint16
		rcode int
		want  string // the records, without their class
	}{
		{"web.example.com", dns.TypeA, dns.RcodeSuccess, "web.example.com. 30 A 10.0.0.1\nweb.example.com. 30 A 10.0.0.2"},
		{"WEB.example.COM", dns.TypeAAAA, dns.RcodeSuccess, "web.example.com. 30 AAAA 2001:db8::1"},
		{"www.example.com", dns.TypeAAAA, dns.RcodeSuccess, "www.example.com. 60 CNAME web.example.com.\nweb.example.com. 30 AAAA 2001:db8::1"},
		{"www.example.com", dns.TypeCNAME, dns.RcodeSuccess, "www.example.com. 60 CNAME web.example.com."},
		{"away.example.com", dns.TypeA, dns.RcodeSuccess, "away.example.com. 60 CNAME elsewhere.example.net."},
		{"_v.example.com", dns.TypeTXT, dns.RcodeSuccess, "_v.example.com. 60 TXT \"one\""},
		{"_v.example.com", dns.TypeA, dns.RcodeSuccess, ""},
		{"example.com", dns.TypeA, dns.RcodeSuccess, ""},
		{"mail.example.com", dns.TypeA, dns.RcodeNameError, ""},
		{"b.example.com", dns.TypeA, dns.RcodeNameError, ""},
	} {
		m := service.Reply(z, new(dns.Msg).SetQuestion(dns.Fqdn(tt.name), tt.kind), netip.Addr{}, true)
		var got []string
		for _, rr := range m.Answer {
			got = append(got, strings.Join(strings.Fields(strings.Replace(strings.ToLower(rr.Header().Name)+strings.TrimPrefix(rr.String(), rr.Header().Name), "\tIN\t", "\t", 1)), " "))
		}
		if !m.Authoritative || m.Rcode != tt.rcode || strings.Join(got, "\n") != tt.want {
			t.Errorf("%s %s: %s, authoritative %v\n%s\nwant %s\n%s", tt.name, dns.TypeToString[tt.kind],
				dns.RcodeToString[m.Rcode], m.Authoritative, strings.Join(got, "\n"), dns.RcodeToString[tt.rcode], tt.want)
		}
	}
	if m := service.Reply(z, new(dns.Msg).SetQuestion("a.loop.example.com.", dns.TypeA), netip.Addr{}, true); len(m.Answer) > 8 {
		t.Errorf("aliases of each other: %d records", len(m.Answer))
	}
}

// What a reference turned out to be may be wrong only when the lab starts.
func TestZoneMistakes(t *testing.T) {
	for _, tt := range []struct{ kind, value, want string }{
		{"A", "2001:db8::1", `record x: "2001:db8::1" is no address of type A`},
		{"AAAA", "::ffff:x", `record x: "::ffff:x" is no address of type AAAA`},
		{"CNAME", "", `record x: "" is no domain name`},
		{"MX", "x", `record x: "MX" is no type of record here`},
	} {
		_, err := service.NewZone([]*topology.DNSRecord{{Name: "x", Type: tt.kind, Records: []string{tt.value}}})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s %s: %v, want %s", tt.kind, tt.value, err, tt.want)
		}
	}
}

// A reply by UDP fits into what the asker has room for, and says so; by TCP it is
// whole (F1.29: both cross an endpoint).
func TestReplySize(t *testing.T) {
	r := &topology.DNSRecord{Name: "many.example.com", Type: "A", TTL: 60}
	for i := range 100 {
		r.Records = append(r.Records, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String())
	}
	z, err := service.NewZone([]*topology.DNSRecord{r})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		room      uint16 // 0: no EDNS
		udp       bool
		most      int
		truncated bool
	}{{0, true, 512, true}, {1232, true, 1232, true}, {4096, true, 4096, false}, {0, false, 65535, false}} {
		q := new(dns.Msg).SetQuestion("many.example.com.", dns.TypeA)
		if tt.room > 0 {
			q.SetEdns0(tt.room, false)
		}
		m := service.Reply(z, q, netip.Addr{}, tt.udp)
		if b, err := m.Pack(); err != nil || len(b) > tt.most || m.Truncated != tt.truncated || !tt.truncated && len(m.Answer) != 100 {
			t.Errorf("%+v: %d bytes, %d records, truncated %v, %v", tt, len(b), len(m.Answer), m.Truncated, err)
		}
	}
	if m := service.Reply(z, new(dns.Msg), netip.Addr{}, true); m.Rcode != dns.RcodeNotImplemented {
		t.Errorf("no question: %v", m)
	}
}
