package scenario

import (
	"errors"

	"github.com/plsim/plsim/topology"
)

// Renew returns the scenario with what a lab that runs becomes by it, as
// [topology.Lab.Renew] makes that, and by which changes. The error is of type [Mistakes].
// Whoever owns the lab that runs calls it.
func (l *Loaded) Renew(running *topology.Lab) (*Loaded, []topology.Change, error) {
	s, src, _, _ := parse(l.Source.File, l.Source.Text())
	onOff(s)
	next, err := running.Renew(&s.Spec)
	if err != nil {
		var problems topology.Problems
		if !errors.As(err, &problems) {
			return nil, nil, err
		}
		return nil, nil, src.mistakes(problems).err()
	}
	changes := running.Changes(next, ExpandInstance)
	for _, step := range s.Steps {
		step.fill()
	}
	next.Locate(src.Place)
	return &Loaded{Scenario: s, Lab: next, Source: src}, changes, nil
}

// mistakes tells problems of the lab as the author of the file sees them.
func (s *Source) mistakes(problems topology.Problems) (all Mistakes) {
	for _, p := range problems {
		all = append(all, s.Mistake(p.Path, label(p.Path)+p.Msg))
	}
	return all
}
