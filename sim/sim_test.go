package sim_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/plsim/plsim/sim"
	"github.com/plsim/plsim/sim/scenario"
)

// A scenario can be played again: nothing of a run is left in it, and the same seed
// gives the same result.
func TestRunTwice(t *testing.T) {
	lab, err := sim.Load("../scenarios/conformance/F1.38-captures.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var results [2]*sim.Result
	for i := range results {
		if results[i], err = sim.Run(t.Context(), lab, sim.Options{Seed: 3}); err != nil {
			t.Fatal(err)
		}
		if err := results[i].Err(); err != nil {
			t.Error(err)
		}
	}
	if !reflect.DeepEqual(results[0], results[1]) {
		t.Error("two runs with one seed differ")
	}
	r := results[0]
	if len(r.Captures) == 0 || len(r.Metrics) == 0 || len(r.Records[""]) == 0 {
		t.Errorf("%d captures, %d metrics, %d records", len(r.Captures), len(r.Metrics), len(r.Records[""]))
	}
	for name, packets := range r.Captures {
		if len(packets) == 0 {
			t.Errorf("capture %s is empty", name)
		}
	}
}

// Flow logs of the scenario have their own records.
func TestFlowLogs(t *testing.T) {
	lab, err := sim.Load("../scenarios/conformance/F4.3-flow-logs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := sim.Run(t.Context(), lab, sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Records) < 2 {
		t.Errorf("flow logs %v", len(r.Records))
	}
	for name, records := range r.Records {
		if len(records) == 0 {
			t.Errorf("flow log %q is empty", name)
		}
	}
}

// What is wrong with a scenario, or cannot be simulated, is told with its places.
func TestRefused(t *testing.T) {
	_, err := sim.Parse("wrong.yaml", []byte("name: wrong\nvpcs: 3\n"))
	var mistakes scenario.Mistakes
	if !errors.As(err, &mistakes) || mistakes[0].Line != 2 {
		t.Errorf("%v", err)
	}
	if _, err := sim.Load("nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("%v", err)
	}
	lab, err := sim.Load("../scenarios/programs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = sim.Run(t.Context(), lab, sim.Options{})
	var needs *sim.NeedsRealHosts
	if !errors.As(err, &needs) || len(needs.Needs) < 2 || !strings.Contains(err.Error(), "programs.yaml:") {
		t.Errorf("%v", err)
	}
}
