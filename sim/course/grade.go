package course

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// Status is what a teacher is told of a student's checkpoint.
type Status string

// The states of a checkpoint.
const (
	// Reached is a checkpoint that passes when the student's scenario and steps are played
	// again.
	Reached Status = "passed"
	// Noted is one that plsim lab check has passed in the student's own lab, by what cannot be
	// played again, such as the packets of their programs: their folder says so.
	Noted Status = "noted"
	// Shown is one that plsim lab solve has passed.
	Shown Status = "solved"
	// Missing is one that has not been passed.
	Missing Status = "open"
)

// Grade is what became of a student's lab. Its JSON form is part of plsim's contract
// with users.
type Grade struct {
	Student string `json:"student"` // the name of the folder
	Lab     string `json:"lab,omitempty"`
	// Passed counts the checkpoints that the student has passed or that are noted.
	Passed      int    `json:"passed"`
	Of          int    `json:"of"`
	Hints       int    `json:"hints"`
	Checkpoints []Mark `json:"checkpoints"`
	// Error says why the folder could not be judged.
	Error string `json:"error,omitempty"`
}

// Mark is what became of a checkpoint.
type Mark struct {
	Checkpoint string     `json:"checkpoint"`
	Task       string     `json:"task"`
	Status     Status     `json:"status"`
	Hints      int        `json:"hints"`
	At         *time.Time `json:"at,omitempty"` // when the student's own check passed
	Judgement
}

// Grade judges a student's folder anew: it plays their scenario and the steps that they
// have taken, and judges each checkpoint at the moment when it was passed, and the first
// open one in the end. An error of the student's is in the grade.
func (f *Folder) Grade(ctx context.Context, l *Lab, open Opener) (*Grade, error) {
	g := &Grade{Lab: l.Name, Of: len(l.Lesson.Checkpoints), Checkpoints: []Mark{}}
	wrong, err := f.judgeAnew(ctx, l, open)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		g.Error = err.Error()
	}
	for i, cp := range l.Lesson.Checkpoints {
		m := Mark{Checkpoint: cp.Name, Task: sentence(cp.Task), Status: Missing, Hints: f.Hints[cp.Name]}
		p := f.passed(cp.Name)
		if p != nil {
			m.At = &p.At
		}
		if i < len(wrong) {
			m.Judgement = wrong[i]
		}
		switch {
		case p != nil && p.Solved:
			m.Status, m.Judgement = Shown, Judgement{}
		case m.Judgement.Passed:
			m.Status = Reached
		case p != nil:
			m.Status = Noted
		}
		if m.Status == Reached || m.Status == Noted {
			g.Passed++
		}
		g.Hints += m.Hints
		g.Checkpoints = append(g.Checkpoints, m)
	}
	return g, nil
}

// judgeAnew judges the checkpoints of a folder, as far as they have come.
func (f *Folder) judgeAnew(ctx context.Context, l *Lab, open Opener) (all []Judgement, err error) {
	text, err := os.ReadFile(f.File())
	if err != nil {
		return nil, err
	}
	st, failed, err := open.begin(ctx, f.File(), string(text), f.Dir)
	var mistakes scenario.Mistakes
	if errors.As(err, &mistakes) && len(mistakes) > 1 {
		return nil, fmt.Errorf("%w; and %s", mistakes[0], story.Count(len(mistakes)-1, "more mistake"))
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := st.world.Close(); err == nil {
			err = cerr
		}
	}()
	if len(failed) > 0 && failed[0].Seen != "" {
		err = fmt.Errorf("step %d of the file (%s) fails: %s", failed[0].Number, failed[0].Name, failed[0].Seen)
	}
	played := 0
	for _, cp := range l.Lesson.Checkpoints {
		until := len(f.Actions)
		p := f.passed(cp.Name)
		if p != nil {
			until = min(max(p.After, played), until)
		}
		if _, rerr := Replay(ctx, st, f.Actions[played:until]); rerr != nil {
			return all, rerr
		}
		played = until
		j, jerr := Judge(ctx, st, cp)
		if jerr != nil {
			return all, jerr
		}
		if all = append(all, j); !j.Passed && p == nil {
			break
		}
	}
	return all, err
}
