package bench_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// cpu returns how much processor time this process has used so far.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// played is a lab whose story was played.
type played struct {
	*simulate.World
	data *topology.Lab
}

// play simulates a scenario, which must pass.
func play(tb testing.TB, name, text string) played {
	tb.Helper()
	loaded, err := scenario.LoadBytes(name, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	w, err := simulate.Start(tb.Context(), loaded.Lab, simulate.Options{Seed: 1, TimeScale: loaded.Scenario.TimeScale})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
	})
	res, err := story.Play(tb.Context(), loaded.Scenario, loaded.Lab, w, nil, func(story.StepResult) {})
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range res.Steps {
		if s.Verdict != story.Pass {
			tb.Errorf("%s: step %d: %s %q", name, s.Number, s.Seen, s.Differences)
		}
	}
	return played{w, loaded.Lab}
}

// within tells how long the lab's time took of the processor's, and fails if that is
// more than so much, times what a loaded machine and its garbage may take beside.
func within(t *testing.T, what string, lab, took, most time.Duration) {
	const patience = 5
	t.Logf("%s: %v of the lab, %.0f times as fast", what, lab, float64(lab)/float64(took))
	if took > patience*most {
		t.Errorf("%s took %v of the processor's time, which should be %v", what, took, most)
	}
}

// An hour of the quickstart's lab, with a request a second through the endpoint and
// another that meets silence each minute, health checks and flow logs, takes less than
// two seconds.
func TestHour(t *testing.T) {
	text, err := scenarios.FS.ReadFile("quickstart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := play(t, "quickstart.yaml", string(text))
	url, err := scenario.Expand(p.data, "http://${vpc_endpoint.api.dns_name}/")
	if err != nil {
		t.Fatal(err)
	}
	request := func(from string) story.Response {
		r, err := p.Request(t.Context(), &scenario.Request{From: from, URL: url, Method: "GET", Timeout: scenario.Duration(500 * time.Millisecond)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	began, start := cpu(t), p.World.Now()
	for second := range 3600 {
		if r := request("consumer/app"); r.Status != 200 {
			t.Fatalf("after %d seconds: %+v", second, r)
		}
		if second%60 == 59 {
			if r := request("consumer/stranger"); r.Failure.Kind != story.Timeout {
				t.Fatalf("after %d seconds: %+v", second, r)
			}
		}
		if err := p.Wait(t.Context(), start+time.Duration(second+1)*time.Second-p.World.Now()); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "an hour", p.World.Now()-start, cpu(t)-began, 2*time.Second)
}

// Connections that idle for 350 seconds, and half an hour with them, take milliseconds.
func TestIdle(t *testing.T) {
	text, err := scenarios.FS.ReadFile("conformance/F2.44-idle.yaml")
	if err != nil {
		t.Fatal(err)
	}
	began := cpu(t)
	p := play(t, "F2.44-idle.yaml", string(text))
	within(t, "a story of idle connections", p.World.Now(), cpu(t)-began, 50*time.Millisecond)
}

// Ten thousand endpoints of one service with a thousand targets: the first answer comes
// in seconds, and so does a minute of edits and health checks.
func TestScale(t *testing.T) {
	large := labShape{vpcs: 200, endpoints: 10_000, clients: 200, servers: 1000}
	began := cpu(t)
	p := play(t, "scale.yaml", large.scenario()+`
steps:
  - exchange: { from: consumer-7/client-7, to: "${vpc_endpoint.ep-7.dns_name}:7", send: hello }
    expect: { body: hello }
`)
	within(t, "the first answer", p.World.Now(), cpu(t)-began, 5*time.Second)
	began = cpu(t)
	for _, edit := range []func(*topology.Lab) error{
		func(l *topology.Lab) error {
			return l.DeregisterTarget("port-7", &topology.Target{TargetID: "server-3"})
		},
		func(l *topology.Lab) error { return l.RegisterTarget("port-7", &topology.Target{TargetID: "server-3"}) },
	} {
		if err := p.Edit(edit); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(t.Context(), 30*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "a minute of edits", time.Minute, cpu(t)-began, 2*time.Second)
}
