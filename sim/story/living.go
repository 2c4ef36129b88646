package story

import (
	"context"

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

// Take takes a step, as Play does. The error is a fault of the lab's, or the end of ctx.
func (p *Player) Take(ctx context.Context, step *scenario.Step) (StepResult, error) {
	sr := StepResult{Number: p.number + 1, Name: step.Title(), Action: step.Action(), Verdict: Skipped}
	err := p.step(ctx, step, &sr)
	return sr, err
}
