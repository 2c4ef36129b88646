package service_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/topology"
)

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
		m := z.Answer(new(dns.Msg).SetQuestion(dns.Fqdn(tt.name), tt.kind), netip.Addr{}, true)
		var got []string
		for _, rr := range m.Answer {
			got = append(got, strings.Join(strings.Fields(strings.Replace(strings.ToLower(rr.Header().Name)+strings.TrimPrefix(rr.String(), rr.Header().Name), "\tIN\t", "\t", 1)), " "))
		}
		if !m.Authoritative || m.Rcode != tt.rcode || strings.Join(got, "\n") != tt.want {
			t.Errorf("%s %s: %s, authoritative %v\n%s\nwant %s\n%s", tt.name, dns.TypeToString[tt.kind],
				dns.RcodeToString[m.Rcode], m.Authoritative, strings.Join(got, "\n"), dns.RcodeToString[tt.rcode], tt.want)
		}
	}
	if m := z.Answer(new(dns.Msg).SetQuestion("a.loop.example.com.", dns.TypeA), netip.Addr{}, true); len(m.Answer) > 8 {
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
		m := z.Answer(q, netip.Addr{}, tt.udp)
		if b, err := m.Pack(); err != nil || len(b) > tt.most || m.Truncated != tt.truncated || !tt.truncated && len(m.Answer) != 100 {
			t.Errorf("%+v: %d bytes, %d records, truncated %v, %v", tt, len(b), len(m.Answer), m.Truncated, err)
		}
	}
	if m := z.Answer(new(dns.Msg), netip.Addr{}, true); m.Rcode != dns.RcodeNotImplemented {
		t.Errorf("no question: %v", m)
	}
}
