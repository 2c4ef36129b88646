package scenario_test

import (
	"bytes"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/plsim/plsim/sim/scenario"
)

// The filled-in file is a scenario like any other: it means the same, and there
// is nothing left to fill in.
func TestPrintRoundTrip(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios found: %v", err)
	}
	for _, file := range files {
		loaded, err := scenario.Load(file)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		text := printed(t, loaded.Scenario)
		parsed, _, err := scenario.Parse(file, []byte(text))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if !reflect.DeepEqual(parsed, loaded.Scenario) {
			t.Errorf("%s: the filled-in file parses to another scenario:\n%s", file, text)
		}
		again, err := scenario.LoadBytes(file, []byte(text))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got := printed(t, again.Scenario); got != text {
			t.Errorf("%s: the filled-in file changes when it is filled in again:\n%s", file, got)
		}
	}
}

// Texts that YAML readers are known to take for something else.
func TestPrintKeepsTexts(t *testing.T) {
	for _, text := range []string{
		"", " ", "x ", " x", "a: b", "a:", ":a", "a #b", "#a", "- a", "-", "?", "yes", "No", "on", "null", "~", "true", "False",
		"1", "010", "0x1f", "0o17", "1e3", "1.5", ".5", "5.", "1_000", "12:30", "12:30:45", "-1", "+1", ".inf", ".NaN", "<<", "=",
		"2001:db8::/32", "fd00::", "10.0.0.0/16", "${a.b}", "{a}", "[a]", "a, b", "a\tb", "\t", "a\nb", "a\n", "a\n\n", "\na", "a\n b\n",
		" a\nb", "a\n \nb", "a\r\nb", "a\rb", "\x00", "\x7f", "\u0085", "\u2028", "\ufeff", "é", "日本", "😀", `"`, `\`, "'", "it's", "&a", "*a", "!a", "%a", "@a", "`a`", "|", ">", "---", "...",
		"111111111111", "2026-01-01", "arn:aws:iam::222222222222:root", "a\n# b\n", "a\n\tb", "key: value\nother: x\n",
	} {
		s := &scenario.Scenario{Name: "x", Description: text, Requires: []string{text, text}}
		s.Steps = []*scenario.Step{{Name: text, Request: &scenario.Request{
			Headers: map[string]string{text: text},
			Body:    text,
		}, Expect: &scenario.Expect{Body: &scenario.Matcher{Equals: &text}, Status: &scenario.Matcher{Not: &scenario.Matcher{OneOf: []string{text}}}}}}
		out := printed(t, s)
		parsed, _, err := scenario.Parse("x", []byte(out))
		if err != nil {
			t.Errorf("%q: %v\n%s", text, err, out)
			continue
		}
		if !reflect.DeepEqual(parsed, s) {
			t.Errorf("%q does not come back from\n%s", text, out)
		}
	}
}

// An absent list of rules is not an empty one: without egress everything may go
// out, with egress: [] nothing (F3.3).
func TestPrintKeepsEmptyLists(t *testing.T) {
	const text = "name: x\n\nvpcs:\n  v:\n    cidr_block: 10.0.0.0/16\n    security_groups: { absent: {}, empty: { egress: [] } }\n"
	s, _, err := scenario.Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	groups := s.VPCs["v"].SecurityGroups
	if groups["absent"].Egress != nil || groups["empty"].Egress == nil {
		t.Errorf("absent and empty are one: %+v", groups)
	}
	if got := printed(t, s); got != text {
		t.Errorf("printed as\n%s", got)
	}
}

func printed(t *testing.T, s *scenario.Scenario) string {
	t.Helper()
	var b bytes.Buffer
	if err := scenario.Print(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
