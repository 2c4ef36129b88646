package emulate

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/snat"
	"github.com/plsim/plsim/topology"
)

// healthLab is a load balancer in front of an instance that speaks IPv4 and IPv6.
const healthLab = `
name: health
vpcs:
  lab:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8::/56
    subnets: { a: {} }
    security_groups:
      open: { ingress: [{ protocol: "-1", cidr_blocks: [0.0.0.0/0], ipv6_cidr_blocks: ["::/0"] }] }
    instances:
      web:
        private_ip: 10.0.0.9
        ipv6_addresses: ["2001:db8::9"]
        vpc_security_group_ids: [open]
        services: [{ type: tcp_echo, port: 80 }]
load_balancers:
  api:
    subnets: [a]
    ip_address_type: dualstack
    listeners:
      - { port: 1080, protocol: TCP, default_action: { target_group_arn: web } }
      - { port: 1081, protocol: TCP, default_action: { target_group_arn: six } }
target_groups:
  web: { vpc_id: lab, port: 80, protocol: TCP, health_check: { interval: 300 } }
  six: { vpc_id: lab, port: 80, protocol: TCP, target_type: ip, ip_address_type: ipv6, health_check: { interval: 300 } }
`

// A TCP check on the wire is SYN, SYN-ACK, ACK and at once FIN, no data (F2.52,
// F1.32).
func TestCheckOnTheWire(t *testing.T) {
	w, l := newWorld(t, healthLab)
	wire := openWire(t, w, "lab/web")
	for group, target := range map[string]string{"web": "web", "six": "2001:db8::9"} {
		if err := w.Edit(func(lab *topology.Lab) error {
			return lab.RegisterTarget(group, &topology.Target{TargetID: target})
		}); err != nil {
			t.Fatal(err)
		}
		mss, window := uint16(8361), uint16(8961)
		if group == "six" { // whose header is longer by 20 bytes
			mss, window = mss-20, window-20
		}
		var seen []string
		await(t, "the check to end", func() bool {
			f := wire.receive(t)
			if f == nil {
				return false
			}
			p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
			seg, ok := p.TransportLayer().(*layers.TCP)
			if !ok {
				return false
			}
			var ttl uint8
			switch ip := p.NetworkLayer().(type) {
			case *layers.IPv4:
				ttl = ip.TTL
			case *layers.IPv6:
				ttl = ip.HopLimit
			}
			from, _ := netip.AddrFromSlice(p.NetworkLayer().NetworkFlow().Src().Raw())
			node := l.Lab.Checks()[0].Node
			if !slices.ContainsFunc(node.Addrs, func(a netip.Prefix) bool { return a.Addr() == from }) {
				t.Errorf("the check comes from %s, not from the node", from)
			}
			if seg.SrcPort < snat.FirstOwnPort || ttl != 254 || len(seg.Payload) != 0 {
				t.Errorf("source port %d, TTL %d, %d bytes of data", seg.SrcPort, ttl, len(seg.Payload))
			}
			switch {
			case seg.SYN:
				seen = append(seen, "SYN")
				if seg.Window != window {
					t.Errorf("window %d", seg.Window)
				}
				for _, o := range seg.Options {
					switch {
					case o.OptionType == layers.TCPOptionKindMSS && uint16(o.OptionData[0])<<8|uint16(o.OptionData[1]) != mss:
						t.Errorf("MSS %v", o)
					case o.OptionType == layers.TCPOptionKindWindowScale && o.OptionData[0] != 0:
						t.Errorf("window scale %v", o)
					}
				}
			case seg.FIN:
				seen = append(seen, "FIN")
			default:
				seen = append(seen, "ACK")
			}
			// The last ACK is that of the target's FIN.
			return slices.Contains(seen, "FIN") && seen[len(seen)-1] == "ACK"
		})
		if got := strings.Join(seen, " "); got != "SYN ACK FIN ACK" {
			t.Errorf("%s: %s", group, got)
		}
		await(t, "the target to be healthy", func() bool { return stateOf(t, w, group, target) == topology.TargetHealthy })
	}
}

func stateOf(t *testing.T, w *World, group, target string) (state topology.TargetState) {
	t.Helper()
	if err := w.Look(func(lab *topology.Lab) error {
		h, err := lab.HealthOf(group, &topology.Target{TargetID: target})
		state = h.State
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return state
}

// HTTP and HTTPS checks: what they ask, what passes, and what they do not care
// about (F2.50, F2.51).
func TestHTTPChecks(t *testing.T) {
	w, l := newWorld(t, healthLab)
	if err := w.Edit(func(lab *topology.Lab) error {
		return lab.RegisterTarget("web", &topology.Target{TargetID: "web"})
	}); err != nil {
		t.Fatal(err)
	}
	check := l.Lab.Checks()[0]
	node := w.nodes[check.Node.Index]
	var mu sync.Mutex
	var hosts []string
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hosts = append(hosts, r.Host)
		mu.Unlock()
		switch r.URL.Path {
		case "/moved":
			http.Redirect(rw, r, "/missing", http.StatusFound)
		case "/missing":
			http.NotFound(rw, r)
		}
	})
	ca, err := newAuthority() // whom nobody trusts
	if err != nil {
		t.Fatal(err)
	}
	ns := w.hosts["lab/web"].ns
	serve := func(port string, least uint16) {
		listener, err := ns.Listen("tcp", ":"+port)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
		t.Cleanup(func() { server.Close() })
		if least == 0 {
			go func() { _ = server.Serve(listener) }()
			return
		}
		config, err := ca.serverConfig([]string{"elsewhere.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		config.MinVersion = least
		server.TLSConfig = config
		go func() { _ = server.ServeTLS(listener, "", "") }()
	}
	serve("8000", 0)
	serve("8001", tls.VersionTLS12)
	serve("8002", tls.VersionTLS13)
	for _, tt := range []struct {
		protocol string
		port     uint16
		path     string
		matcher  string
		want     bool
	}{
		{"HTTP", 8000, "/", "200-399", true},
		{"HTTP", 8000, "/moved", "200-399", true}, // the answer, not what it leads to
		{"HTTP", 8000, "/moved", "200", false},
		{"HTTP", 8000, "/missing", "200-399", false},
		{"HTTP", 8000, "/missing", "404", true},
		{"HTTP", 8001, "/", "200-399", false},
		{"HTTPS", 8001, "/", "200-399", true}, // whoever signed the certificate
		{"HTTPS", 8000, "/", "200-399", false},
		{"HTTPS", 8002, "/", "200-399", false}, // TLS 1.3 alone (F2.51)
		{"HTTP", 9, "/", "200-399", false},
		{"TCP", 8000, "", "", true},
		{"TCP", 9, "", "", false},
	} {
		c := check
		c.To = netip.AddrPortFrom(c.To.Addr(), tt.port)
		c.HealthCheck = &topology.HealthCheck{Protocol: tt.protocol, Path: tt.path, Matcher: tt.matcher}
		if got := node.passes(t.Context(), c); got != tt.want {
			t.Errorf("%s port %d, path %s, matcher %s: %v, want %v", tt.protocol, tt.port, tt.path, tt.matcher, got, tt.want)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	want := net.JoinHostPort(check.Node.Addr().String(), "1080")
	if len(hosts) == 0 || slices.ContainsFunc(hosts, func(h string) bool { return h != want }) {
		t.Errorf("Host was %q, want %s", hosts, want)
	}
}

// The outbound rules of a node's groups hold for its checks (F2.66).
func TestChecksObeyOutboundRules(t *testing.T) {
	closed := strings.Replace(healthLab, "    subnets: [a]\n", "    subnets: [a]\n    security_groups: [mute]\n", 1)
	closed = strings.Replace(closed, "    instances:\n", "      mute: { egress: [] }\n    instances:\n", 1)
	w, l := newWorld(t, strings.Replace(closed, "health_check: { interval: 300 }", "health_check: { timeout: 2 }, targets: [web]", 1))
	node := l.Lab.Checks()[0].Node
	drops, err := w.Drops([]*topology.NIC{node})
	if err != nil {
		t.Fatal(err)
	}
	if got := stateOf(t, w, "web", "web"); got != topology.TargetInitial {
		t.Errorf("the target is %s", got)
	}
	if drops[drop.SecurityGroupEgress] == 0 {
		t.Errorf("no check died of the node's outbound rules: %v", drops)
	}
}

// Checks begin and end with what the lab says.
func TestChecksFollow(t *testing.T) {
	var started []context.Context
	s := &checks{
		ctx: t.Context(), rnd: rand.New(rand.NewPCG(1, 2)), stop: map[topology.CheckKey]context.CancelFunc{},
		start: func(ctx context.Context, _ topology.Check, _ *rand.Rand) { started = append(started, ctx) },
	}
	how := &topology.HealthCheck{Protocol: "TCP"}
	one, two := topology.Check{Host: "one", Node: new(topology.NIC), HealthCheck: how}, topology.Check{Host: "two", Node: new(topology.NIC), HealthCheck: how}
	s.follow([]topology.Check{one})
	s.follow([]topology.Check{one, two})
	if len(started) != 2 || started[0].Err() != nil {
		t.Fatalf("%d checks were started", len(started))
	}
	s.follow([]topology.Check{two})
	if started[0].Err() == nil || started[1].Err() != nil {
		t.Errorf("the first check: %v; the second: %v", started[0].Err(), started[1].Err())
	}
	s.follow([]topology.Check{one, two})
	if len(started) != 3 || started[2].Err() != nil {
		t.Error("a check that comes back is not started anew")
	}
}
