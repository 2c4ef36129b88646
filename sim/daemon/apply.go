package daemon

import (
	"context"
	"errors"
	"strings"

	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// Edition is a file that a lab is to follow from now on.
type Edition struct {
	File string `json:"file"` // its name, for messages
	Text []byte `json:"text"`
	// DryRun asks only what would change.
	DryRun bool `json:"dry_run,omitempty"`
}

// Apply makes the lab what a file describes, and returns what has changed with that. An
// error of the kind that the file is to blame for has text with its places. Where there
// is an error, the lab is as it was.
func (l *Lab) Apply(e *Edition) ([]topology.Change, error) {
	r, err := l.ask(&request{Apply: e}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Changes, nil
}

// apply makes the lab follow another edition of its file.
func (s *server) apply(ctx context.Context, e *Edition) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded, err := scenario.LoadBytes(e.File, e.Text)
	if err != nil {
		return refused(err)
	}
	var next *scenario.Loaded
	var changes []topology.Change
	renew := func(lab *topology.Lab) (*topology.Lab, []topology.Change, error) {
		if next, changes, err = loaded.Renew(lab); err != nil {
			return nil, nil, err
		}
		return next.Lab, changes, s.unarchived(next.Source, changes)
	}
	if e.DryRun {
		err = s.world.Look(func(lab *topology.Lab) error {
			_, _, err := renew(lab)
			return err
		})
	} else {
		err = s.world.Become(ctx, renew)
	}
	if err != nil {
		return refused(err)
	}
	if !e.DryRun {
		next.Lab = s.lab // which is that now
		s.edition.Lock()
		*s.loaded = *next
		s.edition.Unlock()
		s.steps.Follow(next)
		s.forget()
	}
	return &reply{Changes: changes}
}

// unarchived says which changes would have flow logs that go into no files, although the
// lab keeps them there.
func (s *server) unarchived(src *scenario.Source, changes []topology.Change) error {
	var mistakes scenario.Mistakes
	for _, c := range changes {
		kind, _, _ := strings.Cut(c.Address, ".")
		if s.info.Out != "" && (kind == "flow_log" || kind == "vpc" && c.Action == topology.Create) {
			mistakes = append(mistakes, src.Mistake(c.Path(), c.Address+": the lab was started with --out, and goes on with the flow logs that it began with: plsim down and plsim up make others"))
		}
	}
	if len(mistakes) > 0 {
		return mistakes
	}
	return nil
}

const asItWas = "; the lab is what it was before"

// refused tells why a file cannot be applied.
func refused(err error) *reply {
	var mistakes scenario.Mistakes
	var program *netns.ProgramError
	var start *emulate.StartError
	switch {
	case errors.As(err, &mistakes):
		return refuse("%s", strings.TrimSuffix(mistakes.Excerpt(), "\n"))
	case errors.As(err, &program):
		return &reply{Error: &Error{Text: err.Error() + asItWas, NotFound: true}}
	case errors.As(err, &start):
		return &reply{Error: &Error{Text: err.Error() + asItWas, Start: true}}
	}
	return &reply{Error: &Error{Text: err.Error()}}
}
