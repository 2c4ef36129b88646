package emulate

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// TestLinks measures what links do to the packets of kernels: an echo takes no less
// than twice the delay, and little more, also where that is less than a millisecond;
// and what is sent in bulk gets no more than the bandwidth, and almost all of it.
func TestLinks(t *testing.T) {
	w, l := newWorld(t, `
name: links
vpcs:
  shop:
    cidr_block: 10.0.0.0/16
    security_groups: { open: { ingress: [{ protocol: -1, cidr_blocks: [10.0.0.0/16] }] } }
    instances:
      app: { vpc_security_group_ids: [open] }
      echo: { vpc_security_group_ids: [open], services: [{ type: udp_echo, port: 7 }, { type: tcp_sink, port: 9 }] }
links:
  echo: { instance: echo }
`)
	client, err := w.host("app")
	if err != nil {
		t.Fatal(err)
	}
	host, err := l.Lab.Instance("echo")
	if err != nil {
		t.Fatal(err)
	}
	modify := func(q topology.LinkQualities) {
		t.Helper()
		if err := w.Edit(func(lab *topology.Lab) error {
			return lab.ModifyLink(&topology.LinkChange{Link: "echo", LinkQualities: q})
		}); err != nil {
			t.Fatal(err)
		}
	}
	echo, err := client.ns.Dial(t.Context(), "udp", fmt.Sprintf("%s:7", host.NIC.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	for _, delay := range []time.Duration{300 * time.Microsecond, 20 * time.Millisecond} {
		span := topology.Span(delay)
		modify(topology.LinkQualities{Delay: &span})
		least := time.Hour
		for range 20 {
			began := time.Now()
			if _, err := io.WriteString(echo, "hello"); err != nil {
				t.Fatal(err)
			}
			if _, err := echo.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(began))
		}
		// The fastest of many is hardly disturbed by what else this machine does.
		if least < 2*delay || least > 2*delay+15*time.Millisecond {
			t.Errorf("with a delay of %v each way the fastest echo took %v", delay, least)
		}
	}

	none, rate, queue := topology.Span(0), topology.BitRate(40e6), topology.Span(50*time.Millisecond)
	modify(topology.LinkQualities{Delay: &none, Bandwidth: &rate, Queue: &queue})
	bulk, err := client.ns.Dial(t.Context(), "tcp", fmt.Sprintf("%s:9", host.NIC.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer bulk.Close()
	const size = 4 << 20 // more than sockets hold by far
	began := time.Now()
	if _, err := bulk.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := bulk.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, bulk); err != nil { // until the sink has all and closes, too
		t.Fatal(err)
	}
	took := time.Since(began)
	if fastest := time.Duration(size * 8 * float64(time.Second) / float64(rate)); took < fastest {
		t.Errorf("%d bytes took %v at 40 Mbit/s: they cannot in less than %v", size, took, fastest)
	} else if took > 4*fastest {
		t.Errorf("%d bytes took %v at 40 Mbit/s: they should in %v", size, took, fastest)
	}

	yes := true
	modify(topology.LinkQualities{Down: &yes})
	f, err := w.Ping(t.Context(), &scenario.Ping{From: "app", To: host.NIC.Addr().String(), Timeout: scenario.Duration(100 * time.Millisecond)})
	if err != nil || f.Kind != "timeout" {
		t.Errorf("a ping over a link that is down: %v, %v", f, err)
	}
	counts, err := w.Drops(l.Lab.NICs)
	if err != nil || counts[drop.LinkDown] == 0 {
		t.Errorf("%d packets died on the link (%v)", counts[drop.LinkDown], err)
	}
}
