package topology

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// scoped finds the things of one kind whose names are unique within their VPC.
type scoped[T any] struct {
	kind string
	vpcs map[string]map[string]T // by VPC, by name
}

// open makes a VPC known, which may have none of the things.
func (s *scoped[T]) open(vpc string) {
	if s.vpcs == nil {
		s.vpcs = map[string]map[string]T{}
	}
	s.vpcs[vpc] = map[string]T{}
}

func (s *scoped[T]) put(vpc, name string, t T) { s.vpcs[vpc][name] = t }

// find resolves VPC/NAME, or NAME: in the VPC from, or where from is "" in the
// only VPC that has it. The error is for people.
func (s *scoped[T]) find(from, ref string) (t T, err error) {
	vpc, name, qualified := strings.Cut(ref, "/")
	if !qualified {
		vpc, name = from, ref
	}
	if vpc != "" {
		if _, ok := s.vpcs[vpc]; !ok && qualified {
			return t, errors.New(unknown("VPC", vpc, slices.Collect(maps.Keys(s.vpcs))))
		}
		if t, ok := s.vpcs[vpc][name]; ok {
			return t, nil
		}
		if owners := s.owners(name); !qualified && len(owners) > 0 {
			return t, fmt.Errorf("%s %q is in VPC %s, not in %s%s", s.kind, name, list(owners), vpc, near(name, s.names(vpc)))
		}
		known := s.names(vpc)
		if len(known) == 0 {
			return t, fmt.Errorf("VPC %s has no %s %q, nor any other", vpc, s.kind, name)
		}
		return t, fmt.Errorf("VPC %s has no %s %q%s", vpc, s.kind, name, hint(name, known))
	}
	switch owners := s.owners(name); len(owners) {
	case 0:
		return t, errors.New(unknown(s.kind, name, s.names("")))
	case 1:
		return s.vpcs[owners[0]][name], nil
	default:
		for i := range owners {
			owners[i] += "/" + name
		}
		return t, fmt.Errorf("%d VPCs have a %s %q; write %s", len(owners), s.kind, name, strings.Join(owners, " or "))
	}
}

// owners returns the VPCs that have the name, sorted.
func (s *scoped[T]) owners(name string) []string {
	var owners []string
	for _, vpc := range slices.Sorted(maps.Keys(s.vpcs)) {
		if _, ok := s.vpcs[vpc][name]; ok {
			owners = append(owners, vpc)
		}
	}
	return owners
}

// names returns the names in a VPC; where vpc is "", those of the whole lab as
// they can be written there: NAME where it is unique, else VPC/NAME.
func (s *scoped[T]) names(vpc string) []string {
	if vpc != "" {
		return slices.Sorted(maps.Keys(s.vpcs[vpc]))
	}
	var names []string
	for _, vpc := range slices.Sorted(maps.Keys(s.vpcs)) {
		for _, name := range slices.Sorted(maps.Keys(s.vpcs[vpc])) {
			if len(s.owners(name)) > 1 {
				name = vpc + "/" + name
			}
			names = append(names, name)
		}
	}
	return names
}

// find looks a name up among the things of one kind that the lab names directly.
func find[T any](kind string, things map[string]T, name string) (t T, err error) {
	if t, ok := things[name]; ok {
		return t, nil
	}
	return t, errors.New(unknown(kind, name, slices.Collect(maps.Keys(things))))
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// each calls f for every named part in the order of names, and puts an empty
// part where the document has a name and nothing behind it. Misshapen names are
// problems: references and variables could not tell them apart.
func each[T any](ps *Problems, path string, parts map[string]*T, f func(path, name string, part *T)) {
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		p := at(path, name)
		if !nameForm.MatchString(name) {
			ps.add(p, "%q is not a name: use 1 to 63 letters, digits, - and _, a letter or digit first", name)
		}
		if parts[name] == nil {
			parts[name] = new(T)
		}
		f(p, name, parts[name])
	}
}

// elements calls f for every element of a list; an empty element is a problem.
func elements[T any](ps *Problems, path string, parts []*T, f func(path string, part *T)) {
	for i, part := range parts {
		if part == nil {
			ps.add(item(path, i), "is empty; fill it in or remove it")
			continue
		}
		f(item(path, i), part)
	}
}
