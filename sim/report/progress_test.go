package report_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
)

// Progress shows on a terminal only, not too often, and is gone when the step's own
// line comes.
func TestProgress(t *testing.T) {
	play := func(terminal bool) string {
		var b strings.Builder
		text := report.NewText(&b, terminal, false)
		synctest.Test(t, func(*testing.T) {
			for range 10 {
				// In each tenth of a second passes a minute of the lab, of twenty.
				text.Progress(time.Minute*(time.Since(start()).Round(time.Second/10)/(time.Second/10)), 20*time.Minute)
				time.Sleep(time.Second / 10)
			}
			text.Step(story.StepResult{Number: 1, Name: "wait", Verdict: story.Pass})
		})
		return b.String()
	}
	if got := play(false); strings.Contains(got, "\r") || !strings.Contains(got, "wait") {
		t.Errorf("not a terminal: %q", got)
	}
	got := strings.Split(play(true), "\r\x1b[K")
	if len(got) != 6 {
		t.Fatalf("%d lines: %q", len(got), got)
	}
	if want := "  8m0s of the lab, times 600 [========            ] 1s left"; got[4] != want {
		t.Errorf("%q, want %q", got[4], want)
	}
	if !strings.HasPrefix(got[5], "✓") {
		t.Errorf("the step's line: %q", got[5])
	}
}

// start is when a bubble's time begins.
func start() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }
