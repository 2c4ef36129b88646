package diagnose

import (
	"context"
	"strings"
	"testing"

	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
)

// good is a lab in which everything arrives and is answered.
const good = `
name: good
internet: { hosts: { site: { services: [{ type: http, port: 80 }] } } }
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    subnets: { a: { availability_zone: us-east-1a }, b: { availability_zone: us-east-1b } }
    security_groups:
      nlb: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.1.0.0/16] }] }
      web: { ingress: [{ protocol: tcp, from_port: 8080, cidr_blocks: [10.0.0.0/16] }] }
    network_acls:
      web:
        subnet_ids: [b]
        ingress: [{ rule_no: 100, action: allow, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 0, to_port: 65535 }]
        egress: [{ rule_no: 100, action: allow, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 1024, to_port: 65535 }]
    instances:
      web: { subnet_id: b, vpc_security_group_ids: [web], services: [{ type: http, port: 8080 }, { type: tcp_echo, port: 8081 }] }
  consumer:
    cidr_block: 10.1.0.0/16
    subnets: { a: { availability_zone: us-east-1a } }
    security_groups:
      app: { egress: [{ protocol: -1, cidr_blocks: [0.0.0.0/0] }] }
      endpoint: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.1.0.0/16] }] }
    network_acls:
      app:
        subnet_ids: [a]
        ingress: [{ rule_no: 100, action: allow, protocol: -1, cidr_block: 0.0.0.0/0 }]
        egress: [{ rule_no: 100, action: allow, protocol: -1, cidr_block: 0.0.0.0/0 }]
    route_tables:
      main: { route: [{ cidr_block: 10.2.0.0/16, vpc_peering_connection_id: both }, { cidr_block: 0.0.0.0/0, gateway_id: igw }] }
    instances: { app: { subnet_id: a, vpc_security_group_ids: [app], associate_public_ip_address: true } }
  peer:
    cidr_block: 10.2.0.0/16
    security_groups: { open: { ingress: [{ protocol: -1, cidr_blocks: [10.1.0.0/16] }] } }
    route_tables:
      main: { route: [{ cidr_block: 10.1.0.0/16, vpc_peering_connection_id: both }] }
    instances: { host: { private_ip: 10.2.0.10, vpc_security_group_ids: [open], services: [{ type: http, port: 80 }, { type: udp_echo, port: 53 }] } }
vpc_peering_connections: { both: { vpc_id: consumer, peer_vpc_id: peer } }
internet_gateways: { igw: { vpc_id: consumer } }
links:
  line: { instance: consumer/app, mtu: 1500 }
load_balancers:
  api:
    subnets: [provider/a, provider/b]
    security_groups: [provider/nlb]
    enable_cross_zone_load_balancing: true
    listeners:
      - { port: 80, protocol: TCP, default_action: { target_group_arn: web } }
target_groups:
  web: { vpc_id: provider, port: 8080, protocol: TCP, targets: [web] }
endpoint_services:
  api: { network_load_balancer_arns: [api], acceptance_required: false, allowed_principals: ["*"], private_dns_name: api.example.com }
vpc_endpoints:
  api: { vpc_id: consumer, service_name: api, subnet_ids: [a], security_group_ids: [endpoint], private_dns_enabled: true }
steps:
  - wait: 1s
  - fail: { availability_zone: use1-az1 }
`

const (
	service = "api.example.com:80"
	peer    = "peer/host:80"
	site    = "instance.internet/site.private_ip:80"
)

// TestMend: each single breakage of a good lab is found, by its reason and AWS's name for
// it; packets do what is foretold; one change mends it; and in the lab with that change
// packets that are really sent are answered.
func TestMend(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		to             string
		after          int
		reason, code   string
		change         string
	}{
		{"the sender's group lets nothing out", "app: { egress: [{ protocol: -1, cidr_blocks: [0.0.0.0/0] }] }", "app: { egress: [] }", service, 0,
			"security_group_egress", "ENI_SG_RULES_MISMATCH", "add to security group consumer/app: egress { protocol: tcp, from_port: 80, to_port: 80, cidr_blocks: [10.1.0.5/32] }"},
		{"the endpoint's group knows another port", "endpoint: { ingress: [{ protocol: tcp, from_port: 80,", "endpoint: { ingress: [{ protocol: tcp, from_port: 443,", service, 0,
			"security_group_ingress", "ENI_SG_RULES_MISMATCH", "add to security group consumer/endpoint: ingress { protocol: tcp, from_port: 80, to_port: 80, cidr_blocks: [10.1.0.4/32] }"},
		{"the load balancer's group knows other clients", "nlb: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.1.0.0/16]", "nlb: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.9.0.0/16]", service, 0,
			"load_balancer_security_group", "ENI_SG_RULES_MISMATCH", "add to security group provider/nlb: ingress { protocol: tcp, from_port: 80, to_port: 80, cidr_blocks: [10.1.0.4/32] }"},
		{"the target's group knows another protocol", "web: { ingress: [{ protocol: tcp,", "web: { ingress: [{ protocol: udp,", service, 0,
			"security_group_ingress", "ENI_SG_RULES_MISMATCH", "add to security group provider/web: ingress { protocol: tcp, from_port: 8080, to_port: 8080, cidr_blocks: [10.0.0.4/32] }"},
		{"the peer's group knows nobody", "open: { ingress: [{ protocol: -1, cidr_blocks: [10.1.0.0/16] }] }", "open: {}", peer, 0,
			"security_group_ingress", "ENI_SG_RULES_MISMATCH", "add to security group peer/open: ingress { protocol: tcp, from_port: 80, to_port: 80, cidr_blocks: [10.1.0.4/32] }"},
		{"the network ACL lets nothing in", "[{ rule_no: 100, action: allow, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 0, to_port: 65535 }]", "[]", service, 0,
			"network_acl_ingress", "SUBNET_ACL_RESTRICTION", "add to network ACL provider/web: ingress { rule_no: 100, action: allow, protocol: tcp, cidr_block: 10.0.0.4/32, from_port: 8080, to_port: 8080 }"},
		{"the network ACL denies one port first", "[{ rule_no: 100, action: allow, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 0,", "[{ rule_no: 20, action: deny, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 8080 }, { rule_no: 100, action: allow, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 0,", service, 0,
			"network_acl_ingress", "SUBNET_ACL_RESTRICTION", "add to network ACL provider/web: ingress { rule_no: 10, action: allow, protocol: tcp, cidr_block: 10.0.0.4/32, from_port: 8080, to_port: 8080 }"},
		{"the network ACL has no number before that which denies", "[{ rule_no: 100, action: allow, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 0,", "[{ rule_no: 1, action: deny, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 8080 }, { rule_no: 100, action: allow, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 0,", service, 0,
			"network_acl_ingress", "SUBNET_ACL_RESTRICTION", "remove from network ACL provider/web: ingress rule_no 1"},
		{"the network ACL keeps answers in (F3.21)", "[{ rule_no: 100, action: allow, protocol: tcp, cidr_block: 0.0.0.0/0, from_port: 1024, to_port: 65535 }]", "[]", service, 0,
			"network_acl_egress", "SUBNET_ACL_RESTRICTION", "add to network ACL provider/web: egress { rule_no: 100, action: allow, protocol: tcp, cidr_block: 10.0.0.4/32, from_port: 1024, to_port: 65535 }"},
		{"the client's network ACL lets nothing out", "egress: [{ rule_no: 100, action: allow, protocol: -1,", "egress: [{ rule_no: 100, action: deny, protocol: -1,", peer, 0,
			"network_acl_egress", "SUBNET_ACL_RESTRICTION", "add to network ACL consumer/app: egress { rule_no: 10, action: allow, protocol: tcp, cidr_block: 10.2.0.10/32, from_port: 80, to_port: 80 }"},
		{"no route", "{ cidr_block: 10.2.0.0/16, vpc_peering_connection_id: both }, { cidr_block: 0.0.0.0/0, gateway_id: igw }", "", peer, 0,
			"no_route", "NO_ROUTE_TO_DESTINATION", "add to route table consumer/main: route { cidr_block: 10.2.0.0/16, vpc_peering_connection_id: both }"},
		{"no route back", "main: { route: [{ cidr_block: 10.1.0.0/16, vpc_peering_connection_id: both }] }", "main: {}", peer, 0,
			"no_route", "NO_ROUTE_TO_DESTINATION", "add to route table peer/main: route { cidr_block: 10.1.0.0/16, vpc_peering_connection_id: both }"},
		{"the route leads elsewhere", "{ cidr_block: 10.2.0.0/16, vpc_peering_connection_id: both }", "{ cidr_block: 10.2.0.0/16, gateway_id: igw }", peer, 0,
			"internet", "NO_POSSIBLE_DESTINATION", "replace in route table consumer/main: route { cidr_block: 10.2.0.0/16, vpc_peering_connection_id: both }"},
		{"no public address", ", associate_public_ip_address: true", "", site, 0,
			"no_public_address", "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", "set of instance consumer/app: associate_public_ip_address: true"},
		{"no route to the internet", ", { cidr_block: 0.0.0.0/0, gateway_id: igw }", "", site, 0,
			"no_route", "NO_ROUTE_TO_DESTINATION", "add to route table consumer/main: route { cidr_block: 0.0.0.0/0, gateway_id: igw }"},
		{"nobody has accepted", "acceptance_required: false", "acceptance_required: true", "vpc_endpoint.api:80", 0,
			"endpoint_not_available", "BAD_STATE", "accept VPC endpoint api, as its service's provider"},
		{"no listener on the port", "{ port: 80, protocol: TCP,", "{ port: 81, protocol: TCP,", service, 0,
			"no_listener", "ELBV2_LISTENERS_MISMATCH", "add to load balancer api: listeners { port: 80, protocol: TCP, default_action: { target_group_arn: web } }"},
		{"no target", ", targets: [web]", "", service, 0,
			"no_target", "ELBV2_LISTENER_HAS_NO_TG", "register with target group web: targets: [web]"},
		{"targets in another zone only", "enable_cross_zone_load_balancing: true", "enable_cross_zone_load_balancing: false", service, 0,
			"no_target", "ELB_NOT_CROSSZONE", "set of load balancer api: enable_cross_zone_load_balancing: true"},
		{"nothing listens on the target's port", "port: 8080, protocol: TCP, targets", "port: 9999, protocol: TCP, targets", service, 0,
			"security_group_ingress", "ENI_SG_RULES_MISMATCH", ""},
		{"nothing listens on the port", "{ type: http, port: 80 }, { type: udp_echo", "{ type: http, port: 81 }, { type: udp_echo", peer, 0,
			"", "", "let a server listen on TCP port 80 of instance peer/host, such as services { type: http, port: 80 }"},
		{"the private name is not enabled", "private_dns_enabled: true", "private_dns_enabled: false", service, 0,
			"", "", "set of VPC endpoint api: private_dns_enabled: true"},
		{"the line is down", "mtu: 1500", "down: true", service, 0,
			"link_down", "", "set of link line: down: false"},
		{"the zone is lost", "", "", "vpc_endpoint.api:80", 2,
			"zone_lost", "", "heal Availability Zone use1-az1: heal: { availability_zone: use1-az1 }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(good, tt.old) {
				t.Fatalf("the good lab has no %q", tt.old)
			}
			e, d := mended(t, strings.Replace(good, tt.old, tt.new, 1), Question{From: "consumer/app", To: tt.to}, tt.after)
			if e.Verdict != explain.Unreachable || e.Reason != tt.reason || e.Code != tt.code {
				t.Errorf("%s as %q, %q; want unreachable as %q, %q", e.Verdict, e.Reason, e.Code, tt.reason, tt.code)
			}
			if tt.change != "" && (len(e.Changes) != 1 || e.Changes[0] != tt.change) {
				t.Errorf("changes %q, want %q", e.Changes, tt.change)
			}
			if !e.Proof.Agrees {
				t.Errorf("packets disagree: %+v", e.Proof)
			}
			heals(t, d)
		})
	}
}

// TestGood: what is not broken arrives, and packets agree.
func TestGood(t *testing.T) {
	for _, q := range []Question{
		{To: service}, {To: peer}, {To: site}, {To: "peer/host"}, {To: "peer/host:53", UDP: true},
		{To: "vpc_endpoint.api:80"}, {To: "vpc_endpoint.api.zonal_dns_name.us-east-1a:80"}, {To: "10.2.0.10:80"}, {To: "api:80"},
	} {
		q.From = "app"
		e, _ := mended(t, good, q, 0)
		if e.Verdict != explain.Reachable || !e.Proof.Agrees || len(e.Changes) != 0 {
			t.Errorf("%s: %s, %+v, %q", q.To, e.Verdict, e.Proof, e.Changes)
		}
	}
}

// mended explains, with proof.
func mended(t *testing.T, file string, q Question, after int) (*explain.Explanation, *diagnosis) {
	t.Helper()
	l, err := scenario.LoadBytes("lab.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Seed: 1, After: after, Prove: true}
	e, err := Explain(t.Context(), l, q, opts)
	if err != nil {
		t.Fatal(err)
	}
	return e, &diagnosis{loaded: l, ask: q, opts: opts, tries: maxTries}
}

// heals wants packets to be answered in a lab with the changes that were found.
func heals(t *testing.T, d *diagnosis) {
	t.Helper()
	ctx := context.Background()
	lab, err := d.build(ctx, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.q, err = parse(lab.loaded.Lab, d.ask); err != nil {
		t.Fatal(err)
	}
	s, err := d.look(lab.place)
	if err != nil {
		t.Fatal(err)
	}
	changes, _, err := d.mend(ctx, lab, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) == 0 {
		t.Fatal("nothing mends it")
	}
	lab, seen, err := d.try(ctx, changes)
	if err != nil || lab == nil {
		t.Fatalf("the changes do not fit: %v", err)
	}
	outcome, err := d.send(ctx, lab.place, seen, 0)
	if err != nil || outcome != explain.Answered {
		t.Errorf("with the changes a packet that is sent meets %s (%v)", outcome, err)
	}
}
