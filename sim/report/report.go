// Package report prints what became of a run, for people and for programs.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/sim/story"
)

// Text prints a line a step while a scenario is played, and what differed where a
// step failed.
type Text struct {
	w        io.Writer
	colour   bool
	terminal bool
	progress progress

	explained   []string // what was printed last as a packet's way,
	explainedIn int      // and in which step
}

// NewText returns a Text that writes to w, which may be a terminal, with colours if
// asked for.
func NewText(w io.Writer, terminal, colour bool) *Text {
	return &Text{w: w, terminal: terminal, colour: colour}
}

// Begin prints what is about to be played.
func (t *Text) Begin(name, file string, steps int, seed uint64, scale int) {
	line := fmt.Sprintf("%s (%s): %s, seed %d", name, file, story.Count(steps, "step"), seed)
	if scale > 1 {
		line += fmt.Sprintf(", time times %d", scale)
	}
	fmt.Fprintln(t.w, line)
}

// Step prints what became of a step.
func (t *Text) Step(s story.StepResult) {
	t.endProgress()
	mark, code := "✓", "32"
	switch s.Verdict {
	case story.Fail:
		mark, code = "✗", "31"
	case story.Skipped:
		mark, code = "-", "33"
	}
	line := fmt.Sprintf("%s %2d %s", t.paint(code, mark), s.Number, s.Name)
	if s.Verdict == story.Skipped {
		fmt.Fprintf(t.w, "%s: not played%s\n", line, prefixed(": ", s.Seen))
		return
	}
	fmt.Fprintf(t.w, "%s [%s]%s\n", line, rounded(s.Duration), prefixed(": ", s.Seen))
	for _, lines := range [][]string{s.Shown, s.Differences} {
		for _, l := range lines {
			fmt.Fprintf(t.w, "       %s\n", indent(l))
		}
	}
	t.explain(s)
}

// explain prints the way of a failed step's packet, unless it was just printed.
func (t *Text) explain(s story.StepResult) {
	switch {
	case len(s.Explanation) == 0:
		return
	case slices.Equal(s.Explanation, t.explained):
		fmt.Fprintf(t.w, "       the way of a packet: as in step %d\n", t.explainedIn)
		return
	}
	t.explained, t.explainedIn = s.Explanation, s.Number
	fmt.Fprintf(t.w, "       the way of a packet, as the lab stands now:\n")
	for _, l := range s.Explanation {
		fmt.Fprintf(t.w, "         %s\n", l)
	}
}

// End prints the verdict.
func (t *Text) End(r *story.Result) {
	t.endProgress()
	if len(r.Steps) == 0 {
		fmt.Fprintf(t.w, "%s %s: the lab was built, but there is no step to play and nothing was checked\n", t.paint("32", "PASS"), r.Scenario)
		return
	}
	passed, skipped := 0, 0
	for _, s := range r.Steps {
		switch {
		case s.Verdict == story.Pass:
			passed++
		case s.Verdict == story.Skipped && s.Seen != "": // and not for a fault
			skipped++
		}
	}
	leftOut := ""
	if skipped > 0 {
		leftOut = fmt.Sprintf(", %d left out", skipped)
	}
	word, code := "PASS", "32"
	if r.Verdict != story.Pass {
		word, code = "FAIL", "31"
	}
	fmt.Fprintf(t.w, "%s %s: %d of %s as expected%s, %s\n",
		t.paint(code, word), r.Scenario, passed, story.Count(len(r.Steps), "step"), leftOut, rounded(r.Duration))
}

// Summary prints the verdict on several scenarios, and which of them failed.
func (t *Text) Summary(s *story.Summary) {
	word, code := "PASS", "32"
	count := map[story.Verdict]int{}
	for _, r := range s.Scenarios {
		count[r.Verdict]++
	}
	if s.Verdict != story.Pass {
		word, code = "FAIL", "31"
	}
	notPlayed := ""
	if n := count[story.Skipped]; n > 0 {
		notPlayed = fmt.Sprintf(", %d not played", n)
	}
	fmt.Fprintf(t.w, "\n%s %d of %s%s, %s\n", t.paint(code, word), count[story.Pass], story.Count(len(s.Scenarios), "scenario"), notPlayed, rounded(s.Duration))
	for _, r := range s.Scenarios {
		if r.Verdict == story.Fail {
			fmt.Fprintf(t.w, "%s %s (%s)%s\n", t.paint("31", "✗"), r.Scenario, r.File, prefixed(": ", r.Error))
		}
	}
}

func (t *Text) paint(code, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// JSON prints a *story.Result or a *story.Summary as one JSON document.
func JSON[R *story.Result | *story.Summary](w io.Writer, r R) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// rounded is a duration as precise as people want it.
func rounded(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n       ") }
