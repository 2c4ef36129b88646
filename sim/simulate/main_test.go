package simulate

import (
	"testing"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// newWorld starts a scenario's lab, for as long as the test lasts.
func newWorld(t *testing.T, l *scenario.Loaded) *World {
	t.Helper()
	w, err := Start(t.Context(), l.Lab, Options{Seed: 1})
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// load reads a scenario.
func load(t *testing.T, text string) *scenario.Loaded {
	t.Helper()
	l, err := scenario.LoadBytes(t.Name()+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// play plays the story of a scenario, and returns what became of it.
func play(t *testing.T, l *scenario.Loaded) *story.Result {
	t.Helper()
	res, err := story.Play(t.Context(), l.Scenario, l.Lab, newWorld(t, l), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}
