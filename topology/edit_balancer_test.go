package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
)

// TestSetSubnets: a zone that a load balancer gets belongs to the service once that
// is updated, one in which endpoints are connected cannot go (F1.49), and one that
// goes ends its connections (F2.61).
func TestSetSubnets(t *testing.T) {
	l := mustBuild(t, twoAccounts, append(open, "subnets: [provider/a, provider/b]", "subnets: [provider/a]", "subnet_ids: [a, b]", "subnet_ids: [a]")...)
	set := func(subnets ...string) error {
		return l.SetSubnets(&SubnetChange{LoadBalancer: "api", Subnets: subnets})
	}
	add := func() error {
		return l.ModifyVPCEndpoint(&EndpointChange{VPCEndpoint: "api", AddSubnets: []string{"b"}})
	}
	refused := func(what string, err error, aws string) {
		t.Helper()
		var r *Refusal
		if !errors.As(err, &r) || !strings.HasPrefix(r.AWS, aws) {
			t.Errorf("%s: %v, want %s", what, err, aws)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	refused("a zone that the service is not in", add(), "InvalidParameter: The VPC endpoint service")
	must(set("provider/a", "provider/b"))
	p := l.Compile()
	if n := byLabel(t, p, "load_balancer.api.us-east-1b"); n.Kind != dataplane.Node || len(n.Addrs) != 1 || len(p.Closures) > 0 {
		t.Errorf("the new node: %+v, closures %v", n, p.Closures)
	}
	if got := addrs(l.Names().Lookup("provider", l.balancers[0].dnsName)); len(got) != 2 {
		t.Errorf("the load balancer's name answers %v", got)
	}
	refused("the service was not updated", add(), "InvalidParameter: The VPC endpoint service")
	must(l.ModifyService(&ServiceChange{Service: "api", AddLoadBalancers: []string{"api"}}))
	must(add())
	if e := byLabel(t, l.Compile(), "vpc_endpoint.api.us-east-1b"); len(e.Endpoint.Nodes) != 1 {
		t.Errorf("nodes of the new zone: %v", e.Endpoint.Nodes)
	}
	refused("endpoints are connected", set("provider/a"), "ResourceInUse: Subnet 'subnet-")
	must(l.ModifyVPCEndpoint(&EndpointChange{VPCEndpoint: "api", RemoveSubnets: []string{"b"}}))
	node := l.balancers[0].nodes[1]
	for _, c := range l.Checks() {
		l.Checked(c, true)
	}
	must(set("provider/a"))
	p = l.Compile()
	hole := p.Interfaces[node.Index]
	if len(p.Closures) != 1 || p.Closures[0] != (dataplane.Closure{Zone: node.Zone.Num}) || hole.Kind != dataplane.Absent || hole.Zone != node.Zone.Num {
		t.Errorf("closures %v, and %+v is left", p.Closures, hole)
	}
	for _, m := range l.pools[0].members {
		if m.health.views[node.Index] != nil {
			t.Error("the node that is gone still has an opinion")
		}
	}
	if l.offers[0].zoned(node.Zone) || len(l.Compile().Closures) > 0 {
		t.Error("the service is still in the zone")
	}
	refused("another subnet of a zone", l.SetSubnets(&SubnetChange{LoadBalancer: "api", Subnets: []string{"provider/a", "provider/a"}}), "InvalidConfigurationRequest: A load balancer cannot")
	var problems Problems
	if err := set("provider/c"); !errors.As(err, &problems) || len(l.spec.LoadBalancers["api"].Subnets) != 1 {
		t.Errorf("an unknown subnet: %v", err)
	}
}

// TestSetSecurityGroups: F2.63.
func TestSetSecurityGroups(t *testing.T) {
	for _, c := range []struct {
		file string
		to   []string
		want string // the refusal
	}{
		{"", []string{"web"}, "InvalidConfigurationRequest: You cannot set security groups on a Network Load Balancer which was created without any security groups. (api lets everything in: only a load balancer that has groups from the start can have others)"},
		{"    security_groups: [web]\n", nil, "InvalidConfigurationRequest: You must specify at least one security group (the groups of api can be changed, but never all removed)"},
		{"    security_groups: [web]\n", []string{"wep"}, `security_groups[0]: VPC provider has no security group "wep"; did you mean web?`},
		{"    security_groups: [web]\n", []string{"default"}, ""},
	} {
		l := mustBuild(t, twoAccounts, "    subnets: [provider/a, provider/b]\n", "    subnets: [provider/a, provider/b]\n"+c.file)
		before := byLabel(t, l.Compile(), "load_balancer.api.us-east-1a").Ingress
		err := l.SetSecurityGroups(&GroupChange{LoadBalancer: "api", SecurityGroups: c.to})
		if fmt.Sprint(err) != c.want && (err != nil || c.want != "") {
			t.Errorf("%v:\n got %v\nwant %s", c.to, err, c.want)
		}
		after := byLabel(t, l.Compile(), "load_balancer.api.us-east-1a").Ingress
		port := query(byLabel(t, l.Compile(), "provider/web-1").Addrs[0])
		port.Port = 8080
		if before == nil {
			continue
		}
		_, was := before.Match(port)
		if _, is := after.Match(port); !was || is != (err != nil) {
			t.Errorf("%v: let in before: %v, after: %v", c.to, was, is)
		}
	}
}

// TestEnforceSecurityGroups: whether inbound rules matter to PrivateLink's traffic can be
// changed with the groups (F2.64).
func TestEnforceSecurityGroups(t *testing.T) {
	l := mustBuild(t, twoAccounts, "    subnets: [provider/a, provider/b]\n", "    subnets: [provider/a, provider/b]\n    security_groups: [web]\n")
	for _, c := range []struct {
		to       string
		enforced bool
		want     string // the mistake
	}{
		{"", true, ""}, {"off", false, ""}, {"", false, ""}, {"of", false, `enforce_security_group_inbound_rules_on_private_link_traffic: "of" is not a setting; did you mean off?`}, {"on", true, ""},
	} {
		err := l.SetSecurityGroups(&GroupChange{LoadBalancer: "api", SecurityGroups: []string{"web"}, EnforceSG: c.to})
		if fmt.Sprint(err) != c.want && (err != nil || c.want != "") {
			t.Errorf("%q:\n got %v\nwant %s", c.to, err, c.want)
		}
		for _, lb := range l.Compile().Balancers {
			if lb.EnforceSG != c.enforced {
				t.Errorf("after %q it is enforced: %v", c.to, lb.EnforceSG)
			}
		}
	}
}

// TestRoutingPolicy: which zones a load balancer's name answers with (F2.5).
func TestRoutingPolicy(t *testing.T) {
	for policy, share := range map[string]int{"": 0, "any_availability_zone": 0, "partial_availability_zone_affinity": 85, "availability_zone_affinity": 100} {
		l := mustBuild(t, twoAccounts, "    subnets: [provider/a, provider/b]\n", "    dns_record_client_routing_policy: "+policy+"\n    subnets: [provider/a, provider/b]\n")
		names := l.Names()
		a := names.Lookup("provider", l.balancers[0].dnsName)
		zone := names.ZoneOf("provider", l.find.hosts.vpcs["provider"]["web-3"].NIC.Addr())
		near := 0
		for draw := range 100 {
			switch got := a.Near(zone, draw); {
			case len(got) == 1 && got[0] == l.balancers[0].nodes[1].Addr():
				near++
			case len(got) != 2:
				t.Fatalf("%s: %v", policy, got)
			}
		}
		if near != share {
			t.Errorf("%q: %d of 100 answers have the own zone alone, want %d", policy, near, share)
		}
		if got := a.Near(0, 0); len(got) != 2 {
			t.Errorf("%q: a stranger gets %v", policy, got)
		}
	}
	if _, err := build(t, twoAccounts, "    subnets: [provider/a, provider/b]\n", "    dns_record_client_routing_policy: near\n    subnets: [provider/a, provider/b]\n"); err == nil || !strings.Contains(err.Error(), "is not a client routing policy") {
		t.Errorf("a bad policy: %v", err)
	}
}

// TestDescribe: an endpoint's DNS entries in AWS's order (F1.23), and the events (F1.13).
func TestDescribe(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	if err := errors.Join(l.Accept("api"), l.Reject("api")); err != nil {
		t.Fatal(err)
	}
	read := func(p Part) (d struct {
		State, ServiceState, DNSName string
		DNSEntries                   []map[string]string `json:"DnsEntries"`
		Connections                  []map[string]string `json:"VpcEndpointConnections"`
		AvailabilityZones            []any
		Events                       []string
	}) {
		t.Helper()
		said, err := l.Describe(&p)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(said)
		if p.LoadBalancer != "" {
			text = []byte(strings.ReplaceAll(string(text), `"State":{"Code":"active"}`, `"State":"active"`))
		}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return d
	}
	e, _ := l.Endpoint("api")
	d := read(Part{VPCEndpoint: "api"})
	var names, zones []string
	for _, entry := range d.DNSEntries {
		names, zones = append(names, entry["DnsName"]), append(zones, entry["HostedZoneId"])
	}
	if want := []string{e.DNSName(), e.ZonalDNSName("us-east-1a"), e.ZonalDNSName("us-east-1b"), "api.example.com"}; !slices.Equal(names, want) {
		t.Errorf("DNS entries %v, want %v", names, want)
	}
	if len(zones) != 4 || zones[0] != zones[1] || zones[0] == zones[3] || !strings.HasPrefix(zones[3], "Z") {
		t.Errorf("hosted zones %v", zones)
	}
	want := []string{"Connect", "Accept", "Reject"}
	if !slices.Equal(d.Events, want) || d.State != "rejected" {
		t.Errorf("%s after %v", d.State, d.Events)
	}
	s := read(Part{EndpointService: "api"})
	if s.ServiceState != "Available" || len(s.Connections) != 1 || s.Connections[0]["VpcEndpointState"] != "rejected" || len(s.AvailabilityZones) != 2 || !slices.Equal(s.Events, want) {
		t.Errorf("%+v", s)
	}
	if b := read(Part{LoadBalancer: "api"}); b.DNSName != l.balancers[0].dnsName || len(b.AvailabilityZones) != 2 {
		t.Errorf("%+v", b)
	}
	if err := l.Delete("api"); err != nil {
		t.Fatal(err)
	}
	if d := read(Part{VPCEndpoint: "api"}); d.State != "deleted" || len(d.DNSEntries) > 0 || !slices.Equal(d.Events, append(want, "Delete")) {
		t.Errorf("%+v", d)
	}
	if _, err := l.Describe(&Part{}); err == nil {
		t.Error("nothing can be described")
	}
}
