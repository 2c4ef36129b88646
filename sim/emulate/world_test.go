package emulate

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

// The resolver answers over UDP and TCP alike, for IPv4 and IPv6, and knows what
// it does not know.
func TestResolver(t *testing.T) {
	w, l := newWorld(t, `
name: names
vpcs:
  lab:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8::/56
    subnets: { a: {} }
    instances: { one: {}, two: { private_ip: 10.0.0.9, ipv6_addresses: ["2001:db8::9"] } }
`)
	h, err := w.host("one")
	if err != nil {
		t.Fatal(err)
	}
	name, err := scenario.Expand(l.Lab, "${instance.two.private_dns}")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(h.ResolverAddr(), 53).String()
	for _, tt := range []struct {
		name  string
		kind  uint16
		rcode int
		want  string
	}{
		{name, dns.TypeA, dns.RcodeSuccess, "10.0.0.9"},
		{strings.ToUpper(name), dns.TypeA, dns.RcodeSuccess, "10.0.0.9"},
		{name, dns.TypeAAAA, dns.RcodeSuccess, "2001:db8::9"},
		{name, dns.TypeTXT, dns.RcodeSuccess, ""},
		{"nobody.example.com", dns.TypeA, dns.RcodeNameError, ""},
	} {
		for _, network := range []string{"udp", "tcp"} {
			m := new(dns.Msg).SetQuestion(dns.Fqdn(tt.name), tt.kind)
			resp, err := h.ask(t.Context(), network, at, m)
			if err != nil {
				t.Errorf("%s over %s: %v", tt.name, network, err)
				continue
			}
			var got string
			for _, a := range live.Addresses(resp) {
				got += a.String()
			}
			if resp.Rcode != tt.rcode || got != tt.want {
				t.Errorf("%s %s over %s: %s %q, want %s %q", tt.name, dns.TypeToString[tt.kind], network,
					dns.RcodeToString[resp.Rcode], got, dns.RcodeToString[tt.rcode], tt.want)
			}
		}
	}
}

// A program that never listens on its wait_for_port is told after a while, with
// what it printed; when the run is interrupted meanwhile, that is no fault of it.
func TestWaitForPort(t *testing.T) {
	netns.RequireSandbox(t)
	start := func(ctx context.Context, patience time.Duration) error {
		l, err := scenario.LoadBytes("silent.yaml", []byte(`
name: silent
vpcs:
  lab:
    cidr_block: 10.0.0.0/16
    subnets: { a: {} }
    instances:
      app: { private_ip: 10.0.0.9, command: "echo not today; exec sleep 1000", wait_for_port: 80 }
`))
		if err != nil {
			t.Fatal(err)
		}
		w, err := Start(ctx, l.Lab, Options{Patience: patience})
		if cerr := w.Close(); cerr != nil {
			t.Error(cerr)
		}
		return err
	}
	err := start(t.Context(), 200*time.Millisecond)
	var failed *StartError
	if !errors.As(err, &failed) {
		t.Fatalf("Start: %v", err)
	}
	const want = "instance lab/app: nothing listens on port 80 of 10.0.0.9 after 200ms; its command printed:\nnot today"
	if err.Error() != want {
		t.Errorf("Start: %q, want %q", err, want)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := start(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &failed) {
		t.Errorf("Start of a run that is interrupted: %v", err)
	}
}
