package scenario

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/plsim/plsim/topology"
)

// referenceKinds are the first words of the references ${…} that a lab answers;
// topology.Lab.Variable knows the rest of them.
var referenceKinds = []string{"vpc_endpoint", "load_balancer", "target_group", "instance", "endpoint_service", "vpc", "on_premises",
	"eip", "nat_gateway", "transit_gateway", "transit_gateway_vpc_attachment"}

// Expand replaces the references ${…} in a text by what they stand for in the
// lab as it is now, and $${ by ${. An unknown reference is an error.
func Expand(lab *topology.Lab, text string) (string, error) {
	return expand(text, false, lab.Variable)
}

// ExpandForeign is Expand for text that has ${…} of its own, such as a command
// for the shell or a file: it leaves alone what names no part of a lab.
func ExpandForeign(lab *topology.Lab, text string) (string, error) {
	return expand(text, true, lab.Variable)
}

// Expand returns a copy of the step in which all references are replaced by what
// they stand for now. The command and input of exec may have ${…} of their own.
func (s *Step) Expand(lab *topology.Lab) (*Step, error) {
	return expandAll(s, lab.Variable)
}

// ExpandInstance returns a copy of an instance in which the references in its
// command, environment, files and services are replaced, as ExpandForeign does.
func ExpandInstance(lab *topology.Lab, instance *topology.Instance) (*topology.Instance, error) {
	return expandAll(instance, lab.Variable)
}

func expandAll[T any](p *T, variable func(string) (string, error)) (*T, error) {
	var errs []error
	q := rewrite(reflect.ValueOf(p), "", func(path, text string) string {
		text, err := expand(text, isForeign(path, reflect.TypeFor[T]()), variable)
		if err != nil {
			errs = append(errs, err)
		}
		return text
	})
	return q.Interface().(*T), errors.Join(errs...)
}

// isForeign reports whether the text at a path within a step or an instance may
// have ${…} of its own.
func isForeign(path string, within reflect.Type) bool {
	return within == reflect.TypeFor[topology.Instance]() || strings.HasPrefix(path, "exec.")
}

// expand replaces references by their values. Those that fail stay as they are
// and are named in the error, which joins errors of type *referenceError.
func expand(text string, foreign bool, variable func(ref string) (string, error)) (string, error) {
	var b strings.Builder
	var errs []error
	for {
		at := strings.Index(text, "${")
		if at < 0 {
			break
		}
		ref, rest, closed := strings.Cut(text[at+2:], "}")
		kind, _, _ := strings.Cut(ref, ".")
		ours := closed && slices.Contains(referenceKinds, kind) && kind != ref
		whole := text[at : len(text)-len(rest)]
		switch {
		case foreign && !ours:
			b.WriteString(text[:at+2])
			text = text[at+2:]
			continue
		case at > 0 && text[at-1] == '$':
			b.WriteString(text[:at-1] + "${")
			text = text[at+2:]
			continue
		case !closed:
			errs = append(errs, &referenceError{text[at:], "${ without }; write $${ for the characters themselves"})
			b.WriteString(text)
			text = ""
			continue
		}
		value, err := whole, error(nil)
		if !ours {
			err = fmt.Errorf("unknown reference %s%s; write $${ for the characters themselves", whole, kindHint(kind))
		} else if value, err = variable(ref); err != nil {
			value = whole
		}
		if err != nil {
			errs = append(errs, &referenceError{whole, err.Error()})
		}
		b.WriteString(text[:at] + value)
		text = rest
	}
	b.WriteString(text)
	return b.String(), errors.Join(errs...)
}

func kindHint(kind string) string {
	if near := meant(kind, referenceKinds); near != "" && near != kind {
		return ": did you mean ${" + near + ".…}?"
	}
	return ": references start with " + strings.Join(referenceKinds, ", ")
}

// referenceError is a reference that stands for nothing.
type referenceError struct{ ref, msg string }

func (e *referenceError) Error() string { return e.msg }

// referenceErrors unfolds the error of expand.
func referenceErrors(err error) (refs []*referenceError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			var ref *referenceError
			if errors.As(err, &ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// rewrite returns a deep copy of v in which f has replaced every text but the
// name of a step. The path of a text is that of its keys, from v.
func rewrite(v reflect.Value, path string, f func(path, text string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(rewrite(v.Elem(), path, f))
		}
	case reflect.Struct:
		out.Set(v)
		for _, field := range fieldsOf(v.Type()) {
			if v.Type() == reflect.TypeFor[Step]() && field.key == "name" {
				continue
			}
			out.FieldByIndex(field.index).Set(rewrite(v.FieldByIndex(field.index), join(path, field.key), f))
		}
	case reflect.Map:
		if v.IsNil() {
			break
		}
		out.Set(reflect.MakeMap(v.Type()))
		for _, key := range slices.Sorted(maps.Keys(keySet(v))) {
			k := reflect.ValueOf(key)
			out.SetMapIndex(k, rewrite(v.MapIndex(k), join(path, key), f))
		}
	case reflect.Slice:
		if v.IsNil() {
			break
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(rewrite(v.Index(i), item(path, i), f))
		}
	case reflect.String:
		out.SetString(f(path, v.String()))
	default:
		out.Set(v)
	}
	return out
}
