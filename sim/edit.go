package sim

import (
	"errors"
	"fmt"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// edit changes the lab as a step says.
func (p *player) edit(s *scenario.Step, e *scenario.Expect) (outcome, error) {
	var endpoint string
	var target topology.TargetState
	change := func(lab *topology.Lab) error { return errors.New("a step without an action") }
	switch {
	case s.Accept != nil:
		endpoint = *s.Accept
		change = func(lab *topology.Lab) error {
			if err := lab.Accept(endpoint); err != nil {
				return err
			}
			return lab.Settle(endpoint)
		}
	case s.Reject != nil:
		endpoint = *s.Reject
		change = func(lab *topology.Lab) error { return lab.Reject(endpoint) }
	case s.Delete != nil:
		endpoint = *s.Delete
		change = func(lab *topology.Lab) error { return lab.Delete(endpoint) }
	case s.Authorize != nil:
		change = func(lab *topology.Lab) error {
			if s.Authorize.Ingress != nil {
				return lab.AuthorizeIngress(s.Authorize.SecurityGroup, s.Authorize.Ingress)
			}
			return lab.AuthorizeEgress(s.Authorize.SecurityGroup, s.Authorize.Egress)
		}
	case s.Revoke != nil:
		change = func(lab *topology.Lab) error {
			if s.Revoke.Ingress != nil {
				return lab.RevokeIngress(s.Revoke.SecurityGroup, s.Revoke.Ingress)
			}
			return lab.RevokeEgress(s.Revoke.SecurityGroup, s.Revoke.Egress)
		}
	case s.Register != nil:
		change = func(lab *topology.Lab) error {
			return lab.RegisterTarget(s.Register.TargetGroup, &topology.Target{TargetID: s.Register.TargetID, Port: s.Register.Port})
		}
	case s.Deregister != nil:
		change = func(lab *topology.Lab) error {
			t := &topology.Target{TargetID: s.Deregister.TargetID, Port: s.Deregister.Port}
			if err := lab.DeregisterTarget(s.Deregister.TargetGroup, t); err != nil {
				return err
			}
			h, err := lab.HealthOf(s.Deregister.TargetGroup, t)
			target = h.State
			return err
		}
	case s.ModifyListener != nil:
		change = func(lab *topology.Lab) error {
			e := s.ModifyListener
			return lab.ModifyListener(e.LoadBalancer, e.Port, e.DefaultAction)
		}
	case s.ModifyTargetGroup != nil:
		change = func(lab *topology.Lab) error {
			return lab.ModifyTargetGroupAttributes(s.ModifyTargetGroup.TargetGroup, s.ModifyTargetGroup.Attributes)
		}
	case s.ModifyLoadBalancer != nil:
		change = func(lab *topology.Lab) error {
			return lab.ModifyLoadBalancerAttributes(s.ModifyLoadBalancer.LoadBalancer, s.ModifyLoadBalancer.Attributes)
		}
	}
	var refused error
	err := p.world.Edit(func(lab *topology.Lab) error {
		refused = change(lab)
		return refused
	})
	switch {
	case refused != nil:
		return outcome{}, &refusedError{refused}
	case err != nil:
		return outcome{}, err
	}
	c := newComparison(e)
	if target != "" {
		c.note("%s", target)
		c.match("state", e.State, string(target))
		return c.outcome(), nil
	}
	if endpoint == "" {
		c.note("done")
		return c.outcome(), nil
	}
	vpce, err := p.lab.Endpoint(endpoint)
	if err != nil {
		return outcome{}, err
	}
	c.note("%s", vpce.State)
	c.match("state", e.State, string(vpce.State))
	return c.outcome(), nil
}

// flowLogs reads the records of an interface.
func (p *player) flowLogs(f *scenario.FlowLogs, e *scenario.Expect) (outcome, error) {
	nic, err := p.lab.Interface(f.Interface)
	if err != nil {
		return outcome{}, err
	}
	records, err := p.world.Records(nic)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	c.note("%s", Count(len(records), "record"))
	for _, want := range e.Records {
		if findRecord(records, want) < 0 {
			c.differ("expected a record with %s, saw none%s", describeRecord(want), nearestRecord(records, want))
		}
	}
	for _, unwanted := range e.Absent {
		if i := findRecord(records, unwanted); i >= 0 {
			c.differ("expected no record with %s, saw %s", describeRecord(unwanted), records[i].Text(flowlog.DefaultFormat))
		}
	}
	c.match("count of records", e.Count, fmt.Sprint(len(records)))
	return c.outcome(), nil
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
		nic, err := p.lab.Interface(d.Interface)
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
