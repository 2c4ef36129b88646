package bench_test

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// A floor is what a measure must reach, and what it would like to.
type floor struct {
	Measure string  `json:"measure"`
	Unit    string  `json:"unit,omitempty"`
	Lower   bool    `json:"lower_is_better,omitempty"`
	Floor   float64 `json:"floor"`
	Goal    float64 `json:"goal"`
}

// A finding is what a measure came to: the median of several rounds.
type finding struct {
	floor
	Value   float64   `json:"value"`
	Rounds  []float64 `json:"rounds"`
	Loads   float64   `json:"loads,omitempty"` // the same in loads from memory that wait for each other
	Verdict string    `json:"verdict"`
}

// What can be said of a finding.
const (
	reaches = "reaches the goal"
	holds   = "holds"
	misses  = "MISSES"
)

// A report is what a run has found.
type report struct {
	SchemaVersion int       `json:"schema_version"`
	Findings      []finding `json:"findings"`
	Missing       []string  `json:"missing,omitempty"` // what could not be measured, and why
}

// add judges a measure by the median of its rounds.
func (r *report) add(f floor, rounds ...float64) *finding {
	s := slices.Sorted(slices.Values(rounds))
	found := finding{floor: f, Rounds: rounds, Value: (s[(len(s)-1)/2] + s[len(s)/2]) / 2}
	within := func(limit float64) bool {
		if f.Lower {
			return found.Value <= limit
		}
		return found.Value >= limit
	}
	switch {
	case within(f.Goal):
		found.Verdict = reaches
	case within(f.Floor):
		found.Verdict = holds
	default:
		found.Verdict = misses
	}
	r.Findings = append(r.Findings, found)
	return &r.Findings[len(r.Findings)-1]
}

func (r *report) miss(format string, args ...any) {
	r.Missing = append(r.Missing, fmt.Sprintf(format, args...))
}

func (r *report) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "measure\tfound\tspread\tfloor\tgoal\tverdict\t\n")
	for _, f := range r.Findings {
		sign, loads := "at least", ""
		if f.Lower {
			sign = "at most"
		}
		if f.Loads > 0 {
			loads = fmt.Sprintf(", %.2g loads", f.Loads)
		}
		fmt.Fprintf(t, "%s\t%.3g %s%s\t%.3g-%.3g\t%s %g\t%g\t%s\t\n",
			f.Measure, f.Value, f.Unit, loads, slices.Min(f.Rounds), slices.Max(f.Rounds), sign, f.Floor, f.Goal, f.Verdict)
	}
	for _, m := range r.Missing {
		fmt.Fprintf(t, "left out: %s\n", m)
	}
	return t.Flush()
}

func (r *report) writeJSON(w io.Writer) error {
	r.SchemaVersion = 1
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// The median counts, and the better side is the one that the measure names.
func TestFloorsAreJudged(t *testing.T) {
	var r report
	quick := floor{Measure: "a round trip", Unit: "us", Lower: true, Floor: 100, Goal: 50}
	r.add(quick, 10, 50, 500).Loads = 2
	r.add(quick, 90, 60)
	r.add(quick, 101)
	r.add(floor{Measure: "a stream", Floor: 0.5, Goal: 1}, 0.5)
	r.add(floor{Measure: "a stream", Floor: 0.5, Goal: 1}, 0.4)
	r.miss("%s is not installed", "haproxy")
	var verdicts []string
	for _, f := range r.Findings {
		verdicts = append(verdicts, f.Verdict)
	}
	if want := []string{reaches, holds, misses, holds, misses}; !slices.Equal(verdicts, want) {
		t.Errorf("the verdicts are %q, want %q", verdicts, want)
	}
	var text, data strings.Builder
	if err := r.writeTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a round trip  50 us, 2 loads  10-500   at most 100", "at least 0.5", "left out: haproxy is not installed"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, text.String())
		}
	}
	if err := r.writeJSON(&data); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal([]byte(data.String()), &back); err != nil || len(back.Findings) != 5 || back.Findings[0].Value != 50 {
		t.Errorf("read again: %+v, %v", back, err)
	}
}
