package scenario

import (
	"reflect"
	"slices"
	"strings"

	"github.com/plsim/plsim/topology"
)

// Outlasts reports whether what a step did holds on when the lab becomes that of another
// file by some changes. What a file describes is then as it says, whatever steps did to it
// before. It says nothing of the states of endpoints and names, of what has failed, and of
// qualities of links that neither file gives: those hold on, unless what has them is new.
func (s *Step) Outlasts(changes []topology.Change) bool {
	change := func(kind, name string) *topology.Change {
		is := func(c topology.Change) bool {
			k, n, _ := strings.Cut(c.Address, ".")
			return k == kind && (n == name || strings.HasSuffix(n, "/"+name))
		}
		if i := slices.IndexFunc(changes, is); i >= 0 {
			return &changes[i]
		}
		return &topology.Change{Action: topology.Update} // to what it is
	}
	stays := func(c *topology.Change) bool { return c.Action == topology.Update }
	link := func(name string, qualities ...string) bool {
		c := change("link", name)
		return stays(c) && !slices.ContainsFunc(c.Attributes, func(a topology.AttributeChange) bool { return slices.Contains(qualities, a.Name) })
	}
	fault := func(instance, cut string) bool {
		return (instance == "" || !restarts(change("instance", instance))) && (cut == "" || link(cut, "down"))
	}
	switch {
	case s.Accept != nil:
		return stays(change("vpc_endpoint", *s.Accept))
	case s.Reject != nil:
		return stays(change("vpc_endpoint", *s.Reject))
	case s.VerifyPrivateDNS != nil:
		return stays(change("endpoint_service", *s.VerifyPrivateDNS))
	case s.ModifyLink != nil:
		return link(s.ModifyLink.Link, given(&s.ModifyLink.LinkQualities)...)
	case s.Fail != nil:
		return fault(s.Fail.Instance, s.Fail.Link)
	case s.Heal != nil:
		return fault(s.Heal.Instance, s.Heal.Link)
	}
	return edits[s.Action()] == nil
}

// restarts reports whether what runs in an instance is started anew by a change.
func restarts(c *topology.Change) bool {
	return c.Action != topology.Update || slices.ContainsFunc(c.Attributes, func(a topology.AttributeChange) bool {
		of, _, _ := strings.Cut(a.Name, ".")
		return slices.Contains([]string{"services", "command", "environment", "files", "wait_for_port"}, of)
	})
}

// given returns the keys of the qualities that a step gives a link.
func given(q *topology.LinkQualities) (keys []string) {
	v := reflect.ValueOf(q).Elem()
	for _, f := range fieldsOf(v.Type()) {
		if !v.FieldByIndex(f.index).IsNil() {
			keys = append(keys, f.key)
		}
	}
	return keys
}
