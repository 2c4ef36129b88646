package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim/scenario"
)

const (
	problemsPage  = "../../docs/problems.md"
	problemsBegin = "-run TestProblems -update -->\n"
	problemsEnd   = "\n<!-- end -->"
)

var problemDescription = regexp.MustCompile(`(?s)^(.*)\n\nSeen: (.*)\n\nCure: (.*)\n$`)

// TestProblems wants the page of problems to be what the scenarios say of themselves:
// each begins with the question, then what is seen and the cure. Every one plays an
// observation that something fails, then the cure, then that it works.
func TestProblems(t *testing.T) {
	entries, err := scenarios.FS.ReadDir("problems")
	if err != nil || len(entries) < 20 {
		t.Fatalf("%d problems, %v", len(entries), err)
	}
	var table strings.Builder
	table.WriteString("\n| Question | Seen | Cure | Scenario |\n|---|---|---|---|\n")
	for i, e := range entries {
		text, err := scenarios.FS.ReadFile(path.Join("problems", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := scenario.LoadBytes(e.Name(), text)
		if err != nil {
			t.Fatal(err)
		}
		sc := loaded.Scenario
		if want := fmt.Sprintf("%02d-%s.yaml", i+1, sc.Name); e.Name() != want {
			t.Errorf("%s: want the name %s", e.Name(), want)
		}
		if !strings.HasPrefix(string(text), "# yaml-language-server: $schema=") {
			t.Errorf("%s: editors do not find its schema", e.Name())
		}
		parts := problemDescription.FindStringSubmatch(sc.Description)
		if parts == nil || !strings.Contains(parts[1], "?") {
			t.Errorf("%s: the description is no question, Seen: and Cure:", e.Name())
			continue
		}
		checkProblem(t, e.Name(), sc)
		table.WriteString("|")
		for _, part := range parts[1:] {
			cell := strings.ReplaceAll(strings.Join(strings.Fields(part), " "), "|", `\|`)
			table.WriteString(" " + cell + " |")
		}
		fmt.Fprintf(&table, " [%s](../scenarios/problems/%s) |\n", sc.Name, e.Name())
	}
	page, err := os.ReadFile(problemsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), problemsBegin)
	_, after, closed := strings.Cut(rest, problemsEnd)
	if !ok || !closed {
		t.Fatalf("%s has lost the marks around its table", problemsPage)
	}
	want := before + problemsBegin + table.String() + problemsEnd + after
	if *update {
		if err := os.WriteFile(problemsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(page) != want {
		t.Errorf("%s does not say what the scenarios do; run go test ./cmd/plsim -run TestProblems -update", problemsPage)
	}
}

// checkProblem wants a step that is called the cure, others before it which show the
// problem, and at the end one that works.
func checkProblem(t *testing.T, name string, sc *scenario.Scenario) {
	t.Helper()
	cure := slices.IndexFunc(sc.Steps, func(s *scenario.Step) bool { return strings.Contains(s.Name, "cure") })
	if cure < 1 {
		t.Errorf("%s: no step is called the cure, or none is before it", name)
	}
	last := sc.Steps[len(sc.Steps)-1]
	if e := last.Expect; e == nil || e.Error != nil && (e.Error.Equals == nil || *e.Error.Equals != "none") {
		t.Errorf("%s: the last step does not show that it works", name)
	}
}
