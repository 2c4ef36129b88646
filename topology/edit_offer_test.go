package topology

import (
	"errors"
	"testing"

	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/packet"
)

func query(from packet.Addr) filter.Query {
	return filter.Query{Proto: packet.TCP, Port: 80, Peer: from}
}

// TestPermissions: who may connect changes for new endpoints only (F1.14), and so
// does whether somebody must accept them (F1.15).
func TestPermissions(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	off := false
	create := func(name string) (EndpointState, error) {
		err := l.CreateVPCEndpoint(&NewEndpoint{Name: name, VPCEndpoint: VPCEndpoint{
			VPCID: "consumer", ServiceName: "api", SubnetIDs: []string{"a"}, Principal: "arn:aws:iam::222222222222:role/net"}})
		if err != nil {
			return "", err
		}
		e, err := l.Endpoint(name)
		return e.State, err
	}
	for _, c := range []struct {
		name   string
		change func() error
		want   EndpointState // of a new endpoint; "" is a refusal
	}{
		{"by the account", func() error { return l.Accept("api") }, PendingAcceptance},
		{"nobody", func() error {
			return l.ModifyServicePermissions(&PermissionChange{Service: "api", Remove: []string{"arn:aws:iam::222222222222:root", "*"}})
		}, ""},
		{"another-role", func() error {
			return l.ModifyServicePermissions(&PermissionChange{Service: "api", Add: []string{"arn:aws:iam::222222222222:role/web"}})
		}, ""},
		{"the-role", func() error {
			return l.ModifyServicePermissions(&PermissionChange{Service: "api", Add: []string{"arn:aws:iam::222222222222:role/net", "arn:aws:iam::222222222222:role/net"}})
		}, PendingAcceptance},
		{"not-accepted", func() error { return l.ModifyService(&ServiceChange{Service: "api", AcceptanceRequired: &off}) }, Available},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		got, err := create(map[bool]string{true: "first", false: c.name}[c.name == "by the account"])
		var refusal *Refusal
		if got != c.want || c.want == "" && !errors.As(err, &refusal) {
			t.Errorf("%s: state %q, error %v; want %q", c.name, got, err, c.want)
		}
		if e, _ := l.Endpoint("api"); e.State != Available {
			t.Errorf("%s: the endpoint that was accepted is %s", c.name, e.State)
		}
	}
	if len(l.offers[0].AllowedPrincipals) != 2 || len(l.spec.EndpointServices["api"].AllowedPrincipals) != 1 {
		t.Errorf("principals %v, in the file %v", l.offers[0].AllowedPrincipals, l.spec.EndpointServices["api"].AllowedPrincipals)
	}
}

// TestProof is the life of a private name's proof (F1.27), and what hangs on it (F1.16).
func TestProof(t *testing.T) {
	l := mustBuild(t, twoAccounts, append(open, "    private_dns_name: api.example.com\n", "    private_dns_name: \"*.example.com\"\n    private_dns_name_configuration: { state: pendingVerification, value: vpce:abc }\n", "    private_dns_enabled: true\n", "")...)
	name, err := l.Variable("endpoint_service.api.private_dns_name_configuration.name")
	if err != nil {
		t.Fatal(err)
	}
	on := true
	record := func(action, name, says string) func() error {
		return func() error { return l.ChangeRecord(&RecordChange{action, name, "TXT", []string{says}}) }
	}
	for _, c := range []struct {
		what    string
		change  func() error
		state   string
		enabled bool // an endpoint may have the name
	}{
		{"nothing is published", func() error { return nil }, PendingVerification, false},
		{"another value", record("CREATE", name+".example.com", "vpce:abd"), PendingVerification, false},
		{"the value elsewhere", record("CREATE", "www.example.com", "vpce:abc"), PendingVerification, false},
		{"at the bare domain", record("CREATE", "Example.com.", "vpce:abc"), Verified, true},
		{"it is lost", record("DELETE", "example.com", "vpce:abc"), VerificationFailed, false},
		{"still lost", func() error { return nil }, VerificationFailed, false},
		{"below the domain", record("UPSERT", name+".example.com", "vpce:abc"), Verified, true},
		{"another name", func() error { return l.ModifyService(&ServiceChange{Service: "api", PrivateDNSName: "b.example.com"}) }, PendingVerification, false},
	} {
		if err := c.change(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if state, err := l.StartPrivateDNSVerification("api"); state != c.state || err != nil {
			t.Errorf("%s: state %s, error %v; want %s", c.what, state, err, c.state)
		}
		off := false
		err := l.ModifyVPCEndpoint(&EndpointChange{VPCEndpoint: "api", PrivateDNS: &on})
		if (err == nil) != c.enabled {
			t.Errorf("%s: private DNS: %v", c.what, err)
		}
		if c.what == "below the domain" {
			break
		}
		if err := l.ModifyVPCEndpoint(&EndpointChange{VPCEndpoint: "api", PrivateDNS: &off}); err != nil {
			t.Fatal(err)
		}
	}
	// What has the name keeps it, whatever else changes.
	if err := errors.Join(record("DELETE", name+".example.com", "vpce:abc")(), l.ModifyVPCEndpoint(&EndpointChange{VPCEndpoint: "api", RemoveSubnets: []string{"a"}})); err != nil {
		t.Fatal(err)
	}
	if state, _ := l.StartPrivateDNSVerification("api"); state != VerificationFailed || !l.Names().Lookup("consumer", "x.example.com").Found {
		t.Errorf("the proof is %s, and the name gone", state)
	}
	if err := l.ModifyService(&ServiceChange{Service: "api", PrivateDNSName: "b.example.org"}); err != nil {
		t.Fatal(err)
	}
	if state, _ := l.StartPrivateDNSVerification("api"); state != PendingVerification || l.Names().Lookup("consumer", "b.example.org").Found {
		t.Errorf("another name is %s", state)
	}
}

// TestDeleteService: what stays, and what the load balancer is free for (F1.10, F1.12).
func TestDeleteService(t *testing.T) {
	l := mustBuild(t, twoAccounts, "endpoint_services:\n", "endpoint_services:\n  other: { network_load_balancer_arns: [spare] }\n", "load_balancers:\n", "load_balancers:\n  spare: { subnets: [provider/a] }\n")
	host, _ := l.Variable("endpoint_service.api.base_endpoint_dns_name")
	if !l.Names().Lookup("consumer", host).Found { // F1.21
		t.Errorf("%s does not exist", host)
	}
	if err := errors.Join(l.Reject("api"), l.DeleteService("api")); err != nil {
		t.Fatal(err)
	}
	if state, err := l.ServiceState("api"); state != ServiceDeleted || err != nil {
		t.Errorf("state %s, %v", state, err)
	}
	if state, _ := l.ServiceState("other"); state != ServiceAvailable {
		t.Errorf("the other is %s", state)
	}
	p := l.Compile()
	if byLabel(t, p, "load_balancer.api.us-east-1a").Kind == 0 || len(p.Balancers[0].Listeners) == 0 {
		t.Error("the load balancer went with the service")
	}
	if err := l.ModifyService(&ServiceChange{Service: "other", AddLoadBalancers: []string{"api"}, RemoveLoadBalancers: []string{"spare"}}); err != nil {
		t.Errorf("another service may have it now: %v", err)
	}
	if l.find.balancers["spare"].offer != nil || l.find.balancers["api"].offer.name != "other" {
		t.Error("the load balancers stand behind the wrong services")
	}
	if err := l.Delete("api"); err != nil {
		t.Errorf("its consumer cannot delete the endpoint: %v", err)
	}
	if l.Names().Lookup("consumer", host).Found {
		t.Errorf("%s still exists", host)
	}
}
