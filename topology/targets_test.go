package topology

import (
	"fmt"
	"testing"

	"github.com/plsim/plsim/dataplane"
)

// TestRegisteredTargets: every registered target, those that drain included (F2.59), is one that
// the program has, under the same number.
func TestRegisteredTargets(t *testing.T) {
	l := mustBuild(t, twoAccounts, "targets: [web-1, web-2, web-3]", "targets: [web-1, web-2, web-3, { target_id: web-1, port: 81 }]")
	if err := l.DeregisterTarget("web", &Target{TargetID: "web-2"}); err != nil {
		t.Fatal(err)
	}
	known := map[dataplane.TargetID]bool{}
	for _, lb := range l.Compile().Balancers {
		for _, listener := range lb.Listeners {
			for _, f := range listener.Forward {
				for _, target := range append(f.Group.Targets, f.Group.Former...) {
					known[dataplane.TargetID{Group: f.Group.Number, Addr: target.Addr, Port: target.Port}] = true
				}
			}
		}
	}
	var states []string
	for _, target := range l.Targets() {
		states = append(states, fmt.Sprintf("%s %s %s", target.TargetGroup, target.Target, target.State))
		if !known[target.ID] {
			t.Errorf("%s of %s is %v, which the program does not know", target.Target, target.TargetGroup, target.ID)
		}
	}
	if got, want := fmt.Sprint(states), "[web web-1 initial web web-3 initial web web-1:81 initial web web-2 draining]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
