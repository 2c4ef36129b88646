package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
)

func result() *story.Result {
	way := []string{"consumer/app: egress allowed", "dropped as no_listener: silence"}
	return &story.Result{
		SchemaVersion: story.ResultSchemaVersion, Scenario: "demo", File: "demo.yaml", Mode: "emulate", Seed: 7,
		Verdict: story.Fail, Duration: 1234 * time.Millisecond,
		Steps: []story.StepResult{
			{Number: 1, Name: "It works", Action: "request", Verdict: story.Pass, Duration: 300 * time.Microsecond, Seen: "200"},
			{Number: 2, Name: "It fails", Action: "request", Verdict: story.Fail, Duration: 501 * time.Millisecond, Seen: "timeout",
				Differences: []string{"expected an answer, saw timeout", "it printed on stdout:\na\nb"}, Explanation: way},
			{Number: 3, Name: "It fails again", Action: "request", Verdict: story.Fail, Duration: time.Second, Explanation: way},
			{Number: 4, Name: "It never ran", Action: "ping", Verdict: story.Skipped},
		},
	}
}

const golden = `demo (demo.yaml): 4 steps, seed 7
✓  1 It works [<1ms]: 200
✗  2 It fails [501ms]: timeout
       expected an answer, saw timeout
       it printed on stdout:
       a
       b
       the way of a packet, as the lab stands now:
         consumer/app: egress allowed
         dropped as no_listener: silence
✗  3 It fails again [1s]
       the way of a packet: as in step 2
-  4 It never ran: not played
FAIL demo: 1 of 4 steps as expected, 1.23s
`

func TestText(t *testing.T) {
	print := func(colour bool) string {
		var b bytes.Buffer
		r, text := result(), report.NewText(&b, colour, colour)
		text.Begin(r.Scenario, r.File, len(r.Steps), r.Seed, 1)
		for _, s := range r.Steps {
			text.Step(s)
		}
		text.End(r)
		return b.String()
	}
	if got := print(false); got != golden {
		t.Errorf("got\n%s\nwant\n%s", got, golden)
	}
	if got := print(true); !strings.Contains(got, "\x1b[32m✓\x1b[0m") || !strings.Contains(got, "\x1b[31mFAIL\x1b[0m") {
		t.Errorf("no colours in\n%s", got)
	}
}

// The JSON form holds all of a result, under the names that users rely on.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report.JSON(&b, result()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		`"schema_version": 1`, `"scenario": "demo"`, `"verdict": "fail"`, `"seed": 7`, `"duration_ns": 1234000000`,
		`"number": 1`, `"action": "request"`, `"differences": [`, `"explanation": [`, `"verdict": "skipped"`,
	} {
		if !strings.Contains(b.String(), key) {
			t.Errorf("no %s in\n%s", key, b.String())
		}
	}
	var back story.Result
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back.Steps) != 4 {
		t.Errorf("%v: %+v", err, back)
	}
}
