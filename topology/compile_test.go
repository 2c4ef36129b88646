package topology

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// byLabel finds an interface of a program.
func byLabel(t testing.TB, p *dataplane.Program, label string) *dataplane.Interface {
	t.Helper()
	for i := range p.Interfaces {
		if p.Interfaces[i].Label == label {
			return &p.Interfaces[i]
		}
	}
	t.Fatalf("no interface %s", label)
	return nil
}

// labels names interfaces by their numbers.
func labels(p *dataplane.Program, ids []dataplane.InterfaceID) string {
	var out []string
	for _, id := range ids {
		out = append(out, p.Interfaces[id].Label)
	}
	return strings.Join(out, " ")
}

func TestCompile(t *testing.T) {
	l := mustBuild(t, "settings: { setup_delay: 10 }\n"+twoAccounts)
	p := l.Compile()
	endpoint := byLabel(t, p, "vpc_endpoint.api.us-east-1a")
	node := byLabel(t, p, "load_balancer.api.us-east-1b")
	app, resolver := byLabel(t, p, "consumer/app"), byLabel(t, p, "vpc.consumer.resolver")
	web := byLabel(t, p, "provider/web-3")
	listener := p.Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}]
	for what, v := range map[string][2]any{
		"epoch":                                {p.Epoch, uint32(1)},
		"next epoch":                           {l.Compile().Epoch, uint32(2)},
		"endpoint MTU (F1.31)":                 {endpoint.MTU, 8500},
		"instance MTU":                         {app.MTU, 9001},
		"node MTU (F2.6)":                      {node.MTU, 9001},
		"endpoint not available (F1.9)":        {endpoint.Endpoint.Available, false},
		"nodes of its zone (F1.48)":            {labels(p, endpoint.Endpoint.Nodes), "load_balancer.api.us-east-1a"},
		"a node without groups (F2.63)":        {node.Ingress == nil && node.Egress == nil, true},
		"the node's balancer":                  {p.Balancers[node.Balancer].Label, "api"},
		"balancer ID":                          {p.Balancers[0].ID, "net/api/" + l.spec.LoadBalancers["api"].ID},
		"enforcement (F2.64)":                  {p.Balancers[0].EnforceSG, true},
		"cross-zone is off (F2.19)":            {p.Balancers[0].CrossZone || listener.Forward[0].Group.CrossZone, false},
		"preservation (F2.24)":                 {listener.Forward[0].Group.PreserveClientIP, true},
		"no PROXY protocol header (F2.35)":     {listener.Forward[0].Group.Proxy, dataplane.ProxyProtocol{}},
		"TCP idle timeout (F2.44)":             {listener.IdleTimeout, 350 * time.Second},
		"resolver (F1.3)":                      {fmt.Sprint(resolver.Addrs), "[10.0.0.2]"},
		"resolver is never filtered (F3.5)":    {resolver.Exempt && resolver.Ingress == nil, true},
		"router (F1.3)":                        {fmt.Sprint(app.Routers), "[10.0.1.1]"},
		"zones by AZ ID (F1.46)":               {fmt.Sprint(app.Zone, web.Zone), "1 2"},
		"a subnet has one router":              {app.RouterMAC == endpoint.RouterMAC, true},
		"another subnet, another router":       {app.RouterMAC != web.RouterMAC && app.Subnet != web.Subnet, true},
		"both VPCs have 10.0.1.4 (F1.42)":      {addrOwner(p, 0, "10.0.1.4") + " " + addrOwner(p, 1, "10.0.1.4"), "consumer/app provider/web-1"},
		"the first target":                     {labels(p, []dataplane.InterfaceID{listener.Forward[0].Group.Targets[0].Interface}), "provider/web-1"},
		"the rule's words, and where they are": {fmt.Sprint(p.Rules[ruleOf(t, endpoint, app)]), fmt.Sprint(dataplane.RuleInfo{Group: l.spec.VPCs["consumer"].SecurityGroups["endpoint"].ID, Label: "consumer/endpoint", Text: "tcp 80 from consumer/app", Path: "vpcs.consumer.security_groups.endpoint.ingress[0]"})},
	} {
		if v[0] != v[1] {
			t.Errorf("%s: got %v, want %v", what, v[0], v[1])
		}
	}
	// The group's members, and nobody else (F3.6).
	stranger := byLabel(t, p, "consumer/stranger")
	if _, ok := endpoint.Ingress.Match(filter.Query{Proto: packet.TCP, Port: 80, Peer: stranger.Addrs[0]}); ok {
		t.Error("the stranger is a member of the group app")
	}
	if err := l.Accept("api"); err != nil {
		t.Fatal(err)
	}
	if byLabel(t, l.Compile(), "vpc_endpoint.api.us-east-1a").Endpoint.Available {
		t.Error("a pending endpoint is available")
	}
	l.Advance(clock.Time(10 * time.Second))
	now := byLabel(t, l.Compile(), "vpc_endpoint.api.us-east-1a")
	if !now.Endpoint.Available || endpoint.Endpoint.Available {
		t.Error("availability must show in the next program, and in that alone")
	}
	if !slices.Equal(now.Addrs, endpoint.Addrs) { // F1.2
		t.Errorf("the endpoint's addresses were %v, are %v", endpoint.Addrs, now.Addrs)
	}
}

// ruleOf returns the rule that lets app into the endpoint's interface.
func ruleOf(t *testing.T, endpoint, app *dataplane.Interface) filter.RuleID {
	id, ok := endpoint.Ingress.Match(filter.Query{Proto: packet.TCP, Port: 80, Peer: app.Addrs[0]})
	if !ok {
		t.Fatal("the group app is refused")
	}
	return id
}

func addrOwner(p *dataplane.Program, vpc dataplane.VPCID, addr string) string {
	id, ok := p.VPCs[vpc].Addrs[packet.AddrFrom(netip.MustParseAddr(addr))]
	if !ok {
		return "nobody"
	}
	return p.Interfaces[id].Label
}

// TestCompileEverything checks the parts of the larger lab.
func TestCompileEverything(t *testing.T) {
	l := mustBuild(t, wholeLab)
	p := l.Compile()
	main, spare := p.Balancers[0], p.Balancers[1]
	key := func(proto packet.Proto, port uint16) dataplane.ListenerKey {
		return dataplane.ListenerKey{Proto: proto, Port: port}
	}
	var keys []string
	for k := range maps.Keys(main.Listeners) {
		keys = append(keys, fmt.Sprintf("%d/%d", k.Proto, k.Port))
	}
	slices.Sort(keys)
	both, udp, web := main.Listeners[key(packet.TCP, 53)], main.Listeners[key(packet.UDP, 53)], main.Listeners[key(packet.TCP, 443)]
	for what, v := range map[string][2]any{
		"TCP_UDP is two listeners":             {fmt.Sprint(keys), "[17/53 17/54 6/443 6/53]"},
		"with one group":                       {both.Forward[0].Group == udp.Forward[0].Group, true},
		"shared by the third":                  {main.Listeners[key(packet.UDP, 54)].Forward[0].Group == udp.Forward[0].Group, true},
		"UDP forgets after 120 s (F2.44)":      {udp.IdleTimeout, 120 * time.Second},
		"TCP after what was set":               {web.IdleTimeout, 6000 * time.Second},
		"enforcement off (F2.64)":              {main.EnforceSG, false},
		"cross-zone of the balancer (F2.19)":   {web.Forward[0].Group.CrossZone, true},
		"but not of the other":                 {spare.Listeners[key(packet.TCP, 443)].Forward[0].Group.CrossZone, false},
		"addresses: no preservation (F2.24)":   {web.Forward[0].Group.PreserveClientIP, false},
		"an address that is an instance's":     {addrOf(p, web.Forward[0].Group.Targets[0]), "hub/dns 100.68.1.10:443"},
		"an address that is nobody's":          {addrOf(p, web.Forward[0].Group.Targets[1]), "nobody 100.68.2.200:443"},
		"a port of its own":                    {addrOf(p, both.Forward[0].Group.Targets[1]), "hub/web 100.68.2.4:5353"},
		"targets elsewhere are unused (F2.19)": {len(spare.Listeners[key(packet.TCP, 443)].Forward[0].Group.Targets), 1},
		"groups of a node":                     {byLabel(t, p, "load_balancer.main.eu-central-1a").Ingress != nil, true},
		"one of which is enough (F3.1)":        {allows(byLabel(t, p, "load_balancer.main.eu-central-1a").Egress), true},
		"dual stack":                           {fmt.Sprint(byLabel(t, p, "vpc_endpoint.names.eu-central-1b").Addrs), "[100.68.2.99 2001:db8:1234:aa02::4]"},
		"and two routers":                      {fmt.Sprint(byLabel(t, p, "hub/web").Routers), "[100.68.2.1 2001:db8:1234:aa02::1]"},
		"the zone is the place (F1.46)":        {fmt.Sprint(byLabel(t, p, "hub/dns").Zone, byLabel(t, p, "hub/web").Zone), "2 1"},
		"the resolver in its subnet (F1.3)":    {byLabel(t, p, "vpc.hub.resolver").Subnet, l.find.subnets.vpcs["hub"]["low"].number},
		"blocks of the VPC":                    {len(p.VPCs[0].Prefixes), 2},
		"available at once (F1.9)":             {byLabel(t, p, "vpc_endpoint.names.eu-central-1a").Endpoint.Available, true},
		"nothing leaves a sealed group (F3.3)": {allows(byLabel(t, p, "hub/web").Egress), false},
	} {
		if v[0] != v[1] {
			t.Errorf("%s: got %v, want %v", what, v[0], v[1])
		}
	}
	// enable_dns_support: false, so nobody stands at base+2.
	if got := addrOwner(p, 1, "192.168.7.2"); got != "nobody" {
		t.Errorf("192.168.7.2 is %s", got)
	}
	// Every address of every interface can be found.
	for id, i := range p.Interfaces {
		for _, a := range i.Addrs {
			if p.VPCs[i.VPC].Addrs[a] != dataplane.InterfaceID(id) {
				t.Errorf("%s does not lead to %s", a, i.Label)
			}
		}
	}
}

func addrOf(p *dataplane.Program, t dataplane.Target) string {
	who := "nobody"
	if t.Interface != dataplane.NoInterface {
		who = p.Interfaces[t.Interface].Label
	}
	return fmt.Sprintf("%s %s:%d", who, t.Addr, t.Port)
}

func allows(s *filter.RuleSet) bool {
	_, ok := s.Match(filter.Query{Proto: packet.TCP, Port: 80, Peer: packet.AddrFrom(netip.MustParseAddr("100.68.1.10"))})
	return ok
}

// TestFlowLog: what records say of an interface (F4.6).
func TestFlowLog(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	h, err := l.Instance("app")
	if err != nil {
		t.Fatal(err)
	}
	vpc := l.spec.VPCs["consumer"]
	got := h.NIC.FlowLog()
	want := flowlog.Interface{
		AccountID: "222222222222", ID: h.NIC.ID, VPCID: vpc.ID, SubnetID: vpc.Subnets["a"].ID, InstanceID: vpc.Instances["app"].ID,
		Region: "us-east-1", AZID: "use1-az1", Addrs: []packet.Addr{packet.AddrFrom(h.NIC.Addr())},
		Label: "consumer/app", Groups: []string{"consumer/app"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if e := l.Endpoints[0].NICs[0].FlowLog(); e.AccountID != "unknown" || e.InstanceID != "" {
		t.Errorf("an endpoint's interface: %+v", e)
	}
}
