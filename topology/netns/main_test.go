package netns_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology/netns"
)

// TestMain also serves as the program that sandbox_test.go starts, kills and
// interrupts: PLSIM_TEST_HELPER names what it does.
func TestMain(m *testing.M) {
	if what := os.Getenv("PLSIM_TEST_HELPER"); what != "" {
		os.Exit(helper(what))
	}
	os.Exit(netns.RunTests(m))
}

func helper(what string) int {
	if what == "supported" {
		if err := netns.Supported(); err != nil {
			fmt.Println(err)
			return 3
		}
		fmt.Println("supported")
		return 0
	}
	code, inside, err := netns.Enter()
	if err != nil {
		fmt.Println(err)
		return 3
	}
	if !inside {
		return code
	}
	n, err := netns.New(netns.Config{Name: "helper", MAC: packet.MAC{2, 0, 0, 0, 0, 1}})
	if err != nil {
		fmt.Println(err)
		return 4
	}
	switch what {
	case "exit7":
		return 7
	case "show":
		out, err := n.Output(ctx, "sh", "-c", "cat /proc/mounts; pwd; ip -o link; cat /etc/nsswitch.conf")
		fmt.Println(out, err, os.Getpid(), os.Getppid(), os.Getenv("PLSIM_SANDBOX_STAGE"))
		cwd, err := os.Getwd()
		fmt.Println("cwd", cwd, err)
		return 0
	}
	// Two generations, the younger in a session of its own.
	if _, err := n.Start(ctx, netns.Cmd{Argv: []string{"sh", "-c", "setsid sleep 1000 & exec sleep 1000"}}); err != nil {
		fmt.Println(err)
		return 4
	}
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	fmt.Println("ready")
	got := <-signals
	time.Sleep(20 * time.Millisecond) // time for a second one, which must not come
	fmt.Println("got", got, "and", len(signals), "more")
	return 130
}

// lab is the ordinary instance of these tests.
func lab(name string) netns.Config {
	return netns.Config{
		Name: name,
		MAC:  packet.MAC{0x02, 0, 0, 0, 0, 0x0a},
		Addrs: []netip.Prefix{
			netip.MustParsePrefix("10.0.1.10/24"),
			netip.MustParsePrefix("2001:db8:1::a/64"),
		},
		Gateways: []netip.Addr{netip.MustParseAddr("10.0.1.1"), netip.MustParseAddr("fe80::1")},
		Resolver: netip.MustParseAddr("10.0.0.2"),
		Search:   "ec2.internal",
		Options:  "timeout:2 attempts:5",
	}
}

func newNamespace(t testing.TB, cfg netns.Config) *netns.Namespace {
	t.Helper()
	netns.RequireSandbox(t)
	n, err := netns.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// fabric receives from a namespace's port until match, and returns the frame.
type fabric struct {
	port   engine.Port
	poller *netns.Poller
}

func newFabric(t testing.TB, n *netns.Namespace) *fabric {
	t.Helper()
	p, err := netns.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if err := p.Add(7, n.Port()); err != nil {
		t.Fatal(err)
	}
	return &fabric{n.Port(), p}
}

// await gives each frame to match until that is content.
func (f *fabric) await(t testing.TB, match func(*packet.Frame) bool) {
	t.Helper()
	frame := packet.NewFrame()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		ready, err := f.poller.Wait(nil, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, index := range ready {
			if index != 7 {
				t.Fatalf("ready port %d, want 7", index)
			}
		}
		for {
			ok, err := f.port.Recv(frame)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if match(frame) {
				return
			}
		}
	}
	t.Fatal("the frame did not come")
}

func (f *fabric) send(t testing.TB, eth []byte) {
	t.Helper()
	frame := packet.NewFrame()
	frame.SetEthernet(eth)
	if ok, err := f.port.Send(frame); !ok || err != nil {
		t.Fatalf("Send: %v, %v", ok, err)
	}
}
