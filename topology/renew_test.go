package topology

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/link"
)

// asIs is a completion of instances that refer to nothing.
func asIs(_ *Lab, i *Instance) (*Instance, error) { return i, nil }

// renewed is what a document makes of a lab: pairs of old and new exchange parts of it.
func renewed(t tester, l *Lab, text string, exchange ...string) (*Lab, []Change) {
	t.Helper()
	for i := 0; i+1 < len(exchange); i += 2 {
		if !strings.Contains(text, exchange[i]) {
			t.Fatalf("the lab's text has no %q", exchange[i])
		}
		text = strings.Replace(text, exchange[i], exchange[i+1], 1)
	}
	next, err := l.Renew(parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return next, l.Changes(next, asIs)
}

// become makes a lab what a document describes, and returns the changes on one line each.
func become(t tester, l *Lab, text string, exchange ...string) string {
	t.Helper()
	next, changes := renewed(t, l, text, exchange...)
	l.Become(next, changes)
	return told(changes)
}

func told(changes []Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s", c.Action, c.Address)
		if c.Action == Update || c.Action == Replace {
			for _, a := range c.Attributes {
				fmt.Fprintf(&b, " %s%s", a.Name, map[bool]string{true: "!"}[a.Forces])
				for _, v := range a.Went() {
					fmt.Fprintf(&b, " -%s", v)
				}
				for _, v := range a.Came() {
					fmt.Fprintf(&b, " +%s", v)
				}
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// editions are labs that differ in one thing or another from each other.
var editions = [][]string{
	{},
	{"      app: {}", "      app: { ingress: [{ protocol: tcp, from_port: 22, cidr_blocks: [10.0.0.0/8] }] }"},
	{"from_port: 80, to_port: 80, security_groups: [app]", "from_port: 0, to_port: 443, self: true"},
	{"targets: [web-1, web-2, web-3]", "targets: [web-3, web-1]"},
	{"targets: [web-1, web-2, web-3]", "targets: [web-3, { target_id: web-2, port: 9 }]"},
	{"      web-2: { subnet_id: a, vpc_security_group_ids: [web] }\n", "", "web-2, ", ""},
	{"      web-2: {", "      web-0: { subnet_id: a }\n      web-2: {"},
	{"      web-3: { subnet_id: b", "      web-3: { subnet_id: a"},
	{"      web-3: { subnet_id: b", "      web-3: { private_ip: 10.0.2.99, subnet_id: b"},
	{"      stranger: { subnet_id: a }", "      stranger: { subnet_id: a, vpc_security_group_ids: [default, app] }\n      new: { subnet_id: b }"},
	{"    subnets: [provider/a, provider/b]", "    subnets: [provider/a]", "    subnet_ids: [a, b]", "    subnet_ids: [a]"},
	{"    subnet_ids: [a, b]", "    subnet_ids: [b]"},
	{"    subnets: [provider/a, provider/b]", "    subnets: [provider/a, provider/b]\n    secondary_ips_auto_assigned_per_subnet: 1\n    enable_cross_zone_load_balancing: true"},
	{"vpc_endpoints:\n", "vpc_endpoints:\n  other: { vpc_id: consumer, service_name: api, subnet_ids: [a] }\n"},
	{"private_dns_enabled: true", "private_dns_enabled: false"},
	{"  api:\n    vpc_id: consumer", "  renamed:\n    vpc_id: consumer"},
	{"{ port: 80, protocol: TCP,", "{ port: 81, protocol: TCP_UDP,", "protocol: TCP, targets", "protocol: TCP_UDP, targets"},
	{"      - { port: 80, protocol: TCP, default_action: { target_group_arn: web } }", `
      - { port: 80, protocol: TCP, default_action: { forward: { target_group: [{ arn: web }, { arn: more, weight: 0 }] } } }
      - { port: 82, protocol: TCP, tcp_idle_timeout_seconds: 60, default_action: { target_group_arn: more } }`,
		"target_groups:\n", "target_groups:\n  more: { vpc_id: provider, port: 8080, protocol: TCP, targets: [web-3] }\n"},
	{"load_balancers:\n", "load_balancers:\n  aside: { subnets: [provider/b], security_groups: [provider/web] }\n"},
	{"  consumer:\n    cidr_block: 10.0.0.0/16", "  consumer:\n    cidr_block: 10.0.0.0/17"},
	{"10.0.2.0/24, availability_zone: us-east-1b }\n    security_groups:\n      app", "10.0.3.0/24, availability_zone: us-east-1b }\n    security_groups:\n      app"},
	{"  consumer:\n", `  third:
    cidr_block: 10.9.0.0/16
    subnets: { x: {} }
    instances: { one: {} }
    route_tables: { main: { route: [{ cidr_block: 10.0.0.0/16, vpc_peering_connection_id: p }] } }
  consumer:
`, "target_groups:", "vpc_peering_connections: { p: { vpc_id: third, peer_vpc_id: consumer } }\ntarget_groups:"},
	{"    security_groups:\n      app", `    network_acls:
      tight: { subnet_ids: [b], ingress: [{ rule_no: 5, action: allow, protocol: tcp, from_port: 80, cidr_block: 10.0.0.0/16 }] }
    security_groups:
      app`},
	{"    private_dns_name: api.example.com", "    acceptance_required: false\n    private_dns_name: other.example.com"},
	{"    private_dns_name: api.example.com\n", "", "    private_dns_enabled: true\n", ""},
	{"target_groups:", "managed_prefix_lists: { net: { max_entries: 3, entry: [{ cidr: 10.7.0.0/16 }] } }\ntarget_groups:", "      app: {}", "      app: { egress: [{ protocol: -1, prefix_list_ids: [net] }] }"},
	{"vpcs:\n  provider:\n    cidr_block: 10.0.0.0/16", "vpcs:\n  provider:\n    ipv6_cidr_block: 2001:db8:1::/56\n    cidr_block: 10.0.0.0/16"},
	{"    subnets: [provider/a, provider/b]", "    security_groups: [provider/web]\n    subnets: [provider/a, provider/b]"},
	{"protocol: TCP, targets: [web-1, web-2, web-3]", "protocol: TCP, preserve_client_ip: false, proxy_protocol_v2: true, deregistration_delay: 0, targets: [web-1, web-2, web-3]"},
}

// TestBecome goes from each edition of a lab to each other one, and asks each time that the
// lab is then what it would be if it had been built so from the start, with the addresses
// that it has: the same program for packets, the same names, and nothing left to change.
func TestBecome(t *testing.T) {
	for i, from := range editions {
		for _, j := range []int{0, (5*i + 1) % len(editions), (11*i + 7) % len(editions)} { // every pair takes too long
			to := editions[j]
			l := mustBuild(t, twoAccounts, from...)
			if grown(from, to) {
				continue
			}
			l.Compile()
			checkBecome(t, l, fmt.Sprintf("%d to %d", i, j), to)
		}
	}
}

// grown reports whether a load balancer would lose addresses, which AWS never takes back.
func grown(from, to []string) bool {
	more := func(e []string) bool { return strings.Contains(strings.Join(e, ""), "secondary_ips") }
	return more(from) && !more(to)
}

// TestBecomeAgain goes through many editions with the same lab.
func TestBecomeAgain(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	l := mustBuild(t, twoAccounts)
	before := []string{}
	for step := range 25 {
		next := editions[rnd.IntN(len(editions))]
		if grown(before, next) {
			continue
		}
		before = next
		checkBecome(t, l, fmt.Sprintf("step %d", step), next)
	}
}

func checkBecome(t *testing.T, l *Lab, name string, to []string) {
	t.Helper()
	if states := l.Endpoints; len(states) > 0 {
		for _, e := range l.Endpoints {
			if e.State == PendingAcceptance {
				_ = l.Accept(e.Name)
			}
		}
	}
	fresh, _ := renewed(t, l, twoAccounts, to...)
	next, changes := renewed(t, l, twoAccounts, to...)
	nics := slices.Clone(l.NICs)
	l.Become(next, changes)
	for _, e := range l.Endpoints {
		if e.State == PendingAcceptance {
			_ = l.Accept(e.Name)
		}
	}
	for _, e := range fresh.Endpoints {
		if e.State == PendingAcceptance {
			_ = fresh.Accept(e.Name)
		}
	}
	if got, want := dump(l.Compile()), dump(fresh.Compile()); got != want {
		t.Fatalf("%s: the lab differs from one that is built so\n%s%s", name, told(changes), firstDifference(got, want))
	}
	names, want := l.Names(), fresh.Names()
	names.health, want.health = nil, nil // which name each lab's own load balancers
	if !reflect.DeepEqual(names, want) {
		t.Errorf("%s: other names", name)
	}
	if _, left := renewed(t, l, twoAccounts, to...); len(left) > 0 {
		t.Errorf("%s: left to change:\n%s", name, told(left))
	}
	ids := map[string]bool{}
	for i, n := range l.NICs {
		if int(n.Index) != i || ids[n.ID] {
			t.Errorf("%s: interface %d is %d, %s", name, i, n.Index, n.ID)
		}
		ids[n.ID] = true
		if i < len(nics) && nics[i].ID != n.ID {
			t.Errorf("%s: interface %d was %s and is %s", name, i, nics[i].ID, n.ID)
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			from := max(i-3, 0)
			return fmt.Sprintf("got\n%s\nwant\n%s", strings.Join(g[from:min(i+4, len(g))], "\n"), strings.Join(w[from:min(i+4, len(w))], "\n"))
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// dump writes a program with names in place of numbers, so that programs which differ in
// their numbers only are the same.
func dump(p *dataplane.Program) string {
	d := &dumper{p: p}
	d.value("", reflect.ValueOf(p).Elem())
	slices.Sort(d.lines)
	return strings.Join(d.lines, "\n")
}

type dumper struct {
	p     *dataplane.Program
	lines []string
}

func (d *dumper) say(path, format string, args ...any) {
	d.lines = append(d.lines, path+" = "+fmt.Sprintf(format, args...))
}

// label names a number of the program; ok is false if it is none.
func (d *dumper) label(path string, v reflect.Value) (name string, ok bool) {
	switch v.Type() {
	case reflect.TypeFor[dataplane.InterfaceID]():
		if n := dataplane.InterfaceID(v.Uint()); n != dataplane.NoInterface {
			return d.p.Interfaces[n].Label, true
		}
		return "nobody", true
	case reflect.TypeFor[dataplane.VPCID]():
		return d.p.VPCs[v.Uint()].ID, true
	case reflect.TypeFor[filter.RuleID]():
		if strings.Contains(path, "ACL") {
			return "", true
		}
		r := d.p.Rules[v.Uint()]
		return r.Group + " " + r.Text, true
	case reflect.TypeFor[link.ID]():
		if v.Uint() == 0 {
			return "none", true
		}
		return d.p.Links.All[v.Uint()].Label, true
	}
	if strings.HasSuffix(path, ".Balancer") {
		return d.p.Balancers[v.Uint()].Label, true
	}
	return "", false
}

func (d *dumper) value(path string, v reflect.Value) {
	if name, ok := d.label(path, v); ok {
		d.say(path, "%s", name)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			d.say(path, "nil")
			return
		}
		d.value(path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			switch name := v.Type().Field(i).Name; name {
			case "Epoch", "Closures", "Rules", "Number", "MAC", "Former": // what has its own number, or tells of the past
			case "Balancer":
				if v.FieldByName("Kind").Uint() == uint64(dataplane.Node) {
					d.value(path+"."+name, v.Field(i))
				}
			default:
				d.value(path+"."+name, v.Field(i))
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			name, ok := d.label("", k)
			if !ok {
				name = fmt.Sprint(k)
			}
			d.value(path+"["+name+"]", v.MapIndex(k))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			e, name := v.Index(i), fmt.Sprint(i)
			switch v.Type().Elem() {
			case reflect.TypeFor[dataplane.Interface]():
				if name = e.FieldByName("Label").String(); e.FieldByName("Kind").Uint() == uint64(dataplane.Absent) {
					continue
				}
				d.say(path+"["+name+"]", "there")
				c := d.p.Interfaces[i]
				c.ID = ""
				d.value(path+"["+name+"]", reflect.ValueOf(&c).Elem())
				continue
			case reflect.TypeFor[dataplane.LoadBalancer](), reflect.TypeFor[dataplane.Link]():
				if name = e.FieldByName("Label").String(); name == "" {
					continue // of one that is gone
				}
			}
			d.value(path+"["+name+"]", e)
		}
	case reflect.Bool:
		d.say(path, "%v", v.Bool())
	case reflect.String:
		d.say(path, "%s", v.String())
	case reflect.Float64:
		d.say(path, "%v", v.Float())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.say(path, "%d", v.Uint())
	default:
		d.say(path, "%d", v.Int())
	}
}

// TestChanges: what a plan says of edits of the file, and of those that were made by hand.
func TestChanges(t *testing.T) {
	rule := &Rule{Protocol: "tcp", FromPort: port(22), CIDRBlocks: []string{"10.0.0.0/8"}}
	for name, c := range map[string]struct {
		edit func(*Lab) error
		text []string
		want string
	}{
		"nothing": {},
		"the same in other words": {text: []string{"from_port: 80, to_port: 80, security_groups: [app]", "from_port: 80, security_groups: [consumer/app]",
			"    subnet_ids: [a, b]", "    subnet_ids: [consumer/b, a]", "targets: [web-1, web-2, web-3]", "targets: [{ target_id: web-2, port: 8080 }, web-1, web-3]"}},
		"a rule": {text: editions[1], want: "update security_group.consumer/app ingress +tcp 22 from 10.0.0.0/8\n"},
		"a rule by hand": {
			edit: func(l *Lab) error { return l.AuthorizeIngress("app", rule) },
			want: "update security_group.consumer/app ingress -tcp 22 from 10.0.0.0/8\n",
		},
		"a target by hand": {
			edit: func(l *Lab) error { return l.DeregisterTarget("web", &Target{TargetID: "web-1"}) },
			want: "update target_group.web target +web-1\n",
		},
		"an endpoint by hand": {
			edit: func(l *Lab) error {
				return l.CreateVPCEndpoint(&NewEndpoint{Name: "mine", VPCEndpoint: VPCEndpoint{VPCID: "consumer", ServiceName: "api", SubnetIDs: []string{"a"}}})
			},
			want: "delete vpc_endpoint.mine\n",
		},
		"an endpoint that was deleted": {edit: func(l *Lab) error { return l.Delete("api") }, want: "create vpc_endpoint.api\n"},
		"a state":                      {edit: func(l *Lab) error { return l.Reject("api") }},
		"a lost zone":                  {edit: func(l *Lab) error { return l.LoseZone("use1-az1") }},
		"another subnet":               {text: editions[7], want: "replace instance.provider/web-3 private_ip! -10.0.2.4 +10.0.1.7 subnet_id! -provider/b +provider/a\n"},
		"groups where there were none": {
			text: []string{"    subnets: [provider/a, provider/b]", "    security_groups: [provider/web]\n    subnets: [provider/a, provider/b]"},
			want: "replace listener.api:80 load_balancer!\nreplace load_balancer.api security_groups! +web\n",
		},
		"another default of a group": {
			text: []string{"      app: {}", "      app: {}\n      default: { ingress: [] }"},
			want: "update security_group.consumer/default ingress -all from consumer/default\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustBuild(t, twoAccounts)
			if c.edit != nil {
				if err := c.edit(l); err != nil {
					t.Fatal(err)
				}
			}
			_, changes := renewed(t, l, twoAccounts, c.text...)
			if got := told(changes); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// TestFixed: what cannot be changed of a lab that runs is a mistake of the file.
func TestFixed(t *testing.T) {
	more := []string{"    subnets: [provider/a, provider/b]", "    subnets: [provider/a, provider/b]\n    secondary_ips_auto_assigned_per_subnet: 2"}
	for want, c := range map[string]struct{ from, to []string }{
		"region: the lab is in us-east-1, and cannot move to us-east-2: plsim down and plsim up make it so": {
			to: []string{"vpcs:", "region: us-east-2\nvpcs:", "us-east-1a", "us-east-2a", "us-east-1b", "us-east-2b", "us-east-1a", "us-east-2a", "us-east-1b", "us-east-2b"},
		},
		"settings.closed_timeout: is 10 for as long as the lab is up, and cannot become 20: plsim down and plsim up make it so": {
			to: []string{"vpcs:", "settings: { closed_timeout: 20, propagation_delay: 3 }\nvpcs:"},
		},
		"links: the lab has no links, and packets that travel several at a time, for as long as it is up: plsim down and plsim up make it so": {
			to: []string{"vpcs:", "links: { a: { instance: app } }\nvpcs:"},
		},
		"load_balancers.api.secondary_ips_auto_assigned_per_subnet: 0 is fewer than the 2 that load balancer api has: AWS never takes one back": {from: more},
	} {
		l := mustBuild(t, twoAccounts, c.from...)
		text := twoAccounts
		for i := 0; i+1 < len(c.to); i += 2 {
			text = strings.Replace(text, c.to[i], c.to[i+1], 1)
		}
		if _, err := l.Renew(parse(t, text)); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestLivesOn: what a lab has become goes on with what it was.
func TestLivesOn(t *testing.T) {
	l := mustBuild(t, twoAccounts, "vpcs:", "settings: { propagation_delay: 7 }\nvpcs:")
	text := strings.Replace(twoAccounts, "vpcs:", "settings: { propagation_delay: 7 }\nvpcs:", 1)
	if err := l.Accept("api"); err != nil {
		t.Fatal(err)
	}
	l.Advance(clock.Time(1e9))
	for _, c := range l.Checks() {
		l.Checked(c, true)
	}
	first := l.Compile()
	app, _ := l.Instance("app")
	keys := map[CheckKey]bool{}
	for _, c := range l.Checks() {
		keys[c.Key()] = true
	}
	if err := l.LoseZone("use1-az2"); err != nil {
		t.Fatal(err)
	}
	was := l.Snapshot()
	got := become(t, l, text,
		"      app: {}", "      aaa: {}\n      app: {}",
		"      app: { subnet_id: a,", "      aaa: { subnet_id: a }\n      app: { subnet_id: a,",
		"targets: [web-1, web-2, web-3]", "targets: [web-1, web-2]",
		"vpc_endpoints:\n", "vpc_endpoints:\n  aaa: { vpc_id: consumer, service_name: api, subnet_ids: [a] }\n")
	if want := "create instance.consumer/aaa\ncreate security_group.consumer/aaa\nupdate target_group.web target -web-3\ncreate vpc_endpoint.aaa\n"; got != want {
		t.Errorf("changes\n%s", got)
	}
	now, _ := l.Instance("app")
	if now.NIC.Index != app.NIC.Index || now.NIC.ID != app.NIC.ID || now.NIC.MAC != app.NIC.MAC {
		t.Errorf("app was %+v and is %+v", app.NIC, now.NIC)
	}
	second := l.Compile()
	if second.Epoch != first.Epoch+1 || len(second.Interfaces) != len(first.Interfaces)+2 {
		t.Errorf("epoch %d after %d, %d interfaces after %d", second.Epoch, first.Epoch, len(second.Interfaces), len(first.Interfaces))
	}
	for i, r := range first.Rules {
		if second.Rules[i].Group != r.Group || second.Rules[i].Text != r.Text {
			t.Errorf("rule %d was %v and is %v", i, r, second.Rules[i])
		}
	}
	health, err := l.TargetHealth("web")
	if err != nil || fmt.Sprint(health) != "[{web-1 healthy } {web-2 healthy } {web-3 draining Target.DeregistrationInProgress}]" {
		t.Errorf("health %v, %v", health, err)
	}
	for _, c := range l.Checks() {
		if !keys[c.Key()] {
			t.Errorf("the check of %s by %s is another", c.To, c.Node.Label)
		}
	}
	e, _ := l.Endpoint("api")
	fresh, _ := l.Endpoint("aaa")
	if e.State != Available || fresh.State != PendingAcceptance || !l.lost[2] {
		t.Errorf("endpoints are %s and %s, lost zones %v", e.State, fresh.State, l.lost)
	}
	if d, err := l.Describe(&Part{VPCEndpoint: "api"}); err != nil || fmt.Sprint(d.(endpointDescription).Events) != "[Connect Accept]" {
		t.Errorf("events %v, %v", d, err)
	}
	// And back.
	l.Revert(was)
	third := l.Compile()
	if third.Epoch != second.Epoch+1 || len(third.Interfaces) != len(second.Interfaces) || dump(third) != dump(first) && !l.lost[2] {
		t.Error("the lab is not what it was")
	}
	if got := become(t, l, text); got != "" {
		t.Errorf("left to change:\n%s", got)
	}
	if d, err := l.Describe(&Part{VPCEndpoint: "api"}); err != nil || fmt.Sprint(d.(endpointDescription).Events) != "[Connect Accept]" {
		t.Errorf("events %v, %v", d, err)
	}
}
