package explain_test

import (
	"regexp"
	"testing"

	"github.com/plsim/plsim/sim/scenario"
)

const gateways = `
name: gateways
internet: { hosts: { host: {} } }
vpcs:
  app:
    cidr_block: 10.1.0.0/16
    route_tables: { main: { route: [{ cidr_block: 0.0.0.0/0, transit_gateway_id: tgw }] } }
    instances: { one: {} }
  hub:
    cidr_block: 10.2.0.0/16
    subnets: { tgw: {}, public: {} }
    route_tables:
      tgw: { subnet_ids: [tgw], route: [{ cidr_block: 0.0.0.0/0, nat_gateway_id: nat }] }
      public: { subnet_ids: [public], route: [{ cidr_block: 0.0.0.0/0, gateway_id: igw }, { cidr_block: 10.1.0.0/16, transit_gateway_id: tgw }] }
    instances: { bare: { subnet_id: public } }
internet_gateways: { igw: { vpc_id: hub } }
nat_gateways: { nat: { subnet_id: public } }
transit_gateways: { tgw: { route: [{ destination_cidr_block: 0.0.0.0/0, transit_gateway_attachment_id: hub }] } }
transit_gateway_vpc_attachments:
  app: { transit_gateway_id: tgw, vpc_id: app, subnet_ids: [default] }
  hub: { transit_gateway_id: tgw, vpc_id: hub, subnet_ids: [tgw] }
steps: []
`

// TestGateways: transit gateways, NAT gateways and internet gateways are named on the way.
func TestGateways(t *testing.T) {
	l, err := scenario.LoadBytes("lab.yaml", []byte(gateways))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ from, to, want string }{
		{"one", "instance.internet/host.private_ip", `app/one: egress allowed by all to 0.0.0.0/0 of app/default (AWS's default)
app/one: the route 0.0.0.0/0 by transit gateway tgw (ID) leads to nat_gateway.nat
transit_gateway_vpc_attachment.app.us-east-1a: enters the transit gateway, whose route 0.0.0.0/0 by transit gateway tgw (ID) leads to transit_gateway_vpc_attachment.hub.us-east-1a
nat_gateway.nat: translated to 10.2.0.5:NNNN > 203.0.113.4:80
nat_gateway.nat: the route 0.0.0.0/0 by internet gateway igw (ID) leads to internet/host
the internet gateway makes it 198.51.100.1:NNNN > 203.0.113.4:80
internet/host: ingress is not filtered
internet/host: gets the packet as 198.51.100.1:NNNN > 203.0.113.4:80
what answers it:
internet/host: the address is that of nat_gateway.nat
nat_gateway.nat: the route 10.1.0.0/16 by transit gateway tgw (ID) leads to app/one
transit_gateway_vpc_attachment.hub.us-east-1a: enters the transit gateway, whose route 10.1.0.0/16 by transit gateway tgw (ID) leads to transit_gateway_vpc_attachment.app.us-east-1a
a first packet would arrive now`},
		{"bare", "instance.internet/host.private_ip", `hub/bare: egress allowed by all to 0.0.0.0/0 of hub/default (AWS's default)
hub/bare: the route 0.0.0.0/0 by internet gateway igw (ID) leads to the internet, and the interface has no public address to be seen by there
dropped as no_public_address: The route leads to an internet gateway, and the sender's interface has no public address to be seen by.`},
		{"internet/host", "nat_gateway.nat.public_ip", `internet/host: egress is not filtered
internet/host: the address is that of nat_gateway.nat
the internet gateway makes it 203.0.113.4:40000 > 10.2.0.5:80
dropped as nat_inbound: The packet comes to a NAT gateway and belongs to no flow that began behind it.`},
	} {
		got := way(t, l.Lab, tt.from, tt.to, 80)
		got = regexp.MustCompile(` \(eni-[0-9a-f]+\)`).ReplaceAllString(got, "")
		got = regexp.MustCompile(`\((igw|tgw|nat)-[0-9a-f]+\)`).ReplaceAllString(got, "(ID)")
		got = regexp.MustCompile(`(10\.2\.0\.5|198\.51\.100\.1):\d{4,5} >`).ReplaceAllString(got, "$1:NNNN >")
		if got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
}
