package story_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// stage is a world whose answers the test writes.
type stage struct {
	lab      *topology.Lab
	response story.Response
	answers  []story.Response // before response, one a request
	tally    story.Tally
	answer   story.Answer
	pinged   story.Failure
	reply    story.Reply
	receipt  story.Receipt
	exit     story.Exit
	records  []flowlog.Record
	drops    [drop.NumReasons]uint64
	counted  []metrics.Series
	packets  []capture.Packet
	missed   uint64
	fault    error

	begun     []string // traffic, and asked about
	waited    time.Duration
	faults    []string
	explained []story.Destination
}

func (s *stage) Request(context.Context, *scenario.Request) (story.Response, error) {
	if len(s.answers) > 0 {
		r := s.answers[0]
		s.answers = s.answers[1:]
		return r, s.fault
	}
	return s.response, s.fault
}

func (s *stage) Connect(context.Context, *scenario.Connections) (*story.Tally, error) {
	return &s.tally, s.fault
}

func (s *stage) Resolve(context.Context, *scenario.Resolve) (story.Answer, error) {
	return s.answer, s.fault
}

func (s *stage) Ping(context.Context, *scenario.Ping) (story.Failure, error) {
	return s.pinged, s.fault
}

func (s *stage) Exchange(context.Context, *scenario.Exchange) (story.Reply, error) {
	return s.reply, s.fault
}

func (s *stage) StartTraffic(_ context.Context, t *scenario.Traffic) error {
	s.begun = append(s.begun, t.Name)
	return s.fault
}

func (s *stage) Traffic(_ context.Context, name string, stop bool) (*story.Tally, error) {
	s.begun = append(s.begun, fmt.Sprintf("%s, stop %v", name, stop))
	return &s.tally, s.fault
}

func (s *stage) Received(context.Context, *scenario.Received) (story.Receipt, error) {
	return s.receipt, s.fault
}

func (s *stage) Exec(context.Context, *scenario.Exec) (story.Exit, error) { return s.exit, s.fault }

func (s *stage) Wait(ctx context.Context, d time.Duration) error {
	s.waited += d
	return ctx.Err()
}

func (s *stage) Pause(ctx context.Context, d time.Duration) error { return s.Wait(ctx, d) }

func (s *stage) Now() time.Duration { return s.waited }

func (s *stage) Fail(_ context.Context, f *scenario.Fault) error {
	s.faults = append(s.faults, fmt.Sprintf("%s:%d %s %s", f.Instance, f.Port, f.How, f.Every))
	return s.fault
}

func (s *stage) Heal(_ context.Context, h *scenario.Heal) error {
	s.faults = append(s.faults, fmt.Sprintf("%s:%d is healed", h.Instance, h.Port))
	return s.fault
}

func (s *stage) Restart(keepState bool) error {
	s.faults = append(s.faults, fmt.Sprintf("restart %v", keepState))
	return s.fault
}

func (s *stage) Elapsed() time.Duration { return s.waited }

func (s *stage) Edit(f func(*topology.Lab) error) error { return f(s.lab) }

func (s *stage) Look(f func(*topology.Lab) error) error { return f(s.lab) }

// Records are of the only interface that steps ask about.
func (s *stage) Records(*topology.FlowLog) ([]flowlog.Record, error) {
	app, err := s.lab.Instance("app")
	if err != nil {
		return nil, err
	}
	for i := range s.records {
		s.records[i].Interface = app.NIC.FlowLog()
	}
	return s.records, s.fault
}

func (s *stage) Capture(string, []*topology.NIC, *capture.Filter) error { return s.fault }

func (s *stage) StopCapture(string) error { return nil }

func (s *stage) Captured(string) ([]capture.Packet, uint64, error) {
	return s.packets, s.missed, s.fault
}

func (s *stage) Drops([]*topology.NIC) ([drop.NumReasons]uint64, error) { return s.drops, s.fault }

func (s *stage) Metrics() ([]cloudwatch.Series, error) {
	return s.lab.Metrics(0, s.counted), s.fault
}

func (s *stage) Explain(_ context.Context, _ *topology.Host, to story.Destination, _ []story.Deed) (story.Way, error) {
	s.explained = append(s.explained, to)
	return story.Way{Lines: []string{"the way"}, Changes: []string{"the change"}}, nil
}

const lab = `
name: stage
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    instances: { web: { services: [{ type: http, port: 80 }, { type: tcp_echo, port: 7 }] } }
  consumer:
    cidr_block: 10.0.0.0/16
    instances: { app: { services: [{ type: tcp_sink, port: 9 }, { type: udp_sink, port: 9 }] } }
target_groups:
  web: { port: 80, protocol: TCP, targets: [web] }
load_balancers:
  web: { subnets: [provider/default], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }] }
endpoint_services:
  web: { network_load_balancer_arns: [web], allowed_principals: ["*"] }
vpc_endpoints:
  web: { vpc_id: consumer, service_name: web, subnet_ids: [default] }
steps:
`

// play plays the steps on a stage.
func play(t *testing.T, s *stage, steps string) (*story.Result, error) {
	t.Helper()
	l, err := scenario.LoadBytes("stage.yaml", []byte(lab+steps))
	if err != nil {
		t.Fatal(err)
	}
	s.lab = l.Lab
	return story.Play(t.Context(), l.Scenario, l.Lab, s, nil, nil)
}

// nodeOf returns the interface of the lab's only node.
func nodeOf(t *testing.T) flow.Scope {
	t.Helper()
	l, err := scenario.LoadBytes("stage.yaml", []byte(lab+"  - wait: 1s\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range l.Lab.NICs {
		if n.Kind == dataplane.Node {
			return flow.Scope(n.Index)
		}
	}
	t.Fatal("there is no node")
	return 0
}

// traffic returns a tally of two seconds: answers that took 1 ms, 2 ms and so on, and
// failures.
func traffic(t *testing.T, succeeded, failed int) story.Tally {
	t.Helper()
	tally := story.Tally{Took: 2 * time.Second}
	for i := range succeeded {
		tally.Succeed("provider/web", time.Duration(i+1)*time.Millisecond)
	}
	for range failed {
		tally.Fail(silence())
	}
	return tally
}

func silence() story.Failure {
	return story.Failure{Kind: story.Timeout, Detail: "nothing from 10.0.0.9:80"}
}

func TestSteps(t *testing.T) {
	record := flowlog.Record{
		Src: packet.AddrFrom(netip.MustParseAddr("10.0.0.4")), Dst: packet.AddrFrom(netip.MustParseAddr("10.0.0.5")),
		DstPort: 80, Proto: packet.TCP, Action: flowlog.Accept,
	}
	var drops [drop.NumReasons]uint64
	drops[drop.Fragment] = 3

	node := metrics.Series{Place: metrics.Place{Node: nodeOf(t), Endpoint: metrics.None}, Slots: make([]metrics.Slot, 1)}
	node.Slots[0].Sums[metrics.NewTCP] = 3
	counted := []metrics.Series{node}

	for _, tt := range []struct {
		name  string
		stage stage
		step  string
		want  string // what is seen, then the differences, a line each
	}{
		{
			name:  "answered",
			stage: stage{response: story.Response{Status: 200, Body: "hello"}},
			step:  `{ request: { from: app, url: http://x/ }, expect: { status: 200, body: { contains: ell } } }`,
			want:  "200",
		}, {
			name:  "silence where an answer is wanted",
			stage: stage{response: story.Response{Failure: silence()}},
			step:  `{ request: { from: app, url: http://x/ }, expect: { status: 200, json: { a: b } } }`,
			want: "timeout: nothing from 10.0.0.9:80\nexpected an answer, saw timeout: nothing from 10.0.0.9:80\n" +
				"status: expected 200, saw none\njson a: expected b, saw none",
		}, {
			name:  "silence that is wanted",
			stage: stage{response: story.Response{Failure: silence()}},
			step:  `{ request: { from: app, url: http://x/ }, expect: { error: timeout } }`,
			want:  "timeout: nothing from 10.0.0.9:80",
		}, {
			name:  "an answer where silence is wanted",
			stage: stage{response: story.Response{Status: 204}},
			step:  `{ request: { from: app, url: http://x/ }, expect: { error: timeout } }`,
			want:  "204\nerror: expected timeout, saw none: it was answered",
		}, {
			name:  "refusal where silence is wanted",
			stage: stage{response: story.Response{Failure: story.Failure{Kind: story.Refused, Detail: "RST"}}},
			step:  `{ request: { from: app, url: http://x/ }, expect: { error: timeout } }`,
			want:  "refused: RST\nerror: expected timeout, saw refused: RST",
		}, {
			name:  "json and headers",
			stage: stage{response: story.Response{Status: 200, Body: `{"a":{"b":1.50},"c":true}`, Headers: http.Header{"X": {"y"}}}},
			step:  `{ request: { from: app, url: http://x/ }, expect: { json: { a.b: 1.50, c: "true", d: 1 }, headers: { x: z } } }`,
			want:  "200\njson d: expected 1, saw no such value in {\"a\":{\"b\":1.50},\"c\":true}\nheader x: expected z, saw y",
		}, {
			name:  "a body that is no json",
			stage: stage{response: story.Response{Status: 200, Body: `<html>`}},
			step:  `{ request: { from: app, url: http://x/ }, expect: { json: { a: 1 } } }`,
			want:  "200\njson: the body is no JSON: invalid character '<' looking for beginning of value; it is \"<html>\"",
		}, {
			name:  "spread",
			stage: stage{tally: story.Tally{Succeeded: 7, Failed: 1, First: silence(), Targets: map[string]int{"provider/web": 7}}},
			step:  `{ connections: { from: app, to: "x:80", count: 8 }, expect: { succeeded: 7, targets: { web: { at_least: 8 } } } }`,
			want: "7 answered, 1 not; provider/web 7; first failure: nothing from 10.0.0.9:80\n" +
				"answers of web: expected at least 8, saw 7",
		}, {
			name:  "addresses",
			stage: stage{answer: story.Answer{Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.1.4")}}},
			step:  `{ resolve: { from: app, host: x }, expect: { addresses: "10.0.0.4, 10.0.1.4" } }`,
			want:  "10.0.0.4, 10.0.1.4",
		}, {
			name:  "no such name",
			stage: stage{answer: story.Answer{Failure: story.Failure{Kind: story.DNS, Detail: "NXDOMAIN"}}},
			step:  `{ resolve: { from: app, host: x }, expect: { error: dns } }`,
			want:  "dns: NXDOMAIN",
		}, {
			name:  "an exchange",
			stage: stage{reply: story.Reply{Body: "hello"}},
			step:  `{ exchange: { from: app, to: "10.0.0.9:7", send: hello }, expect: { body: hullo } }`,
			want:  "\"hello\"\nbody: expected hullo, saw hello",
		}, {
			name:  "an exchange over a connection that is gone",
			stage: stage{reply: story.Reply{Failure: story.Failure{Kind: story.Reset, Detail: "gone"}}},
			step:  `{ exchange: { from: app, to: "10.0.0.9:7", protocol: udp }, expect: { error: reset } }`,
			want:  "reset: gone",
		}, {
			name: "ping",
			step: `{ ping: { from: app, to: 10.0.0.9 } }`,
			want: "answered",
		}, {
			name:  "traffic",
			stage: stage{tally: traffic(t, 8, 2)},
			step:  `{ traffic: { from: app, to: "x:80", kind: requests, count: 10 }, expect: { failed: 2, errors: { timeout: 2, reset: 0 }, targets: { web: 8 }, rate: { at_most: 4 }, latency: { p50: { at_least: 4ms, at_most: 5ms }, max: { at_most: 7ms } } } }`,
			want: "8 answered, 2 not; provider/web 8; 4.0 a second; half within 4.06ms, 99% within 8ms; first failure: nothing from 10.0.0.9:80\n" +
				"latency max: expected at most 7ms, saw 8ms",
		}, {
			name:  "traffic that is to succeed",
			stage: stage{tally: traffic(t, 0, 1)},
			step:  `{ traffic: { from: app, to: "x:80", kind: requests, count: 1 }, expect: { latency: { p99: { at_most: 1s } } } }`,
			want: "0 answered, 1 not; 0.0 a second; timeout: nothing from 10.0.0.9:80\nexpected an answer, saw timeout: nothing from 10.0.0.9:80\n" +
				"latency p99: expected at most 1s, saw none: nothing was answered",
		}, {
			name:  "traffic that was missed",
			stage: stage{tally: story.Tally{Missed: 3, Took: time.Second}},
			step:  `{ traffic: { from: app, to: "x:80", kind: connections, rate: 9, count: 3, concurrency: 1 } }`,
			want:  "0 answered, 0 not; 0.0 a second; 3 missed, since 1 were under way: raise concurrency, or ask for less\nmissed: expected 0, saw 3",
		}, {
			name:  "bulk traffic",
			stage: stage{tally: story.Tally{Succeeded: 1, BytesSent: 1_500_000, Took: 2 * time.Second}},
			step:  `{ traffic: { from: app, to: "x:80", kind: bulk, size: 1500000 }, expect: { bytes_sent: 1500000, bytes_received: 0, bits_per_second: { at_least: 6000001 } } }`,
			want:  "1.5 MB in 2s, 6.0 Mbit/s\nbits per second: expected at least 6000001, saw 6000000",
		}, {
			name:  "datagrams one way",
			stage: stage{tally: story.Tally{Succeeded: 250, Duplicates: 1, Took: time.Second}},
			step:  `{ traffic: { from: app, to: "x:80", kind: udp, rate: 250, count: 250, one_way: true }, expect: { succeeded: 250, duplicates: 0 } }`,
			want:  "250 sent, 250 a second; 1 duplicate\nduplicates: expected 0, saw 1",
		}, {
			name: "traffic in the background",
			step: `{ traffic: { name: load, from: app, to: "x:80", kind: requests, background: true } }`,
			want: "begun",
		}, {
			name:  "what a sink has received",
			stage: stage{receipt: story.Receipt{Connections: 2, Bytes: 1000}},
			step:  `{ received: { by: app, port: 9, protocol: tcp }, expect: { connections: 2, bytes: { at_least: 1001 } } }`,
			want:  "1000 bytes over 2 connections\nbytes: expected at least 1001, saw 1000",
		}, {
			name:  "datagrams",
			stage: stage{receipt: story.Receipt{Datagrams: 1, Bytes: 100}},
			step:  `{ received: { by: app, port: 9, protocol: udp }, expect: { datagrams: 1 } }`,
			want:  "100 bytes in 1 datagram",
		}, {
			name:  "a program that fails",
			stage: stage{exit: story.Exit{Code: 3, Stderr: "no way\n"}},
			step:  `{ exec: { in: app, command: x } }`,
			want:  "exit code 3\nexit code: expected 0, saw 3\nit printed nothing on stdout\nit printed on stderr:\nno way",
		}, {
			name:  "a program that prints",
			stage: stage{exit: story.Exit{Code: 1, Stdout: "Hello\n"}},
			step:  `{ exec: { in: app, command: x }, expect: { exit_code: 1, stdout: { matches: "^Hel+o" } } }`,
			want:  "exit code 1",
		}, {
			name: "target health",
			step: `{ target_health: { target_group_arn: web }, expect: { states: { web: initial, "web:81": unused }, reason_codes: { web: "", "web:81": Target.NotRegistered } } }`,
			want: "web initial\nreason code of web: expected \"\", saw Elb.InitialHealthChecking",
		}, {
			name: "accepted",
			step: `{ accept: web, expect: { state: available } }`,
			want: "available",
		}, {
			name: "deleted",
			step: `{ delete: web, expect: { state: available } }`,
			want: "deleted\nstate: expected available, saw deleted",
		}, {
			name:  "records",
			stage: stage{records: []flowlog.Record{record}},
			step:  `{ flow_logs: { interface: "${instance.app.network_interface}" }, expect: { records: [{ dstport: 80 }], absent: [{ action: REJECT }], count: 1 } }`,
			want:  "1 record",
		}, {
			name:  "drops",
			stage: stage{drops: drops},
			step:  `{ drops: {}, expect: { reasons: { fragment: 3, ttl: 0 } } }`,
			want:  "fragment 3",
		}, {
			name: "a capture",
			step: `{ capture: { name: c, interfaces: [app, "${instance.app.network_interface}"], filter: tcp port 80 } }`,
			want: "1 interface",
		}, {
			name:  "metrics",
			stage: stage{counted: counted},
			step:  `{ metrics: { namespace: AWS/NetworkELB, metric_name: NewFlowCount }, expect: { value: 3, datapoints: 1 } }`,
			want:  "Sum of NewFlowCount: 3",
		}, {
			name:  "metrics that are not as expected",
			stage: stage{counted: counted},
			step:  `{ metrics: { namespace: AWS/NetworkELB, metric_name: NewFlowCount, statistic: Average, period: 60 }, expect: { value: 4, datapoints: 0 } }`,
			want:  "Average of NewFlowCount: 3\nAverage: expected 4, saw 3\ndata points: expected 0, saw 1",
		}, {
			name: "metrics of which nothing is reported",
			step: `{ metrics: { namespace: AWS/PrivateLinkEndpoints, metric_name: NewConnections }, expect: { value: 0 } }`,
			want: "Sum of NewConnections: no data points\nSum: expected 0, saw none",
		}, {
			name: "time passes",
			step: `{ wait: 5m }`,
			want: "5m passed",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := play(t, &tt.stage, "  - "+tt.step+"\n")
			if err != nil {
				t.Fatal(err)
			}
			sr := res.Steps[0]
			got := strings.Join(append([]string{sr.Seen}, sr.Differences...), "\n")
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			want := story.Pass
			if strings.Contains(tt.want, "\n") {
				want = story.Fail
			}
			if sr.Verdict != want || res.Verdict != want {
				t.Errorf("verdict %s, of all %s, want %s", sr.Verdict, res.Verdict, want)
			}
		})
	}
}

// A record that is missing is shown beside the one that comes nearest.
func TestNearestRecord(t *testing.T) {
	near := flowlog.Record{DstPort: 80, Proto: packet.TCP, Action: flowlog.Reject}
	s := &stage{records: []flowlog.Record{{DstPort: 81, Action: flowlog.Reject}, near}}
	res, err := play(t, s, `  - { flow_logs: { interface: "${instance.app.network_interface}" }, expect: { records: [{ dstport: 80, action: ACCEPT }], absent: [{ dstport: 81 }] } }`)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(res.Steps[0].Differences, "\n")
	for _, want := range []string{
		"expected a record with action ACCEPT, dstport 80, saw none; the nearest is: 2 123456789012 eni-",
		"expected no record with dstport 81, saw ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

// within repeats a step until it holds, at the world's own pace.
// What there is is shown, the last of it that a screen holds, where another number was
// expected, and where a step is there to look.
func TestRowsAreShown(t *testing.T) {
	s := &stage{records: make([]flowlog.Record, 60)}
	for i := range s.records {
		s.records[i].DstPort = uint16(1000 + i)
	}
	res, err := play(t, s, `  - { flow_logs: { interface: "${instance.app.network_interface}" }, expect: { count: 0 } }
  - { flow_logs: { interface: "${instance.app.network_interface}" } }
  - { flow_logs: { interface: "${instance.app.network_interface}" }, expect: { count: 60 } }
  - { describe: { vpc_endpoint: web } }`)
	if err != nil {
		t.Fatal(err)
	}
	got := res.Steps[0].Differences
	if len(got) != 51 || got[0] != "count of records: expected 0, saw 60" || !strings.HasPrefix(got[1], "  version account-id ") ||
		got[2] != "  12 earlier records, and" || !strings.Contains(got[3], " 1012 ") || !strings.Contains(got[50], " 1059 ") {
		t.Errorf("%d lines: %q", len(got), got)
	}
	if shown := res.Steps[1].Shown; len(shown) != 50 || !strings.HasPrefix(shown[0], "version account-id ") || !strings.Contains(shown[49], " 1059 ") || res.Steps[1].Seen != "60 records" {
		t.Errorf("%d lines: %q", len(shown), shown)
	}
	if more := res.Steps[2].Shown; more != nil {
		t.Errorf("a step that expects something shows %q", more)
	}
	if shown := res.Steps[3].Shown; len(shown) < 5 || shown[0] != "{" || !strings.HasPrefix(shown[1], `  "`) {
		t.Errorf("a description is shown as %q", shown)
	}
}

func TestWithin(t *testing.T) {
	s := &stage{
		answers:  []story.Response{{Failure: silence()}, {Status: 503}},
		response: story.Response{Status: 200},
	}
	res, err := play(t, s, "  - { within: 1m, request: { from: app, url: http://x/ }, expect: { status: 200 } }\n")
	if err != nil {
		t.Fatal(err)
	}
	if sr := res.Steps[0]; sr.Verdict != story.Pass || sr.Attempts != 3 || s.waited == 0 {
		t.Errorf("%+v after waiting for %s", sr, s.waited)
	}
}

// What AWS refuses fails the step at once, with AWS's reason, and the story goes on.
func TestRefusedEdit(t *testing.T) {
	s := &stage{response: story.Response{Status: 200}}
	res, err := play(t, s, `
  - { within: 1m, delete: web }
  - { within: 1m, accept: web }
  - { request: { from: app, url: http://x/ } }
`)
	if err != nil {
		t.Fatal(err)
	}
	if sr := res.Steps[1]; sr.Verdict != story.Fail || sr.Attempts != 1 || len(sr.Differences) != 1 {
		t.Errorf("%+v", sr)
	}
	if res.Steps[2].Verdict != story.Pass || res.Verdict != story.Fail {
		t.Errorf("%+v", res)
	}
}

// A failed exchange is explained where its packets went.
// TestFaults: what fails, and what a step that fails is told of it.
func TestFaults(t *testing.T) {
	s := &stage{response: story.Response{Failure: silence()}}
	res, err := play(t, s, `
  - fail: { instance: web, port: 80, how: hangs }
  - fail: { instance: web, port: 7, how: flaps }
  - fail: { availability_zone: us-east-1a }
  - request: { from: app, url: http://x/ }
  - heal: { availability_zone: use1-az1 }
  - heal: { instance: provider/web, port: 7 }
  - restart_forwarder: { keep_state: true }
  - request: { from: app, url: http://x/ }
  - heal: { instance: web }
  - fail: { instance: web, how: dies }
  - request: { from: app, url: http://x/ }
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"provider/web:80 hangs 0s", "provider/web:7 flaps 1m", "provider/web:7 is healed", "restart true",
		"provider/web:0 is healed", "provider/web:0 dies 0s",
	}
	if !slices.Equal(s.faults, want) {
		t.Errorf("the world saw %q, want %q", s.faults, want)
	}
	for step, want := range map[int][]string{
		4: {
			"the way", "since step 1, the service on port 80 of provider/web hangs",
			"since step 2, the service on port 7 of provider/web dies and comes back every 1m",
			"since step 3, Availability Zone use1-az1 is lost",
		},
		8:  {"the way", "since step 1, the service on port 80 of provider/web hangs"},
		11: {"the way", "since step 10, what runs in provider/web is dead"},
	} {
		if got := res.Steps[step-1].Explanation; !slices.Equal(got, want) {
			t.Errorf("step %d: %q, want %q", step, got, want)
		}
	}
}

// TestWaitUntil: a moment that is still to come, and one that is over when its step is reached.
func TestWaitUntil(t *testing.T) {
	s := &stage{response: story.Response{Failure: silence()}}
	res, err := play(t, s, `
  - wait: 2m
  - wait_until: 10m
  - { within: 1s, request: { from: app, url: http://x/ } }
  - wait_until: 10m
`)
	if err != nil {
		t.Fatal(err)
	}
	if s.waited < 10*time.Minute || res.Steps[1].Seen != "it is 10m after the start" {
		t.Errorf("waited %s: %+v", s.waited, res.Steps[1])
	}
	const want = "10m after the start is over: it is 10m0.95s"
	if sr := res.Steps[3]; sr.Verdict != story.Fail || len(sr.Differences) != 1 || sr.Differences[0] != want {
		t.Errorf("%+v, want %s", sr, want)
	}
}

func TestExplained(t *testing.T) {
	s := &stage{response: story.Response{Failure: silence()}, pinged: silence(), tally: story.Tally{Failed: 1, First: silence()}}
	res, err := play(t, s, `
  - { request: { from: app, url: "https://a.example/" } }
  - { request: { from: app, url: "http://10.0.0.9:81/" } }
  - { connections: { from: app, to: "b.example:82", count: 1 } }
  - { ping: { from: app, to: 10.0.0.8 } }
  - { exchange: { from: app, protocol: udp, to: "10.0.0.7:53", send: x }, expect: { body: y } }
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []story.Destination{{Host: "a.example", Port: 443}, {Host: "10.0.0.9", Port: 81}, {Host: "b.example", Port: 82}, {Host: "10.0.0.8"}, {Host: "10.0.0.7", Port: 53, UDP: true}}
	if fmt.Sprint(s.explained) != fmt.Sprint(want) {
		t.Errorf("explained %v, want %v", s.explained, want)
	}
	for _, sr := range res.Steps {
		if len(sr.Explanation) != 1 || !slices.Equal(sr.Changes, []string{"the change"}) {
			t.Errorf("step %d is not explained", sr.Number)
		}
	}
}

// A fault of the world ends the story: the steps after it are not played, and say so.
func TestFault(t *testing.T) {
	broken := errors.New("the forwarder has stopped")
	s := &stage{fault: broken}
	res, err := play(t, s, `
  - { request: { from: app, url: http://x/ } }
  - { ping: { from: app, to: 10.0.0.8 } }
`)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "step 1") {
		t.Errorf("error %v", err)
	}
	for _, sr := range res.Steps {
		if sr.Verdict != story.Skipped {
			t.Errorf("%+v", sr)
		}
	}
}

// An interrupted story ends with the context's error.
func TestInterrupted(t *testing.T) {
	l, err := scenario.LoadBytes("stage.yaml", []byte(lab+"  - { within: 1m, ping: { from: app, to: 10.0.0.8 } }\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := story.Play(ctx, l.Scenario, l.Lab, &stage{lab: l.Lab, pinged: silence()}, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestCaptures: packets are looked for by their fields; a capture that lacks some
// proves nothing.
func TestCaptures(t *testing.T) {
	spec := packet.Spec{
		Src: netip.MustParseAddrPort("10.0.0.4:40000"), Dst: netip.MustParseAddrPort("10.0.0.5:80"), Proto: packet.TCP, Flags: packet.SYN, MSS: 8961,
	}
	f := packet.NewFrame()
	spec.Build(f)
	s := &stage{packets: []capture.Packet{{Interface: "lab/app", Out: true, Drop: "mtu", Frame: f.Ethernet()}}}
	begin := "  - capture: { name: c, interfaces: [app] }\n"
	for step, want := range map[string]string{
		`{ captures: { capture: c }, expect: { packets: [{ interface: lab/app, direction: egress, dstport: 80, flags: S, mss: { at_most: 8961 } }], absent: [{ drop: "" }], count: 1 } }`: "",
		`{ captures: { capture: c }, expect: { packets: [{ flags: S. }] } }`: "expected a packet with flags S., saw none; the nearest is: interface lab/app, direction egress, protocol tcp, srcaddr 10.0.0.4, srcport 40000, " +
			"dstaddr 10.0.0.5, dstport 80, flags S, seq 0, window 0, mss 8961, ttl 64, length 44, 0 bytes of payload, drop mtu",
		`{ captures: { capture: c }, expect: { absent: [{ ttl: 64 }], count: 2 } }`: "expected no packet with ttl 64, saw interface lab/app",
	} {
		res, err := play(t, s, begin+"  - "+step+"\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(res.Steps[1].Differences, "\n"); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s:\n%s", step, got)
		}
	}
	s.missed = 3
	res, err := play(t, s, begin+"  - { captures: { capture: c }, expect: { absent: [{ dstport: 81 }] } }\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(res.Steps[1].Differences, "\n"); got != "the capture lacks 3 more packets: it is full, or all captures together are; give it a narrower filter, or end others before it with stop_capture" {
		t.Error(got)
	}
}

// Traffic in the background is waited for by its name, and its result is in that of the
// step that did.
func TestTrafficInTheBackground(t *testing.T) {
	s := &stage{tally: traffic(t, 4, 0)}
	res, err := play(t, s, `
  - traffic: { name: load, from: app, to: "x:80", kind: requests, background: true }
  - wait: 1s
  - traffic_result: { traffic: load, stop: true }
    expect: { succeeded: 4 }
  - traffic: { from: app, to: "x:80", kind: requests, count: 1 }
    expect: { succeeded: 5 }
`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(s.begun, "; "), "load; load, stop true; ; , stop false"; got != want {
		t.Errorf("the world was asked for %q, want %q", got, want)
	}
	var verdicts []string
	for _, sr := range res.Steps {
		verdicts = append(verdicts, string(sr.Verdict))
	}
	if got, want := strings.Join(verdicts, " "), "pass pass pass fail"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if res.Steps[0].Traffic != nil || res.Steps[1].Traffic != nil {
		t.Error("what has only begun has a result")
	}
	got, err := json.Marshal(res.Steps[2].Traffic)
	const want = `{"succeeded":4,"failed":0,"missed":0,"targets":{"provider/web":4},"bytes_sent":0,"bytes_received":0,` +
		`"duration_ns":2000000000,"rate":2,"bits_per_second":0,` +
		`"latency_ns":{"max":4000000,"mean":2500000,"min":1000000,"p50":2031615,"p90":4000000,"p99":4000000}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if len(s.explained) != 1 || s.explained[0] != (story.Destination{Host: "x", Port: 80}) {
		t.Errorf("explained: %v", s.explained)
	}
}
