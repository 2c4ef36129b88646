package topology

import (
	"fmt"
	"strings"
	"testing"
)

// TestNames: what each VPC's resolver answers, while the endpoint waits and when
// it is available. Endpoint and load balancer have an address in each of their
// two zones (F1.1, F2.1).
func TestNames(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	e, _ := l.Endpoint("api")
	regional, zonal := e.DNSName(), e.ZonalDNSName("us-east-1b")
	lb := l.balancers[0].dnsName
	_, rest, _ := strings.Cut(regional, ".")
	for _, c := range []struct {
		vpc, name       string
		before, after   string // addresses; nodata, or nxdomain
		cname, rejected string
	}{
		{"consumer", regional, "10.0.1.6 10.0.2.4", "10.0.1.6 10.0.2.4", "", "10.0.1.6 10.0.2.4"}, // F1.25
		{"provider", regional, "10.0.1.6 10.0.2.4", "10.0.1.6 10.0.2.4", "", "10.0.1.6 10.0.2.4"}, // F1.24
		{"consumer", zonal, "10.0.2.4", "10.0.2.4", "", "10.0.2.4"},                               // F1.22
		{"consumer", strings.ToUpper(zonal) + ".", "10.0.2.4", "10.0.2.4", "", "10.0.2.4"},        // case
		{"consumer", "api.example.com", "nxdomain", "10.0.1.6 10.0.2.4", regional, "nxdomain"},    // F1.26
		{"provider", "api.example.com", "nxdomain", "nxdomain", "", "nxdomain"},                   // F1.24
		{"consumer", "example.com", "nxdomain", "nodata", "", "nxdomain"},                         // a name lies below it
		{"consumer", "other.api.example.com", "nxdomain", "nxdomain", "", "nxdomain"},             // no wildcard
		{"consumer", rest, "nodata", "nodata", "", "nodata"},                                      // the service (F1.21)
		{"consumer", lb, "10.0.1.6 10.0.2.5", "10.0.1.6 10.0.2.5", "", "10.0.1.6 10.0.2.5"},       // F2.3
		{"provider", "us-east-1b." + lb, "10.0.2.5", "10.0.2.5", "", "10.0.2.5"},                  // F2.3
		{"provider", "us-east-1c." + lb, "nxdomain", "nxdomain", "", "nxdomain"},                  // no such zone
		{"consumer", "ip-10-0-1-4.ec2.internal", "10.0.1.4", "10.0.1.4", "", "10.0.1.4"},          // an instance
		{"consumer", "ip-10-0-2-4.ec2.internal", "nxdomain", "nxdomain", "", "nxdomain"},          // of the other VPC
		{"provider", "ip-10-0-2-4.ec2.internal", "10.0.2.4", "10.0.2.4", "", "10.0.2.4"},          // its own
		{"consumer", "", "nxdomain", "nxdomain", "", "nxdomain"},                                  // the root is not ours
		{"nowhere", regional, "10.0.1.6 10.0.2.4", "10.0.1.6 10.0.2.4", "", "10.0.1.6 10.0.2.4"},  // public
	} {
		l := mustBuild(t, twoAccounts)
		check := func(when, want, cname string) {
			a := l.Names().Lookup(c.vpc, c.name)
			if got := words(a); got != want || a.CNAME != cname {
				t.Errorf("%s, %s asks for %s: got %s cname %q, want %s cname %q", when, c.vpc, c.name, got, a.CNAME, want, cname)
			}
		}
		check("before acceptance", c.before, "")
		old := l.Names()
		if err := l.Accept("api"); err != nil {
			t.Fatal(err)
		}
		check("when available", c.after, c.cname)
		if got := words(old.Lookup(c.vpc, c.name)); got != c.before {
			t.Errorf("names of before the edit changed: %s answers %s", c.name, got)
		}
		if err := l.Reject("api"); err != nil {
			t.Fatal(err)
		}
		check("when rejected", c.rejected, "")
	}
	if form := fmt.Sprintf("%s-%s.%s.us-east-1.vpce.amazonaws.com", e.ID, e.DNSSuffix, l.offers[0].ID); regional != form { // F1.22
		t.Errorf("regional name %s, want %s", regional, form)
	}
	if want := fmt.Sprintf("api-%s.elb.us-east-1.amazonaws.com", l.spec.LoadBalancers["api"].ID); lb != want { // F2.3
		t.Errorf("load balancer's name %s, want %s", lb, want)
	}
	if all := l.Names().All("consumer"); len(all) != 9 {
		t.Errorf("names of the consumer: %q", all)
	}
}

func words(a Answer) string {
	switch {
	case !a.Found:
		return "nxdomain"
	case len(a.Addrs) == 0:
		return "nodata"
	}
	return strings.Trim(fmt.Sprint(a.Addrs), "[]")
}

// TestWildcard: a private name with *. stands for any name below it (F1.26, RFC
// 4592), with the addresses of both families.
func TestWildcard(t *testing.T) {
	l := mustBuild(t, wholeLab)
	e, _ := l.Endpoint("names")
	const addrs = "100.68.1.4 100.68.2.99 2001:db8:1234:aa01::5 2001:db8:1234:aa02::4"
	for name, want := range map[string]string{
		"a.names.example.com":                         addrs,
		"A.B.names.Example.com.":                      addrs,
		"names.example.com":                           "nodata",
		"example.com":                                 "nodata",
		"a.other.example.com":                         "nxdomain",
		"ip-100-68-2-4.eu-central-1.compute.internal": "100.68.2.4 2001:db8:1234:aa02::7",
	} {
		a := l.Names().Lookup("hub", name)
		if got := words(a); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		if want == addrs && a.CNAME != e.DNSName() {
			t.Errorf("%s is an alias of %q", name, a.CNAME)
		}
	}
	if a := l.Names().Lookup("small", "a.names.example.com"); a.Found {
		t.Error("the private name answers in another VPC")
	}
}

func TestHostNames(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	h, err := l.Instance("app")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintln(h.Hostname(), h.SearchDomain(), h.ResolverAddr(), h.NIC.Addrs, h.NIC.Routers); got != "ip-10-0-1-4 ec2.internal 10.0.0.2 [10.0.1.4/24] [10.0.1.1]\n" {
		t.Error(got)
	}
	if h, _ := mustBuild(t, wholeLab).Instance("only"); h.SearchDomain() != "eu-central-1.compute.internal" {
		t.Error(h.SearchDomain())
	}
}

func TestVariable(t *testing.T) {
	l := mustBuild(t, wholeLab)
	e, _ := l.Endpoint("names")
	for ref, want := range map[string]string{
		"vpc_endpoint.names.id":                              e.ID,
		"vpc_endpoint.names.dns_name":                        e.DNSName(),
		"vpc_endpoint.names.zonal_dns_name.eu-central-1a":    e.ZonalDNSName("eu-central-1a"),
		"vpc_endpoint.names.private_ip.eu-central-1b":        "100.68.2.99",
		"vpc_endpoint.names.ipv6_address.eu-central-1b":      "2001:db8:1234:aa02::4",
		"vpc_endpoint.names.network_interface.eu-central-1b": e.NICs[1].ID,
		"vpc_endpoint.names.private_dns_name":                "*.names.example.com",
		"load_balancer.main.private_ip.eu-central-1a":        "100.68.1.5",
		"load_balancer.main.dns_name":                        l.balancers[0].dnsName,
		"load_balancer.main.zonal_dns_name.eu-central-1b":    "eu-central-1b." + l.balancers[0].dnsName,
		"load_balancer.main.network_interface.eu-central-1a": l.balancers[0].nodes[0].ID,
		"load_balancer.spare.id":                             l.spec.LoadBalancers["spare"].ID,
		"endpoint_service.names.id":                          l.offers[0].ID,
		"endpoint_service.names.service_name":                "com.amazonaws.vpce.eu-central-1." + l.offers[0].ID, // F1.21
		"instance.hub/web.private_ip":                        "100.68.2.4",
		"instance.web.ipv6_address":                          "2001:db8:1234:aa02::7",
		"instance.dns.private_dns":                           "ip-100-68-1-10.eu-central-1.compute.internal",
		"instance.only.id":                                   l.spec.VPCs["small"].Instances["only"].ID,
		"instance.only.network_interface":                    l.find.hosts.vpcs["small"]["only"].NIC.ID,
		"vpc.hub.resolver":                                   "100.68.0.2",
		"vpc.small.id":                                       l.spec.VPCs["small"].ID,

		"vpc_endpoints.names.id":                      `${vpc_endpoints.names.id}: there is no kind of variable "vpc_endpoints"; did you mean vpc_endpoint?`,
		"vpc_endpoint.names":                          "${vpc_endpoint.names}: write ${vpc_endpoint.NAME.ATTRIBUTE}",
		"vpc_endpoint.name.id":                        `${vpc_endpoint.name.id}: there is no VPC endpoint "name"; did you mean names?`,
		"vpc_endpoint.names.dnsname":                  `${vpc_endpoint.names.dnsname}: vpc_endpoint names has no attribute "dnsname"; did you mean dns_name?`,
		"vpc_endpoint.names.id.eu-central-1a":         "${vpc_endpoint.names.id.eu-central-1a}: id is one value: remove .eu-central-1a",
		"vpc_endpoint.names.private_ip":               "${vpc_endpoint.names.private_ip}: private_ip has one value a zone: add .ZONE, one of eu-central-1a, eu-central-1b",
		"vpc_endpoint.names.private_ip.eu-central-1d": `${vpc_endpoint.names.private_ip.eu-central-1d}: there is no zone "eu-central-1d"; did you mean eu-central-1a?`,
		"load_balancer.spare.private_ip.x":            `${load_balancer.spare.private_ip.x}: there is no zone "x"; choose from eu-central-1b`,
		"instance.only.ipv6_address":                  "${instance.only.ipv6_address}: instance only has no ipv6_address",
		"vpc.hub.dns":                                 `${vpc.hub.dns}: vpc hub has no attribute "dns"; choose from cidr_block, id, resolver`,
		"":                                            `${}: there is no kind of variable ""; there are 11 others`,
	} {
		got, err := l.Variable(ref)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("${%s}:\n got %s\nwant %s", ref, got, want)
		}
	}
}

// TestFind: parts are found by name, with a word for those who mistype it.
func TestFind(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	e, _ := l.Endpoint("api")
	if n, err := l.Interface(e.NICs[0].ID); err != nil || n != e.NICs[0] {
		t.Errorf("Interface: %v, %v", n, err)
	}
	if g, err := l.SecurityGroup("provider/default"); err != nil || g != l.spec.VPCs["provider"].SecurityGroups["default"] {
		t.Errorf("SecurityGroup: %v, %v", g, err)
	}
	if p, err := l.TargetGroup("web"); err != nil || p != l.spec.TargetGroups["web"] {
		t.Errorf("TargetGroup: %v, %v", p, err)
	}
	for _, c := range []struct {
		find func() error
		want string
	}{
		{func() error { _, err := l.Instance("ap"); return err }, `there is no instance "ap"; did you mean app?`},
		{func() error { _, err := l.Instance("costumer/app"); return err }, `there is no VPC "costumer"; did you mean consumer?`},
		{func() error { _, err := l.Instance("consumer/web-1"); return err }, `VPC consumer has no instance "web-1"; choose from app, stranger`},
		{func() error { _, err := l.Endpoint("apo"); return err }, `there is no VPC endpoint "apo"; did you mean api?`},
		{func() error { _, err := l.TargetGroup("x"); return err }, `there is no target group "x"; choose from web`},
		{func() error { _, err := l.SecurityGroup("default"); return err }, `2 VPCs have a security group "default"; write consumer/default or provider/default`},
		{func() error { _, err := l.Interface("eni-1"); return err }, `there is no network interface "eni-1"`},
	} {
		if err := c.find(); err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}
