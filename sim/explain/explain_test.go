package explain_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

const lab = `
name: explained
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    security_groups:
      web: { ingress: [{ protocol: tcp, from_port: 8080, cidr_blocks: [10.0.0.0/16] }] }
    instances: { web: { vpc_security_group_ids: [web] } }
  consumer:
    cidr_block: 10.0.0.0/16
    security_groups:
      app: {}
      endpoint: { ingress: [{ protocol: tcp, from_port: 80, to_port: 81, security_groups: [app] }] }
    instances:
      app: { vpc_security_group_ids: [app] }
      stranger: {}
  wary:
    cidr_block: 10.7.0.0/16
    subnets: { a: {}, b: {} }
    network_acls:
      b:
        subnet_ids: [b]
        ingress:
          - { rule_no: 100, action: allow, protocol: -1, cidr_block: 10.7.0.0/16 }
          - { rule_no: 90, action: deny, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 22 }
    route_tables:
      main:
        route:
          - { cidr_block: 10.8.0.0/16, vpc_peering_connection_id: both }
          - { cidr_block: 10.9.0.0/16, vpc_peering_connection_id: both }
    instances: { here: { subnet_id: a }, there: { subnet_id: b } }
  peer:
    cidr_block: 10.8.0.0/16
    security_groups: { open: { ingress: [{ protocol: -1, cidr_blocks: [0.0.0.0/0] }] } }
    instances: { host: { vpc_security_group_ids: [open] } }
  fronted:
    cidr_block: 10.10.0.0/16
    subnets: { a: {}, b: { availability_zone: us-east-1b } }
    instances: { near: { subnet_id: a } }
vpc_peering_connections: { both: { vpc_id: wary, peer_vpc_id: peer } }
target_groups:
  alb: { port: 80, protocol: TCP, target_type: alb, targets: [alb] }
  far: { vpc_id: fronted, port: 80, protocol: HTTP }
  web: { port: 8080, protocol: TCP, targets: [web] }
load_balancers:
  alb: { load_balancer_type: application, subnets: [fronted/a, fronted/b], listeners: [{ port: 80, protocol: HTTP, default_action: { target_group_arn: far } }] }
  nlb: { subnets: [fronted/a], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: alb } }] }
  web: { subnets: [provider/default], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }] }
endpoint_services:
  web: { network_load_balancer_arns: [web], allowed_principals: ["*"] }
vpc_endpoints:
  web: { vpc_id: consumer, service_name: web, subnet_ids: [default], security_group_ids: [endpoint] }
steps:
  - authorize: { security_group_id: app, ingress: { protocol: tcp, from_port: 22, cidr_blocks: [10.0.0.0/16] } }
`

func TestWay(t *testing.T) {
	accept := func(l *topology.Lab) error { return l.Accept("web") }
	authorize := func(l *topology.Lab) error {
		port := 22
		l.Cite("steps[0].authorize")
		return l.AuthorizeIngress("app", &topology.Rule{Protocol: "tcp", FromPort: &port, CIDRBlocks: []string{"10.0.0.0/16"}})
	}
	healthy := func(l *topology.Lab) error {
		for _, c := range l.Checks() {
			l.Checked(c, true)
		}
		return accept(l)
	}
	const toEndpoint = `consumer/app: egress allowed by all to 0.0.0.0/0 of consumer/app (AWS's default)
consumer/app: the address is that of vpc_endpoint.web.us-east-1a
vpc_endpoint.web.us-east-1a: ingress allowed by PORT from consumer/app of consumer/endpoint (lab.yaml:13)
`
	for _, tt := range []struct {
		name string
		edit func(*topology.Lab) error
		from string
		to   string // a reference, or an address
		port uint16
		want string
	}{
		{
			name: "through", edit: healthy, from: "app", to: "vpc_endpoint.web.private_ip.us-east-1a", port: 80,
			want: toEndpoint + `vpc_endpoint.web.us-east-1a: the endpoint is available and leads to load_balancer.web.us-east-1a
load_balancer.web.us-east-1a: ingress is not filtered
load_balancer.web.us-east-1a: the listener for TCP port 80 gets the packet
load_balancer.web.us-east-1a: the flow hash chose target provider/web
load_balancer.web.us-east-1a: translated to 10.0.0.5:NNNN > 10.0.0.4:8080
load_balancer.web.us-east-1a: egress is not filtered
provider/web: ingress allowed by tcp 8080 from 10.0.0.0/16 of provider/web (lab.yaml:7)
provider/web: gets the packet as 10.0.0.5:NNNN > 10.0.0.4:8080
a first packet would arrive now`,
		}, {
			name: "through, though nobody is healthy (F2.56)", edit: accept, from: "app", to: "vpc_endpoint.web.private_ip.us-east-1a", port: 80,
			want: toEndpoint + `vpc_endpoint.web.us-east-1a: the endpoint is available and leads to load_balancer.web.us-east-1a
load_balancer.web.us-east-1a: ingress is not filtered
load_balancer.web.us-east-1a: the listener for TCP port 80 gets the packet
load_balancer.web.us-east-1a: the flow hash chose target provider/web, which is not healthy, but too few are and the target group fails open
load_balancer.web.us-east-1a: translated to 10.0.0.5:NNNN > 10.0.0.4:8080
load_balancer.web.us-east-1a: egress is not filtered
provider/web: ingress allowed by tcp 8080 from 10.0.0.0/16 of provider/web (lab.yaml:7)
provider/web: gets the packet as 10.0.0.5:NNNN > 10.0.0.4:8080
a first packet would arrive now`,
		}, {
			name: "through an application load balancer (F2.22a)", edit: healthy, from: "fronted/near", to: "load_balancer.nlb.private_ip.us-east-1a", port: 80,
			want: `fronted/near: egress allowed by all to 0.0.0.0/0 of fronted/default (AWS's default)
fronted/near: the address is that of load_balancer.nlb.us-east-1a
load_balancer.nlb.us-east-1a: ingress is not filtered
load_balancer.nlb.us-east-1a: the listener for TCP port 80 gets the packet
load_balancer.nlb.us-east-1a: the flow hash chose target load_balancer.alb.us-east-1a
load_balancer.nlb.us-east-1a: translated to 10.10.0.4:40000 > 10.10.0.5:80
load_balancer.nlb.us-east-1a: egress is not filtered
load_balancer.alb.us-east-1a: ingress allowed by all from fronted/default of fronted/default (AWS's default)
load_balancer.alb.us-east-1a: gets the packet as 10.10.0.4:40000 > 10.10.0.5:80
load_balancer.alb.us-east-1a: the connection ends here: an application load balancer opens others to its targets
a first packet would arrive now`,
		}, {
			name: "pending", from: "app", to: "vpc_endpoint.web.private_ip.us-east-1a", port: 80,
			want: toEndpoint + `vpc_endpoint.web.us-east-1a: the endpoint is not available
dropped as endpoint_not_available: The interface endpoint is not in the state available: it waits for acceptance, or was rejected or deleted.`,
		}, {
			name: "no listener", edit: accept, from: "app", to: "vpc_endpoint.web.private_ip.us-east-1a", port: 81,
			want: toEndpoint + `vpc_endpoint.web.us-east-1a: the endpoint is available and leads to load_balancer.web.us-east-1a
load_balancer.web.us-east-1a: ingress is not filtered
load_balancer.web.us-east-1a: there is no listener for TCP port 81
dropped as no_listener: The load balancer has no listener for this protocol and port.`,
		}, {
			name: "no rule", edit: accept, from: "stranger", to: "vpc_endpoint.web.private_ip.us-east-1a", port: 80,
			want: `consumer/stranger: egress allowed by all to 0.0.0.0/0 of consumer/default (AWS's default)
consumer/stranger: the address is that of vpc_endpoint.web.us-east-1a
vpc_endpoint.web.us-east-1a: ingress refused: no security group rule allows TCP port 80 from 10.0.0.5; nearest is PORT from consumer/app of consumer/endpoint (lab.yaml:13), but 10.0.0.5 is none of its peers
dropped as security_group_ingress: No inbound rule of the receiver's security groups allows the packet.`,
		}, {
			name: "a rule of a step", edit: authorize, from: "stranger", to: "instance.app.private_ip", port: 22,
			want: `consumer/stranger: egress allowed by all to 0.0.0.0/0 of consumer/default (AWS's default)
consumer/stranger: the address is that of consumer/app
consumer/app: ingress allowed by tcp 22 from 10.0.0.0/16 of consumer/app (lab.yaml:54)
consumer/app: gets the packet as 10.0.0.5:NNNN > 10.0.0.4:22
a first packet would arrive now`,
		}, {
			name: "another port", edit: authorize, from: "stranger", to: "instance.app.private_ip", port: 23,
			want: `consumer/stranger: egress allowed by all to 0.0.0.0/0 of consumer/default (AWS's default)
consumer/stranger: the address is that of consumer/app
consumer/app: ingress refused: no security group rule allows TCP port 23 from 10.0.0.5; nearest is tcp 22 from 10.0.0.0/16 of consumer/app (lab.yaml:54), but that is not for port 23
dropped as security_group_ingress: No inbound rule of the receiver's security groups allows the packet.`,
		}, {
			// F3.17, F3.21: the rule that decides has a number, and the answer a verdict of its own.
			name: "the answer does not come back", from: "wary/here", to: "instance.wary/there.private_ip", port: 80,
			want: `wary/here: egress allowed by all to 0.0.0.0/0 of wary/default (AWS's default)
wary/here: the address is that of wary/there
wary/there: enters the subnet, which rule 100 of network ACL wary/b (lab.yaml:24) allows
wary/there: ingress allowed by all from wary/default of wary/default (AWS's default)
wary/there: gets the packet as 10.7.0.4:40000 > 10.7.1.4:80
what answers it:
wary/there: leaves the subnet, and * of network ACL wary/b (acl-wary) denies: no rule matches TCP port 40000 to 10.7.0.4
a first packet would arrive now, but its answer is dropped as network_acl_egress: The network ACL of the subnet that the packet leaves denies it.`,
		}, {
			name: "a rule denies", from: "wary/here", to: "instance.wary/there.private_ip", port: 22,
			want: `wary/here: egress allowed by all to 0.0.0.0/0 of wary/default (AWS's default)
wary/here: the address is that of wary/there
wary/there: enters the subnet, and rule 90 of network ACL wary/b (lab.yaml:25) denies
dropped as network_acl_ingress: The network ACL of the subnet that the packet enters denies it.`,
		}, {
			name: "no route back", from: "wary/here", to: "10.8.0.4", port: 80,
			want: `wary/here: egress allowed by all to 0.0.0.0/0 of wary/default (AWS's default)
wary/here: the route 10.8.0.0/16 by peering connection both (pcx-both) leads to peer/host
peer/host: ingress allowed by all from 0.0.0.0/0 of peer/open (lab.yaml:34); the flow is not tracked
peer/host: gets the packet as 10.7.0.4:40000 > 10.8.0.4:80
what answers it:
peer/host: the address is outside the VPC, and no route of the subnet leads there
a first packet would arrive now, but its answer is dropped as no_route: The destination lies outside the VPC, and no route leads there.`,
		}, {
			name: "beyond the peer", from: "wary/here", to: "10.9.0.4", port: 80,
			want: `wary/here: egress allowed by all to 0.0.0.0/0 of wary/default (AWS's default)
wary/here: the route 10.9.0.0/16 by peering connection both (pcx-both) leads to a VPC that the address is not in
dropped as not_transitive: The destination lies beyond the VPC at the other end of the peering connection, which leads to that VPC alone.`,
		}, {
			// F2.29.
			name: "a target that calls itself", edit: healthy, from: "web", to: "load_balancer.web.private_ip.us-east-1a", port: 80,
			want: `provider/web: egress allowed by all to 0.0.0.0/0 of provider/web (AWS's default)
provider/web: the address is that of load_balancer.web.us-east-1a
load_balancer.web.us-east-1a: ingress is not filtered
load_balancer.web.us-east-1a: the listener for TCP port 80 gets the packet
load_balancer.web.us-east-1a: the flow hash chose target provider/web
load_balancer.web.us-east-1a: translated to 10.0.0.4:40000 > 10.0.0.4:8080
load_balancer.web.us-east-1a: egress is not filtered
provider/web: ingress allowed by tcp 8080 from 10.0.0.0/16 of provider/web (lab.yaml:7)
provider/web: gets the packet as 10.0.0.4:40000 > 10.0.0.4:8080
a first packet would arrive now, and its receiver would drop it: the target is the client, whose address its target group preserves, and no host takes a packet from its own address (F2.29)`,
		}, {
			name: "nowhere", from: "app", to: "10.9.9.9", port: 80,
			want: `consumer/app: egress allowed by all to 0.0.0.0/0 of consumer/app (AWS's default)
consumer/app: the address is outside the VPC, and no route of the subnet leads there
dropped as no_route: The destination lies outside the VPC, and no route leads there.`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := scenario.LoadBytes("lab.yaml", []byte(lab))
			if err != nil {
				t.Fatal(err)
			}
			if tt.edit != nil {
				if err := tt.edit(l.Lab); err != nil {
					t.Fatal(err)
				}
			}
			got := way(t, l.Lab, tt.from, tt.to, tt.port)
			got = regexp.MustCompile(` \(eni-[0-9a-f]+\)`).ReplaceAllString(got, "")
			got = regexp.MustCompile(`(acl|pcx)-[0-9a-f]+`).ReplaceAllStringFunc(got, func(id string) string {
				return map[string]string{"acl": "acl-wary", "pcx": "pcx-both"}[id[:3]]
			})
			got = regexp.MustCompile(`10\.0\.0\.5:\d+`).ReplaceAllString(got, "10.0.0.5:NNNN")
			got = strings.Replace(got, "tcp 80-81", "PORT", 1)
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// way probes a lab and explains what came of it.
func way(t *testing.T, l *topology.Lab, from, to string, port uint16) string {
	t.Helper()
	host, err := l.Instance(from)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netip.ParseAddr(to)
	if err != nil {
		text, err := l.Variable(to)
		if err != nil {
			t.Fatal(err)
		}
		addr = netip.MustParseAddr(text)
	}
	f := packet.NewFrame()
	(&packet.Spec{
		SrcMAC: host.NIC.MAC, DstMAC: host.NIC.RouterMAC, Proto: packet.TCP, Flags: packet.SYN,
		Src: netip.AddrPortFrom(host.NIC.Addr(), 40000), Dst: netip.AddrPortFrom(addr, port),
	}).Build(f)
	var tr dataplane.Trace
	w := dataplane.New(l.Compile(), dataplane.DefaultSettings())
	_, why := w.Probe(0, host.NIC.Index, f, &tr)
	return strings.Join(explain.Way(w.Program(), &tr, why), "\n")
}
