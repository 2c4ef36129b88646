package plsim_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A claim is one row of a table of FIDELITY.md.
type claim struct {
	fact, status, evidence string
}

var row = regexp.MustCompile(`(?m)^\| (F[\d.]+a?) \| [^|]+ \| ([^|]+) \|([^|]*)\|$`)

func claims(t *testing.T) []claim {
	var all []claim
	for _, m := range row.FindAllStringSubmatch(read(t, "FIDELITY.md"), -1) {
		all = append(all, claim{m[1], m[2], strings.TrimSpace(m[3])})
	}
	return all
}

// TestFidelityIsComplete wants every fact to stand in FIDELITY.md once, in order.
func TestFidelityIsComplete(t *testing.T) {
	var got []string
	for _, c := range claims(t) {
		got = append(got, c.fact)
	}
	want := facts()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("FIDELITY.md: row %d of %d is not that of fact %d of %d: got %q, want %q",
				i+1, len(got), i+1, len(want), at(got, i), at(want, i))
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing"
}

var evidence = regexp.MustCompile("`([^`]+)`")

// TestFidelityIsShown wants every fact that is kept, or a setting, to name the
// tests and scenarios that show it, and each of those to cite the fact. A fact
// that is left out has a reason.
func TestFidelityIsShown(t *testing.T) {
	for _, c := range claims(t) {
		shown := evidence.FindAllStringSubmatch(c.evidence, -1)
		switch c.status {
		case "kept", "setting":
			if len(shown) == 0 {
				t.Errorf("%s is %s, and no test shows it", c.fact, c.status)
			}
			for _, m := range shown {
				text, found := evidenceText(t, m[1])
				if !found {
					t.Errorf("%s: there is no %s", c.fact, m[1])
				} else if !slices.Contains(fact.FindAllString(text, -1), c.fact) {
					t.Errorf("%s: %s does not cite it", c.fact, m[1])
				}
			}
		case "left out":
			if c.evidence == "" {
				t.Errorf("%s is left out, and no reason is given", c.fact)
			}
		default:
			t.Errorf("%s: unknown status %q", c.fact, c.status)
		}
	}
}

// TestFidelityNamesWhatIsThere wants every test to exist that FIDELITY.md names beside its
// tables, too.
func TestFidelityNamesWhatIsThere(t *testing.T) {
	for _, m := range evidence.FindAllStringSubmatch(read(t, "FIDELITY.md"), -1) {
		if testName.MatchString(m[1]) {
			if _, found := evidenceText(t, m[1]); !found {
				t.Errorf("there is no %s", m[1])
			}
		}
	}
}

var testName = regexp.MustCompile(`^(.+)\.((?:Test|Fuzz|Benchmark)\w+)$`)

// evidenceText returns the text of what FIDELITY.md names: a test function with
// its comment (dataplane/snat.TestPool), or a file (scenarios/quickstart.yaml).
func evidenceText(t *testing.T, name string) (string, bool) {
	repo := repository(t)
	m := testName.FindStringSubmatch(name)
	if m == nil {
		if !slices.Contains(repo.files, name) {
			return "", false
		}
		return read(t, name), true
	}
	for _, s := range repo.sources {
		if s.dir != m[1] || !s.test {
			continue
		}
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == m[2] {
				begin := f.Pos()
				if f.Doc != nil {
					begin = f.Doc.Pos()
				}
				return s.text[repo.fset.Position(begin).Offset:repo.fset.Position(f.End()).Offset], true
			}
		}
	}
	return "", false
}

// TestConformanceIsNumbered wants each scenario of conformance to begin with the number
// of the fact that it is mainly about, and to be the evidence of it.
func TestConformanceIsNumbered(t *testing.T) {
	shows := map[string]string{}
	for _, c := range claims(t) {
		shows[c.fact] = c.evidence
	}
	for _, f := range repository(t).files {
		name, ok := strings.CutPrefix(f, "scenarios/conformance/")
		if !ok {
			continue
		}
		fact, _, _ := strings.Cut(name, "-")
		if !strings.Contains(shows[fact], "`"+f+"`") {
			t.Errorf("%s: FIDELITY.md does not name it as evidence of %q", f, fact)
		}
	}
}
