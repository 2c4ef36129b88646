package topology

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// networks has what joins VPCs, and what stands at the edges of their subnets.
const networks = `
vpcs:
  hub:
    cidr_block: 10.1.0.0/16
    ipv6_cidr_block: 2001:db8:1::/56
    subnets: { a: {}, b: {}, c: {} }
    security_groups:
      shared: { ingress: [{ protocol: tcp, from_port: 80, security_groups: [spoke/client] }] }
    network_acls:
      strict:
        subnet_ids: [b]
        ingress:
          - { rule_no: 110, action: deny, protocol: udp, cidr_block: 10.1.0.0/16, from_port: 1, to_port: 9 }
          - { rule_no: 100, action: allow, protocol: 6, cidr_block: 10.1.0.7/16, from_port: 80 }
          - { rule_no: 120, action: allow, protocol: icmpv6, ipv6_cidr_block: "::/0", icmp_type: 128 }
    route_tables:
      out:
        subnet_ids: [b]
        route:
          - { cidr_block: 10.2.0.0/16, vpc_peering_connection_id: both }
          - { cidr_block: 10.0.0.0/8, gateway_id: vgw }
        propagating_vgws: [vgw]
    instances: { app: { subnet_id: b, vpc_security_group_ids: [shared] } }
  spoke:
    cidr_block: 10.2.0.0/16
    security_groups: { client: {} }
    instances: { client: { vpc_security_group_ids: [client] } }
on_premises:
  office: { cidr_block: 192.168.0.9/24, hosts: { desk: {}, lamp: { private_ip: 192.168.0.77 } } }
internet_gateways: { igw: { vpc_id: spoke } }
nat_gateways: { nat: { subnet_id: b, connectivity_type: private } }
vpn_gateways: { vgw: { vpc_id: hub } }
vpn_connections: { office: { vpn_gateway_id: vgw, customer_gateway_id: office } }
vpc_peering_connections: { both: { vpc_id: hub, peer_vpc_id: spoke } }
`

// TestNetworksFilledIn: the default ACL allows everything, a custom one what its
// entries do (F3.18); each subnet has one, and one route table (F3.20).
func TestNetworksFilledIn(t *testing.T) {
	l := mustBuild(t, networks)
	hub := l.spec.VPCs["hub"]
	def := hub.NetworkACLs["default"]
	want := []*NetworkACLEntry{
		{RuleNo: 100, Action: "allow", Protocol: "-1", CIDRBlock: "0.0.0.0/0"},
		{RuleNo: 101, Action: "allow", Protocol: "-1", IPv6CIDRBlock: "::/0"},
	}
	if !reflect.DeepEqual(def.Ingress, want) || !reflect.DeepEqual(def.Egress, want) || !slices.Equal(def.SubnetIDs, []string{"a", "c"}) {
		t.Errorf("the default ACL is %s", print(t, l))
	}
	if got := hub.RouteTables["main"]; len(got.Routes) != 0 || !slices.Equal(got.SubnetIDs, []string{"a", "c"}) {
		t.Errorf("the main route table is %+v", got)
	}
	if n := len(l.spec.VPCs["spoke"].NetworkACLs["default"].Ingress); n != 1 {
		t.Errorf("without IPv6 the default ACL has %d entries, want 1", n)
	}
	desk, _ := l.Instance("office/desk")
	if desk.NIC.Addr().String() != "192.168.0.4" || desk.ResolverAddr().String() != "192.168.0.2" || desk.NIC.Logged() {
		t.Errorf("the host on premises has address %v and resolver %v", desk.NIC.Addr(), desk.ResolverAddr())
	}
	full := print(t, l)
	if again := print(t, mustBuild(t, full)); again != full {
		t.Errorf("completing a completed spec changed it:\n%s\n----\n%s", full, again)
	}
}

// TestNetworksCompile: what an ACL's entries and a table's routes come to. What lets
// everything pass is not asked at all.
func TestNetworksCompile(t *testing.T) {
	l := mustBuild(t, networks)
	prog := l.Compile()
	nic := func(name string) *dataplane.Interface {
		h, err := l.Instance(name)
		if err != nil {
			t.Fatal(err)
		}
		return &prog.Interfaces[h.NIC.Index]
	}
	app, client, desk := nic("app"), nic("client"), nic("desk")
	if client.ACLIngress != nil || client.ACLEgress != nil || desk.ACLIngress != nil {
		t.Error("a subnet that lets everything pass has an ACL")
	}
	ask := func(a *filter.ACL, proto packet.Proto, port uint16, kind uint8, peer string) string {
		number, ok := a.Match(filter.Query{Proto: proto, Port: port, Type: kind, Peer: wireAddr(peer)})
		return fmt.Sprint(number, " ", ok)
	}
	for got, want := range map[string]string{
		ask(app.ACLIngress, packet.TCP, 80, 0, "10.1.9.9"):         "100 true",
		ask(app.ACLIngress, packet.TCP, 81, 0, "10.1.9.9"):         "32767 false", // F3.17
		ask(app.ACLIngress, packet.UDP, 9, 0, "10.1.9.9"):          "110 false",
		ask(app.ACLIngress, packet.ICMPv6, 0, 128, "2001:db8::9"):  "120 true",
		ask(app.ACLEgress, packet.TCP, 40000, 0, "10.1.9.9") + " ": "32767 false ", // F3.18
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	var routes []string
	for _, r := range app.Routes {
		routes = append(routes, fmt.Sprintf("%s path %d to %v", strings.SplitAfter(r.Text, " (")[0], r.Path, r.To))
	}
	want := []string{
		"192.168.0.0/24 by VPN gateway vgw ( path 3 to [2]",
		"10.2.0.0/16 by peering connection both ( path 4 to [1]",
		"10.0.0.0/8 by VPN gateway vgw ( path 3 to [2]",
	}
	if !slices.Equal(routes, want) {
		t.Errorf("the routes are %q, want %q", routes, want)
	}
	if client.Routes != nil {
		t.Errorf("the main table of spoke has routes: %v", client.Routes)
	}
	if len(desk.Routes) != 1 || desk.Routes[0].Path != flowlog.PrivateGateway || desk.Routes[0].To[0] != 0 {
		t.Errorf("on premises the routes are %v", desk.Routes)
	}
	if desk.Kind != dataplane.OnPremises || desk.Ingress != nil {
		t.Errorf("the host on premises is %+v", desk)
	}
	names := l.Names()
	if !names.Lookup("office", "desk.office.internal").Found || names.Lookup("hub", "desk.office.internal").Found {
		t.Error("a host's own name is for its network")
	}
}

// TestPeeredGroup: a reference stands for the interfaces of a group of a peered VPC
// (F3.6), until the peering connection is gone; then the route is a blackhole, too.
func TestPeeredGroup(t *testing.T) {
	l := mustBuild(t, networks)
	app, _ := l.Instance("app")
	admits := func() bool {
		_, ok := l.Compile().Interfaces[app.NIC.Index].Ingress.Match(filter.Query{Proto: packet.TCP, Port: 80, Peer: wireAddr("10.2.0.4")})
		return ok
	}
	if !admits() {
		t.Error("the rule does not match the client in the peered VPC")
	}
	if err := l.DeletePeeringConnection("both"); err != nil {
		t.Fatal(err)
	}
	if admits() {
		t.Error("without the peering connection the rule still matches")
	}
	for _, r := range l.Compile().Interfaces[app.NIC.Index].Routes {
		if r.Path == flowlog.Peering && len(r.To) > 0 {
			t.Errorf("the route %s still leads somewhere", r.Text)
		}
	}
	for name, want := range map[string]string{
		"both": "InvalidStateTransition: Invalid state transition for " + l.find.peerings["both"].ID + ", attempted to transition from deleted to deleting (peering connection both is deleted already)",
		"bot":  `there is no VPC peering connection "bot"; did you mean both?`,
	} {
		if err := l.DeletePeeringConnection(name); err == nil || err.Error() != want {
			t.Errorf("delete %s: %v, want %s", name, err, want)
		}
	}
}

// TestNetworkACLEntries: create, replace and delete as AWS does; a program that was
// compiled before stays as it was.
func TestNetworkACLEntries(t *testing.T) {
	l := mustBuild(t, networks)
	app, _ := l.Instance("app")
	entry := func(number int, action string) *NetworkACLEntry {
		port := 443
		return &NetworkACLEntry{RuleNo: number, Action: action, Protocol: "tcp", CIDRBlock: "0.0.0.0/0", FromPort: &port}
	}
	ask := func() string {
		number, ok := l.Compile().Interfaces[app.NIC.Index].ACLIngress.Match(filter.Query{Proto: packet.TCP, Port: 443, Peer: wireAddr("10.2.0.4")})
		return fmt.Sprint(number, " ", ok)
	}
	before := l.Compile().Interfaces[app.NIC.Index].ACLIngress
	for _, step := range []struct {
		do   func() error
		err  string
		want string
	}{
		{func() error { return l.CreateNetworkACLEntry("hub/strict", false, entry(105, "allow")) }, "", "105 true"},
		{func() error { return l.CreateNetworkACLEntry("strict", false, entry(50, "deny")) }, "", "50 false"},
		{func() error { return l.CreateNetworkACLEntry("strict", false, entry(50, "allow")) }, "NetworkAclEntryAlreadyExists: The specified rule number already exists in this network ACL (network ACL hub/strict has an ingress rule 50; replace_network_acl_entry changes it)", "50 false"},
		{func() error { return l.ReplaceNetworkACLEntry("strict", false, entry(50, "allow")) }, "", "50 true"},
		{func() error { return l.ReplaceNetworkACLEntry("strict", true, entry(50, "allow")) }, "InvalidNetworkAclEntry.NotFound: The specified network ACL entry does not exist (network ACL hub/strict has no egress rule 50, nor any other)", "50 true"},
		{func() error { return l.DeleteNetworkACLEntry("strict", false, 50) }, "", "105 true"},
		{func() error { return l.DeleteNetworkACLEntry("strict", false, 50) }, "InvalidNetworkAclEntry.NotFound: The specified network ACL entry does not exist (network ACL hub/strict has no ingress rule 50; it has 100, 105, 110 and 120)", "105 true"},
		{func() error { return l.DeleteNetworkACLEntry("strit", false, 50) }, `there is no network ACL "strit"; did you mean strict?`, "105 true"},
		{func() error { return l.CreateNetworkACLEntry("strict", false, entry(0, "")) }, "action: is missing: write allow or deny\nrule_no: is missing: give a number from 1 to 32766", "105 true"},
		{func() error { return l.CheckNetworkACLEntry("strict", entry(50, "allow")) }, "", "105 true"},
	} {
		err := step.do()
		if (err == nil) != (step.err == "") || err != nil && err.Error() != step.err {
			t.Errorf("error %v, want %s", err, step.err)
		}
		if got := ask(); got != step.want {
			t.Errorf("now %s, want %s", got, step.want)
		}
	}
	if number, _ := before.Match(filter.Query{Proto: packet.TCP, Port: 443, Peer: wireAddr("10.2.0.4")}); number != filter.LastNumber {
		t.Errorf("the program before decides by rule %d now", number)
	}
}

// TestNetworkACLQuotas: 20 rules in each direction, 200 ACLs in a VPC (F3.20).
func TestNetworkACLQuotas(t *testing.T) {
	var entries, acls strings.Builder
	for i := range 21 {
		fmt.Fprintf(&entries, "          - { rule_no: %d, action: allow, protocol: -1, cidr_block: 0.0.0.0/0 }\n", i+1)
	}
	for i := range 199 {
		fmt.Fprintf(&acls, "      n%d: {}\n", i)
	}
	_, err := build(t, networks,
		"          - { rule_no: 110, action: deny, protocol: udp, cidr_block: 10.1.0.0/16, from_port: 1, to_port: 9 }\n          - { rule_no: 100, action: allow, protocol: 6, cidr_block: 10.1.0.7/16, from_port: 80 }\n          - { rule_no: 120, action: allow, protocol: icmpv6, ipv6_cidr_block: \"::/0\", icmp_type: 128 }\n", entries.String(),
		"    network_acls:\n", "    network_acls:\n"+acls.String())
	want := `vpcs.hub.network_acls: 201 network ACLs: a VPC takes 200 at most
vpcs.hub.network_acls.strict.ingress[20]: network ACL hub/strict has 20 ingress rules already, which is as many as it takes; settings.rules_per_network_acl raises that`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// networkMistakes exchanges one piece of networks for another.
var networkMistakes = []struct {
	name     string
	old, new string
	want     []string
}{
	{"no number", "rule_no: 110, ", "", []string{
		`vpcs.hub.network_acls.strict.ingress[0].rule_no: is missing: give a number from 1 to 32766`}},
	{"a number for *", "rule_no: 110", "rule_no: 32767", []string{ // F3.17
		`vpcs.hub.network_acls.strict.ingress[0].rule_no: 32767 is out of range: give a number from 1 to 32766`}},
	{"a number twice", "rule_no: 100", "rule_no: 110", []string{
		`vpcs.hub.network_acls.strict.ingress[1].rule_no: network ACL hub/strict already has an ingress rule 110`}},
	{"action", "action: deny", "action: dney", []string{
		`vpcs.hub.network_acls.strict.ingress[0].action: "dney" is not an action; did you mean deny?`}},
	{"no peer", "cidr_block: 10.1.0.7/16, ", "", []string{
		`vpcs.hub.network_acls.strict.ingress[1].cidr_block: is missing: give cidr_block or ipv6_cidr_block`}},
	{"two peers", "cidr_block: 10.1.0.7/16, ", `cidr_block: 10.1.0.7/16, ipv6_cidr_block: "::/0", `, []string{ // F3.17
		`vpcs.hub.network_acls.strict.ingress[1].ipv6_cidr_block: an entry has one peer: make two entries, one with cidr_block and one with ipv6_cidr_block`}},
	{"no ports", "cidr_block: 10.1.0.7/16, from_port: 80", "cidr_block: 10.1.0.7/16", []string{
		`vpcs.hub.network_acls.strict.ingress[1].from_port: is missing: give the first port, and to_port for a range; 0 and 65535 are all of them`}},
	{"ports of ICMP", "icmp_type: 128", "from_port: 128", []string{
		`vpcs.hub.network_acls.strict.ingress[2].from_port: ICMP has no ports: write icmp_type and icmp_code`}},
	{"type of TCP", "cidr_block: 10.1.0.7/16, from_port: 80", "cidr_block: 10.1.0.7/16, from_port: 80, icmp_type: 8", []string{
		`vpcs.hub.network_acls.strict.ingress[1].icmp_type: is for icmp and icmpv6`}},
	{"code without type", "icmp_type: 128", "icmp_code: 3", []string{
		`vpcs.hub.network_acls.strict.ingress[2].icmp_code: an ICMP code needs a type: give icmp_type, or make this -1 for any`}},
	{"type out of range", "icmp_type: 128", "icmp_type: 300", []string{
		`vpcs.hub.network_acls.strict.ingress[2].icmp_type: 300 is not an ICMP type: give one from 0 to 255, or -1 for any`}},
	{"ACL of an unknown subnet", "strict:\n        subnet_ids: [b]", "strict:\n        subnet_ids: [b, d]", []string{
		`vpcs.hub.network_acls.strict.subnet_ids[1]: VPC hub has no subnet "d"; choose from a, b, c`}},
	{"two ACLs of a subnet", "    network_acls:\n", "    network_acls:\n      loose: { subnet_ids: [b] }\n", []string{ // F3.20
		`vpcs.hub.network_acls.strict.subnet_ids[0]: subnet b has network ACL loose already: a subnet has one`}},
	{"a subnet of another VPC", "strict:\n        subnet_ids: [b]", "strict:\n        subnet_ids: [b, spoke/default]", []string{
		`vpcs.hub.network_acls.strict.subnet_ids[1]: subnet spoke/default is in VPC spoke, not in hub`}},

	{"route without a way", ", vpc_peering_connection_id: both }", " }", []string{
		`vpcs.hub.route_tables.out.route[0]: leads nowhere: give vpc_peering_connection_id, gateway_id, nat_gateway_id or transit_gateway_id`}},
	{"route with two ways", "vpc_peering_connection_id: both }", "vpc_peering_connection_id: both, gateway_id: vgw }", []string{
		`vpcs.hub.route_tables.out.route[0]: a route leads one way: give one of vpc_peering_connection_id, gateway_id, nat_gateway_id or transit_gateway_id`}},
	{"route to an unknown peering", "connection_id: both", "connection_id: bth", []string{
		`vpcs.hub.route_tables.out.route[0].vpc_peering_connection_id: there is no VPC peering connection "bth"; did you mean both?`}},
	{"route to an unknown gateway", "gateway_id: vgw }", "gateway_id: vgx }", []string{
		`vpcs.hub.route_tables.out.route[1].gateway_id: there is no VPN gateway "vgx"; did you mean vgw?`}},
	{"route to another VPC's internet gateway", "gateway_id: vgw }", "gateway_id: igw }\n          - { cidr_block: 9.0.0.0/8, nat_gateway_id: nut }", []string{
		`vpcs.hub.route_tables.out.route[1].gateway_id: internet gateway igw belongs to VPC spoke: routes of VPC hub cannot use it`,
		`vpcs.hub.route_tables.out.route[2].nat_gateway_id: there is no NAT gateway "nut"; did you mean nat?`}},
	{"two internet gateways of a VPC", "internet_gateways: {", "internet_gateways: { another: { vpc_id: spoke },", []string{
		`internet_gateways.igw.vpc_id: VPC spoke has internet gateway another already: it can have one`}},
	{"NAT gateway in no subnet", "nat: { subnet_id: b,", "nat: { subnet_id: z,", []string{
		`nat_gateways.nat.subnet_id: there is no subnet "z"; choose from a, b, c, default`}},
	{"route within the VPC", "cidr_block: 10.2.0.0/16, vpc_peer", "cidr_block: 10.1.7.0/24, vpc_peer", []string{
		`vpcs.hub.route_tables.out.route[0].cidr_block: 10.1.7.0/24 lies in VPC hub (10.1.0.0/16), where the local route leads`}},
	{"route twice", "cidr_block: 10.0.0.0/8", "cidr_block: 10.2.9.9/16", []string{
		`vpcs.hub.route_tables.out.route[1].cidr_block: route table out has a route to 10.2.0.0/16 already`}},
	{"another VPC's gateway", "  spoke:\n    cidr_block: 10.2.0.0/16\n", "  spoke:\n    cidr_block: 10.2.0.0/16\n    route_tables: { main: { route: [{ cidr_block: 192.168.0.0/24, gateway_id: vgw }] } }\n", []string{
		`vpcs.spoke.route_tables.main.route[0].gateway_id: VPN gateway vgw belongs to VPC hub: routes of VPC spoke cannot use it`}},
	{"another VPC's peering", "  spoke:\n    cidr_block: 10.2.0.0/16\n", "  third:\n    cidr_block: 10.3.0.0/16\n    route_tables: { main: { route: [{ cidr_block: 10.1.0.0/16, vpc_peering_connection_id: both }] } }\n  spoke:\n    cidr_block: 10.2.0.0/16\n", []string{
		`vpcs.third.route_tables.main.route[0].vpc_peering_connection_id: both peers VPCs hub and spoke: routes of VPC third cannot use it, since peering is not transitive`}},

	{"peering of overlapping VPCs", "  spoke:\n    cidr_block: 10.2.0.0/16\n", "  spoke:\n    cidr_block: 10.1.64.0/20\n", []string{
		`vpc_peering_connections.both.peer_vpc_id: VPCs hub and spoke overlap (10.1.64.0/20), and peering needs CIDR blocks that do not; PrivateLink does not mind (F1.42)`,
		`vpcs.hub.security_groups.shared.ingress[0].security_groups[0]: security group spoke/client is in VPC spoke: a rule can name groups of its own VPC (hub) and of VPCs peered with it, and PrivateLink shows each side addresses of its own VPC only; use cidr_blocks`}},
	{"peering with itself", "peer_vpc_id: spoke", "peer_vpc_id: hub", []string{
		`vpc_peering_connections.both.peer_vpc_id: VPC hub cannot be peered with itself`,
		`vpcs.hub.security_groups.shared.ingress[0].security_groups[0]: security group spoke/client is in VPC spoke: a rule can name groups of its own VPC (hub) and of VPCs peered with it, and PrivateLink shows each side addresses of its own VPC only; use cidr_blocks`}},
	{"peered twice", "vpc_peering_connections: {", "vpc_peering_connections: { again: { vpc_id: spoke, peer_vpc_id: hub },", []string{
		`vpc_peering_connections.both.peer_vpc_id: VPCs hub and spoke are peered by again already`}},

	{"network on premises without a block", "cidr_block: 192.168.0.9/24, ", "", []string{
		`on_premises.office.cidr_block: is missing: give an IPv4 CIDR block such as 192.168.0.0/24`}},
	{"a VPC's name", "  office: { cidr_block", "  hub: { cidr_block", []string{
		`on_premises.hub: hub is the name of another network already, and hosts are found by NETWORK/NAME: choose another`,
		`vpn_connections.office.customer_gateway_id: there is no network on premises "office", nor any other`}},
	{"what only instances have", "desk: {}", "desk: { vpc_security_group_ids: [default] }", []string{
		`on_premises.office.hosts.desk.vpc_security_group_ids: is for instances: office/desk is outside AWS`}},
	{"two gateways of a VPC", "vpn_gateways: {", "vpn_gateways: { other: { vpc_id: hub },", []string{
		`vpn_gateways.vgw.vpc_id: VPC hub has VPN gateway other already: it can have one`}},
	{"connected twice", "vpn_connections: {", "vpn_connections: { again: { vpn_gateway_id: vgw, customer_gateway_id: office },", []string{
		`vpn_connections.office.customer_gateway_id: office and VPN gateway vgw are joined by again already`}},
	{"overlap with the VPC", "cidr_block: 192.168.0.9/24, hosts: { desk: {}, lamp: { private_ip: 192.168.0.77 } }", "cidr_block: 10.1.9.0/24", []string{
		`vpn_connections.office.customer_gateway_id: office and VPC hub overlap (10.1.9.0/24): what is sent there would stay at home`}},
}

func TestNetworkMistakes(t *testing.T) {
	for _, m := range networkMistakes {
		t.Run(m.name, func(t *testing.T) {
			_, err := build(t, networks, m.old, m.new)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("New says %v, not problems", err)
			}
			if got, want := problems.Error(), strings.Join(m.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func wireAddr(s string) packet.Addr { return packet.AddrFrom(netip.MustParseAddr(s)) }
