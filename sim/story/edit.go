package story

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// edit changes the lab as a step says. That AWS refuses may be what is expected.
func (p *player) edit(s *scenario.Step, e *scenario.Expect) (outcome, error) {
	var state string
	var refused error
	err := p.world.Edit(func(lab *topology.Lab) error {
		lab.Cite(fmt.Sprintf("steps[%d].%s", p.number-1, s.Action()))
		state, refused = s.Apply(lab)
		return refused
	})
	switch {
	case refused != nil && e.Error == nil:
		return outcome{}, &refusedError{refused}
	case refused == nil && err != nil:
		return outcome{}, err
	}
	c := newComparison(e)
	if refused == nil {
		c.note("%s", cmp.Or(state, "done"))
		c.missing(e.Error, "error")
		c.match("state", e.State, state)
	} else {
		c.note("refused: %s", refused)
		c.match("error", e.Error, refused.Error())
		c.missing(e.State, "state")
	}
	o := c.outcome()
	o.changed = refused == nil
	return o, nil
}

// describe reads what AWS's API says of a part of the lab.
func (p *player) describe(part *topology.Part, e *scenario.Expect) (outcome, error) {
	c := newComparison(e)
	err := p.world.Look(func(lab *topology.Lab) error {
		said, err := lab.Describe(part)
		if err != nil {
			return &refusedError{err}
		}
		text, err := json.Marshal(said)
		if err != nil {
			return err
		}
		if c.looks() {
			var whole bytes.Buffer
			err = json.Indent(&whole, text, "", "  ")
			c.shown = strings.Split(whole.String(), "\n")
		} else {
			c.note("%s", shorten(string(text), 300))
		}
		c.json(e.JSON, string(text))
		return err
	})
	return c.outcome(), err
}

// targetHealth reads the health of a group's targets.
func (p *player) targetHealth(t *scenario.TargetHealth, e *scenario.Expect) (outcome, error) {
	c := newComparison(e)
	err := p.world.Look(func(lab *topology.Lab) error {
		all, err := lab.TargetHealth(t.TargetGroup)
		if err != nil {
			return err
		}
		for _, h := range all {
			c.note("%s %s", h.Target, h.State)
		}
		for _, of := range []struct {
			what   string
			expect map[string]*scenario.Matcher
			value  func(topology.TargetHealth) string
		}{
			{"state", e.States, func(h topology.TargetHealth) string { return string(h.State) }},
			{"reason code", e.ReasonCodes, func(h topology.TargetHealth) string { return h.Reason }},
		} {
			for _, name := range sortedKeys(of.expect) {
				target, err := topology.ParseTarget(name)
				if err != nil {
					return err
				}
				h, err := lab.HealthOf(t.TargetGroup, target)
				if err != nil {
					return &refusedError{fmt.Errorf("%s: %w", name, err)}
				}
				c.match(of.what+" of "+name, of.expect[name], of.value(h))
			}
		}
		return nil
	})
	return c.outcome(), err
}

// drops reads the counters of an interface, or of all.
func (p *player) drops(d *scenario.Drops, e *scenario.Expect) (outcome, error) {
	nics := p.lab.NICs
	if d.Interface != "" {
		nic, err := p.lab.NetworkInterface(d.Interface)
		if err != nil {
			return outcome{}, err
		}
		nics = []*topology.NIC{nic}
	}
	counts, err := p.world.Drops(nics)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	for _, r := range drop.All() {
		if counts[r] > 0 {
			c.note("%s %d", r, counts[r])
		}
	}
	for _, name := range sortedKeys(e.Reasons) {
		r, ok := drop.Parse(name)
		if !ok {
			return outcome{}, fmt.Errorf("there is no drop reason %q", name)
		}
		c.match("packets dropped as "+name, e.Reasons[name], fmt.Sprint(counts[r]))
	}
	return c.outcome(), nil
}
