package scenario

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/topology"
)

const referenceFile = "../../docs/scenario-reference.md"

// The reference is made from the same tags as the schema, so that neither can
// say what the other does not.
func TestReferenceIsCurrent(t *testing.T) {
	want := reference()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/scenario-reference.md is not what the types say; run go generate ./sim/scenario and review the difference")
	}
}

const referenceHead = `# Reference of the scenario language

Every key of a scenario file, every drop reason and every field of a flow log. This page is generated from plsim itself (` + "`make schema`" + `);
[scenario.md](scenario.md) explains the language, and [FIDELITY.md](../FIDELITY.md) the numbers such as F1.14.

A key without a default and not marked as required may be left out. In the headings NAME is a name of your choice, and ` + "`[]`" + ` an entry of a list.

`

// reference returns the reference as Markdown.
func reference() string {
	r := referenceWriter{names: map[reflect.Type]string{
		reflect.TypeFor[topology.Rule]():   "Rule of a security group",
		reflect.TypeFor[topology.Target](): "Target",
		reflect.TypeFor[RuleEdit]():        "Rule to add or remove",
		reflect.TypeFor[TargetEdit]():      "Target to add or remove",
		reflect.TypeFor[Matcher]():         "Condition",
	}}
	r.WriteString(referenceHead)
	r.structure(reflect.TypeFor[Scenario](), "Top of the file", "")
	for i := 0; i < len(r.queue); i++ { // which grows meanwhile
		r.structure(r.queue[i].typ, r.queue[i].title, r.queue[i].path)
	}
	r.line("## What each action can expect\n")
	r.table("Action", "Keys of expect")
	for _, a := range actions {
		keys := expectable[a.key]
		if len(keys) == 0 {
			r.row(code(a.key), "nothing: it is done, or the scenario is wrong")
			continue
		}
		r.row(code(a.key), code(keys...))
	}
	r.line("\n## Drop reasons\n")
	r.line("In the order in which a packet can meet them; keys of `expect.reasons`.\n")
	r.table("Reason", "Meaning")
	for _, reason := range drop.All() {
		r.row(code(reason.String()), reason.Explain())
	}
	r.line("\n## Fields of flow log records\n")
	r.line("In AWS's order; keys in `expect.records` and `expect.absent`. The default format, which failed steps print, has the first %d.\n", len(flowlog.DefaultFormat))
	r.line("%s", code(flowlog.Fields()...))
	return r.String()
}

// section is a struct of the language that has to be described.
type section struct {
	typ         reflect.Type
	title, path string
}

type referenceWriter struct {
	strings.Builder
	names map[reflect.Type]string // of structs that stand in several places
	queue []section
}

func (r *referenceWriter) line(format string, args ...any) { fmt.Fprintf(r, format+"\n", args...) }

func (r *referenceWriter) table(heads ...string) {
	r.row(heads...)
	r.line("%s|", strings.Repeat("|---", len(heads)))
}

func (r *referenceWriter) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	r.line("| %s |", strings.Join(cells, " | "))
}

func (r *referenceWriter) structure(t reflect.Type, title, path string) {
	r.line("## %s\n", title)
	r.table("Key", "Type", "Default", "Meaning")
	for _, f := range fieldsOf(t) {
		meaning, standard := splitDefault(f.doc)
		if f.required {
			standard = "required"
		}
		r.row(code(f.key), r.kind(f.typ, join(path, f.key)), standard, meaning)
	}
	r.line("")
}

// kind describes the type of a key, and remembers a struct for later.
func (r *referenceWriter) kind(t reflect.Type, path string) string {
	switch t {
	case reflect.TypeFor[topology.Command]():
		return "text or list of texts"
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[topology.Target]():
		return "text or " + r.link(t, path)
	case reflect.TypeFor[Matcher]():
		return "value or " + r.link(t, path)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return r.kind(t.Elem(), path)
	case reflect.Struct:
		return r.link(t, path)
	case reflect.Map:
		return "map of " + r.kind(t.Elem(), path+".NAME")
	case reflect.Slice:
		return "list of " + r.kind(t.Elem(), path+"[]")
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "whole number"
	case reflect.Float64:
		return "number"
	}
	return "text"
}

var noSlug = regexp.MustCompile(`[^\w\- ]`)

// link leads to the section of a struct, which there will be.
func (r *referenceWriter) link(t reflect.Type, path string) string {
	i := slices.IndexFunc(r.queue, func(s section) bool { return s.typ == t })
	if i < 0 {
		title, shared := r.names[t]
		if !shared {
			title = code(path)
		}
		i = len(r.queue)
		r.queue = append(r.queue, section{t, title, path})
	}
	title := r.queue[i].title
	slug := strings.ReplaceAll(strings.ToLower(noSlug.ReplaceAllString(title, "")), " ", "-")
	return fmt.Sprintf("[%s](#%s)", title, slug)
}

var (
	defaultSentence = regexp.MustCompile(`(?:^|\. )Default(?:,? ([^:]*?):)?:? ?([^.]*(?:\.[^ .][^.]*)*)\.`)
	defaultAside    = regexp.MustCompile(`([^\s,;]+) \(default\)|[;,] default ([^\s.;,]+)|^([^\s,]+), the only type here`)
)

// splitDefault parts the documentation of a key from the default that it tells.
func splitDefault(doc string) (meaning, standard string) {
	if m := defaultSentence.FindStringSubmatchIndex(doc); m != nil {
		standard = doc[m[4]:m[5]]
		if m[2] >= 0 {
			standard = doc[m[2]:m[3]] + ": " + standard
		}
		meaning = strings.TrimSpace(doc[:m[0]] + map[bool]string{true: "."}[m[0] > 0] + doc[m[1]:])
		return meaning, strings.TrimSpace(standard)
	}
	for _, word := range append(defaultAside.FindStringSubmatch(doc), "")[min(1, len(defaultAside.FindStringSubmatch(doc))):] {
		if word != "" {
			return doc, word
		}
	}
	return doc, ""
}

func code(words ...string) string { return "`" + strings.Join(words, "`, `") + "`" }
