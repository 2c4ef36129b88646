package diagnose

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// begin starts a simulated lab.
func begin(t *testing.T, file string) (*Running, *simulate.World) {
	t.Helper()
	l, err := scenario.LoadBytes("lab.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	w, err := simulate.Start(t.Context(), l.Lab, simulate.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return &Running{World: w, Loaded: l, Seed: 1}, w
}

// TestRunning: what has been done to a lab breaks a way, and what mends it is found in copies, to which the same was
// done; the lab itself stays as it is, and its packets do what is foretold.
func TestRunning(t *testing.T) {
	steps, _, _ := strings.Cut(good, "steps:")
	for _, c := range []struct{ name, steps, change string }{
		{"rule", "revoke: { security_group_id: endpoint, ingress: { protocol: tcp, from_port: 80, cidr_blocks: [10.1.0.0/16] } }", "add to security group consumer/endpoint: "},
		{"rejected", "reject: api", "delete VPC endpoint api, and create it again"},
		{"zone", "fail: { availability_zone: use1-az1 }", "heal Availability Zone use1-az1: "},
		{"server", "fail: { instance: provider/web, port: 8080 }", "bring back what listened on TCP port 8080 of instance provider/web: heal: "},
		{"refuses", "fail: { instance: provider/web, port: 8080, how: refuses }", "bring back what listened on TCP port 8080 of instance provider/web: heal: "},
		{"link", "modify_link: { link: line, down: true }", "set of link line: down: false"},
		{"deregistered", "deregister: { target_group_arn: web, target_id: web }", "register with target group web: targets: [web]"},
		{"healed", "fail: { instance: provider/web }\n  - wait: 1h\n  - heal: { instance: provider/web }\n  - reject: api", "delete VPC endpoint api, and create it again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lab, w := begin(t, steps+"steps:\n  - "+c.steps+"\n")
			if err := lab.Play(t.Context(), len(lab.Loaded.Scenario.Steps), nil); err != nil {
				t.Fatal(err)
			}
			drops, now := total(t, w, lab.Loaded.Lab), w.Now()
			ask := Question{From: "app", To: "vpc_endpoint.api:80"}
			e, err := lab.Explain(t.Context(), ask, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if e.Verdict == explain.Reachable || len(e.Changes) != 1 || !strings.HasPrefix(e.Changes[0], c.change) {
				t.Errorf("%s: %s, %q, %q, want %s…", e.Verdict, e.Summary, e.Changes, e.Advice, c.change)
			}
			if then := total(t, w, lab.Loaded.Lab); !reflect.DeepEqual(drops, then) || w.Now() != now {
				t.Errorf("the lab itself has seen packets, or time has passed in it")
			}
			again, err := lab.Explain(t.Context(), ask, Options{Prove: true})
			if err != nil || !again.Proof.Agrees || !slices.Equal(again.Changes, e.Changes) {
				t.Errorf("asked again: %+v, %q (%v)", again.Proof, again.Changes, err)
			}
		})
	}
}

func total(t *testing.T, w *simulate.World, lab *topology.Lab) [drop.NumReasons]uint64 {
	t.Helper()
	all, err := w.Drops(lab.NICs)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRunningGood: a lab of which much was changed, and which is well, is found well.
func TestRunningGood(t *testing.T) {
	lab, _ := begin(t, good)
	if err := lab.Play(t.Context(), 2, nil); err != nil {
		t.Fatal(err)
	}
	if err := lab.Play(t.Context(), 3, nil); err == nil || err.Error() != "--after 3: the story has 2 steps" {
		t.Errorf("a step too many: %v", err)
	}
	e, err := lab.Explain(t.Context(), Question{From: "app", To: peer}, Options{After: 2, Prove: true})
	if err != nil || e.Verdict != explain.Unreachable || !e.Proof.Agrees {
		t.Errorf("%+v (%v)", e, err)
	}
	if _, err := lab.Explain(t.Context(), Question{From: "nobody", To: peer}, Options{}); err == nil {
		t.Error("nobody can be asked about")
	}
}

// TestFailedSteps: a step that fails says what mends it, the same each time, and where the same way fails again with
// the same lab, the changes are not looked for anew.
func TestFailedSteps(t *testing.T) {
	before, _, _ := strings.Cut(good, "steps:")
	file := before + `steps:
  - revoke: { security_group_id: endpoint, ingress: { protocol: tcp, from_port: 80, cidr_blocks: [10.1.0.0/16] } }
  - request: { from: app, url: "http://api.example.com/", timeout: 1s }
  - request: { from: app, url: "http://api.example.com/", timeout: 1s }
  - exchange: { from: app, protocol: udp, to: "10.2.0.10:54", send: x, timeout: 1s }
  - request: { from: app, url: "http://unknown.example.com/", timeout: 1s }
  - request: { from: app, url: "http://10.2.0.10/", timeout: 1s }
    expect: { status: 404 }
`
	var first []story.StepResult
	for range 2 {
		lab, w := begin(t, file)
		world := Explained(w, lab.Loaded, false, 1)
		res, err := story.Play(t.Context(), lab.Loaded.Scenario, lab.Loaded.Lab, world, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = res.Steps
		}
		if !reflect.DeepEqual(res.Steps, first) {
			t.Error("another run has other results")
		}
		if n := len(world.(*explained).known); n != 3 {
			t.Errorf("changes were looked for %d times, want 3", n)
		}
	}
	for i, want := range []string{
		"", "add to security group consumer/endpoint: ", "add to security group consumer/endpoint: ",
		"let a server listen on UDP port 54 of instance peer/host", "", "",
	} {
		s := first[i]
		switch got := strings.Join(s.Changes, "; "); {
		case (want == "") != (got == "") || !strings.HasPrefix(got, want):
			t.Errorf("step %d: %q mends it, want %s…", s.Number, got, want)
		case i > 0 && (len(s.Explanation) == 0 || len(s.Explanation) > longestWay+1):
			t.Errorf("step %d is explained in %d lines", s.Number, len(s.Explanation))
		}
	}
}

// TestLines: of a way that is very long its beginning and its end are kept.
func TestLines(t *testing.T) {
	e := &explain.Explanation{From: "a", To: "b", Changes: []string{"the change"}}
	for range 200 {
		e.Hops = append(e.Hops, explain.Hop{Direction: explain.There, Text: "hop"})
	}
	got := lines(e)
	if len(got) != longestWay+1 || got[len(got)-1] != "  1. the change" || !slices.Contains(got, "  … 145 lines more: plsim explain prints them") {
		t.Errorf("%d lines: %q", len(got), got)
	}
}
