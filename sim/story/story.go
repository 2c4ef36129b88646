// Package story plays a scenario: it starts the lab, takes the story's steps one
// after the other, and says of each whether what was expected is what was seen.
//
// The package knows no namespace and no socket. A lab that runs is a [World];
// package emulate makes one of Linux network namespaces.
package story

import (
	"context"
	"slices"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// Verdict is what became of a step or of a whole scenario.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail" // an expectation did not hold
	// Skipped is a step that was left out, or before which the run came to its end. A
	// scenario is skipped whose turn did not come.
	Skipped Verdict = "skipped"
)

// Result is what became of a scenario. Its JSON form is part of plsim's contract
// with users.
type Result struct {
	SchemaVersion int           `json:"schema_version"`
	Scenario      string        `json:"scenario"`
	File          string        `json:"file"`
	Mode          string        `json:"mode"`
	Seed          uint64        `json:"seed"`
	TimeScale     int           `json:"time_scale"` // seconds of the lab in one of the wall
	Verdict       Verdict       `json:"verdict"`
	Duration      time.Duration `json:"duration_ns"`
	// Error says what ended the run before the end of its story, or kept it
	// from beginning.
	Error string       `json:"error,omitempty"`
	Steps []StepResult `json:"steps"`
	// Events are what endpoint services and their consumers were notified of (F1.13).
	Events []topology.Event `json:"events,omitempty"`
}

// ResultSchemaVersion is raised when the JSON form of a Result or a Summary changes
// its meaning.
const ResultSchemaVersion = 1

// Summary is what became of several scenarios. Its JSON form is part of plsim's
// contract with users.
type Summary struct {
	SchemaVersion int           `json:"schema_version"`
	Verdict       Verdict       `json:"verdict"` // Pass if all passed
	Duration      time.Duration `json:"duration_ns"`
	Scenarios     []*Result     `json:"scenarios"`
}

// Add adds what became of a scenario.
func (s *Summary) Add(r *Result) {
	if len(s.Scenarios) == 0 {
		s.SchemaVersion, s.Verdict = ResultSchemaVersion, Pass
	}
	if r.Verdict != Pass {
		s.Verdict = Fail
	}
	s.Duration += r.Duration
	s.Scenarios = append(s.Scenarios, r)
}

// StepResult is what became of one step.
type StepResult struct {
	Number   int           `json:"number"` // from 1
	Name     string        `json:"name"`
	Action   string        `json:"action"`
	Verdict  Verdict       `json:"verdict"`
	Duration time.Duration `json:"duration_ns"`
	Attempts int           `json:"attempts,omitempty"`
	// Seen says in a few words what was seen.
	Seen string `json:"seen,omitempty"`
	// Shown is what a step has read that expects nothing of it: records, packets or a
	// description, line by line.
	Shown []string `json:"shown,omitempty"`
	// Traffic is what became of the traffic that the step is about.
	Traffic *TrafficResult `json:"traffic,omitempty"`
	// Differences are the expectations that did not hold.
	Differences []string `json:"differences,omitempty"`
	// Explanation is the way that a packet of the step takes, as plsim explain prints
	// it, and what has failed before; of failed steps only.
	Explanation []string `json:"explanation,omitempty"`
	// Why says in a sentence what becomes of that packet; of failed steps only.
	Why string `json:"why,omitempty"`
	// Changes are what would mend that way, all of them together; of failed steps only.
	Changes []string `json:"changes,omitempty"`
}

// refused is what is seen of an edit that AWS would refuse.
const refused = "refused"

// Acted reports whether the step did something in the lab, such as send a packet or change
// a rule: it was not refused, and is more than a look.
func (r *StepResult) Acted() bool {
	switch r.Action {
	case "describe", "target_health", "flow_logs", "drops", "captures", "metrics", "received", "traffic_result":
		return false
	}
	return r.Seen != refused
}

// Play takes the steps of a story in a world, and calls done after each. A step
// that fails does not end the story: what follows may still tell what is wrong.
// A fault of the world does end it, and so does ctx: both are returned with the
// result so far.
// skip, which may be nil, says why some steps, by their numbers from 1, are left out.
func Play(ctx context.Context, sc *scenario.Scenario, lab *topology.Lab, w World, skip map[int]string, done func(StepResult)) (*Result, error) {
	return NewPlayer(lab, w).Play(ctx, sc, skip, done)
}

// Play is the function Play, for a lab in which other steps may follow.
func (p *Player) Play(ctx context.Context, sc *scenario.Scenario, skip map[int]string, done func(StepResult)) (*Result, error) {
	w := p.world
	began := w.Elapsed()
	res := &Result{SchemaVersion: ResultSchemaVersion, Scenario: sc.Name, Verdict: Pass}
	var fault error
	for i, step := range sc.Steps {
		sr := StepResult{Number: i + 1, Name: step.Title(), Action: step.Action(), Verdict: Skipped}
		why, skipped := skip[sr.Number]
		switch {
		case skipped:
			sr.Seen = why
		case fault == nil:
			if fault = p.step(ctx, step, &sr); fault == nil {
				fault = w.Pause(ctx, 0)
			}
		}
		if sr.Verdict != Pass && !skipped {
			res.Verdict = Fail
		}
		res.Steps = append(res.Steps, sr)
		if done != nil {
			done(sr)
		}
	}
	res.Duration = w.Elapsed() - began
	_ = w.Look(func(lab *topology.Lab) error { // it fails only if the function does
		res.Events = slices.Clone(lab.Events)
		return nil
	})
	return res, fault
}
