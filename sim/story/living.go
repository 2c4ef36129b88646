package story

import (
	"context"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// Player takes steps in a lab that lives on between them. One goroutine at a time may
// call it.
type Player struct{ player }

// NewPlayer returns a player for a lab that runs.
func NewPlayer(lab *topology.Lab, w World) *Player {
	return &Player{player{lab: lab, world: w, generators: map[string]*scenario.Traffic{}}}
}

// Read reads a step as it stands in a scenario, for a lab as it is now. The error is of type
// [scenario.Mistakes], or a fault of the lab's.
func Read(w World, steps *scenario.Living, text string) (step *scenario.Step, err error) {
	err = w.Look(func(*topology.Lab) (err error) {
		step, err = steps.Step(text, clock.Time(w.Now()))
		return err
	})
	return step, err
}

// Take takes a step, as Play does. The error is a fault of the lab's, or the end of ctx.
func (p *Player) Take(ctx context.Context, step *scenario.Step) (StepResult, error) {
	sr := StepResult{Number: p.number + 1, Name: step.Title(), Action: step.Action(), Verdict: Skipped}
	err := p.step(ctx, step, &sr)
	return sr, err
}
