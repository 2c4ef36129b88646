package scenario

import (
	"errors"
	"reflect"
	"strings"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/topology"
)

// rehearse does to the checker's lab what the step will do to the one that runs,
// so that later steps can refer to what it makes. What AWS refuses is for the
// story to tell.
func (c *checker) rehearse(path string, s *Step) {
	chosen := s.chosen()
	if s.Wait != nil {
		c.now = c.now.Add(s.Wait.Duration())
	}
	if s.WaitUntil != nil {
		c.now = max(c.now, clock.Time(s.WaitUntil.Duration()))
	}
	if c.lab != nil {
		c.lab.Advance(c.now)
	}
	if c.lab == nil || len(chosen) != 1 || edits[chosen[0]] == nil {
		return
	}
	if e := s.CreateVPCEndpoint; e != nil {
		c.names.endpoints = append(c.names.endpoints, e.Name)
		c.unmade[e.Name] = "" // until it is made
	}
	if c.brokenBelow(path) {
		return
	}
	step, err := s.Expand(c.lab)
	if err != nil {
		return // c.references reports it
	}
	_, err = step.Apply(c.lab)
	if e := s.CreateVPCEndpoint; e != nil && err == nil {
		delete(c.unmade, e.Name)
	}
	var problems topology.Problems
	var refusal *topology.Refusal
	switch at := join(path, chosen[0]); {
	case err == nil, c.checked(chosen[0]):
	case errors.As(err, &refusal):
		if e := s.CreateVPCEndpoint; e != nil {
			c.unmade[e.Name] = refusal.Error()
		}
	case errors.As(err, &problems):
		c.problems(at, problems)
	default:
		c.wrong(at, "%v", err)
	}
}

// checked reports whether an edit has checks of its own, which need no rehearsal.
func (c *checker) checked(action string) bool {
	switch action {
	case "accept", "reject", "delete", "authorize", "revoke", "register", "deregister", "modify_listener",
		"modify_target_group_attributes", "modify_load_balancer_attributes",
		"create_network_acl_entry", "replace_network_acl_entry", "delete_network_acl_entry", "delete_vpc_peering_connection":
		return true
	}
	return false
}

// references checks every ${…} in a part of the scenario.
func (c *checker) references(path string, v reflect.Value) {
	variable := func(string) (string, error) { return "", nil }
	if c.lab != nil {
		variable = c.lab.Variable
	}
	rewrite(v, "", func(rel, text string) string {
		_, err := expand(text, isForeign(rel, v.Type().Elem()), variable)
		for _, e := range referenceErrors(err) {
			name, _, _ := strings.Cut(strings.TrimPrefix(e.ref, "${vpc_endpoint."), ".")
			switch why, unmade := c.unmade[name]; {
			case unmade && why == "":
				continue
			case unmade:
				e.msg = e.ref + ": no step makes this endpoint, since AWS refuses: " + why
			}
			p := c.src.nearest(below(path, rel))
			c.mistakes = append(c.mistakes, c.src.MistakeIn(p, e.ref, label(p)+e.msg))
		}
		return text
	})
}
