package simulate

import (
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Each kind of traffic tells apart how it fails, and counts all of it, as with real hosts,
// where the same story is played. Two runs with the same seed see the same.
func TestTrafficOutcomes(t *testing.T) {
	var first []story.StepResult
	for range 2 {
		l, err := scenario.Load("../traffic/testdata/outcomes.yaml")
		if err != nil {
			t.Fatal(err)
		}
		res := play(t, l)
		for _, s := range res.Steps {
			if s.Verdict != story.Pass {
				t.Errorf("%s: %s: %s", s.Name, s.Seen, strings.Join(s.Differences, "; "))
			}
		}
		if first == nil {
			first = res.Steps
		} else if !reflect.DeepEqual(first, res.Steps) {
			t.Errorf("the second time\n%+v\nafter\n%+v", res.Steps, first)
		}
	}
}

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
          - { type: udp_echo, port: 7 }
          - { type: tcp_sink, port: 9 }
          - { type: udp_sink, port: 9 }
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

// What ICMP says of datagrams is told of each.
func TestRefusedDatagrams(t *testing.T) {
	for _, oneWay := range []bool{false, true} {
		tally := run(t, newWorld(t, load(t, trafficLab)), &scenario.Traffic{
			Kind: "udp", To: "10.0.0.9:99", Rate: 100, Count: 10, Size: 8, Concurrency: 1, OneWay: oneWay, Timeout: second,
		})
		if got := fmt.Sprint(tally.Succeeded, tally.Errors); got != "0 map[refused:10]" {
			t.Errorf("one way %v: %s, want 0 map[refused:10]", oneWay, got)
		}
	}
}

// once answers the first request of each connection, and hears the second without a word:
// it closes the connection, or resets it.
type once struct{ end func(host.Conn) }

func (once) Connected(host.Conn) {}
func (s *once) Received(c host.Conn, _ []byte) {
	if c.User() == 0 {
		c.SetUser(1)
		c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
		return
	}
	s.end(c)
}
func (once) Finished(c host.Conn)    { c.Close() }
func (once) Writable(host.Conn)      {}
func (once) Closed(host.Conn, error) {}

// gone answers once, and ends the connection before it is asked again.
type gone struct{ once }

func (s *gone) Received(c host.Conn, _ []byte) {
	c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	s.end(c)
}

// A client asks nothing twice: a connection that its server ends is seen to be ended, also
// if that was while nobody asked; then it connects again.
func TestNoSecondTry(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server host.Handler
		want   string
	}{
		{"closed", &once{host.Conn.Close}, "2 map[closed:2]"},
		{"reset", &once{host.Conn.Abort}, "2 map[reset:2]"},
		{"closed meanwhile", &gone{once{host.Conn.Close}}, "2 map[closed:2]"},
		{"reset meanwhile", &gone{once{host.Conn.Abort}}, "2 map[reset:2]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, load(t, trafficLab))
			web, err := w.instance("web")
			if err != nil {
				t.Fatal(err)
			}
			accept := func(host.Conn) host.Handler { return tt.server }
			if _, err := web.host.Listen(netip.AddrPortFrom(netip.Addr{}, 8080), accept); err != nil {
				t.Fatal(err)
			}
			tally := run(t, w, &scenario.Traffic{Kind: "requests", To: "10.0.0.9:8080", Rate: 10, Count: 4, Concurrency: 1, Path: "/", Timeout: second})
			if got := fmt.Sprint(tally.Succeeded, tally.Errors); got != tt.want {
				t.Errorf("%s, want %s; first failure: %s", got, tt.want, tally.First.Detail)
			}
		})
	}
}

// Traffic in the background goes on until it is stopped, and then ends at once. No
// connection is left.
func TestStopTraffic(t *testing.T) {
	w := newWorld(t, load(t, trafficLab))
	for _, traffic := range []scenario.Traffic{
		{Name: "connections", Kind: "connections", To: "10.0.0.9:80", Rate: 100, Concurrency: 1000, Path: "/", Hold: 3600 * second},
		{Name: "kept", Kind: "requests", To: "10.0.0.9:80", Rate: 100, Concurrency: 3, Path: "/"},
		{Name: "requests", Kind: "requests", To: "10.0.0.9:80", Concurrency: 2, Path: "/?delay=10ms"},
		{Name: "bulk", Kind: "bulk", To: "10.0.0.9:9", Concurrency: 1, Direction: "up"},
		{Name: "down", Kind: "bulk", To: "10.0.0.9:80", Concurrency: 1, Direction: "down"},
		{Name: "udp", Kind: "udp", To: "10.0.0.9:7", Rate: 100, Size: 8, Concurrency: 1},
	} {
		traffic.From, traffic.Timeout = scenario.Senders{"app"}, 60*second
		if err := w.StartTraffic(t.Context(), &traffic); err != nil {
			t.Fatal(err)
		}
		if err := w.Wait(t.Context(), 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		tally, err := w.Traffic(t.Context(), traffic.Name, true)
		if err != nil || tally.Succeeded == 0 || tally.Failed != 0 || tally.Took < 20*time.Millisecond || tally.Took > 40*time.Millisecond {
			t.Errorf("%s: %+v, %v", traffic.Name, tally, err)
		}
		if tally.BytesSent+tally.BytesReceived == 0 {
			t.Errorf("%s: no bytes", traffic.Name)
		}
	}
	if err := w.Wait(t.Context(), 3*time.Minute); err != nil {
		t.Fatal(err)
	}
	if n := w.stack.Len(); n != 0 {
		t.Errorf("%d ends of connections are left", n)
	}
}

// Who resets a failure waits before it asks again, unless nobody wants that any more.
func TestStopWhileResting(t *testing.T) {
	w := newWorld(t, load(t, trafficLab))
	plan := &scenario.Traffic{Name: "r", From: scenario.Senders{"app"}, Kind: "requests", To: "10.0.0.9:82", Concurrency: 2, Path: "/", Timeout: second}
	if err := w.StartTraffic(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(t.Context(), 250*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	tally, err := w.Traffic(t.Context(), "r", true)
	if err != nil || tally.Errors[story.Refused] != 6 || tally.Took != 250*time.Millisecond {
		t.Errorf("%+v, %v", tally, err)
	}
}

// A time of the story lasts longer where its scale is larger; what clients see is as long.
func TestTimeScale(t *testing.T) {
	l := load(t, trafficLab)
	w, err := Start(t.Context(), l.Lab, Options{Seed: 1, TimeScale: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, tt := range []struct {
		traffic   scenario.Traffic
		want      string
		least     time.Duration // latency
		most      time.Duration
		tookLeast time.Duration
	}{
		{scenario.Traffic{Kind: "requests", To: "10.0.0.9:80", Count: 1, Path: "/?delay=5s"}, "1 map[]", 500 * time.Millisecond, 501 * time.Millisecond, 5 * time.Second},
		{scenario.Traffic{Kind: "requests", To: "10.0.0.9:80", Count: 1, Path: "/?delay=11s"}, "0 map[timeout:1]", 0, 0, 10 * time.Second},
		{scenario.Traffic{Kind: "udp", To: "10.0.0.9:7", Rate: 1, Count: 2, Size: 8}, "2 map[]", 20 * time.Microsecond, 20 * time.Microsecond, 2 * time.Second},
		{scenario.Traffic{Kind: "udp", To: "10.0.0.9:9", Rate: 1, Count: 2, Size: 8}, "0 map[timeout:2]", 0, 0, 2 * time.Second},
	} {
		tt.traffic.Concurrency, tt.traffic.Timeout = 1, second
		began := w.Now()
		tally := run(t, w, &tt.traffic)
		took := w.Now() - began
		if got := fmt.Sprint(tally.Succeeded, tally.Errors); got != tt.want || took < tt.tookLeast || took > tt.tookLeast+10*time.Second ||
			tally.Latencies.Min() < tt.least || tally.Latencies.Max() > tt.most {
			t.Errorf("%s to %s: %s after %v, latency %v; want %s", tt.traffic.Kind, tt.traffic.Path, got, took, tally.Latencies.Max(), tt.want)
		}
	}
}

// One host has 28,232 ports towards one address and port.
func TestOutOfPorts(t *testing.T) {
	if testing.Short() {
		t.Skip("too many connections for a short test")
	}
	const ports = 60999 - 32768 + 1
	w := newWorld(t, load(t, trafficLab))
	tally := run(t, w, &scenario.Traffic{
		Kind: "connections", To: "10.0.0.9:80", Rate: 50_000, Count: ports + 50, Concurrency: 1_000_000, Path: "/", Hold: 10 * second, Timeout: second,
	})
	if got := fmt.Sprint(tally.Succeeded, tally.Errors); got != fmt.Sprintf("%d map[unreachable:50]", ports) {
		t.Errorf("%s, want %d map[unreachable:50]", got, ports)
	}
	if want := story.OutOfPorts("10.0.0.9:80"); tally.First != want {
		t.Errorf("first failure: %v, want %v", tally.First, want)
	}
}

// heap returns how much memory is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A connection that is held, or kept for the next request, costs its two ends and the walk's
// flow; the generator and the service add next to nothing.
func TestHeldConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("too many connections for a short test")
	}
	const instances, n = 5, 30_000
	text := strings.Replace(trafficLab, "      app: { vpc_security_group_ids: [all] }\n", "", 1)
	var from scenario.Senders
	for i := range instances {
		name := fmt.Sprintf("app%d", i)
		from = append(from, name)
		text = strings.Replace(text, "      web:\n", "      "+name+": { vpc_security_group_ids: [all] }\n      web:\n", 1)
	}
	for _, plan := range []scenario.Traffic{
		{Kind: "connections", Hold: 3600 * second},
		{Kind: "requests"}, // the first clients have just asked again
	} {
		t.Run(plan.Kind, func(t *testing.T) {
			w := newWorld(t, load(t, text))
			web, err := w.instance("web")
			if err != nil {
				t.Fatal(err)
			}
			service := w.webServer(web, &topology.Service{})
			if _, err := web.host.Listen(netip.AddrPortFrom(netip.Addr{}, 8080), service.accept); err != nil {
				t.Fatal(err)
			}
			before := heap()
			plan.Name, plan.From, plan.To, plan.Path = "held", from, "10.0.0.9:8080", "/"
			plan.Rate, plan.Concurrency, plan.Timeout = n, n, second
			if err := w.StartTraffic(t.Context(), &plan); err != nil {
				t.Fatal(err)
			}
			if err := w.Wait(t.Context(), time.Second+50*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			g := w.generators["held"]
			if g.tally.Failed > 0 || g.tally.Succeeded < n {
				t.Fatalf("%d answered, %d failed (%s)", g.tally.Succeeded, g.tally.Failed, g.tally.First.Detail)
			}
			all := heap()
			r := g.work.(*requests)
			r.calls, r.free, r.kept, r.held, r.spare, service.sessions = nil, nil, nil, nil, nil, nil
			perFlow, share := float64(all-before)/n, float64(all-heap())/n
			t.Logf("%.0f bytes a connection, of which generator and service have %.0f", perFlow, share)
			if perFlow > 1000 || share > 50 {
				t.Errorf("a connection costs %.0f bytes, of which generator and service have %.0f", perFlow, share)
			}
			runtime.KeepAlive(w)
		})
	}
}
