package scenario

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/plsim/plsim/topology"
)

// Parse reads a scenario as it is written: nothing is filled in, and only the
// form is checked, not the sense ([Load] does both). The error is of type
// [Mistakes] and holds every mistake; the scenario is then incomplete, and nil
// where the text is not even YAML. file is the name for messages.
func Parse(file string, data []byte) (*Scenario, *Source, error) {
	s, src, mistakes, _ := parse(file, data)
	return s, src, mistakes.err()
}

// parse also returns the paths whose values are missing or did not fit, so that
// later checks do not complain about what they lack.
func parse(file string, data []byte) (*Scenario, *Source, Mistakes, map[string]bool) {
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	src := newSource(file, text)
	root, wrong := readYAML(src, text)
	if wrong != nil {
		return nil, src, Mistakes{*wrong}, nil
	}
	d := &decoder{src: src, broken: map[string]bool{}, anchors: map[string]ast.Node{}}
	d.findAnchors(root)
	root, ok := d.resolve("", root)
	if !ok {
		return nil, src, d.mistakes, d.broken
	}
	if _, ok := pairs(root); !ok {
		d.wrong("", start(root), "expected a mapping with name, vpcs and steps, found %s", describe(root))
		return nil, src, d.mistakes, d.broken
	}
	s := new(Scenario)
	d.structure("", root, reflect.ValueOf(s).Elem())
	return s, src, d.mistakes, d.broken
}

// decoder fills Go values from a YAML tree and goes on after a mistake, so that
// all of them are found at once.
type decoder struct {
	src      *Source
	mistakes Mistakes
	broken   map[string]bool     // paths without a usable value
	anchors  map[string]ast.Node // by name
	values   int
	depth    int
}

// wrong reports a value that does not fit; the message starts with its key.
func (d *decoder) wrong(path string, at Position, format string, args ...any) {
	d.broken[path] = true
	d.note(at, "%s%s", label(path), fmt.Sprintf(format, args...))
}

// note reports a mistake that leaves the value at hand usable.
func (d *decoder) note(at Position, format string, args ...any) {
	d.mistakes = append(d.mistakes, d.src.mistakeAt(at, fmt.Sprintf(format, args...)))
}

// value decodes n into v, which is a zero value.
func (d *decoder) value(path string, n ast.Node, v reflect.Value) {
	d.values++
	if d.values > maxValues {
		if d.values == maxValues+1 {
			d.wrong(path, start(n), "the file unfolds to more than %d values by its aliases", maxValues)
		}
		return
	}
	if v.Kind() == reflect.Pointer { // a part that fails to decode is still there
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	n, ok := d.resolve(path, n)
	if !ok {
		return
	}
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > 2*maxDepth {
		d.wrong(path, start(n), "nested too deep: an alias contains itself")
		return
	}
	switch p := v.Addr().Interface().(type) {
	case *topology.Command:
		d.command(path, n, p)
		return
	case *Senders:
		if text, ok := d.plainText(path, n); ok {
			*p = Senders{text}
			return
		}
	case *topology.Target:
		if text, ok := d.plainText(path, n); ok {
			p.TargetID = text
			return
		}
	case *Matcher:
		if text, ok := d.plainText(path, n); ok {
			p.Equals = &text
			return
		}
		if _, isList := n.(*ast.SequenceNode); isList {
			d.wrong(path, start(n), "expected a value or a mapping of conditions, found a list: write { one_of: […] } for one of several values")
			return
		}
	case *Span:
		if text, _, ok := scalar(n); ok {
			d.wrong(path, start(n), "expected bounds, found %s: write { at_most: %s }, at_least or both", describe(n), text)
			return
		}
	case *Duration:
		d.duration(path, n, p)
		return
	case encoding.TextUnmarshaler:
		d.worded(path, n, p)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(path, n, v)
	case reflect.Map:
		d.mapping(path, n, v)
	case reflect.Slice:
		d.list(path, n, v)
	case reflect.String:
		if text, ok := d.text(path, n); ok {
			v.SetString(text)
		}
	case reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
		} else {
			d.wrong(path, start(n), "expected true or false, found %s", describe(n))
		}
	case reflect.Int:
		d.integer(path, n, v)
	case reflect.Float64:
		d.number(path, n, v)
	default:
		panic("scenario: no decoding of " + v.Type().String()) // a type of this module, found by the first test
	}
}

// structure decodes a mapping with fixed keys.
func (d *decoder) structure(path string, n ast.Node, v reflect.Value) {
	es, ok := d.entries(path, n)
	if !ok {
		return
	}
	fields := fieldsOf(v.Type())
	found := map[string]bool{}
	for _, e := range es {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key })
		if i < 0 {
			if near := meant(e.key, keysOf(fields)); near != "" && !slices.ContainsFunc(es, func(e entry) bool { return e.key == near }) {
				found[near] = true // one mistake, not two
				d.broken[join(path, near)] = true
			}
			d.broken[e.path] = true
			d.note(e.at, "unknown key %q%s", e.key, hint(e.key, keysOf(fields)))
			continue
		}
		found[e.key] = true
		d.value(e.path, e.value, v.FieldByIndex(fields[i].index))
	}
	for _, f := range fields {
		if f.required && !found[f.key] {
			at := start(n)
			if path != "" {
				at = d.src.Position(path)
			}
			d.broken[join(path, f.key)] = true
			d.note(at, "missing key %s: %s", f.key, f.brief())
		}
	}
}

// mapping decodes a mapping with free keys.
func (d *decoder) mapping(path string, n ast.Node, v reflect.Value) {
	es, ok := d.entries(path, n)
	if !ok || len(es) == 0 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range es {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(e.path, e.value, elem)
		v.SetMapIndex(reflect.ValueOf(e.key), elem)
	}
}

// list decodes a list; an empty one is not nil, since it may mean something else
// than an absent one.
func (d *decoder) list(path string, n ast.Node, v reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		switch text, _, plain := scalar(n); {
		case n.Type() == ast.NullType:
			d.wrong(path, start(n), "expected a list, found nothing: write [] for an empty list, or leave the key out")
		case plain:
			d.wrong(path, start(n), "expected a list, found %s: write [%s]", describe(n), text)
		default:
			d.wrong(path, start(n), "expected a list, found %s: start each entry with \"- \"", describe(n))
		}
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, n := range seq.Values {
		p := item(path, i)
		d.src.at[p] = start(n)
		d.value(p, n, v.Index(i))
	}
}
