package course

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// Test tries a lab as its students will: whether each checkpoint is open before its
// reference solution, twice, and passed after it. It returns what is wrong with the lab.
func (l *Lab) Test(ctx context.Context, open Opener, dir string) (problems []string, err error) {
	t := &trial{lab: l, open: open, dir: dir}
	defer func() { err = t.end(err) }()
	if err := t.build(ctx, 0); err != nil {
		return t.problems, err
	}
	for i, cp := range l.Lesson.Checkpoints {
		for range 2 { // what a check leaves behind must not pass it
			j, err := Judge(ctx, t.stage, cp)
			if err != nil {
				return t.problems, err
			}
			if j.Passed {
				t.problem("checkpoint %s passes before its solution: let a check see what the solution changes", cp.Name)
				break
			}
		}
		if err := t.solve(ctx, i, cp); err != nil {
			return t.problems, err
		}
		j, err := Judge(ctx, t.stage, cp)
		if err != nil {
			return t.problems, err
		}
		if !j.Passed {
			t.problem("checkpoint %s fails after its solution: %s (%s; %s)", cp.Name, j.Wrong, j.Seen, j.Why)
		}
	}
	return t.problems, nil
}

// trial is a lab that is tried.
type trial struct {
	lab      *Lab
	open     Opener
	dir      string
	stage    *stage
	problems []string
}

func (t *trial) problem(format string, args ...any) {
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

// end ends what stands.
func (t *trial) end(err error) error {
	if t.stage != nil {
		if cerr := t.stage.world.Close(); err == nil {
			err = cerr
		}
		t.stage = nil
	}
	return err
}

// build makes the lab real with its first n checkpoints solved.
func (t *trial) build(ctx context.Context, n int) error {
	if err := t.end(nil); err != nil {
		return err
	}
	text, actions := t.lab.Solved(n)
	st, failed, err := t.open.begin(ctx, FileName, text, t.dir)
	if err != nil {
		return err
	}
	t.stage = st
	for _, f := range failed {
		t.problem("step %d of the file (%s) fails: %s", f.Number, f.Name, f.Seen)
	}
	for _, a := range actions {
		if err := t.take(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// take takes a step of the reference solution.
func (t *trial) take(ctx context.Context, step string) error {
	res, err := t.stage.Take(ctx, step)
	var misfit *Misfit
	switch {
	case errors.As(err, &misfit):
		t.problem("a step of the solution does not fit: %s: %v", sentence(step), err)
		return nil
	case err == nil && res.Verdict != story.Pass:
		t.problem("a step of the solution fails: %s: %s", sentence(step), strings.Join(res.Differences, "; "))
	}
	return err
}

// solve applies the reference solution of a checkpoint, by a new lab where it edits the
// file.
func (t *trial) solve(ctx context.Context, i int, cp *scenario.Checkpoint) error {
	if len(cp.Edit) > 0 {
		return t.build(ctx, i+1)
	}
	for _, step := range cp.Solution {
		if err := t.take(ctx, step.YAML()); err != nil {
			return err
		}
	}
	return nil
}

// TestResets tries the lab with the reference solution of its first checkpoints, anew
// for each number of them: the last of those passes, and the next one is open.
func (l *Lab) TestResets(ctx context.Context, open Opener, dir string) (problems []string, err error) {
	t := &trial{lab: l, open: open, dir: dir}
	defer func() { err = t.end(err) }()
	for n := range len(l.Lesson.Checkpoints) + 1 {
		if err := t.build(ctx, n); err != nil {
			return t.problems, err
		}
		if n > 0 {
			cp := l.Lesson.Checkpoints[n-1]
			switch j, err := Judge(ctx, t.stage, cp); {
			case err != nil:
				return t.problems, err
			case !j.Passed:
				t.problem("checkpoint %s fails in a new lab with the solutions up to it: %s (%s; %s)", cp.Name, j.Wrong, j.Seen, j.Why)
			}
		}
		if n < len(l.Lesson.Checkpoints) {
			cp := l.Lesson.Checkpoints[n]
			switch j, err := Judge(ctx, t.stage, cp); {
			case err != nil:
				return t.problems, err
			case j.Passed:
				t.problem("checkpoint %s passes in a new lab with only the solutions before it", cp.Name)
			}
		}
	}
	return t.problems, nil
}
