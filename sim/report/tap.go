package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/plsim/plsim/sim/story"
)

// TAP prints what became of scenarios in version 14 of the Test Anything Protocol: a
// test point a step, with diagnostics in YAML. Of several scenarios each is a subtest.
func TAP(w io.Writer, s *story.Summary) error {
	t := &tapWriter{}
	t.line("TAP version 14")
	if len(s.Scenarios) == 1 {
		t.scenario(s.Scenarios[0])
		_, err := t.WriteTo(w)
		return err
	}
	t.line("1..%d", len(s.Scenarios))
	for i, r := range s.Scenarios {
		t.line("# Subtest: %s (%s)", oneLine(r.Scenario), oneLine(r.File))
		t.margin = "    "
		t.scenario(r)
		t.margin = ""
		t.point(i+1, r.Verdict != story.Fail, r.Scenario)
		if r.Verdict == story.Skipped {
			t.directive("SKIP", notBegun)
		}
		t.line("")
	}
	_, err := t.WriteTo(w)
	return err
}

// tapWriter collects lines, of a subtest with a margin.
type tapWriter struct {
	bytes.Buffer
	margin string
}

func (t *tapWriter) line(format string, args ...any) {
	if t.Len() > 0 && t.Bytes()[t.Len()-1] != '\n' {
		t.WriteByte('\n') // the line of a point stays open for its directive
	}
	if format != "" {
		fmt.Fprintf(t, t.margin+format+"\n", args...)
	}
}

// scenario prints the plan and the points of a scenario.
func (t *tapWriter) scenario(r *story.Result) {
	points := len(r.Steps)
	if r.Error != "" || r.Verdict == story.Skipped {
		points++ // for the run as a whole
	}
	if points == 0 {
		t.line("1..0 # SKIP the scenario has no steps")
		return
	}
	t.line("1..%d", points)
	for _, s := range r.Steps {
		t.point(s.Number, s.Verdict != story.Fail, s.Name)
		if s.Verdict == story.Skipped {
			t.directive("SKIP", whySkipped(s))
		}
		t.diagnostics(s)
	}
	switch {
	case r.Error != "":
		t.point(points, false, wholeRun)
		t.block([]entry{{"error", r.Error}})
	case r.Verdict == story.Skipped:
		t.point(points, true, wholeRun)
		t.directive("SKIP", notBegun)
	}
	t.line("")
}

// point begins a test point, whose line a directive may go on with.
func (t *tapWriter) point(number int, ok bool, description string) {
	t.line("")
	word := "ok"
	if !ok {
		word = "not ok"
	}
	fmt.Fprintf(t, "%s%s %d - %s", t.margin, word, number, tapText.Replace(oneLine(description)))
}

func (t *tapWriter) directive(word, why string) {
	fmt.Fprintf(t, " # %s %s", word, tapText.Replace(oneLine(why)))
}

// entry is a key of a block of diagnostics; the value is a text, a number or a list.
type entry struct {
	key   string
	value any
}

func (t *tapWriter) diagnostics(s story.StepResult) {
	if s.Verdict == story.Skipped {
		return
	}
	block := []entry{{"duration_ms", float64(s.Duration.Microseconds()) / 1000}, {"action", s.Action}, {"seen", s.Seen}}
	if s.Verdict == story.Fail {
		block = append(block, entry{"differences", s.Differences}, entry{"explanation", s.Explanation}, entry{"changes", s.Changes})
	}
	t.block(block)
}

// block prints diagnostics below a test point. Values are written as JSON, which is
// YAML, too, so that no text of a program can be taken for a piece of the report.
func (t *tapWriter) block(entries []entry) {
	t.line("  ---")
	for _, e := range entries {
		switch value := e.value.(type) {
		case []string:
			if len(value) == 0 {
				continue
			}
			t.line("  %s:", e.key)
			for _, v := range value {
				t.line("    - %s", asJSON(v))
			}
		default:
			t.line("  %s: %s", e.key, asJSON(value))
		}
	}
	t.line("  ...")
}

func asJSON(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "null" // neither texts nor finite numbers fail
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// tapText takes the meaning from what TAP would read as its own in a description.
var tapText = strings.NewReplacer(`\`, `\\`, "#", `\#`)

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
