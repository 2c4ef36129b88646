package course

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// A Stage is a lab that runs, in which steps of the scenario language are taken.
type Stage interface {
	// Take takes a step. The error is a *Misfit where the lab has not what the step is
	// about.
	Take(ctx context.Context, step string) (*story.StepResult, error)
}

// Misfit says why a step does not fit the lab as it is, or how that is made real.
type Misfit struct{ Text string }

func (e *Misfit) Error() string { return e.Text }

// World is a lab that has been made real for the caller, who ends it.
type World interface {
	story.World
	Close() error
}

// Opener makes a lab real. dir is the folder whose files its programs find.
type Opener func(ctx context.Context, l *scenario.Loaded, dir string) (World, error)

// stage is a lab of the caller's own.
type stage struct {
	world  World
	steps  *scenario.Living
	player *story.Player
}

// begin makes a scenario real and plays its steps. failed is what became of those that
// fail.
func (open Opener) begin(ctx context.Context, file, text, dir string) (st *stage, failed []story.StepResult, err error) {
	l, err := scenario.LoadBytes(file, []byte(text))
	if err != nil {
		return nil, nil, err
	}
	w, err := open(ctx, l, dir)
	if err != nil {
		return nil, nil, err
	}
	st = &stage{world: w, steps: scenario.NewLiving(l), player: story.NewPlayer(l.Lab, w)}
	if failed, err = Begin(ctx, st, l); err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	return st, failed, nil
}

// Begin plays the steps of a scenario's file, and returns those that fail.
func Begin(ctx context.Context, st Stage, l *scenario.Loaded) (failed []story.StepResult, err error) {
	for i, step := range l.Scenario.Steps {
		res, err := st.Take(ctx, step.YAML())
		var misfit *Misfit
		switch {
		case errors.As(err, &misfit):
			res = &story.StepResult{Name: step.Title(), Verdict: story.Fail, Seen: misfit.Text}
		case err != nil:
			return failed, err
		}
		if res.Number = i + 1; res.Verdict != story.Pass {
			failed = append(failed, *res)
		}
	}
	return failed, nil
}

// Replay takes the steps that a student has taken before, and returns how many of them
// do nothing any more.
func Replay(ctx context.Context, st Stage, actions []string) (failed int, err error) {
	for _, action := range actions {
		res, err := st.Take(ctx, action)
		var misfit *Misfit
		if err != nil && !errors.As(err, &misfit) {
			return failed, err
		}
		if err != nil || !res.Acted() {
			failed++
		}
	}
	return failed, nil
}

// Take implements Stage.
func (s *stage) Take(ctx context.Context, text string) (*story.StepResult, error) {
	step, err := story.Read(s.world, s.steps, text)
	var mistakes scenario.Mistakes
	switch {
	case errors.As(err, &mistakes):
		return nil, &Misfit{mistakes[0].Msg}
	case err != nil:
		return nil, err
	}
	res, err := s.player.Take(ctx, step)
	if err == nil {
		err = s.world.Pause(ctx, 0)
	}
	if err != nil {
		return nil, err
	}
	return &res, nil
}

// Judgement is whether a checkpoint has been reached or, if not, what is wrong.
type Judgement struct {
	Passed bool   `json:"-"`
	Wrong  string `json:"wrong,omitempty"` // what the failure of the check means
	Seen   string `json:"seen,omitempty"`
	Why    string `json:"why,omitempty"` // what became of a packet of the check's
}

// Judge tells whether a checkpoint has been reached.
func Judge(ctx context.Context, st Stage, cp *scenario.Checkpoint) (Judgement, error) {
	for _, check := range cp.Checks {
		res, err := st.Take(ctx, check.YAML())
		var misfit *Misfit
		switch {
		case errors.As(err, &misfit):
			return Judgement{Wrong: sentence(check.Wrong), Seen: misfit.Text}, nil
		case err != nil:
			return Judgement{}, fmt.Errorf("check %s: %w", cp.Name, err)
		case res.Verdict != story.Pass:
			j := Judgement{Wrong: sentence(check.Wrong), Seen: strings.Join(res.Differences, "; ")}
			j.Why = res.Why
			return j, nil
		}
	}
	return Judgement{Passed: true}, nil
}

// sentence joins the lines of a text.
func sentence(text string) string { return strings.Join(strings.Fields(text), " ") }
