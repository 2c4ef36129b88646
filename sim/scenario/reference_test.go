package scenario

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/sim/capture"
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
	r := referenceWriter{titles: map[reflect.Type]string{}, shared: map[reflect.Type]string{
		reflect.TypeFor[topology.Rule]():            "Rule of a security group",
		reflect.TypeFor[topology.Target]():          "Target",
		reflect.TypeFor[topology.HealthThreshold](): "Threshold of healthy targets",
		reflect.TypeFor[RuleEdit]():                 "Rule to add or remove",
		reflect.TypeFor[topology.NetworkACLEntry](): "Rule of a network ACL",
		reflect.TypeFor[topology.Instance]():        "Instance",
		reflect.TypeFor[EntryEdit]():                "Rule of a network ACL to add or replace",
		reflect.TypeFor[TargetEdit]():               "Target to add or remove",
		reflect.TypeFor[Matcher]():                  "Condition",
	}}
	r.WriteString(referenceHead)
	r.structure(section{reflect.TypeFor[Scenario](), "Top of the file", ""})
	for i := 0; i < len(r.later); i++ { // which grows meanwhile
		r.structure(r.later[i])
	}
	r.line("## What each action can expect\n")
	r.table("Action", "Keys of expect")
	for _, a := range actions {
		keys := expectable[a.key]
		if len(keys) == 0 {
			r.row(code(a.key), "nothing: it is done, or AWS would refuse it and the step fails")
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
	r.line("\n## Fields of captured packets\n")
	r.line("Keys in `expect.packets`, and in `expect.absent` of `captures`. A packet lacks those that its protocol does not have.\n")
	r.table("Field", "Is")
	for _, f := range capture.Fields() {
		r.row(code(f.Name), f.Doc)
	}
	return r.String()
}

// section describes a struct of the language.
type section struct {
	typ         reflect.Type
	title, path string
}

type referenceWriter struct {
	strings.Builder
	titles map[reflect.Type]string // of the sections that there are, or will be
	shared map[reflect.Type]string // titles of structs that stand in several places
	inner  []section               // to follow the present section
	later  []section               // to follow all others
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

// structure writes a section, and those of the structs within.
func (r *referenceWriter) structure(s section) {
	r.line("## %s\n", s.title)
	r.table("Key", "Type", "Default", "Meaning")
	r.inner = nil
	for _, f := range fieldsOf(s.typ) {
		meaning, standard := splitDefault(f.doc)
		switch {
		case f.required:
			standard = "required"
		case f.typ.Kind() == reflect.Bool && standard == "":
			standard = "false"
		}
		r.row(code(f.key), r.kind(f.typ, join(s.path, f.key)), standard, meaning)
	}
	r.line("")
	for _, inner := range r.inner {
		r.structure(inner)
	}
}

// kind describes the type of a key, and remembers a struct for later.
func (r *referenceWriter) kind(t reflect.Type, path string) string {
	switch t {
	case reflect.TypeFor[topology.Command](), reflect.TypeFor[Senders]():
		return "text or list of texts"
	case reflect.TypeFor[topology.Share]():
		return "percentage"
	case reflect.TypeFor[topology.BitRate]():
		return "bandwidth"
	case reflect.TypeFor[Duration](), reflect.TypeFor[topology.Span]():
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
	title, known := r.titles[t]
	if !known {
		shared := false
		if title, shared = r.shared[t]; shared {
			r.later = append(r.later, section{t, title, path})
		} else {
			title = code(path)
			r.inner = append(r.inner, section{t, title, path})
		}
		r.titles[t] = title
	}
	slug := strings.ReplaceAll(strings.ToLower(noSlug.ReplaceAllString(title, "")), " ", "-")
	return fmt.Sprintf("[%s](#%s)", title, slug)
}

var (
	// "Default: the next free /24.", "Default, where the key is absent: everything."
	defaultSentence = regexp.MustCompile(`(^|\. )Default[:,]? ([^.]*)\.`)
	// "on (default) or off", "60 to 6000; default 350", "network, the only type here"
	defaultAside = regexp.MustCompile(`([^\s,;]+) \(default\)|; default ([^\s.]+)|^([^\s,]+), the only type here`)
	factStop     = regexp.MustCompile(`(F\d+)\.(\d)`)
)

// splitDefault parts the documentation of a key from the default that it tells.
func splitDefault(doc string) (meaning, standard string) {
	// The numbers of facts have full stops in them.
	doc = factStop.ReplaceAllString(doc, "$1\x00$2")
	if m := defaultSentence.FindStringSubmatchIndex(doc); m != nil {
		standard = doc[m[4]:m[5]]
		doc = strings.TrimSpace(doc[:m[0]] + strings.TrimSpace(doc[m[2]:m[3]]) + doc[m[1]:])
	} else if m := defaultAside.FindStringSubmatch(doc); m != nil {
		standard = m[1] + m[2] + m[3] // of which two are empty
	}
	return strings.ReplaceAll(doc, "\x00", "."), strings.ReplaceAll(standard, "\x00", ".")
}

func code(words ...string) string { return "`" + strings.Join(words, "`, `") + "`" }
