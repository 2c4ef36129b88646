package topology

import (
	"crypto/tls"
	"slices"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestTLSListeners: what TLS listeners and their target groups come to (F2.8,
// F2.9), with the timer that nobody can change (F2.44).
func TestTLSListeners(t *testing.T) {
	l := mustBuild(t, twoAccounts,
		"\ntarget_groups:\n", "\nacm_certificates: { web: {} }\ntarget_groups:\n",
		"port: 80, protocol: TCP", "port: 443, protocol: TLS, certificate_arn: web, alpn_policy: HTTP2Only",
		"port: 8080, protocol: TCP", "port: 8443, protocol: TLS")
	compiled := l.Compile().Balancers[0].Listeners
	got := compiled[dataplane.ListenerKey{Proto: packet.TCP, Port: 443}]
	if len(compiled) != 1 || !got.TLS || got.IdleTimeout != 350*time.Second {
		t.Errorf("compiled to %+v", compiled)
	}
	// F2.24: instances see the client's address where nothing else is said.
	if g := got.Forward[0].Group; !g.TLS || !g.PreserveClientIP {
		t.Errorf("its target group is %+v", g)
	}
	all := l.TLSListeners()
	if len(all) != 2 || all[0].Node == all[1].Node {
		t.Fatalf("%d listeners at two nodes: %+v", len(all), all)
	}
	for _, one := range all {
		if one.Balancer != "api" || one.Port != 443 || one.Versions != [2]uint16{tls.VersionTLS10, tls.VersionTLS12} ||
			!slices.Equal(one.Protocols, []string{"h2"}) || !slices.Equal(one.Names, []string{"api.example.com"}) {
			t.Errorf("listener %+v", one)
		}
	}
}

// TestCertificateNames: a certificate without names is for the private name of the
// service, or else for the load balancer's own.
func TestCertificateNames(t *testing.T) {
	for private, want := range map[string]string{
		"    private_dns_name: api.example.com\n": "api.example.com",
		"": "",
	} {
		l := mustBuild(t, twoAccounts,
			"\ntarget_groups:\n", "\nacm_certificates: { web: {} }\ntarget_groups:\n",
			"port: 80, protocol: TCP", "port: 443, protocol: TLS, certificate_arn: web",
			"    private_dns_name: api.example.com\n", private,
			"    private_dns_enabled: true\n", "")
		if want == "" {
			want = l.find.balancers["api"].dnsName
		}
		if got := l.TLSListeners()[0].Names; !slices.Equal(got, []string{want}) {
			t.Errorf("private name %q: names %q, want %q", private, got, want)
		}
	}
}

// TestStickinessBehindTLS: an edit cannot make a TLS listener sticky either (F2.18).
func TestStickinessBehindTLS(t *testing.T) {
	sticky := &TargetGroupAttributes{Stickiness: &Stickiness{Enabled: true}}
	l := mustBuild(t, twoAccounts)
	if err := l.CheckTargetGroupAttributes("web", sticky); err != nil {
		t.Errorf("behind a TCP listener: %v", err)
	}
	l = mustBuild(t, twoAccounts,
		"\ntarget_groups:\n", "\nacm_certificates: { web: {} }\ntarget_groups:\n",
		"port: 80, protocol: TCP", "port: 443, protocol: TLS, certificate_arn: web")
	const want = "stickiness.enabled: cannot be true for target group web: TLS listeners, which do not know stickiness, forward to it"
	if err := l.CheckTargetGroupAttributes("web", sticky); err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}
