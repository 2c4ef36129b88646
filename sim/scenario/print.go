package scenario

import (
	"bufio"
	"encoding"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/plsim/plsim/topology"
)

// Print writes a scenario as YAML that parses to the same scenario. After [Load]
// it shows all that was filled in.
func Print(w io.Writer, s *Scenario) error {
	b := bufio.NewWriter(w)
	root := treeOf(reflect.ValueOf(s).Elem())
	for i, e := range root.entries {
		if i > 0 && (e.value.kind != scalarTree || root.entries[i-1].value.kind != scalarTree) {
			b.WriteByte('\n')
		}
		b.WriteString(key(e.key) + ":")
		e.value.write(b, 1, lineWidth) // the parts of a scenario start on lines of their own
	}
	return b.Flush()
}

// YAML returns a step as it stands in a scenario.
func (s *Step) YAML() string {
	var out strings.Builder
	b := bufio.NewWriter(&out)
	for _, e := range treeOf(reflect.ValueOf(s).Elem()).entries {
		e.write(b, 0)
	}
	_ = b.Flush() // a strings.Builder takes everything
	return out.String()
}

// tree is a value as YAML writes it.
type tree struct {
	kind    treeKind
	text    string // of a scalar
	typed   bool   // the scalar is a number, a boolean, or may look like one
	entries []branch
}

// branch is an element of a mapping or list; a list's have no keys.
type branch struct {
	key   string
	value *tree
}

type treeKind uint8

const (
	scalarTree treeKind = iota
	mappingTree
	listTree
)

func typed(text string) *tree { return &tree{text: text, typed: true} }

// treeOf returns the tree of a value.
func treeOf(v reflect.Value) *tree {
	switch x := v.Interface().(type) {
	case topology.Command:
		if line, ok := shellLine(x); ok {
			return &tree{text: line}
		}
	case Senders:
		if len(x) == 1 {
			return &tree{text: x[0]}
		}
	case topology.Target:
		if x == (topology.Target{TargetID: x.TargetID}) {
			return &tree{text: x.TargetID}
		}
	case Matcher:
		if x.Equals != nil && reflect.DeepEqual(x, Matcher{Equals: x.Equals}) {
			return typed(*x.Equals)
		}
	case Duration:
		return typed(x.String())
	case encoding.TextMarshaler:
		if v.Kind() != reflect.Pointer {
			text, _ := x.MarshalText() // of types of this module, which have no error
			return typed(string(text))
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() { // an empty part, such as a security group without rules
			return &tree{kind: mappingTree}
		}
		return treeOf(v.Elem())
	case reflect.Struct:
		t := &tree{kind: mappingTree}
		for _, f := range fieldsOf(v.Type()) {
			value := v.FieldByIndex(f.index)
			if f.required || !value.IsZero() && (f.bare || !isEmpty(value)) {
				t.entries = append(t.entries, branch{f.key, treeOf(value)})
			}
		}
		return t
	case reflect.Map:
		t := &tree{kind: mappingTree}
		for _, k := range slices.Sorted(maps.Keys(keySet(v))) {
			t.entries = append(t.entries, branch{k, treeOf(v.MapIndex(reflect.ValueOf(k)))})
		}
		return t
	case reflect.Slice:
		t := &tree{kind: listTree}
		for i := range v.Len() {
			t.entries = append(t.entries, branch{"", treeOf(v.Index(i))})
		}
		return t
	case reflect.String:
		return &tree{text: v.String()}
	case reflect.Float64:
		return typed(formatNumber(v.Float()))
	}
	return typed(fmt.Sprint(v.Interface()))
}

func isEmpty(v reflect.Value) bool {
	return (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
}

func keySet(v reflect.Value) map[string]bool {
	set := map[string]bool{}
	for _, k := range v.MapKeys() {
		set[k.String()] = true
	}
	return set
}

// lineWidth is what a line in { } or [ ] may fill.
const lineWidth = 110

// write puts the value behind its key or dash: on the same line where it is
// short and simple, else on lines of its own.
func (t *tree) write(b *bufio.Writer, indent, used int) {
	margin := strings.Repeat("  ", indent)
	if t.fits(used) {
		line, _ := t.flow()
		b.WriteString(" " + line + "\n")
		return
	}
	if t.kind == scalarTree {
		header, lines := block(t.text)
		b.WriteString(" " + header + "\n")
		for _, line := range lines {
			if line != "" {
				line = margin + line
			}
			b.WriteString(line + "\n")
		}
		return
	}
	b.WriteByte('\n')
	for _, e := range t.entries {
		b.WriteString(margin)
		if t.kind == mappingTree {
			e.write(b, indent)
		} else {
			e.value.writeItem(b, indent)
		}
	}
}

// write puts a key and its value.
func (e branch) write(b *bufio.Writer, indent int) {
	key := key(e.key)
	b.WriteString(key + ":")
	e.value.write(b, indent+1, 2*indent+len(key)+1)
}

// writeItem puts the element of a list; a mapping of several lines starts behind
// the dash.
func (t *tree) writeItem(b *bufio.Writer, indent int) {
	b.WriteByte('-')
	if t.kind != mappingTree || t.fits(2*indent+1) {
		t.write(b, indent+1, 2*indent+1)
		return
	}
	for i, e := range t.entries {
		if i == 0 {
			b.WriteByte(' ')
		} else {
			b.WriteString(strings.Repeat("  ", indent+1))
		}
		e.write(b, indent+1)
	}
}

// fits reports whether the value goes on one line from column used. Mappings in a
// list have a line each.
func (t *tree) fits(used int) bool {
	if t.kind == listTree && slices.ContainsFunc(t.entries, func(e branch) bool { return e.value.kind == mappingTree }) {
		return false
	}
	line, ok := t.flow()
	return ok && (t.kind == scalarTree || len(t.entries) == 0 || t.height() <= 2 && used+utf8.RuneCountInString(line) < lineWidth)
}

// height is 0 for a scalar and grows with what is nested.
func (t *tree) height() int {
	h := 0
	for _, e := range t.entries {
		h = max(h, e.value.height()+1)
	}
	return h
}

// flow returns the value on one line; ok is false if a text needs a block.
func (t *tree) flow() (line string, ok bool) {
	open, end := "{ ", " }"
	switch t.kind {
	case scalarTree:
		if _, lines := block(t.text); lines != nil {
			return "", false
		}
		return t.scalar(), true
	case listTree:
		open, end = "[", "]"
	}
	if len(t.entries) == 0 {
		return strings.TrimSpace(open) + strings.TrimSpace(end), true
	}
	var parts []string
	for _, e := range t.entries {
		part, ok := e.value.flow()
		if !ok {
			return "", false
		}
		if t.kind == mappingTree {
			part = key(e.key) + ": " + part
		}
		parts = append(parts, part)
	}
	return open + strings.Join(parts, ", ") + end, true
}

var (
	// plainForm is what every YAML reader takes for a text, and the same text.
	plainForm = regexp.MustCompile(`^[A-Za-z/_]([A-Za-z0-9 /_.:@+=-]*[A-Za-z0-9/_.@+=-])?$`)
	// prefixForm is the same for addresses and the like, which start with a digit.
	prefixForm = regexp.MustCompile(`^[0-9][0-9a-f:.]*[a-z./-]([A-Za-z0-9:./-]*[A-Za-z0-9])?$`)
	// basedForm is a number in another base.
	basedForm = regexp.MustCompile(`^0[xob]`)
	// wordForm is what some YAML reader takes for something else than a text.
	wordForm = regexp.MustCompile(`(?i)^(null|true|false|yes|no|on|off|y|n|nan|inf)$`)
)

// scalar returns the text plain where no reader can mistake it, else quoted.
func (t *tree) scalar() string {
	switch {
	case t.typed && (number.MatchString(t.text) || t.text == "true" || t.text == "false"):
		return t.text
	case strings.Contains(t.text, ": "), wordForm.MatchString(t.text):
	case plainForm.MatchString(t.text):
		return t.text
	case prefixForm.MatchString(t.text) && !basedForm.MatchString(t.text):
		if _, err := strconv.ParseFloat(t.text, 64); err != nil {
			return t.text
		}
	}
	return doubleQuoted(t.text)
}

// key returns a key, which within braces must have no colon.
func key(text string) string {
	if strings.Contains(text, ":") {
		return doubleQuoted(text)
	}
	return (&tree{text: text}).scalar()
}

// doubleQuoted returns text in YAML's double quotes.
func doubleQuoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(text, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100 && unicode.IsControl(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// block returns a text of several lines as a literal block: its header and its
// lines, nil where the text is better quoted.
func block(text string) (header string, lines []string) {
	body, ended := strings.CutSuffix(text, "\n")
	if !strings.Contains(body, "\n") && !ended || body == "" {
		return "", nil
	}
	for i, line := range strings.Split(body, "\n") {
		printable := strings.IndexFunc(line, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) || r == utf8.RuneError }) < 0
		if !printable || line != "" && strings.TrimSpace(line) == "" || i == 0 && (line == "" || line != strings.TrimLeft(line, " \t")) {
			return "", nil
		}
	}
	if strings.HasSuffix(body, "\n") {
		return "", nil
	}
	header = "|-"
	if ended {
		header = "|"
	}
	return header, strings.Split(body, "\n")
}
