package scenario

import (
	"maps"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

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
