package scenario

import (
	"fmt"
	"maps"
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
	case *Duration:
		d.duration(path, n, p)
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

// resolve returns what an anchor names or an alias stands for.
func (d *decoder) resolve(path string, n ast.Node) (ast.Node, bool) {
	for range maxDepth {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.AliasNode:
			name := nameOf(x.Value)
			target, known := d.anchors[name]
			if !known {
				d.wrong(path, start(x), "no anchor &%s is in the file%s", name, hint(name, slices.Collect(maps.Keys(d.anchors))))
				return nil, false
			}
			n = target
		case *ast.TagNode:
			d.wrong(path, start(x), "the tag %s has no meaning here: leave it out, and write text in quotes", x.Start.Value)
			return nil, false
		case nil:
			return nil, false
		default:
			return n, true
		}
	}
	d.wrong(path, start(n), "an alias contains itself")
	return nil, false
}

// findAnchors lists the anchors of the whole tree.
func (d *decoder) findAnchors(root ast.Node) {
	ast.Walk(anchorFinder{d}, root)
}

type anchorFinder struct{ *decoder }

func (f anchorFinder) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		name := nameOf(a.Name)
		if _, again := f.anchors[name]; again {
			f.note(start(a), "the anchor &%s is in the file twice", name)
		}
		f.anchors[name] = a.Value
	}
	return f
}

func nameOf(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// pair is a key of a mapping and its value.
type pair struct {
	key   ast.MapKeyNode
	value ast.Node
}

// pairs returns the pairs of a mapping; an empty value is one without pairs.
func pairs(n ast.Node) (ps []pair, ok bool) {
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.MappingValueNode:
		ps = append(ps, pair{n.Key, n.Value})
	case *ast.MappingNode:
		for _, v := range n.Values {
			ps = append(ps, pair{v.Key, v.Value})
		}
	default:
		return nil, false
	}
	return ps, true
}

// entry is a pair whose key is known to be a text, and where its value stands.
type entry struct {
	key   string
	path  string
	at    Position // of the key
	value ast.Node
}

// entries returns what a mapping holds, merged mappings (<<) included, each key
// once, and notes where the values stand.
func (d *decoder) entries(path string, n ast.Node) ([]entry, bool) {
	ps, ok := pairs(n)
	if !ok {
		d.wrong(path, start(n), "expected a mapping, found %s", describe(n))
		return nil, false
	}
	var own, merged []entry
	lines := map[string]int{}
	for _, p := range ps {
		if p.key.IsMergeKey() {
			merged = append(merged, d.merge(path, p.value)...)
			continue
		}
		key, ok := d.key(path, p.key)
		if !ok {
			continue
		}
		e := entry{key, join(path, key), start(p.key), p.value}
		if first, again := lines[key]; again {
			d.note(e.at, "duplicate key %q: it stands on line %d already", key, first)
			continue
		}
		lines[key] = e.at.Line
		own = append(own, e)
	}
	for _, e := range merged {
		if _, overridden := lines[e.key]; !overridden {
			lines[e.key] = e.at.Line
			own = append(own, e)
		}
	}
	for _, e := range own {
		d.src.at[e.path] = e.at
		if v, ok := d.peek(e.value); ok && isScalar(v) {
			d.src.at[e.path] = start(e.value)
		}
	}
	return own, true
}

// merge returns the entries of the mapping, or list of mappings, behind a merge key.
func (d *decoder) merge(path string, n ast.Node) []entry {
	d.values++
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > 2*maxDepth || d.values > maxValues {
		d.wrong(path, start(n), "nested too deep: an alias contains itself")
		return nil
	}
	n, ok := d.resolve(path, n)
	if !ok {
		return nil
	}
	if list, ok := n.(*ast.SequenceNode); ok {
		var all []entry
		for _, n := range list.Values {
			all = append(all, d.merge(path, n)...)
		}
		return all
	}
	es, _ := d.entries(path, n)
	d.values += len(es)
	return es
}

// peek is resolve without complaints.
func (d *decoder) peek(n ast.Node) (ast.Node, bool) {
	quiet := decoder{src: d.src, anchors: d.anchors, broken: map[string]bool{}}
	return quiet.resolve("", n)
}

// key returns the text of a mapping's key.
func (d *decoder) key(path string, n ast.MapKeyNode) (string, bool) {
	var key ast.Node = n
	if explicit, ok := n.(*ast.MappingKeyNode); ok {
		key = explicit.Value
	}
	key, ok := d.resolve(path, key)
	if !ok {
		return "", false
	}
	text, _, ok := scalar(key)
	if !ok {
		d.note(start(n), "a key must be a text, found %s", describe(key))
	}
	return text, ok
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
