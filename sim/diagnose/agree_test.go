package diagnose

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
)

// TestPacketsAgree: in every scenario that comes with plsim, before its story, packets do what is foretold of them.
func TestPacketsAgree(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	more, _ := filepath.Glob("../../scenarios/conformance/*.yaml") // the pattern is good
	files = append(files, more...)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			l, err := scenario.LoadBytes(filepath.Base(file), data)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range questions(l, !strings.Contains(file, "conformance")) {
				agree(t, l, q)
			}
		})
	}
}

// questions are some about a lab: from its first instance, or also from its last, to
// every endpoint and load balancer, and to some instances.
func questions(l *scenario.Loaded, both bool) (all []Question) {
	hosts := l.Lab.Hosts
	if len(hosts) == 0 {
		return nil
	}
	froms := []string{hosts[0].Name}
	if both {
		froms = append(froms, hosts[len(hosts)-1].Name)
	}
	for _, from := range froms {
		for _, name := range sortedKeys(l.Scenario.LoadBalancers) {
			for _, listener := range l.Scenario.LoadBalancers[name].Listeners {
				all = append(all, Question{from, fmt.Sprintf("load_balancer.%s:%d", name, listener.Port), listener.Protocol == "UDP"})
				for _, endpoint := range sortedKeys(l.Scenario.VPCEndpoints) {
					all = append(all, Question{from, fmt.Sprintf("vpc_endpoint.%s:%d", endpoint, listener.Port), listener.Protocol == "UDP"})
				}
			}
		}
		for i := 0; i < len(hosts); i += max(1, len(hosts)/3) {
			all = append(all, Question{from, hosts[i].Name, false}, Question{from, hosts[i].Name + ":80", false}, Question{from, hosts[i].Name + ":8080", true})
		}
	}
	return all
}

func agree(t *testing.T, l *scenario.Loaded, q Question) {
	t.Helper()
	d := &diagnosis{loaded: l, ask: q, opts: Options{Seed: 1}}
	lab, err := d.build(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	var proof *explain.Proof
	var seen *sighting
	if d.q, err = parse(lab.loaded.Lab, q); err == nil {
		if seen, err = d.look(lab.place); err == nil {
			proof, err = d.prove(t.Context(), lab.place, seen)
		}
	}
	var usage *UsageError
	switch {
	case errors.As(err, &usage): // such as one that cannot be proven
	case err != nil:
		t.Errorf("%+v: %v", q, err)
	case !proof.Agrees:
		t.Errorf("%+v: foretold %+v, and packets disagree: %+v", q, seen.others, proof)
	}
}
