package emulate

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// offloaded is a lab whose flows the kernel can forward: by way of an endpoint, with
// addresses translated on both sides, and within a subnet, with none.
const offloaded = `
name: offloaded
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:a::/56
    subnets: { a: {} }
    security_groups: { echo: { ingress: [{ protocol: -1, cidr_blocks: [10.0.0.0/16], ipv6_cidr_blocks: ["2001:db8:a::/56"] }] } }
    instances: { echo: { vpc_security_group_ids: [echo], services: [{ type: tcp_echo, port: 7 }, { type: udp_echo, port: 7 }] } }
  consumer:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:b::/56
    subnets: { a: {} }
    security_groups:
      app: {}
      near: { ingress: [{ protocol: -1, security_groups: [app] }] }
      endpoint: { ingress: [{ protocol: -1, security_groups: [app] }] }
    instances:
      app: { vpc_security_group_ids: [app] }
      near: { vpc_security_group_ids: [near], private_ip: 10.0.0.7, services: [{ type: tcp_echo, port: 7 }, { type: udp_echo, port: 7 }] }
load_balancers:
  echo:
    subnets: [provider/a]
    ip_address_type: dualstack
    listeners:
      - { port: 4, protocol: TCP_UDP, default_action: { target_group_arn: echo4 } }
      - { port: 6, protocol: TCP_UDP, default_action: { target_group_arn: echo6 } }
target_groups:
  echo4: { port: 7, protocol: TCP_UDP, targets: [echo] }
  echo6: { port: 7, protocol: TCP_UDP, ip_address_type: ipv6, targets: [echo] }
endpoint_services:
  echo: { network_load_balancer_arns: [echo], acceptance_required: false, allowed_principals: ["*"], supported_ip_address_types: [ipv4, ipv6] }
vpc_endpoints:
  echo: { vpc_id: consumer, service_name: echo, subnet_ids: [a], security_group_ids: [endpoint] }
`

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
	w, l := newWorldOf(t, offloaded, Options{Seed: 1, Accounts: true})
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
	w, l := newWorld(t, offloaded)
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
	w, l := newWorldOf(t, offloaded, Options{Seed: 1, Logs: &logs})
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
	w, l := newWorldOf(t, offloaded, Options{Seed: 1, NoOffload: true})
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
