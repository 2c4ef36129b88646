package topology

import (
	"strings"
	"testing"
)

// native is a lab with IPv6-only subnets.
const native = `
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:a::/56
    subnets: { a: {}, six: { ipv6_native: true } }
    instances:
      web: { subnet_id: a }
      web6: { subnet_id: six }
  consumer:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:b::/56
    subnets: { a: {}, six: { ipv6_native: true } }
    instances:
      app: { subnet_id: six }
load_balancers:
  api:
    subnets: [provider/a]
    ip_address_type: dualstack
    listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }]
target_groups:
  web: { vpc_id: provider, port: 80, protocol: TCP, targets: [web] }
endpoint_services:
  api: { network_load_balancer_arns: [api], acceptance_required: false, allowed_principals: ["*"], supported_ip_address_types: [ipv4, ipv6], private_dns_name: api.example.com }
vpc_endpoints:
  api: { vpc_id: consumer, service_name: api, subnet_ids: [a], private_dns_enabled: true }
`

// TestNative: an IPv6-only subnet has no IPv4 block, its instances no IPv4 address,
// and they ask the resolver over IPv6; an endpoint is in such subnets only if its
// address type is ipv6 (F1.51).
func TestNative(t *testing.T) {
	l := mustBuild(t, native, "subnet_ids: [a]", "subnet_ids: [six]")
	app, err := l.Instance("consumer/app")
	if err != nil {
		t.Fatal(err)
	}
	e := l.Endpoints[0]
	for what, got := range map[string][2]string{
		"block":                    {app.Network.Subnets["six"].CIDRBlock, ""},
		"IPv6 block":               {app.Network.Subnets["six"].IPv6CIDRBlock, "2001:db8:b:1::/64"},
		"other subnet's block":     {app.Network.Subnets["a"].CIDRBlock, "10.0.0.0/24"},
		"address":                  {app.PrivateIP, ""},
		"IPv6 address":             {strings.Join(app.IPv6Addresses, " "), "2001:db8:b:1::4"},
		"host name":                {app.Hostname(), app.ID},
		"resolver":                 {app.ResolverAddr().String(), "fd00:ec2::253"},
		"endpoint's type":          {e.IPAddressType, "ipv6"},
		"endpoint's records":       {e.DNSOptions.RecordIPType, "ipv6"},
		"endpoint's address":       {e.NICs[0].Addrs[0].String(), "2001:db8:b:1::5/64"},
		"endpoint's addresses, v4": {e.PrivateIPs["six"], ""},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, want %q", what, got[0], got[1])
		}
	}
}

// TestRecordTypes: which addresses the names of an endpoint have, by its
// dns_record_ip_type (F1.28).
func TestRecordTypes(t *testing.T) {
	for _, tt := range []struct{ endpoint, regional, private string }{
		{"ip_address_type: ipv4", "4", "4"},
		{"ip_address_type: dualstack", "46", "46"},
		{"ip_address_type: dualstack, dns_options: { dns_record_ip_type: dualstack }", "46", "46"},
		{"ip_address_type: dualstack, dns_options: { dns_record_ip_type: ipv4 }", "4", "4"},
		{"ip_address_type: dualstack, dns_options: { dns_record_ip_type: ipv6 }", "6", "6"},
		{"ip_address_type: dualstack, dns_options: { dns_record_ip_type: service-defined }", "46", "4"},
		{"subnet_ids: [six], ip_address_type: ipv6", "6", "6"},
	} {
		with := "subnet_ids: [a], " + tt.endpoint
		if strings.Contains(tt.endpoint, "subnet_ids") {
			with = tt.endpoint
		}
		l := mustBuild(t, native, "subnet_ids: [a]", with)
		e, names := l.Endpoints[0], l.Names()
		for name, want := range map[string]string{e.DNSName(): tt.regional, e.ZonalDNSName("us-east-1a"): tt.regional, "api.example.com": tt.private} {
			got := ""
			for _, a := range names.Lookup("consumer", name).Addrs {
				got += map[bool]string{true: "4", false: "6"}[a.Is4()]
			}
			if got != want {
				t.Errorf("%s: %s has records of %q, want %q", tt.endpoint, name, got, want)
			}
		}
	}
}

// TestFamilyMistakes: what does not fit an address type (F1.28, F1.51, F1.52).
func TestFamilyMistakes(t *testing.T) {
	for _, m := range []struct{ old, new, want string }{
		{"a: {}, six: { ipv6_native: true } }\n    instances:\n      app", "a: {}, six: { ipv6_native: true, cidr_block: 10.0.6.0/24 } }\n    instances:\n      app",
			"vpcs.consumer.subnets.six.cidr_block: cannot stand beside ipv6_native: such a subnet has IPv6 only; remove one of them"},
		{"    ipv6_cidr_block: 2001:db8:b::/56\n", "",
			"vpcs.consumer.subnets.six.ipv6_native: VPC consumer has no ipv6_cidr_block: add one to it first"},
		{"app: { subnet_id: six }", "app: { subnet_id: six, private_ip: 10.0.1.5 }",
			"vpcs.consumer.instances.app.private_ip: subnet six is IPv6-only: it has no IPv4 addresses"},
		{"[provider/a]", "[provider/six]",
			"load_balancers.api.ip_address_type: dualstack needs IPv4 in every subnet, and subnet six is IPv6-only: choose others"},
		{"targets: [web]", "targets: [web6]",
			"target_groups.web.targets[0].target_id: instance web6 has no IPv4 address, and the target group's ip_address_type is ipv4"},
		{"subnet_ids: [a]", "subnet_ids: [a], ip_address_type: ipv6",
			"vpc_endpoints.api.ip_address_type: ipv6 is for IPv6-only subnets, and subnet a is not one: set its ipv6_native, or write dualstack"},
		{"subnet_ids: [a]", "subnet_ids: [six], ip_address_type: ipv4",
			"vpc_endpoints.api.ip_address_type: ipv4 needs IPv4 in every subnet, and subnet six is IPv6-only: choose others"},
		{"[ipv4, ipv6]", "[ipv6]",
			"vpc_endpoints.api.ip_address_type: ipv4 needs a service that accepts IPv4: add ipv4 to the supported_ip_address_types of api"},
		{"subnet_ids: [a]", "subnet_ids: [a], ip_address_type: ipv4, dns_options: { dns_record_ip_type: ipv6 }",
			"vpc_endpoints.api.dns_options.dns_record_ip_type: ipv6 does not fit an endpoint whose ip_address_type is ipv4: AWS takes ipv4"},
		{"subnet_ids: [a]", "subnet_ids: [a], dns_options: { dns_record_ip_type: both }",
			`vpc_endpoints.api.dns_options.dns_record_ip_type: "both" is not a type of records; choose from dualstack, ipv4, ipv6, service-defined`},
	} {
		_, err := build(t, native, m.old, m.new)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != m.want {
			t.Errorf("%s:\ngot:\n%s\nwant:\n%s", m.new, got, m.want)
		}
	}
}
