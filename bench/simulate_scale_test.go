package bench_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plsim/plsim/sim"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
)

// cpu returns how much processor time this process has used so far.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// play simulates a scenario, which must pass, and returns how long it took in the lab,
// and of the processor.
func play(tb testing.TB, name, text string) (lab, processor time.Duration) {
	tb.Helper()
	began := cpu(tb)
	loaded, err := scenario.LoadBytes(name, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	w, err := simulate.Start(tb.Context(), loaded.Lab, simulate.Options{Seed: 1})
	if err != nil {
		tb.Fatal(err)
	}
	res, err := sim.Play(tb.Context(), loaded.Scenario, loaded.Lab, w, nil, func(sim.StepResult) {})
	if err != nil {
		tb.Fatal(err)
	}
	if res.Verdict != sim.Pass {
		tb.Errorf("%s: %+v", name, res)
	}
	if err := w.Close(); err != nil {
		tb.Error(err)
	}
	return w.Now(), cpu(tb) - began
}

// Ten thousand endpoints of one service with a thousand targets: the first answer comes
// in seconds, and edits and health checks after that.
func TestScale(t *testing.T) {
	large := labShape{vpcs: 200, endpoints: 10_000, clients: 200, servers: 1000}
	story := large.scenario() + `
steps:
  - exchange: { from: consumer-7/client-7, to: "${vpc_endpoint.ep-7.dns_name}:7", send: hello }
    expect: { body: hello }
  - deregister: { target_group_arn: port-7, target_id: server-3 }
  - wait: 60s
  - exchange: { from: consumer-8/client-8, to: "${vpc_endpoint.ep-9808.dns_name}:7", send: hello }
    expect: { body: hello }
`
	_, first := play(t, "first", strings.SplitAfter(story, "body: hello }\n")[0])
	lab, all := play(t, "all", story)
	t.Logf("the first answer after %v of the processor's time; %v of the lab in %v", first, lab, all)
}
