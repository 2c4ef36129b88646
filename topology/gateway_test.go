package topology

import (
	"errors"
	"strings"
	"testing"
)

const gateways = `
internet: { hosts: { api: {} } }
vpcs:
  hub:
    cidr_block: 10.1.0.0/16
    subnets: { a: {}, b: { availability_zone: us-east-1b }, c: {} }
    route_tables: { main: { route: [{ cidr_block: 10.2.0.0/16, transit_gateway_id: tgw }, { cidr_block: 0.0.0.0/0, gateway_id: igw }] } }
    instances: { app: { subnet_id: a, associate_public_ip_address: true } }
  spoke:
    cidr_block: 10.2.0.0/16
    ipv6_cidr_block: 2001:db8:2::/56
    route_tables: { main: { route: [{ cidr_block: 0.0.0.0/0, nat_gateway_id: nat }] } }
  third: { cidr_block: 10.3.0.0/16, subnets: { only: {} } }
internet_gateways: { igw: { vpc_id: hub } }
eips: { one: {}, two: { public_ip: 198.51.100.2 } }
nat_gateways:
  nat: { subnet_id: spoke/default, connectivity_type: private }
  out: { subnet_id: hub/a, allocation_id: one }
  own: { subnet_id: hub/b }
transit_gateways:
  tgw: { route: [{ destination_cidr_block: 10.9.0.1/16, blackhole: true }] }
  other: {}
transit_gateway_vpc_attachments:
  hub: { transit_gateway_id: tgw, vpc_id: hub, subnet_ids: [a, b] }
  spoke: { transit_gateway_id: tgw, vpc_id: spoke, subnet_ids: [default] }
`

// TestGateways: what is not given is filled in, and stays the same.
func TestGateways(t *testing.T) {
	l := mustBuild(t, strings.Replace(gateways, "spoke:\n", "spoke:\n    subnets: { default: {} }\n", 1))
	for ref, want := range map[string]string{
		"eip.one.public_ip":                                        "198.51.100.1",
		"eip.two.public_ip":                                        "198.51.100.2",
		"nat_gateway.out.public_ip":                                "198.51.100.1",
		"nat_gateway.own.public_ip":                                "198.51.100.3",
		"instance.app.public_ip":                                   "198.51.100.4",
		"nat_gateway.nat.private_ip":                               "10.2.0.4",
		"instance.internet/api.private_ip":                         "203.0.113.4",
		"transit_gateway_vpc_attachment.hub.private_ip.us-east-1b": "10.1.1.5",
	} {
		if got, err := l.Variable(ref); got != want {
			t.Errorf("%s is %q (%v), want %q", ref, got, err, want)
		}
	}
	full := print(t, l)
	if again := print(t, mustBuild(t, full)); again != full {
		t.Errorf("completing a completed spec changed it:\n%s\n----\n%s", full, again)
	}
	prog := l.Compile()
	nic := l.find.attachments["hub"].nics[0]
	var texts []string
	for _, r := range prog.Interfaces[nic.Index].Transit {
		texts = append(texts, strings.Fields(r.Text)[0])
	}
	// IPv6 is off by default.
	if got := strings.Join(texts, " "); got != "10.9.0.0/16 10.1.0.0/16 10.2.0.0/16" {
		t.Errorf("the transit gateway's routes are %s", got)
	}
}

// TestGatewayMistakes exchanges one piece of gateways for another (F2.33).
func TestGatewayMistakes(t *testing.T) {
	base := strings.Replace(gateways, "spoke:\n", "spoke:\n    subnets: { default: {} }\n", 1)
	for _, m := range []struct {
		name     string
		old, new string
		want     string
	}{
		{"a public one without an internet gateway", ", connectivity_type: private", "",
			`nat_gateways.nat.subnet_id: VPC spoke has no internet gateway, which a public NAT gateway needs: add one, or make this connectivity_type: private`},
		{"a private one with an address", "connectivity_type: private", "connectivity_type: private, allocation_id: two",
			`nat_gateways.nat.allocation_id: is for public NAT gateways: a private one has no public address`},
		{"an address twice", "subnet_id: hub/b", "subnet_id: hub/b, allocation_id: one",
			`nat_gateways.own.allocation_id: NAT gateway out has this address already: give each its own`},
		{"an unknown address", "allocation_id: one", "allocation_id: won",
			`nat_gateways.out.allocation_id: there is no elastic IP address "won"; choose from one, two`},
		{"a private address", "public_ip: 198.51.100.2", "public_ip: 10.0.0.1",
			`eips.two.public_ip: 10.0.0.1 is no public address: choose one of 198.51.100.0/24, or leave it out`},
		{"an address of the internet's hosts", "public_ip: 198.51.100.2", "public_ip: 203.0.113.9",
			`eips.two.public_ip: 203.0.113.9 is among the hosts of the internet (203.0.113.0/24): choose one of 198.51.100.0/24, or leave it out`},
		{"no address", "public_ip: 198.51.100.2", "public_ip: mine",
			`eips.two.public_ip: "mine" is not an IPv4 address`},
		{"the internet in a VPC", "internet: {", "internet: { cidr_block: 10.1.4.0/24,",
			`internet.cidr_block: the internet and VPC hub overlap (10.1.4.0/24): what is sent there would stay in the VPC`},
		{"a group on the internet", "api: {}", "api: { vpc_security_group_ids: [default] }",
			`internet.hosts.api.vpc_security_group_ids: is for instances: internet/api is outside AWS`},
		{"another VPC's NAT gateway", "nat_gateway_id: nat", "nat_gateway_id: out",
			`vpcs.spoke.route_tables.main.route[0].nat_gateway_id: NAT gateway out belongs to VPC hub: routes of VPC spoke cannot use it`},
		{"a transit gateway that the VPC is not attached to", "transit_gateway_id: tgw }, { cidr", "transit_gateway_id: other }, { cidr",
			`vpcs.hub.route_tables.main.route[0].transit_gateway_id: VPC hub is not attached to transit gateway other: add it to transit_gateway_vpc_attachments`},
		{"an unknown transit gateway", "transit_gateway_id: tgw }, { cidr", "transit_gateway_id: tgv }, { cidr",
			`vpcs.hub.route_tables.main.route[0].transit_gateway_id: there is no transit gateway "tgv"; did you mean tgw?`},
		{"attached twice", "  spoke: { transit", "  again: { transit_gateway_id: tgw, vpc_id: hub, subnet_ids: [c] }\n  spoke: { transit",
			`transit_gateway_vpc_attachments.hub.vpc_id: VPC hub is attached to transit gateway tgw already`},
		{"two subnets of a zone", "subnet_ids: [a, b]", "subnet_ids: [a, c]",
			`transit_gateway_vpc_attachments.hub.subnet_ids[1]: subnets a and c are both in us-east-1a: attachment hub takes one subnet a zone`},
		{"a route with two ends", "blackhole: true", "blackhole: true, transit_gateway_attachment_id: hub",
			`transit_gateways.tgw.route[0].transit_gateway_attachment_id: cannot stand beside blackhole: what such a route takes goes nowhere`},
		{"a route without an end", ", blackhole: true", "",
			`transit_gateways.tgw.route[0].transit_gateway_attachment_id: is missing: name an attachment, or write blackhole: true`},
		{"a route to another gateway's attachment", "other: {}", "other: { route: [{ destination_cidr_block: 10.0.0.0/8, transit_gateway_attachment_id: hub }] }",
			`transit_gateways.other.route[0].transit_gateway_attachment_id: hub is an attachment to transit gateway tgw`},
		{"no block", "10.9.0.1/16", "10.9.0.1",
			`transit_gateways.tgw.route[0].destination_cidr_block: 10.9.0.1 is an address, not a CIDR block: add its prefix length, such as 10.9.0.1/32`},
	} {
		t.Run(m.name, func(t *testing.T) {
			_, err := build(t, base, m.old, m.new)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("New says %v, not problems", err)
			}
			if got := problems.Error(); !strings.HasPrefix(got, m.want) || strings.Contains(got, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", got, m.want)
			}
		})
	}
}
