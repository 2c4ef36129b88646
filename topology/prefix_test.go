package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/packet"
)

// listed has prefix lists in a rule and in a route.
const listed = `
managed_prefix_lists:
  spokes: { max_entries: 10, entry: [{ cidr: 10.2.9.9/16 }, { cidr: 10.4.0.0/16, description: to come }] }
  six: { address_family: IPv6, max_entries: 20, entry: [{ cidr: "2001:db8::/32" }] }
vpcs:
  hub:
    cidr_block: 10.1.0.0/16
    ipv6_cidr_block: 2001:db8:1::/56
    security_groups:
      web: { ingress: [{ protocol: tcp, from_port: 80, prefix_list_ids: [spokes, six] }] }
    route_tables:
      main:
        route:
          - { destination_prefix_list_id: spokes, vpc_peering_connection_id: both }
          - { cidr_block: 10.2.0.0/16, vpc_peering_connection_id: other }
    instances: { web: { vpc_security_group_ids: [web] } }
  spoke: { cidr_block: 10.2.0.0/16, instances: { client: {} } }
  third: { cidr_block: 10.5.0.0/16 }
vpc_peering_connections:
  both: { vpc_id: hub, peer_vpc_id: spoke }
  other: { vpc_id: hub, peer_vpc_id: third }
`

// TestPrefixLists: a list stands for its entries (F3.2), all by one rule; a route to a
// block comes before one to an entry of the same length.
func TestPrefixLists(t *testing.T) {
	l := mustBuild(t, listed)
	web, err := l.Instance("web")
	if err != nil {
		t.Fatal(err)
	}
	prog := l.Compile()
	nic := prog.Interfaces[web.NIC.Index]
	texts := map[string]string{}
	for _, peer := range []string{"10.2.3.4", "10.4.0.1", "2001:db8:7::1", "10.5.0.1", "2001:db9::1"} {
		if id, ok := nic.Ingress.Match(filter.Query{Proto: packet.TCP, Port: 80, Peer: wireAddr(peer)}); ok {
			texts[peer] = prog.Rules[id].Text
		}
	}
	want := map[string]string{
		"10.2.3.4": "tcp 80 from prefix list spokes", "10.4.0.1": "tcp 80 from prefix list spokes",
		"2001:db8:7::1": "tcp 80 from prefix list six",
	}
	if fmt.Sprint(texts) != fmt.Sprint(want) {
		t.Errorf("the rules allow %v, want %v", texts, want)
	}
	var routes []string
	for _, r := range nic.Routes {
		routes = append(routes, strings.Fields(r.Text)[0]+" "+strings.Fields(r.Text)[4])
	}
	if want := []string{"10.2.0.0/16 other", "10.2.0.0/16 both", "10.4.0.0/16 both"}; !slices.Equal(routes, want) {
		t.Errorf("the routes are %v, want %v", routes, want)
	}
}

// TestPrefixListWeight: a list counts as its max_entries, for its family (F3.8), in
// groups and in route tables.
func TestPrefixListWeight(t *testing.T) {
	l := mustBuild(t, listed)
	web := l.find.groups.vpcs["hub"]["web"]
	for _, c := range []struct {
		blocks, more int
		ok           bool
	}{{50, 0, true}, {51, 0, false}} {
		r := &Rule{Protocol: "udp", FromPort: new(int)}
		for i := range c.blocks {
			r.CIDRBlocks = append(r.CIDRBlocks, fmt.Sprintf("10.9.%d.0/24", i))
		}
		before := web.rules
		if err := l.AuthorizeIngress("web", r); (err == nil) != c.ok {
			t.Errorf("%d blocks beside a list of 10: %v", c.blocks, err)
		}
		web.rules = before
	}
	six := &Rule{Protocol: "udp", FromPort: new(int)}
	for i := range 41 {
		six.IPv6CIDRBlocks = append(six.IPv6CIDRBlocks, fmt.Sprintf("2001:db8:%x::/48", i))
	}
	if err := l.AuthorizeIngress("web", six); err == nil || !strings.Contains(err.Error(), "61 ingress rules of web for IPv6") {
		t.Errorf("41 blocks beside a list of 20: %v", err)
	}
	if err := l.RevokeIngress("web", &Rule{Protocol: "tcp", FromPort: port(80), PrefixLists: []string{"six"}}); err != nil {
		t.Fatal(err)
	}
	if err := l.AuthorizeIngress("web", six); err != nil {
		t.Errorf("41 blocks without the list: %v", err)
	}
	_, err := build(t, listed, "max_entries: 10,", "max_entries: 50,")
	want := "vpcs.hub.route_tables.main.route: 51 routes, with each prefix list as its max_entries: a route table takes 50 at most"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func port(n int) *int { return &n }

// TestPeeredEgress: an outbound rule may name a group of a peered VPC (F3.6), and one
// beyond PrivateLink or nothing at all may not (F3.7).
func TestPeeredEgress(t *testing.T) {
	const old, with = "  spoke: { cidr_block: 10.2.0.0/16,", "  spoke: { cidr_block: 10.2.0.0/16, security_groups: { out: { egress: [{ protocol: tcp, from_port: 80, security_groups: [%s] }] } },"
	l := mustBuild(t, listed, old, fmt.Sprintf(with, "hub/web"), "instances: { client: {} }", "instances: { client: { vpc_security_group_ids: [out] } }")
	client, err := l.Instance("client")
	if err != nil {
		t.Fatal(err)
	}
	to := func() bool {
		_, ok := l.Compile().Interfaces[client.NIC.Index].Egress.Match(filter.Query{Proto: packet.TCP, Port: 80, Peer: wireAddr("10.1.0.4")})
		return ok
	}
	if !to() {
		t.Error("the rule does not allow the member's address")
	}
	if err := l.DeletePeeringConnection("both"); err != nil || to() {
		t.Errorf("it still does without the peering connection, %v", err)
	}
	var problems Problems
	if _, err := build(t, listed, old, fmt.Sprintf(with, "third/default")); !errors.As(err, &problems) {
		t.Errorf("a group of a VPC that is not peered: %v", err)
	}
	if l.Compile().Interfaces[client.NIC.Index].Kind != dataplane.Instance {
		t.Error("the client is gone")
	}
}

func TestPrefixListMistakes(t *testing.T) {
	for _, m := range []struct {
		name, old, new string
		want           []string
	}{
		{"unknown", "prefix_list_ids: [spokes, six]", "prefix_list_ids: [spoke, six]", []string{
			`vpcs.hub.security_groups.web.ingress[0].prefix_list_ids[0]: there is no prefix list "spoke"; did you mean spokes?`}},
		{"unknown to a route", "destination_prefix_list_id: spokes", "destination_prefix_list_id: spoke", []string{
			`vpcs.hub.route_tables.main.route[0].destination_prefix_list_id: there is no prefix list "spoke"; did you mean spokes?`}},
		{"two destinations", "destination_prefix_list_id: spokes", "destination_prefix_list_id: spokes, cidr_block: 10.9.0.0/16", []string{
			`vpcs.hub.route_tables.main.route[0].destination_prefix_list_id: a route has one destination: make two routes, one of them with a block`}},
		{"twice", "prefix_list_ids: [spokes, six]", "prefix_list_ids: [spokes, spokes]", []string{
			`vpcs.hub.security_groups.web.ingress[0]: names a peer twice: tcp 80 from prefix list spokes`}},
		{"routed twice", "route:\n", "route:\n          - { destination_prefix_list_id: spokes, vpc_peering_connection_id: other }\n", []string{
			`vpcs.hub.route_tables.main.route[1].destination_prefix_list_id: route table main has a route to prefix list spokes already`}},
		{"at home", "10.4.0.0/16, desc", "10.1.4.0/24, desc", []string{
			`vpcs.hub.route_tables.main.route[0].destination_prefix_list_id: 10.1.4.0/24 of prefix list spokes lies in VPC hub (10.1.0.0/16), where the local route leads`}},
		{"other family", "cidr: 10.4.0.0/16", `cidr: "2001:db8::/32"`, []string{
			`managed_prefix_lists.spokes.entry[1].cidr: 2001:db8::/32 is not IPv4: write it under another list, whose address_family is IPv6`}},
		{"entry twice", "cidr: 10.4.0.0/16", "cidr: 10.2.0.0/16", []string{
			`managed_prefix_lists.spokes.entry[1].cidr: 10.2.0.0/16 is in the list already`}},
		{"full", "max_entries: 10,", "max_entries: 1,", []string{
			`managed_prefix_lists.spokes.entry: 2 entries: max_entries lets prefix list spokes have 1`}},
		{"no size", "max_entries: 10, ", "", []string{
			`managed_prefix_lists.spokes.max_entries: is missing: give 1 to 1000`}},
		{"size", "max_entries: 20", "max_entries: 1001", []string{
			`managed_prefix_lists.six.max_entries: 1001 is out of range: give 1 to 1000`}},
		{"family", "address_family: IPv6", "address_family: ipv6", []string{
			`managed_prefix_lists.six.address_family: "ipv6" is not an address family; did you mean IPv6?`}},
	} {
		t.Run(m.name, func(t *testing.T) {
			_, err := build(t, listed, m.old, m.new)
			if want := strings.Join(m.want, "\n"); err == nil || err.Error() != want {
				t.Errorf("got:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}
