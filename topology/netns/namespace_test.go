package netns_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology/netns"
)

var ctx = context.Background()

// The configuration arrives: what ip(8) in the namespace shows.
func TestConfiguration(t *testing.T) {
	n := newNamespace(t, lab("config"))
	out, err := n.Output(ctx, "ip", "-j", "-d", "addr")
	if err != nil {
		t.Fatal(err)
	}
	type addr struct {
		Family, Local string
		Prefixlen     int
		Tentative     bool
	}
	var links []struct {
		Ifname, Address  string
		MTU, Txqlen      int
		Flags            []string
		AddrInfo         []addr `json:"addr_info"`
		Inet6AddrGenMode string `json:"inet6_addr_gen_mode"`
	}
	if err := json.Unmarshal([]byte(out), &links); err != nil {
		t.Fatal(err)
	}
	if len(links) != 2 || links[0].Ifname != "lo" || links[1].Ifname != "eth0" {
		t.Fatalf("links of the namespace: %+v", links)
	}
	if up := strings.Join(links[0].Flags, ","); !strings.Contains(up, "UP") {
		t.Errorf("lo is down: %s", up)
	}
	eth0 := links[1]
	if eth0.MTU != 9001 || eth0.Txqlen != 20000 || eth0.Address != "02:00:00:00:00:0a" { // MTU: F1.31
		t.Errorf("eth0: %+v", eth0)
	}
	if up := strings.Join(eth0.Flags, ","); !strings.Contains(up, "UP") || !strings.Contains(up, "LOWER_UP") {
		t.Errorf("eth0's flags: %s", up)
	}
	found := make(map[string]int)
	for _, a := range eth0.AddrInfo {
		found[a.Local] = a.Prefixlen
		// The link-local address is the kernel's own, which takes it into use in
		// its own time.
		if a.Tentative && !strings.HasPrefix(a.Local, "fe80:") {
			t.Errorf("%s is tentative", a.Local)
		}
	}
	for want, bits := range map[string]int{"10.0.1.10": 24, "2001:db8:1::a": 64} {
		if found[want] != bits {
			t.Errorf("eth0 has %v, want %s/%d", found, want, bits)
		}
	}
	for _, family := range []struct{ flag, want string }{
		{"-4", "default via 10.0.1.1 dev eth0"},
		{"-6", "default via fe80::1 dev eth0"},
	} {
		out, err := n.Output(ctx, "ip", family.flag, "route", "show", "default")
		if err != nil || !strings.HasPrefix(out, family.want) {
			t.Errorf("ip %s route: %q, %v; want %q", family.flag, out, err, family.want)
		}
	}
	for name, want := range map[string]string{
		"ipv6/conf/eth0/accept_ra":    "0",
		"ipv6/conf/eth0/autoconf":     "0",
		"ipv6/conf/eth0/accept_dad":   "0",
		"ipv6/conf/eth0/disable_ipv6": "0",
		"ipv4/ping_group_range":       "0\t2147483647",
	} {
		if got := sysctl(t, n, name); got != want && os.Getuid() == 0 {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func sysctl(t *testing.T, n *netns.Namespace, name string) (value string) {
	t.Helper()
	if err := n.Do(func() error {
		b, err := os.ReadFile("/proc/sys/net/" + name)
		value = strings.TrimSpace(string(b))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return value
}

// Without an IPv6 address there is no IPv6 on eth0, so no stray neighbour
// discovery reaches the fabric; lo keeps ::1.
func TestNoIPv6(t *testing.T) {
	cfg := lab("v4only")
	cfg.Addrs, cfg.Gateways, cfg.MTU = cfg.Addrs[:1], cfg.Gateways[:1], 1500
	n := newNamespace(t, cfg)
	if got := sysctl(t, n, "ipv6/conf/eth0/disable_ipv6"); got != "1" {
		t.Errorf("disable_ipv6 = %s", got)
	}
	out, err := n.Output(ctx, "ip", "-o", "-6", "addr")
	if err != nil || strings.Contains(out, "eth0") || !strings.Contains(out, "::1/128") {
		t.Errorf("IPv6 addresses: %q, %v", out, err)
	}
	if out, err := n.Output(ctx, "cat", "/sys/class/net/eth0/mtu"); err != nil || out != "1500\n" {
		t.Errorf("/sys shows the MTU %q, %v", out, err)
	}
}

// Whoever knows its router does not ask for it; and where all is routed, it asks for no
// neighbour either.
func TestKnownRouter(t *testing.T) {
	router := packet.MAC{0x02, 0, 0, 0, 0, 1}
	near, nearV6 := "10.0.1.99:9", "[2001:db8:1::99]:9"
	for _, c := range []struct {
		name   string
		routed bool
		to     []string
	}{
		{"known", false, []string{"192.0.2.1:9", "[2001:db8:9::1]:9"}},
		{"routed", true, []string{"192.0.2.1:9", "[2001:db8:9::1]:9", near, nearV6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := lab(c.name)
			cfg.Router, cfg.Routed = router, c.routed
			n := newNamespace(t, cfg)
			if c.routed { // one that comes later, too
				if err := n.AddAddr(netip.MustParsePrefix("10.0.2.10/24")); err != nil {
					t.Fatal(err)
				}
				c.to = append(c.to, "10.0.2.99:9")
			}
			f := newFabric(t, n)
			for _, to := range c.to {
				s, err := n.Dial(ctx, "udp", to)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if _, err := s.Write([]byte("hello")); err != nil {
					t.Fatal(err)
				}
				v, want := packet.View{}, packet.AddrFrom(netip.MustParseAddrPort(to).Addr())
				f.await(t, func(frame *packet.Frame) bool {
					if v.Decode(frame) != drop.None {
						return false
					}
					if v.Kind == packet.KindARP {
						t.Errorf("%s: eth0 asks for a neighbour", to)
					}
					return v.Proto == packet.UDP && v.Dst == want
				})
				if v.DstMAC != router {
					t.Errorf("a packet to %s goes to %v, want the router %v", to, v.DstMAC, router)
				}
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	newNamespace(t, netns.Config{Name: "taken"})
	newNamespace(t, netns.Config{Name: "taken", Lab: "another"}) // which is no obstacle
	twoRoutes := lab("routes")
	twoRoutes.Gateways = append(twoRoutes.Gateways, netip.MustParseAddr("10.0.1.2"))
	stranger := lab("stranger")
	stranger.Gateways = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	for _, c := range []struct {
		cfg  netns.Config
		want string
	}{
		{netns.Config{Name: "taken"}, "taken: there is a network namespace of this name already"},
		{netns.Config{Name: ""}, `"" is no name`},
		{netns.Config{Name: "../x"}, `"../x" is no name`},
		{netns.Config{Name: "/x"}, `"/x" is no name`},
		{netns.Config{Name: "a//b"}, `"a//b" is no name`},
		{twoRoutes, "routes: add the default route by 10.0.1.2: file exists"},
		{stranger, "stranger: add the default route by 192.0.2.1: network is unreachable"},
	} {
		n, err := netns.New(c.cfg)
		if err == nil {
			_ = n.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%q): %v, want %q", c.cfg.Name, err, c.want)
		}
	}
	if _, err := os.Stat("/.plsim/stranger"); err == nil {
		t.Error("a namespace that could not be made left its home behind")
	}
}

func TestVeth(t *testing.T) {
	a, b := newNamespace(t, netns.Config{Name: "veth-a"}), newNamespace(t, netns.Config{Name: "veth-b"})
	if a.Port() != nil {
		t.Error("a plain namespace has a port")
	}
	if err := netns.Veth(a, "left", b, "right"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n         *netns.Namespace
		dev, addr string
	}{{a, "left", "192.0.2.1/24"}, {b, "right", "192.0.2.2/24"}} {
		for _, argv := range [][]string{
			{"ip", "addr", "add", c.addr, "dev", c.dev},
			{"ip", "link", "set", c.dev, "up"},
		} {
			if _, err := c.n.Output(ctx, argv...); err != nil {
				t.Fatal(err)
			}
		}
	}
	l, err := b.Listen("tcp", "192.0.2.2:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := a.Dial(ctx, "tcp", "192.0.2.2:80")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.RemoteAddr().String(); got != "192.0.2.2:80" {
		t.Errorf("connected to %s", got)
	}
	_ = c.Close()
	if err := netns.Veth(a, "left", b, "other"); err == nil || !strings.Contains(err.Error(), "connect left of veth-a with other of veth-b: file exists") {
		t.Errorf("a second link of the same name: %v", err)
	}
}

// Fifty instances come and go, in parallel, and leave nothing.
func TestNothingLeaks(t *testing.T) {
	netns.RequireSandbox(t)
	round := func(count int) {
		var wg sync.WaitGroup
		all := make([]*netns.Namespace, count)
		for i := range all {
			wg.Go(func() {
				n, err := netns.New(lab("leak/" + string(rune('A'+i))))
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = n
				if i%10 == 0 {
					if _, err := n.Start(ctx, netns.Cmd{Argv: []string{"sleep", "1000"}}); err != nil {
						t.Error(err)
					}
				}
				if err := n.Do(func() error { return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, n := range all {
			if n != nil {
				wg.Go(func() {
					if err := n.Close(); err != nil {
						t.Error(err)
					}
					if err := n.Close(); err != nil {
						t.Errorf("second Close: %v", err)
					}
				})
			}
		}
		wg.Wait()
	}
	round(2) // what the runtime opens once and for all
	files, goroutines, programs := entries(t, "/proc/self/fd"), runtime.NumGoroutine(), len(processes(t))
	start := time.Now()
	round(50)
	t.Logf("50 instances made and closed in %v", time.Since(start))
	await(t, func() string {
		switch {
		case entries(t, "/proc/self/fd") > files:
			return "descriptors are left"
		case runtime.NumGoroutine() > goroutines:
			return "goroutines are left"
		case len(processes(t)) > programs:
			return "processes are left"
		case entries(t, "/.plsim/leak") > 0:
			return "files are left"
		}
		// The runtime keeps the threads that it once needed, but not in there.
		return strayThread(t)
	})
}

// strayThread names a thread that is not in the sandbox's network namespace.
func strayThread(t *testing.T) string {
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if ns, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net"); err == nil && ns != home {
			return "thread " + task.Name() + " is in " + ns
		}
	}
	return ""
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// processes returns the parent of every process, by number.
func processes(t *testing.T) map[int]int {
	t.Helper()
	list, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	parents := make(map[int]int)
	for _, e := range list {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has just ended
		}
		// pid (name) state ppid, where the name may hold anything
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if parents[pid], err = strconv.Atoi(fields[1]); err != nil {
			t.Fatal(err)
		}
	}
	return parents
}

// await polls until nothing is wrong any more.
func await(t *testing.T, wrong func() string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		what := wrong()
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		time.Sleep(time.Millisecond)
	}
}
