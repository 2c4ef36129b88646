package diagnose

import (
	"context"

	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Running is a lab that runs, and what has become of it. Its way is looked at in the lab
// itself, by packets that are never sent. What would mend it is tried in simulated copies:
// each is built from the lab's file, and the deeds are done again in it.
type Running struct {
	World
	Loaded *scenario.Loaded // its Lab is the one that runs
	Deeds  []story.Deed
	Real   bool // its hosts run programs, and TLS
	Seed   uint64
	Name   string // of a lab that stays

	played bool // as much of its story as the question says
}

// Play plays the lab's story up to a step. step, which may be nil, is told of each. The
// error is a *[UsageError] where there are not so many steps.
func (r *Running) Play(ctx context.Context, after int, step func(story.StepResult)) error {
	if err := checkAfter(r.Loaded, after); err != nil {
		return err
	}
	player := story.NewPlayer(r.Loaded.Lab, r.World)
	for _, s := range r.Loaded.Scenario.Steps[:after] {
		res, err := player.Take(ctx, s)
		if err != nil {
			return err
		}
		if step != nil {
			step(res)
		}
	}
	r.Deeds, r.played = player.Deeds(), true
	return nil
}

// Explain answers a question about the lab as it is now. Where packets are to be sent, too,
// nobody else plays in the lab meanwhile. The error is a *[UsageError] where the question
// is at fault.
func (r *Running) Explain(ctx context.Context, ask Question, opts Options) (*explain.Explanation, error) {
	d := r.diagnosis(ask, opts)
	err := r.Look(func(lab *topology.Lab) (err error) {
		d.q, err = parse(lab, ask)
		return err
	})
	if err != nil {
		return nil, &UsageError{err}
	}
	here, seen, e, err := d.here()
	if err != nil {
		return nil, err
	}
	if !seen.good() {
		if err := d.adviseFor(ctx, e, seen); err != nil {
			return nil, err
		}
		if len(e.Changes) > 0 {
			e.Assumptions = append(e.Assumptions, "the changes were tried in simulated copies of the lab, not in the lab itself")
		}
	}
	if opts.Prove {
		e.Proof, err = d.prove(ctx, here, seen)
	}
	return e, err
}

func (r *Running) diagnosis(ask Question, opts Options) *diagnosis {
	opts.Seed = r.Seed
	return &diagnosis{loaded: r.Loaded, ask: ask, opts: opts, tries: maxTries, running: r}
}

// here looks at the lab that runs.
func (d *diagnosis) here() (*place, *sighting, *explain.Explanation, error) {
	here := &place{d.running.World, d.loaded, d.running.Real}
	seen, err := d.look(here)
	if err != nil {
		return nil, nil, nil, err
	}
	return here, seen, d.describe(here, seen), nil
}

// adviseFor adds to an explanation what mends the way in a copy of the lab that runs, if
// it fails there as it does here.
func (d *diagnosis) adviseFor(ctx context.Context, e *explain.Explanation, seen *sighting) error {
	d.present = &present{Running: d.running, now: d.running.Now(), heard: map[tcpPort]bool{}}
	lab, err := d.build(ctx, nil, nil)
	if err != nil {
		return err
	}
	defer lab.Close()
	for _, wait := range patience {
		if err := lab.Wait(ctx, wait); err != nil {
			return err
		}
		d.present.settled += wait
		there, err := d.look(lab.place)
		if err != nil {
			return err
		}
		if there.as(seen) {
			return d.advise(ctx, e, lab, there)
		}
	}
	e.Advice = "No change was tried: in a simulated copy of the lab the packet does not fail in this way."
	return nil
}

// as reports whether a packet fails as it does in another lab.
func (s *sighting) as(o *sighting) bool {
	if s.walked == nil || o.walked == nil {
		return s.walked == o.walked && s.dns == o.dns
	}
	return s.others[o.fate] > 0
}
