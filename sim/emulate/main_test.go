package emulate

import (
	"os"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.RunTests(m)) }

// newWorld starts a scenario's lab, for as long as the test lasts.
func newWorld(t *testing.T, text string) (*World, *scenario.Loaded) {
	t.Helper()
	return newWorldOf(t, text, Options{Seed: 1})
}

func newWorldOf(t *testing.T, text string, opts Options) (*World, *scenario.Loaded) {
	t.Helper()
	netns.RequireSandbox(t)
	l, err := scenario.LoadBytes(t.Name()+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w, err := Start(t.Context(), l.Lab, opts)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, l
}

// await tries again until done is content.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
