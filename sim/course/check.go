package course

import (
	"context"
	"os"
	"time"

	"github.com/plsim/plsim/sim/story"
)

// Check judges a student's checkpoints from the first open one on, until one is open
// still, and notes which have been passed. wrong is what is wrong with that one.
func (f *Folder) Check(ctx context.Context, l *Lab, st Stage, now time.Time) (wrong Judgement, err error) {
	for _, cp := range l.Lesson.Checkpoints[f.Open(l):] {
		j, err := Judge(ctx, st, cp)
		if err != nil || !j.Passed {
			return j, err
		}
		f.pass(cp.Name, now, false)
	}
	return Judgement{Passed: true}, nil
}

// Play makes a student's lab real for a while: their scenario, its steps and the
// actions that they have taken. failed is what became of steps of the file that fail.
func (f *Folder) Play(ctx context.Context, open Opener, do func(Stage) error) (failed []story.StepResult, err error) {
	text, err := os.ReadFile(f.File())
	if err != nil {
		return nil, err
	}
	st, failed, err := open.begin(ctx, f.File(), string(text), f.Dir)
	if err != nil {
		return nil, err
	}
	if _, err = Replay(ctx, st, f.Actions); err == nil {
		err = do(st)
	}
	if cerr := st.world.Close(); err == nil {
		err = cerr
	}
	return failed, err
}
