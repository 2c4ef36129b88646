package emulate

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

const trafficLab = `
name: traffic
vpcs:
  lab:
    cidr_block: 10.0.0.0/16
    subnets: { a: {} }
    security_groups:
      all: { ingress: [{ protocol: "-1", cidr_blocks: [10.0.0.0/16] }] }
    instances:
      app: { vpc_security_group_ids: [all] }
      web:
        private_ip: 10.0.0.9
        vpc_security_group_ids: [all]
        services:
          - { type: http, port: 80 }
          - { type: http, port: 81, routes: { /status: ok } }
          - { type: udp_echo, port: 7 }
          - { type: tcp_echo, port: 7 }
          - { type: udp_sink, port: 9 }
          - { type: tcp_sink, port: 9 }
`

const second = scenario.Duration(time.Second)

// run sends traffic and returns what became of it.
func run(t *testing.T, w *World, traffic *scenario.Traffic) *story.Tally {
	t.Helper()
	traffic.From = scenario.Senders{"app"}
	if err := w.StartTraffic(t.Context(), traffic); err != nil {
		t.Fatal(err)
	}
	tally, err := w.Traffic(t.Context(), traffic.Name, false)
	if err != nil {
		t.Fatal(err)
	}
	return tally
}

// Each kind of traffic tells apart how it fails, and counts all of it, as with simulated
// hosts, where the same story is played.
func TestTrafficOutcomes(t *testing.T) {
	text, err := os.ReadFile("../traffic/testdata/outcomes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w, l := newWorld(t, string(text))
	_, err = story.Play(t.Context(), l.Scenario, l.Lab, w, nil, func(s story.StepResult) {
		if s.Verdict != story.Pass {
			t.Errorf("%s: %s: %s", s.Name, s.Seen, strings.Join(s.Differences, "; "))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What ICMP says of datagrams is told: each of them has been refused, or is lost where
// the kernel summed several up.
func TestRefusedDatagrams(t *testing.T) {
	for _, oneWay := range []bool{false, true} {
		t.Run(fmt.Sprintf("one way %v", oneWay), func(t *testing.T) {
			w, _ := newWorld(t, trafficLab) // a kernel says it to nobody more than a few times a second
			tally := run(t, w, &scenario.Traffic{
				Kind: "udp", To: "10.0.0.9:99", Rate: 100, Count: 10, Size: 8, Concurrency: 1, OneWay: oneWay, Timeout: second / 5,
			})
			if tally.Errors[story.Refused] == 0 || tally.Succeeded+tally.Failed != 10 || tally.Errors[story.Refused]+tally.Errors[story.Timeout] != tally.Failed {
				t.Errorf("%d succeeded, %v failed", tally.Succeeded, tally.Errors)
			}
		})
	}
}

// A client asks nothing twice: a connection that its server closes is seen to be closed.
func TestNoSecondTry(t *testing.T) {
	w, _ := newWorld(t, trafficLab)
	h, err := w.host("web")
	if err != nil {
		t.Fatal(err)
	}
	l, err := h.ns.Listen("tcp", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			// It answers once, and hears what comes next without a word.
			in := bufio.NewReader(c)
			if _, err := http.ReadRequest(in); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				_, _ = http.ReadRequest(in)
			}
			c.Close()
		}
	}()
	tally := run(t, w, &scenario.Traffic{Kind: "requests", To: "10.0.0.9:8080", Count: 4, Concurrency: 1, Path: "/", Timeout: second})
	if got := fmt.Sprint(tally.Succeeded, tally.Errors); got != "2 map[closed:2]" {
		t.Errorf("%s, want 2 map[closed:2]", got)
	}
}

// Traffic in the background goes on until it is stopped, or else until the lab ends.
func TestStopTraffic(t *testing.T) {
	w, _ := newWorld(t, trafficLab)
	for _, traffic := range []scenario.Traffic{
		{Name: "connections", Kind: "connections", To: "10.0.0.9:80", Rate: 100, Concurrency: 10, Path: "/", Hold: 3600 * second},
		{Name: "requests", Kind: "requests", To: "10.0.0.9:80", Concurrency: 2, Path: "/"},
		{Name: "bulk", Kind: "bulk", To: "10.0.0.9:9", Concurrency: 1, Direction: "up"},
		{Name: "udp", Kind: "udp", To: "10.0.0.9:7", Rate: 100, Size: 8, Concurrency: 1},
		{Name: "left", Kind: "udp", To: "10.0.0.9:9", Rate: 100, Size: 8, Concurrency: 1},
	} {
		traffic.From, traffic.Timeout = scenario.Senders{"app"}, 60*second
		if err := w.StartTraffic(t.Context(), &traffic); err != nil {
			t.Fatal(err)
		}
		g := w.generators[traffic.Name]
		await(t, traffic.Name, func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.tally.BytesSent+g.tally.BytesReceived > 0
		})
		if traffic.Name == "left" {
			continue // which Close ends
		}
		tally, err := w.Traffic(t.Context(), traffic.Name, true)
		if err != nil || tally.Succeeded == 0 || tally.Failed != 0 || tally.Took <= 0 || tally.Took > 10*time.Second {
			t.Errorf("%s: %+v, %v", traffic.Name, tally, err)
		}
	}
}
