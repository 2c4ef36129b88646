package emulate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// talk is a connection of the lab's client.
type talk struct {
	t *testing.T
	c net.Conn
}

func newTalk(t *testing.T, w *World, l *scenario.Loaded, network, to string) *talk {
	t.Helper()
	client, err := w.host("app")
	if err != nil {
		t.Fatal(err)
	}
	if to, err = scenario.Expand(l.Lab, to); err != nil {
		t.Fatal(err)
	}
	c, err := client.ns.Dial(t.Context(), network, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &talk{t, c}
}

// ask sends a question and reads the echo. It reports whether that came.
func (k *talk) ask(question []byte, patience time.Duration) bool {
	k.t.Helper()
	_ = k.c.SetDeadline(time.Now().Add(patience))
	if _, err := k.c.Write(question); err != nil {
		k.t.Fatal(err)
	}
	got := make([]byte, len(question))
	_, err := io.ReadFull(k.c, got)
	return err == nil && bytes.Equal(got, question)
}

// lent returns how many directions of flows the kernel has.
func lent(t *testing.T, w *World) (n int) {
	t.Helper()
	if err := w.Offloads(); err != nil {
		if os.Getenv("PLSIM_PRIVILEGED") == "require" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err := w.Do(func(*dataplane.Walk, clock.Time) { n = w.shortcut.table.Len() }); err != nil {
		t.Fatal(err)
	}
	return n
}

// processed returns how many bytes the load balancer has processed.
func processed(t *testing.T, w *World) (sum float64) {
	t.Helper()
	all, err := w.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Name == "ProcessedBytes" && len(s.Dimensions) == 1 && s.Dimensions[0].Name == "LoadBalancer" {
			for _, p := range s.Points {
				sum += p.Sum
			}
		}
	}
	return sum
}

// TestOffload: what the kernel forwards is as if the forwarder had: each datagram is
// counted, by flow logs, metrics and views alike; and what changes, changes for the next
// packet.
func TestOffload(t *testing.T) {
	// With accounts a flow keeps its sums when targets turn healthy, and all is decided again.
	w, l := newWorldOf(t, echoes, Options{Seed: 1, Accounts: true})
	const n, size = 200, 64
	for _, c := range []struct {
		name, to string
		headers  uint64
		balanced bool
	}{
		{"endpoint, IPv4", "${vpc_endpoint.echo.private_ip.us-east-1a}:4", 28, true},
		{"endpoint, IPv6", "[${vpc_endpoint.echo.ipv6_address.us-east-1a}]:6", 48, true},
		{"neighbor", "10.0.0.7:7", 28, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			had, before := lent(t, w), processed(t, w)
			k := newTalk(t, w, l, "udp", c.to)
			for i := range n {
				if !k.ask(bytes.Repeat([]byte{byte(i)}, size), 5*time.Second) {
					t.Fatalf("datagram %d did not come back", i)
				}
			}
			if got := lent(t, w) - had; got != 2 {
				t.Errorf("the kernel has %d directions of the flow, not 2", got)
			}
			flows, err := w.Flows(&live.Sight{Protocol: "udp"})
			if err != nil {
				t.Fatal(err)
			}
			want := live.Traffic{Packets: n, Bytes: n * (size + c.headers)}
			source := k.c.LocalAddr().String()
			found := false
			for _, f := range flows.Flows {
				if f.Sent.Source == source {
					found = true
					if f.FromClient != want || f.ToClient != want {
						t.Errorf("the flow has %+v and %+v, not %+v each way", f.FromClient, f.ToClient, want)
					}
				}
			}
			if !found {
				t.Errorf("no flow of %s among %+v", source, flows.Flows)
			}
			if got := processed(t, w) - before; c.balanced && got != 2*float64(want.Bytes) {
				t.Errorf("the load balancer has processed %.0f bytes, not %d", got, 2*want.Bytes)
			}
			records, err := w.Records(nil)
			if err != nil {
				t.Fatal(err)
			}
			port := k.c.LocalAddr().(*net.UDPAddr).Port
			for _, back := range []bool{false, true} {
				var packets, octets uint64
				for _, r := range records {
					own := int(r.SrcPort) == port
					if back {
						own = int(r.DstPort) == port
					}
					if nic := r.Interface.ID; own && nic == nicOf(t, l.Lab, "consumer/app").ID {
						packets, octets = packets+r.Packets, octets+r.Bytes
					}
				}
				if packets != want.Packets || octets != want.Bytes {
					t.Errorf("the client's flow log has %d packets of %d bytes (back: %v), not %d of %d", packets, octets, back, want.Packets, want.Bytes)
				}
			}
		})
	}
}

// TestOffloadEnds: a rule that goes, a target that resets, and a client that says goodbye
// are seen by the walk, and by the next packet.
func TestOffloadEnds(t *testing.T) {
	w, l := newWorld(t, echoes)
	stream := newTalk(t, w, l, "tcp", "${vpc_endpoint.echo.private_ip.us-east-1a}:4")
	datagrams := newTalk(t, w, l, "udp", "10.0.0.7:7")
	for range 40 {
		if !stream.ask([]byte("hello"), 5*time.Second) || !datagrams.ask([]byte("hello"), 5*time.Second) {
			t.Fatal("no echo")
		}
	}
	if n := lent(t, w); n != 4 {
		t.Fatalf("the kernel has %d directions of flows, not 4", n)
	}
	// Without a rule for answers a flow that nobody tracks ends at once; one that is
	// tracked lives on (F3.12): so both must be asked about again, and decided.
	if err := w.Edit(func(lab *topology.Lab) error {
		return lab.RevokeIngress("consumer/near", &topology.Rule{Protocol: "-1", SecurityGroups: []string{"app"}})
	}); err != nil {
		t.Fatal(err)
	}
	if !stream.ask([]byte("still there"), 5*time.Second) || !datagrams.ask([]byte("still there"), 5*time.Second) {
		t.Error("a tracked flow ended with its rule (F3.12)")
	}
	if other := newTalk(t, w, l, "udp", "10.0.0.7:7"); other.ask([]byte("anybody"), 100*time.Millisecond) {
		t.Error("a new flow came through without a rule")
	}
	if err := stream.c.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "the closed connection to be the walk's again", func() bool { return lent(t, w) <= 2 })
}

// delivered counts the packets of flow log records from a port.
type delivered struct {
	port    int
	packets uint64
}

func (d *delivered) Deliver(_ time.Duration, records []flowlog.Record, _ int64) error {
	for _, r := range records {
		if int(r.SrcPort) == d.port {
			d.packets += r.Packets
		}
	}
	return nil
}

// TestOffloadAtTheEnd: what the kernel has forwarded until a lab ends is in its flow logs.
func TestOffloadAtTheEnd(t *testing.T) {
	var logs delivered
	w, l := newWorldOf(t, echoes, Options{Seed: 1, Logs: &logs})
	k := newTalk(t, w, l, "udp", "10.0.0.7:7")
	logs.port = k.c.LocalAddr().(*net.UDPAddr).Port
	const n = 100
	for range n {
		if !k.ask([]byte("hello"), 5*time.Second) {
			t.Fatal("no echo")
		}
	}
	if lent(t, w) == 0 {
		t.Error("the kernel has nothing")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// The client's interface, and the server's.
	if logs.packets != 2*n {
		t.Errorf("the flow logs have %d packets, not %d", logs.packets, 2*n)
	}
}

// TestWithoutOffload: who wants the forwarder to move every packet has that, and eth0 is
// the TAP itself.
func TestWithoutOffload(t *testing.T) {
	w, l := newWorldOf(t, echoes, Options{Seed: 1, NoOffload: true})
	if err := w.Offloads(); !errors.Is(err, errUnwanted) {
		t.Errorf("the kernel forwards all the same, or another reason keeps it from that: %v", err)
	}
	k := newTalk(t, w, l, "udp", "${vpc_endpoint.echo.private_ip.us-east-1a}:4")
	for range 40 {
		if !k.ask([]byte("hello"), 5*time.Second) {
			t.Fatal("no echo")
		}
	}
}

// TestOffloadChecksums: the forwarder drops what has a wrong checksum; of a flow that the
// kernel forwards the receiver does, addresses translated or not.
func TestOffloadChecksums(t *testing.T) {
	for _, offload := range []bool{true, false} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			w, l := newWorldOf(t, echoes, Options{Seed: 1, NoOffload: !offload})
			app := nicOf(t, l.Lab, "consumer/app")
			wire := openWire(t, w, "consumer/app")
			for _, to := range []string{"${vpc_endpoint.echo.private_ip.us-east-1a}:4", "10.0.0.7:7"} {
				k := newTalk(t, w, l, "udp", to)
				for range 40 {
					if !k.ask([]byte("hello"), 5*time.Second) {
						t.Fatal("no echo")
					}
				}
				if offload && lent(t, w) == 0 {
					t.Fatal("the kernel has nothing")
				}
				spec := packet.Spec{SrcMAC: app.MAC, Proto: packet.UDP, Payload: []byte("hello"),
					Src: k.c.LocalAddr().(*net.UDPAddr).AddrPort(), Dst: k.c.RemoteAddr().(*net.UDPAddr).AddrPort()}
				spec.DstMAC = sentTo(t, wire, k)
				bad := build(spec)
				bad[len(bad)-1]++
				drops, wrong := dropsOf(t, w, app), counters(t, w)["UdpInCsumErrors"]
				wire.send(t, bad)
				want := drops
				if !offload {
					want[drop.BadTransportChecksum]++
				}
				await(t, "the packet to be dropped", func() bool {
					return dropsOf(t, w, app) != drops || counters(t, w)["UdpInCsumErrors"] != wrong
				})
				got := dropsOf(t, w, app)
				got[drop.Multicast] = want[drop.Multicast] // the kernel's own, of IPv6
				if got != want {
					t.Errorf("%s: drops %v, want %v", to, got, want)
				}
				if n := counters(t, w)["UdpInCsumErrors"] - wrong; offload != (n == 1) {
					t.Errorf("%s: receivers found %d wrong checksums", to, n)
				}
			}
		})
	}
}

// sentTo returns the MAC address to which a connection's packets go.
func sentTo(t *testing.T, wire *wire, k *talk) (mac packet.MAC) {
	t.Helper()
	const mark = "where to?"
	if !k.ask([]byte(mark), 5*time.Second) {
		t.Fatal("no echo")
	}
	await(t, "the echo on the wire", func() bool {
		f := wire.receive(t)
		if f == nil || !bytes.HasSuffix(f, []byte(mark)) {
			return false
		}
		copy(mac[:], f[6:])
		return true
	})
	return mac
}

// TestDeviceDown: what is sent to an instance whose eth0 is down, or deleted, is counted as
// lost, whether the kernel forwards its flow or not; and when eth0 is up again, the flow
// goes on.
func TestDeviceDown(t *testing.T) {
	for _, offload := range []bool{true, false} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			w, l := newWorldOf(t, echoes, Options{Seed: 1, NoOffload: !offload})
			near := nicOf(t, l.Lab, "consumer/near")
			k := newTalk(t, w, l, "udp", "10.0.0.7:7")
			echo := func() {
				t.Helper()
				await(t, "an echo", func() bool { return k.ask([]byte("hello"), 100*time.Millisecond) })
				for range 40 {
					if !k.ask([]byte("hello"), 5*time.Second) {
						t.Fatal("no echo")
					}
				}
				if offload && lent(t, w) != 2 {
					t.Fatalf("the kernel has %d directions of the flow, not 2", lent(t, w))
				}
			}
			send := func() {
				t.Helper()
				if _, err := k.c.Write([]byte("hello")); err != nil {
					t.Fatal(err)
				}
			}
			lost := func() uint64 { return dropsOf(t, w, near)[drop.PortDown] }
			loses := func() {
				t.Helper()
				before := lost()
				await(t, "a datagram to be counted as lost", func() bool { send(); return lost() > before })
				const n = 50
				before = lost()
				for range n {
					send()
				}
				await(t, "all to be counted as lost", func() bool { return lost() >= before+n })
			}
			ip := func(args ...string) {
				t.Helper()
				x, err := w.Exec(t.Context(), &scenario.Exec{In: "consumer/near", Command: append([]string{"ip", "link"}, args...), Timeout: scenario.Duration(10 * time.Second)})
				if err != nil || x.Code != 0 {
					t.Fatal(err, x.Stderr)
				}
			}
			echo()
			ip("set", "eth0", "down")
			loses()
			ip("set", "eth0", "up")
			echo()
			ip("delete", "eth0")
			loses()
			if got := newTalk(t, w, l, "udp", "${vpc_endpoint.echo.private_ip.us-east-1a}:4"); !got.ask([]byte("hello"), 5*time.Second) {
				t.Error("others do not go on")
			}
		})
	}
}
