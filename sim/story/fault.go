package story

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/plsim/plsim/sim/scenario"
)

// trouble is a fault that lasts.
type trouble struct {
	*scenario.Fault
	since int // number of the step
}

// troubles says what has failed, for those who ask why a step did.
func (p *player) troubles() (lines []string) {
	for _, t := range p.faults {
		lines = append(lines, fmt.Sprintf("since step %d, %s", t.since, t.State()))
	}
	return lines
}

// fail lets something fail. Zones and links are part of the lab; what runs in an instance is the
// world's.
func (p *player) fail(ctx context.Context, s *scenario.Step) (o outcome, err error) {
	f := *s.Fail
	if f.Instance == "" {
		o, err = p.edit(s, new(scenario.Expect))
		f.AvailabilityZone = p.zone(f.AvailabilityZone)
	} else if f.Instance, err = p.instance(f.Instance); err == nil {
		o.seen, o.changed, err = "done", true, p.world.Fail(ctx, &f)
	}
	if err == nil {
		p.faults = append(p.faults, trouble{&f, p.number})
	}
	return o, err
}

// heal ends what fail began.
func (p *player) heal(ctx context.Context, s *scenario.Step) (o outcome, err error) {
	h := *s.Heal
	if h.Instance == "" {
		o, err = p.edit(s, new(scenario.Expect))
		h.AvailabilityZone = p.zone(h.AvailabilityZone)
	} else if h.Instance, err = p.instance(h.Instance); err == nil {
		o.seen, o.changed, err = "done", true, p.world.Heal(ctx, &h)
	}
	if err == nil {
		p.faults = slices.DeleteFunc(p.faults, func(t trouble) bool { return h.Ends(t.Fault) })
	}
	return o, err
}

// modifyLink changes a link; what is up again was healed.
func (p *player) modifyLink(s *scenario.Step, e *scenario.Expect) (outcome, error) {
	o, err := p.edit(s, e)
	if l := s.ModifyLink; err == nil && l.Down != nil && !*l.Down {
		up := &scenario.Heal{Link: l.Link}
		p.faults = slices.DeleteFunc(p.faults, func(t trouble) bool { return up.Ends(t.Fault) })
	}
	return o, err
}

// zone returns the AZ ID of a zone, "" if the lab has it not.
func (p *player) zone(ref string) string {
	z, _ := p.lab.FindZone(ref) // what is wrong with it, the edit has said
	return z.ID
}

// instance returns the name of an instance in full.
func (p *player) instance(ref string) (string, error) {
	h, err := p.lab.Instance(ref)
	if err != nil {
		return "", err
	}
	return h.Name, nil
}

// waitUntil lets the lab's time pass until a moment that is still to come.
func (p *player) waitUntil(ctx context.Context, at *scenario.Duration) (outcome, error) {
	now := p.world.Now()
	left := at.Duration() - now
	if left < 0 {
		return outcome{}, &refusedError{fmt.Errorf("%s after the start is over: it is %s", at, scenario.Duration(now.Truncate(time.Millisecond)))}
	}
	return outcome{seen: fmt.Sprintf("it is %s after the start", at)}, p.world.Wait(ctx, left)
}
