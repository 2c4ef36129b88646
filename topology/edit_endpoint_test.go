package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// open is a service that everybody may use at once.
var open = []string{"    private_dns_name", "    acceptance_required: false\n    private_dns_name", "222222222222:root", "222222222222:root\", \"*"}

// TestRefusals: what AWS says no to, in its words, and what is a mistake of whoever
// asks (F1.7, F1.12, F1.14, F1.16, F1.26, F1.46, F1.49). A refusal changes nothing.
func TestRefusals(t *testing.T) {
	endpoint := func(change func(*NewEndpoint)) func(*Lab) error {
		return func(l *Lab) error {
			r := &NewEndpoint{Name: "late", VPCEndpoint: VPCEndpoint{VPCID: "consumer", ServiceName: "api", SubnetIDs: []string{"a"}}}
			change(r)
			return l.CreateVPCEndpoint(r)
		}
	}
	modify := func(c EndpointChange) func(*Lab) error {
		c.VPCEndpoint = "api"
		return func(l *Lab) error { return l.ModifyVPCEndpoint(&c) }
	}
	service := func(c ServiceChange) func(*Lab) error {
		c.Service = "api"
		return func(l *Lab) error { return l.ModifyService(&c) }
	}
	on := true
	for name, c := range map[string]struct {
		exchange []string
		act      func(*Lab) error
		want     string
	}{
		"not admitted": {nil, func(l *Lab) error {
			return errors.Join(l.ModifyServicePermissions(&PermissionChange{Service: "api", Remove: []string{"arn:aws:iam::222222222222:root"}}), endpoint(func(*NewEndpoint) {})(l))
		}, "InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.vpce.us-east-1.SERVICE' does not exist (arn:aws:iam::222222222222:root is not among the allowed_principals of endpoint service api, so to AWS the service does not exist; add it there)"},
		"two subnets of a zone": {[]string{"b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }\n    security_groups:\n      app", "b: { cidr_block: 10.0.2.0/24 }\n    security_groups:\n      app", "subnet_ids: [a, b]", "subnet_ids: [a]"},
			modify(EndpointChange{AddSubnets: []string{"b"}}),
			"DuplicateSubnetsInSameZone: Found another VPC endpoint subnet in the availability zone of the subnet (subnets a and b are both in us-east-1a: endpoint api takes one subnet a zone)"},
		"a zone without the service": {[]string{"b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }\n    security_groups:\n      app", "b: { id: subnet-0123456789abcdef0, cidr_block: 10.0.2.0/24, availability_zone: us-east-1c }\n    security_groups:\n      app", "subnet_ids: [a, b]", "subnet_ids: [a]"},
			modify(EndpointChange{AddSubnets: []string{"b"}}),
			"InvalidParameter: The VPC endpoint service com.amazonaws.vpce.us-east-1.SERVICE does not support the availability zone of the subnet: subnet-0123456789abcdef0. (subnet b is in use1-az3 (us-east-1c to account 222222222222), where endpoint service api has no load balancer; it is in use1-az1 (us-east-1a to account 111111111111) and use1-az2 (us-east-1b to account 111111111111))"},
		"a second private name": {nil, endpoint(func(r *NewEndpoint) { r.PrivateDNS = true }),
			"InvalidParameter: private-dns-enabled cannot be set because there is already a conflicting DNS domain for api.example.com in the VPC VPC (endpoint api already has api.example.com in VPC consumer: one endpoint can have it there)"},
		"the name is taken":   {nil, endpoint(func(r *NewEndpoint) { r.Name = "api" }), "name: there is an endpoint api already: choose another name"},
		"the subnet unknown":  {nil, endpoint(func(r *NewEndpoint) { r.SubnetIDs = []string{"z"} }), `subnet_ids[0]: VPC consumer has no subnet "z"; choose from a, b`},
		"the address taken":   {nil, endpoint(func(r *NewEndpoint) { r.PrivateIPs = map[string]string{"a": "10.0.1.4"} }), "private_ips.a: 10.0.1.4 is already taken by consumer/app"},
		"no interface there":  {nil, modify(EndpointChange{RemoveSubnets: []string{"c"}}), "remove_subnet_ids[0]: c is not there; it has a and b"},
		"already there":       {nil, modify(EndpointChange{AddSubnets: []string{"consumer/b"}}), "add_subnet_ids[0]: consumer/b is there already; it has a and b"},
		"the last groups":     {nil, modify(EndpointChange{RemoveGroups: []string{"endpoint"}}), "remove_security_group_ids: an endpoint keeps one security group at least"},
		"no such place":       {nil, modify(EndpointChange{RemoveSubnets: []string{"b"}, PrivateIPs: map[string]string{"b": "10.0.2.9"}}), "private_ips.b: subnet b is not among the endpoint's subnet_ids"},
		"a bad address":       {nil, modify(EndpointChange{PrivateIPs: map[string]string{"b": "10.0.2.1"}}), "private_ips.b: 10.0.2.1 is reserved by AWS for the VPC router: the first four addresses of a subnet and the last are never handed out"},
		"endpoints connected": {nil, func(l *Lab) error { return l.DeleteService("api") }, "ExistingVpcEndpointConnections: Service has existing active VPC Endpoint connections! (endpoint api is pendingAcceptance: reject it first)"},
		"balancer in use":     {nil, service(ServiceChange{RemoveLoadBalancers: []string{"api"}}), "ExistingVpcEndpointConnections: Service has existing active VPC Endpoint connections! (endpoint api is pendingAcceptance: reject it first)"},
		"no such balancer":    {nil, service(ServiceChange{AddLoadBalancers: []string{"apj"}}), `network_load_balancer_arns[1]: there is no load balancer "apj"; did you mean api?`},
		"a bad private name":  {nil, service(ServiceChange{PrivateDNSName: "API.example.com"}), `private_dns_name: "API.example.com" must be in lower case: write api.example.com`},
		"both at once":        {nil, service(ServiceChange{PrivateDNSName: "b.example.com", RemovePrivateDNS: true}), "remove_private_dns_name: cannot stand beside private_dns_name"},
		"a bad principal": {nil, func(l *Lab) error {
			return l.ModifyServicePermissions(&PermissionChange{Service: "api", Add: []string{"bob"}})
		}, `add_allowed_principals[0]: "bob" is not a principal: write arn:aws:iam::ACCOUNT:root, arn:aws:iam::ACCOUNT:role/NAME or arn:aws:iam::ACCOUNT:user/NAME, with 12 digits for ACCOUNT, or *`},
		"no private name":    {[]string{"    private_dns_name: api.example.com\n", "", "    private_dns_enabled: true\n", ""}, modify(EndpointChange{PrivateDNS: &on}), "InvalidParameter: Private DNS can't be enabled because the service com.amazonaws.vpce.us-east-1.SERVICE does not provide a private DNS name. (endpoint service api has no private_dns_name)"},
		"nothing to verify":  {[]string{"    private_dns_name: api.example.com\n", "", "    private_dns_enabled: true\n", ""}, func(l *Lab) error { _, err := l.StartPrivateDNSVerification("api"); return err }, "InvalidParameter: The service SERVICE does not have a private DNS name."},
		"an unknown service": {nil, func(l *Lab) error { return l.DeleteService("apj") }, `there is no endpoint service "apj"; did you mean api?`},
		"a deleted endpoint": {nil, func(l *Lab) error { return errors.Join(l.Delete("api"), modify(EndpointChange{})(l)) }, "InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id 'ENDPOINT' does not exist (cannot modify endpoint api: it is deleted, and must be pendingAcceptance, pending or available)"},
		"a deleted service": {nil, func(l *Lab) error {
			return errors.Join(l.Reject("api"), l.DeleteService("api"), endpoint(func(*NewEndpoint) {})(l))
		}, "InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.vpce.us-east-1.SERVICE' does not exist (endpoint service api has been deleted)"},
		"twice": {nil, func(l *Lab) error {
			return errors.Join(l.Reject("api"), l.DeleteService("api"), l.DeleteService("api"))
		}, "InvalidVpcEndpointServiceId.NotFound: The VpcEndpointService Id 'SERVICE' does not exist"},
		"a record twice": {nil, func(l *Lab) error {
			r := &RecordChange{Action: "CREATE", Name: "_x.example.com.", Type: "TXT", Records: []string{"vpce:x"}}
			return errors.Join(l.ChangeRecord(r), l.ChangeRecord(r))
		}, "InvalidChangeBatch: [Tried to create resource record set [name='_x.example.com.', type='TXT'] but it already exists]"},
		"a record that is not": {nil, func(l *Lab) error {
			return l.ChangeRecord(&RecordChange{Action: "DELETE", Name: "x.example.com", Type: "TXT", Records: []string{"x"}})
		}, "InvalidChangeBatch: [Tried to delete resource record set [name='x.example.com.', type='TXT'] but it was not found]"},
		"no record": {nil, func(l *Lab) error { return l.ChangeRecord(&RecordChange{Action: "ADD", Name: "x", Type: "MX"}) },
			`action: "ADD" is not an action; choose from CREATE, DELETE, UPSERT` + "\n" + `name: "x" is not a domain name such as _abc.api.example.com` + "\n" + `records: is missing: say what the record says` + "\n" + `type: "MX" is not a type of record here; choose from TXT`},
	} {
		l := mustBuild(t, twoAccounts, c.exchange...)
		before := len(l.NICs)
		want := strings.NewReplacer("SERVICE", l.offers[0].ID, "VPC VPC", "VPC "+l.find.networks["consumer"].ID, "ENDPOINT", l.Endpoints[0].ID).Replace(c.want)
		if err := c.act(l); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
		if len(l.NICs) != before || len(l.Endpoints) != 1 {
			t.Errorf("%s: %d interfaces were %d, and there are %d endpoints", name, len(l.NICs), before, len(l.Endpoints))
		}
		l.Compile()
	}
}

// TestQuota: a VPC takes 50 endpoints (F1.7), in the file and later; one that is
// deleted makes room.
func TestQuota(t *testing.T) {
	more := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "vpc_endpoints:\n"[:map[bool]int{true: 15}[i == 0]]+"  e%d: { vpc_id: consumer, service_name: api, subnet_ids: [a] }\n", i)
		}
		return b.String()
	}
	if _, err := build(t, twoAccounts, "vpc_endpoints:\n", more(50)); err == nil || !strings.Contains(err.Error(), "vpc_id: VPC consumer would have 51 interface endpoints: AWS takes 50 by default") {
		t.Errorf("51 endpoints: %v", err)
	}
	l := mustBuild(t, twoAccounts, "vpc_endpoints:\n", more(49))
	late := &NewEndpoint{Name: "late", VPCEndpoint: VPCEndpoint{VPCID: "consumer", ServiceName: "api", SubnetIDs: []string{"a"}}}
	var refusal *Refusal
	if err := l.CreateVPCEndpoint(late); !errors.As(err, &refusal) || !strings.HasPrefix(refusal.AWS, "VpcEndpointLimitExceeded:") {
		t.Errorf("one more: %v", err)
	}
	if err := errors.Join(l.Delete("e0"), l.CreateVPCEndpoint(late)); err != nil {
		t.Errorf("after one was deleted: %v", err)
	}
}

// TestCreate: an endpoint that comes later is like one of the file, and its
// interfaces are members of their groups at once.
func TestCreate(t *testing.T) {
	l := mustBuild(t, twoAccounts, append(open, "{ protocol: tcp, from_port: 80, to_port: 80, security_groups: [app] }", "{ protocol: tcp, from_port: 80, to_port: 80, self: true }")...)
	r := &NewEndpoint{Name: "late", VPCEndpoint: VPCEndpoint{VPCID: "consumer", ServiceName: l.offers[0].serviceName,
		SubnetIDs: []string{"b", "a"}, SecurityGroups: []string{"endpoint"}, PrivateIPs: map[string]string{"b": "10.0.2.99"}}}
	if err := l.CreateVPCEndpoint(r); err != nil {
		t.Fatal(err)
	}
	if r.ID != "" || len(r.PrivateIPs) != 1 {
		t.Error("the caller's request was changed")
	}
	e, _ := l.Endpoint("late")
	if e.State != Available || len(e.NICs) != 2 || e.NICs[1].Addr().String() != "10.0.2.99" {
		t.Errorf("state %s, interfaces %v", e.State, e.NICs)
	}
	p := l.Compile()
	nic := byLabel(t, p, "vpc_endpoint.late.us-east-1a")
	if !nic.Endpoint.Available || labels(p, nic.Endpoint.Nodes) != "load_balancer.api.us-east-1a" {
		t.Errorf("%+v", nic.Endpoint)
	}
	first := byLabel(t, p, "vpc_endpoint.api.us-east-1a")
	if !slices.Equal(addrs(l.Names().Lookup("provider", e.DNSName())), []string{e.NICs[0].Addr().String(), "10.0.2.99"}) {
		t.Errorf("%s does not resolve", e.DNSName())
	}
	if !matches(first, nic.Addrs[0]) {
		t.Error("a rule that names the group does not know the new member")
	}
	var events []string
	for _, v := range l.Events {
		events = append(events, v.Event+" "+v.Endpoint)
	}
	if want := []string{"Connect api", "Connect late"}; !slices.Equal(events, want) { // F1.13
		t.Errorf("events %v, want %v", events, want)
	}
	// Its name may be used again, and never its number.
	if err := errors.Join(l.Delete("late"), l.CreateVPCEndpoint(r)); err != nil {
		t.Fatal(err)
	}
	again, _ := l.Endpoint("late")
	if again.ID == e.ID || again.NICs[0].Index <= e.NICs[1].Index || l.Names().Lookup("consumer", e.DNSName()).Found {
		t.Errorf("%s with %v follows %s with %v", again.ID, again.NICs[0].Index, e.ID, e.NICs[1].Index)
	}
	// Neighbours remember where the old interfaces were, and reach the new ones.
	for i, n := range again.NICs {
		if n.ID == e.NICs[i].ID || n.MAC != e.NICs[i].MAC {
			t.Errorf("%s with %s follows %s with %s", n.ID, n.MAC, e.NICs[i].ID, e.NICs[i].MAC)
		}
	}
}

func addrs(a Answer) (out []string) {
	for _, a := range a.Addrs {
		out = append(out, a.String())
	}
	return out
}

// TestModify: a new address replaces the interface, a removed subnet deletes it, an
// added one makes it, and the rest carries on (F1.4, F1.9).
func TestModify(t *testing.T) {
	l := mustBuild(t, "settings: { setup_delay: 30 }\n"+twoAccounts, open...)
	carrying := func() (out []string) {
		p := l.Compile()
		for _, i := range p.Interfaces {
			if i.Kind == dataplane.Endpoint && i.Endpoint.Available {
				out = append(out, i.Addrs[0].String())
			}
		}
		slices.Sort(out)
		return out
	}
	for _, c := range []struct {
		change        EndpointChange
		during, after []string
	}{
		{EndpointChange{PrivateIPs: map[string]string{"a": "10.0.1.99"}}, []string{"10.0.2.4"}, []string{"10.0.1.99", "10.0.2.4"}},
		{EndpointChange{PrivateIPs: map[string]string{"a": "10.0.1.99"}}, []string{"10.0.1.99", "10.0.2.4"}, []string{"10.0.1.99", "10.0.2.4"}},
		{EndpointChange{RemoveSubnets: []string{"b"}}, []string{"10.0.1.99"}, []string{"10.0.1.99"}},
		{EndpointChange{AddSubnets: []string{"b"}, PrivateIPs: map[string]string{"b": "10.0.2.4"}}, []string{"10.0.1.99"}, []string{"10.0.1.99", "10.0.2.4"}},
		{EndpointChange{AddGroups: []string{"app"}, RemoveGroups: []string{"endpoint"}}, []string{"10.0.1.99", "10.0.2.4"}, []string{"10.0.1.99", "10.0.2.4"}},
	} {
		c.change.VPCEndpoint = "api"
		numbers := len(l.NICs)
		if err := l.ModifyVPCEndpoint(&c.change); err != nil {
			t.Fatal(err)
		}
		e, _ := l.Endpoint("api")
		if got := carrying(); e.State != Pending || !slices.Equal(got, c.during) {
			t.Errorf("%+v: %s, and %v carry, want %v", c.change, e.State, got, c.during)
		}
		if at, ok := l.Next(); !ok || at.Sub(l.now) != 30*time.Second || !l.Advance(at) {
			t.Errorf("%+v: settled at %v", c.change, at)
		}
		if got := carrying(); e.State != Available || !slices.Equal(got, c.after) {
			t.Errorf("%+v: %s, and %v carry, want %v", c.change, e.State, got, c.after)
		}
		for i, n := range l.NICs {
			if int(n.Index) != i || i < numbers && n.Kind == dataplane.Absent && n.Endpoint != e {
				t.Errorf("interface %d is %d", i, n.Index)
			}
		}
		if got := addrs(l.Names().Lookup("consumer", "api.example.com")); !slices.Equal(got, c.after) {
			t.Errorf("the private name answers %v, want %v", got, c.after)
		}
	}
	e, _ := l.Endpoint("api")
	if got := l.spec.VPCEndpoints["api"].SubnetIDs; len(got) != 2 || e.groups[0].name != "app" || e.SecurityGroups[0] != "app" {
		t.Errorf("subnets in the file %v, groups %v", got, e.SecurityGroups)
	}
}

// TestAddressesComeBack: addresses of deleted interfaces are given out again, once
// no other is free.
func TestAddressesComeBack(t *testing.T) {
	l := mustBuild(t, twoAccounts, append(open, "b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }\n    security_groups:\n      app", "b: { cidr_block: 10.0.2.0/28, availability_zone: us-east-1b }\n    security_groups:\n      app")...)
	seen := map[string]int{}
	for i := range 40 { // of 11 addresses, of which the file's endpoint has one
		r := &NewEndpoint{Name: "late", VPCEndpoint: VPCEndpoint{VPCID: "consumer", ServiceName: "api", SubnetIDs: []string{"b"}}}
		if err := l.CreateVPCEndpoint(r); err != nil {
			t.Fatalf("endpoint %d: %v", i, err)
		}
		e, _ := l.Endpoint("late")
		seen[e.NICs[0].Addr().String()]++
		if err := l.Delete("late"); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 10 || seen["10.0.2.4"] > 0 {
		t.Errorf("given out: %v", seen)
	}
	for i := range 11 {
		err := l.CreateVPCEndpoint(&NewEndpoint{Name: fmt.Sprint("e", i), VPCEndpoint: VPCEndpoint{VPCID: "consumer", ServiceName: "api", SubnetIDs: []string{"b"}}})
		if (err != nil) != (i == 10) {
			t.Errorf("endpoint %d: %v", i, err)
		}
	}
	if nics := l.NICs[len(l.NICs)-1]; nics.Kind != dataplane.Endpoint {
		t.Errorf("the last interface is %v: what was refused left something behind", nics.Label)
	}
}

// matches reports whether an interface lets TCP port 80 in from an address.
func matches(i *dataplane.Interface, from packet.Addr) bool {
	_, ok := i.Ingress.Match(query(from))
	return ok
}
