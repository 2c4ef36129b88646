package topology

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// print writes a lab's completed spec.
func print(t testing.TB, l *Lab) string {
	t.Helper()
	out, err := yaml.Marshal(l.spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestCompletedSpecIsStable: a completed spec describes the very same lab, and
// the same file always gives the same one.
func TestCompletedSpecIsStable(t *testing.T) {
	for _, text := range []string{twoAccounts, wholeLab} {
		once := mustBuild(t, text)
		full := print(t, once)
		if again := print(t, mustBuild(t, text)); again != full {
			t.Errorf("the same file gave another lab:\n%s", again)
		}
		twice := mustBuild(t, full)
		if again := print(t, twice); again != full {
			t.Errorf("completing a completed spec changed it:\n%s\n----\n%s", full, again)
		}
		if !reflect.DeepEqual(once.Compile(), twice.Compile()) {
			t.Error("a completed spec compiles to another program")
		}
	}
}

// wholeLab has what twoAccounts leaves out: IPv6, defaults everywhere, several
// load balancers and protocols, designated values.
const wholeLab = `
region: eu-central-1
vpcs:
  hub:
    cidr_block: 100.68.0.18/18
    ipv6_cidr_block: 2001:db8:1234:aa00::/56
    availability_zones: { eu-central-1a: euc1-az2 }
    subnets:
      one: {}
      two: { availability_zone: eu-central-1b }
      low: { cidr_block: 100.68.0.0/24, availability_zone: eu-central-1c }
    security_groups:
      sealed: { egress: [] }
      open:
        ingress:
          - { protocol: icmp, cidr_blocks: [0.0.0.0/0] }
          - { protocol: all, self: true }
          - { protocol: 47, cidr_blocks: [10.1.2.3/8], ipv6_cidr_blocks: ["2001:db8::1/32"] }
      default: { ingress: [] }
    instances:
      dns: { subnet_id: one, private_ip: 100.68.1.10, services: [{ type: https, port: 443 }, { type: udp_echo, port: 443 }] }
      web: { subnet_id: two, ipv6_addresses: ["2001:db8:1234:aa02::7"], vpc_security_group_ids: [sealed] }
  small:
    cidr_block: 192.168.7.0/26
    enable_dns_support: false
    instances: { only: {} }
target_groups:
  dns: { port: 53, protocol: TCP_UDP, targets: [dns, { target_id: web, port: 5353 }] }
  ips: { vpc_id: hub, port: 443, protocol: TCP, target_type: ip, targets: [100.68.1.10, 100.68.2.200] }
load_balancers:
  main:
    subnets: [one, two]
    security_groups: [open, hub/sealed]
    ip_address_type: dualstack
    enforce_security_group_inbound_rules_on_private_link_traffic: "off"
    enable_cross_zone_load_balancing: true
    listeners:
      - { port: 53, protocol: TCP_UDP, default_action: { target_group_arn: dns } }
      - { port: 443, protocol: TCP, tcp_idle_timeout_seconds: 6000, default_action: { target_group_arn: ips } }
      - { port: 54, protocol: UDP, default_action: { target_group_arn: dns } }
  spare: { subnets: [hub/two], listeners: [{ port: 443, protocol: TCP, default_action: { target_group_arn: ips } }] }
endpoint_services:
  names:
    network_load_balancer_arns: [main]
    acceptance_required: false
    allowed_principals: ["*"]
    supported_ip_address_types: [ipv4, ipv6]
    private_dns_name: "*.names.example.com"
vpc_endpoints:
  names: { vpc_id: hub, service_name: names, subnet_ids: [two, one], private_ips: { two: 100.68.2.99 }, private_dns_enabled: true }
`

// TestFilledIn checks what AWS would add.
func TestFilledIn(t *testing.T) {
	l := mustBuild(t, wholeLab)
	hub, small := l.spec.VPCs["hub"], l.spec.VPCs["small"]
	names := l.spec.VPCEndpoints["names"]
	main := l.spec.LoadBalancers["main"]
	for what, v := range map[string][2]any{
		"the VPC's canonical block (F1.3)":      {hub.CIDRBlock, "100.68.0.0/18"},
		"the first free /24":                    {hub.Subnets["one"].CIDRBlock, "100.68.1.0/24"},
		"the next free /24":                     {hub.Subnets["two"].CIDRBlock, "100.68.2.0/24"},
		"the first /64":                         {hub.Subnets["low"].IPv6CIDRBlock, "2001:db8:1234:aa00::/64"},
		"the second /64":                        {hub.Subnets["one"].IPv6CIDRBlock, "2001:db8:1234:aa01::/64"},
		"the first zone":                        {hub.Subnets["one"].AvailabilityZone, "eu-central-1a"},
		"zones: own word, then what is left":    {fmt.Sprint(hub.Zones), "map[eu-central-1a:euc1-az2 eu-central-1b:euc1-az1 eu-central-1c:euc1-az3]"},
		"the account":                           {hub.OwnerID, "123456789012"},
		"a subnet where there is none":          {small.Subnets["default"].CIDRBlock, "192.168.7.0/26"},
		"the first address of a subnet (F1.3)":  {small.Instances["only"].PrivateIP, "192.168.7.4"},
		"the default group (F3.3)":              {fmt.Sprint(small.Instances["only"].SecurityGroups), "[default]"},
		"its rule in":                           {*small.SecurityGroups["default"].Ingress[0], Rule{Protocol: "-1", Self: true}},
		"an empty list stays empty (F3.3)":      {len(hub.SecurityGroups["sealed"].Egress), 0},
		"and so for the default group":          {len(hub.SecurityGroups["default"].Ingress), 0},
		"everything may leave, IPv6 too (F3.3)": {fmt.Sprint(*hub.SecurityGroups["open"].Egress[0]), fmt.Sprint(Rule{Protocol: "-1", CIDRBlocks: []string{"0.0.0.0/0"}, IPv6CIDRBlocks: []string{"::/0"}})},
		"canonical peers":                       {hub.SecurityGroups["open"].Ingress[2].CIDRBlocks[0] + " " + hub.SecurityGroups["open"].Ingress[2].IPv6CIDRBlocks[0], "10.0.0.0/8 2001:db8::/32"},
		"protocol all":                          {hub.SecurityGroups["open"].Ingress[1].Protocol, "-1"},
		"an IPv6 address":                       {fmt.Sprint(hub.Instances["dns"].IPv6Addresses), "[2001:db8:1234:aa01::4]"},
		"names of certificates":                 {fmt.Sprint(hub.Instances["dns"].Services[0].Names), "[*.names.example.com]"},
		"the target group's VPC":                {l.spec.TargetGroups["dns"].VPCID, "hub"},
		"client addresses for UDP (F2.24)":      {*l.spec.TargetGroups["dns"].PreserveClientIP, true},
		"none for addresses with TCP (F2.24)":   {*l.spec.TargetGroups["ips"].PreserveClientIP, false},
		"idle timeout of TCP_UDP (F2.44)":       {main.Listeners[0].TCPIdleTimeout, 350},
		"UDP has none to set":                   {main.Listeners[2].TCPIdleTimeout, 0},
		"enforcement (F2.64)":                   {l.spec.LoadBalancers["spare"].EnforceSG, "on"},
		"the endpoint's address type (F1.51)":   {names.IPAddressType, "dualstack"},
		"the endpoint's group (F1.5)":           {fmt.Sprint(names.SecurityGroups), "[default]"},
		"who creates the endpoint":              {names.Principal, "arn:aws:iam::123456789012:root"},
		"its addresses, given or free (F1.2)":   {fmt.Sprint(names.PrivateIPs), "map[one:100.68.1.4 two:100.68.2.99]"},
		"acceptance by default (F1.15)":         {*mustBuild(t, twoAccounts).spec.EndpointServices["api"].AcceptanceRequired, true},
		"the Region by default":                 {mustBuild(t, twoAccounts).Region, "us-east-1"},
	} {
		if !reflect.DeepEqual(v[0], v[1]) {
			t.Errorf("%s: got %v, want %v", what, v[0], v[1])
		}
	}
}

// TestIDs: AWS's forms, stable for a file, unlike for another lab.
func TestIDs(t *testing.T) {
	l := mustBuild(t, wholeLab)
	other, err := New("other", parse(t, wholeLab))
	if err != nil {
		t.Fatal(err)
	}
	idsOf := func(l *Lab) map[string]string { // to their form
		hex17 := func(kind string) string { return "^" + kind + "-[0-9a-f]{17}$" }
		ids := map[string]string{}
		for _, v := range l.spec.VPCs {
			ids[v.ID] = hex17("vpc")
			for _, s := range v.Subnets {
				ids[s.ID] = hex17("subnet")
			}
			for _, g := range v.SecurityGroups {
				ids[g.ID] = hex17("sg")
			}
			for _, i := range v.Instances {
				ids[i.ID] = hex17("i")
			}
		}
		for _, n := range l.NICs {
			ids[n.ID] = hex17("eni")
		}
		for _, lb := range l.spec.LoadBalancers {
			ids[lb.ID] = `^[0-9a-f]{16}$`
		}
		for _, s := range l.spec.EndpointServices {
			ids[s.ID] = hex17("vpce-svc")
		}
		for _, e := range l.spec.VPCEndpoints {
			ids[e.ID], ids[e.DNSSuffix] = hex17("vpce"), `^[a-z0-9]{8}$`
		}
		return ids
	}
	ids, foreign := idsOf(l), idsOf(other)
	for id, form := range ids {
		if !regexp.MustCompile(form).MatchString(id) {
			t.Errorf("%s is not of the form %s", id, form)
		}
		if _, both := foreign[id]; both {
			t.Errorf("%s is in two labs", id)
		}
	}
	if want := 2 + 4 + 4 + 3 + len(l.NICs) + 2 + 1 + 2; len(ids) != want {
		t.Errorf("%d different IDs, want %d", len(ids), want)
	}
	macs := map[packet.MAC]bool{}
	for _, n := range l.NICs {
		if n.MAC.IsMulticast() || n.MAC[0]&2 == 0 || macs[n.MAC] {
			t.Errorf("%s has MAC %s: want a locally administered unicast address of its own", n.Label, n.MAC)
		}
		macs[n.MAC] = true
	}
}

// TestAZPrefix: AZ IDs abbreviate the Region as AWS's documentation lists them.
func TestAZPrefix(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "use1", "us-west-2": "usw2", "eu-central-1": "euc1", "eu-north-1": "eun1",
		"ap-northeast-1": "apne1", "ap-southeast-4": "apse4", "ap-south-1": "aps1", "ap-east-1": "ape1",
		"sa-east-1": "sae1", "me-central-1": "mec1", "us-gov-west-1": "usgw1", "cn-northwest-1": "cnnw1",
		"": "", "us-east": "", "us-east-1a": "", "US-EAST-1": "",
	} {
		if got := azPrefix(region); got != want {
			t.Errorf("azPrefix(%q) = %q, want %q", region, got, want)
		}
	}
	for _, r := range regions {
		if azPrefix(r) == "" {
			t.Errorf("%s is refused", r)
		}
	}
}

// TestReservedAddresses: five addresses of a subnet are never handed out (F1.3).
func TestReservedAddresses(t *testing.T) {
	for _, c := range []struct {
		family *family
		prefix string
		hosts  int // of 300 asked for
		out    []string
	}{
		{ipv4, "10.0.0.0/28", 11, []string{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.15"}},
		{ipv4, "10.0.255.0/24", 251, []string{"10.0.255.0", "10.0.255.1", "10.0.255.2", "10.0.255.3", "10.0.255.255"}},
		{ipv6, "2001:db8::/64", 300, []string{"2001:db8::", "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::ffff:ffff:ffff:ffff"}},
	} {
		b := newBlock(c.family, netip.MustParsePrefix(c.prefix))
		for _, a := range c.out {
			if _, msg := b.take(a, "s", "x"); !strings.Contains(msg, "reserved by AWS") {
				t.Errorf("%s of %s: %q", a, c.prefix, msg)
			}
		}
		hosts := 0
		for range 300 {
			a, ok := b.allot("x")
			if slices.Contains(c.out, a.String()) {
				t.Errorf("%s was handed out in %s", a, c.prefix)
			}
			if ok {
				hosts++
			}
		}
		if hosts != c.hosts {
			t.Errorf("%s had %d addresses, want %d", c.prefix, hosts, c.hosts)
		}
	}
}

// TestAnyLab builds random labs. In each, no two interfaces of a VPC share an
// address, none has a reserved one, and compiling repeats itself.
func TestAnyLab(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyLab(t)
		l := mustBuild(t, text)
		seen := map[string]string{}
		for _, n := range l.NICs {
			for _, p := range n.Addrs {
				key := n.Network.Name + " " + p.Addr().String()
				if other := seen[key]; other != "" {
					t.Fatalf("%s and %s share %s\n%s", other, n.Label, key, text)
				}
				seen[key] = n.Label
				if n.Kind == dataplane.Resolver {
					continue
				}
				for _, b := range l.subnets[n.subnet].blocks {
					if b.prefix.Contains(p.Addr()) && b.reserved(p.Addr()) != "" {
						t.Fatalf("%s has the reserved %s", n.Label, p)
					}
				}
			}
			if len(n.Addrs) == 0 || len(n.Addrs) < len(n.Routers) {
				t.Fatalf("%s has addresses %v and routers %v", n.Label, n.Addrs, n.Routers)
			}
		}
		for i, s := range l.subnets {
			for _, o := range l.subnets[:i] {
				for _, b := range s.blocks {
					if o.network == s.network && slices.ContainsFunc(o.blocks, func(x *block) bool { return x.prefix.Overlaps(b.prefix) }) {
						t.Fatalf("subnets %s and %s overlap\n%s", s, o, text)
					}
				}
			}
		}
		p, again := l.Compile(), mustBuild(t, text).Compile()
		if !reflect.DeepEqual(p, again) {
			t.Fatal("compiled differently")
		}
	})
}

// anyLab writes a random lab without mistakes.
func anyLab(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("vpcs:\n")
	v6 := rapid.Bool().Draw(t, "v6")
	for v := range rapid.IntRange(1, 3).Draw(t, "vpcs") {
		fmt.Fprintf(&b, "  v%d:\n    cidr_block: 10.0.0.0/16\n    owner_id: \"11111111111%d\"\n", v, v)
		if v6 {
			b.WriteString("    ipv6_cidr_block: 2001:db8::/56\n")
		}
		b.WriteString("    subnets:\n")
		subnets := rapid.IntRange(2, 6).Draw(t, "subnets")
		for s := range subnets {
			cidr := rapid.SampledFrom([]string{"", fmt.Sprintf("cidr_block: 10.0.%d.0/24, ", 2*s+1), fmt.Sprintf("cidr_block: 10.0.%d.32/27, ", 4*s)}).Draw(t, "cidr")
			fmt.Fprintf(&b, "      s%d: { %savailability_zone: us-east-1%c }\n", s, cidr, 'a'+s%6)
		}
		b.WriteString("    instances:\n")
		for i := range rapid.IntRange(1, 9).Draw(t, "instances") {
			fmt.Fprintf(&b, "      i%d: { subnet_id: s%d }\n", i, rapid.IntRange(0, subnets-1).Draw(t, "subnet"))
		}
	}
	b.WriteString("target_groups: { t: { vpc_id: v0, port: 80, protocol: TCP, targets: [i0] } }\n")
	b.WriteString("load_balancers: { l: { subnets: [v0/s0, v0/s1], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: t } }] } }\n")
	b.WriteString("endpoint_services: { s: { network_load_balancer_arns: [l], allowed_principals: ['*'] } }\nvpc_endpoints:\n")
	for e := range rapid.IntRange(1, 3).Draw(t, "endpoints") {
		fmt.Fprintf(&b, "  e%d: { vpc_id: v0, service_name: s, subnet_ids: [s1, s0] }\n", e)
	}
	return b.String()
}
