package diagnose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Options are what can be chosen.
type Options struct {
	Seed  uint64
	After int  // so many steps of the story are played first
	Prove bool // packets are sent, too
	// Step, which may be nil, is told of the steps that are played.
	Step func(story.StepResult)
}

// UsageError is a question that cannot be asked of a scenario.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Explain answers a question about a scenario. The error is a *[UsageError] where the
// question is at fault.
func Explain(ctx context.Context, l *scenario.Loaded, ask Question, opts Options) (*explain.Explanation, error) {
	if err := checkAfter(l, opts.After); err != nil {
		return nil, err
	}
	d := &diagnosis{loaded: l, ask: ask, opts: opts, tries: maxTries}
	lab, err := d.build(ctx, nil, opts.Step)
	if err != nil {
		return nil, err
	}
	defer lab.Close()
	if d.q, err = parse(lab.loaded.Lab, ask); err != nil {
		return nil, &UsageError{err}
	}
	seen, err := d.look(lab.place)
	if err != nil {
		return nil, err
	}
	e := d.describe(lab.place, seen)
	if !seen.good() {
		if err := d.advise(ctx, e, lab, seen); err != nil {
			return nil, err
		}
	}
	if opts.Prove {
		e.Proof, err = d.prove(ctx, lab.place, seen)
	}
	return e, err
}

// checkAfter tells whether a story has so many steps.
func checkAfter(l *scenario.Loaded, after int) error {
	if n := len(l.Scenario.Steps); after < 0 || after > n {
		return &UsageError{fmt.Errorf("--after %d: the story has %s", after, story.Count(n, "step"))}
	}
	return nil
}

// advise adds to an explanation what mends a way that fails in a copy of the lab.
func (d *diagnosis) advise(ctx context.Context, e *explain.Explanation, lab *copied, seen *sighting) error {
	changes, last, err := d.mend(ctx, lab, seen)
	if err != nil {
		return err
	}
	for _, c := range changes {
		e.Changes = append(e.Changes, c.text)
	}
	if len(changes) == 0 {
		e.Advice = advice(d.q, last)
	}
	return nil
}

// diagnosis is a question and where it is asked.
type diagnosis struct {
	loaded  *scenario.Loaded
	ask     Question
	opts    Options
	q       *question
	assumed []string
	tries   int      // copies of the lab that may still be made
	running *Running // nil: the lab is a file's
	present *present // of running
}

// World is a lab that runs, and can be looked at.
type World interface {
	story.World
	// Lookup returns the addresses that a name has for an instance, or says why there are
	// none.
	Lookup(from *topology.Host, name string) (addrs []netip.Addr, why string)
	// Probe takes a first packet along the walk, which is never sent.
	Probe(from *topology.NIC, proto packet.Proto, port uint16, to netip.AddrPort) (*explain.Walked, error)
	// DropCapture forgets a capture.
	DropCapture(name string) error
	// Listens reports whether anything in an instance listens on an address of it.
	Listens(h *topology.Host, proto packet.Proto, at netip.AddrPort) (bool, error)
}

// place is a lab that is looked at.
type place struct {
	World
	loaded *scenario.Loaded
	real   bool // its hosts run programs, and TLS
}

// copied is a simulated lab in the state of interest.
type copied struct {
	*place
	simulated *simulate.World
}

// Close ends the lab.
func (c *copied) Close() { _ = c.simulated.Close() } // nothing is kept of it

// build makes the lab anew, plays what comes before the question, and makes changes.
func (d *diagnosis) build(ctx context.Context, changes []change, done func(story.StepResult)) (*copied, error) {
	var assumed []string
	l, err := d.loaded.Again(func(spec *topology.Spec) error {
		assumed = standIns(spec, d.ask)
		if err := d.present.standIns(spec, d.port()); err != nil {
			return err
		}
		for _, c := range changes {
			if c.spec == nil {
				continue
			}
			if err := c.spec(spec); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.assumed = assumed
	w, err := simulate.Start(ctx, l.Lab, simulate.Options{Seed: d.opts.Seed, TimeScale: l.Scenario.TimeScale, Unlogged: d.running != nil})
	c := &copied{&place{w, l, false}, w}
	switch {
	case err != nil:
	case d.running != nil:
		err = d.present.repeat(ctx, c)
	default:
		_, err = story.Play(ctx, upTo(l, d.opts.After), l.Lab, w, scenario.LeftOut(d.loaded.Real()), done)
	}
	for _, change := range changes {
		switch {
		case err != nil:
		case change.lab != nil:
			err = w.Edit(change.lab)
		case change.heal != nil:
			err = w.Heal(ctx, change.heal)
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// describe puts what was seen into words.
func (d *diagnosis) describe(c *place, s *sighting) *explain.Explanation {
	e := &explain.Explanation{
		SchemaVersion: explain.SchemaVersion, Scenario: c.loaded.Scenario.Name, File: d.loaded.Source.File, Seed: d.opts.Seed, After: d.opts.After,
		From: d.q.from, To: d.q.to, Protocol: d.q.word(), Port: d.q.port,
		Verdict: explain.Unreachable, Hops: []explain.Hop{}, Changes: []string{}, Assumptions: []string{},
	}
	if d.running != nil {
		e.Lab = d.running.Name
	}
	if d.q.port != 0 {
		e.To = fmt.Sprintf("%s:%d", d.q.to, d.q.port)
		if strings.Contains(d.q.to, ":") {
			e.To = netip.AddrPortFrom(netip.MustParseAddr(d.q.to), d.q.port).String()
		}
	}
	if s.walked == nil {
		e.Outcome, e.FailedCheck, e.Summary = explain.Silence, explain.CheckDelivery, sentence(s.why)
		if s.dns {
			e.Outcome, e.FailedCheck = explain.NoName, explain.CheckDNS
		} else {
			e.Address = s.addrs[0].String()
		}
		e.Assumptions = append(e.Assumptions, d.assumptions(c, s)...)
		return e
	}
	e.Address, e.Hops, e.Outcome = s.addrs[0].String(), s.walked.Hops(), s.fate.outcome
	if back := s.walked.Return(); s.fate.outcome == explain.Answered && len(back) > 0 {
		i := slices.IndexFunc(e.Hops, func(h explain.Hop) bool { return h.Direction == explain.Back })
		if i < 0 {
			i = len(e.Hops)
		}
		e.Hops = append(slices.Insert(e.Hops, i, back[0]), back[1:]...)
	}
	for i := range e.Hops {
		if e.Hops[i].Dropped {
			e.FailedCheck = e.Hops[i].Check
		}
	}
	if why := s.fate.why; why != drop.None {
		e.Reason, e.Code, e.Lost = why.String(), s.walked.Code(), explain.There
		if s.fate.back {
			e.Lost = explain.Back
		}
	}
	if s.fate.mute != "" || s.fate.hairpin {
		e.FailedCheck = explain.CheckDelivery
	}
	e.Summary = s.fate.String()
	good := 0
	for f, n := range s.others {
		if f.good() {
			good += n
		}
	}
	switch {
	case good == drawn:
		e.Verdict = explain.Reachable
	case good > 0:
		e.Verdict = explain.Ambiguous
		e.Summary = fmt.Sprintf("Chance decides: of %d first packets %d would arrive and be answered. Of the others: %s", drawn, good, e.Summary)
	}
	e.Assumptions = append(e.Assumptions, d.assumptions(c, s)...)
	return e
}

// assumptions are what the answer rests on.
func (d *diagnosis) assumptions(c *place, s *sighting) (all []string) {
	if (d.running == nil || d.running.played) && d.opts.After == 0 && len(d.loaded.Scenario.Steps) > 0 {
		all = append(all, "the lab is as the file has it, before the first step of its story; --after STEP plays the steps up to one")
	}
	switch {
	case s.dns || len(s.addrs) == 0 || s.addrs[0].String() == d.q.host:
	case len(s.addrs) == 1:
		all = append(all, fmt.Sprintf("the VPC's resolver answered %s with %s", d.q.host, s.addrs[0]))
	default:
		all = append(all, fmt.Sprintf("the VPC's resolver answered %s with %s, and the client took the first", d.q.host, join(s.addrs)))
	}
	if len(s.chosen) > 0 {
		all = append(all, "targets are as healthy as their checks have found them")
	}
	if len(s.chosen) > 1 {
		all = append(all, fmt.Sprintf("chance chose the target; first packets from %d source ports went to %s", drawn, strings.Join(s.chosen, ", ")))
	}
	if s.walked != nil && s.speaksTLS() && !c.real {
		all = append(all, "the handshake with the listener's TLS server succeeds: it is not simulated")
	}
	if c.real {
		return all
	}
	return append(all, d.assumed...)
}

func join(addrs []netip.Addr) string {
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// sentence makes a sentence of what has no capital letter and no full stop.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// broken reports whether an error is of the changes, which do not fit the lab, and not
// of plsim.
func broken(err error) bool {
	var refusal *topology.Refusal
	var problems topology.Problems
	var mistakes scenario.Mistakes
	var unfit *unfitError
	return errors.As(err, &refusal) || errors.As(err, &problems) || errors.As(err, &mistakes) || errors.As(err, &unfit)
}
