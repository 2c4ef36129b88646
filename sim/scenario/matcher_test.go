package scenario_test

import (
	"strings"
	"testing"

	"github.com/plsim/plsim/sim/scenario"
)

func TestMatcher(t *testing.T) {
	long := strings.Repeat("a", 300)
	for _, c := range []struct {
		yaml  string
		words string
		value string
		why   string // "" if it matches
	}{
		{"200", "200", "200", ""},
		{"200", "200", "404", "expected 200, saw 404"},
		{"1.0", "1.0", "1", "expected 1.0, saw 1"}, // equality is that of the text
		{"true", "true", "true", ""},
		{"''", `""`, "", ""},
		{"''", `""`, "x y", `expected "", saw "x y"`},
		{"{ equals: 200 }", "200", "200", ""},
		{"{ contains: Hello }", `containing "Hello"`, "Oh, Hello World!", ""},
		{"{ contains: Hello }", `containing "Hello"`, "hello\n", `expected containing "Hello", saw "hello\n"`},
		{"{ matches: '^10[.]0[.]' }", "matching /^10[.]0[.]/", "10.0.1.5", ""},
		{"{ matches: '^10[.]0[.]' }", "matching /^10[.]0[.]/", "110.0.1.5", "expected matching /^10[.]0[.]/, saw 110.0.1.5"},
		{"{ matches: '(' }", "matching /(/", "x", "expected matching /(/, saw x: the regular expression is wrong"},
		{"{ not: timeout }", "not timeout", "none", ""},
		{"{ not: timeout }", "not timeout", "timeout", "expected not timeout, saw timeout"},
		{"{ not: { contains: a } }", `not containing "a"`, "cab", `expected not containing "a", saw cab`},
		{"{ one_of: [timeout, refused] }", "one of timeout, refused", "refused", ""},
		{"{ one_of: [timeout, refused] }", "one of timeout, refused", "none", "expected one of timeout, refused, saw none"},
		{"{ at_least: 50 }", "at least 50", "50", ""},
		{"{ at_least: 50 }", "at least 50", " 100\n", ""},
		{"{ at_least: 50 }", "at least 50", "9", "expected at least 50, saw 9"}, // numbers, not texts
		{"{ at_most: 0.5 }", "at most 0.5", "0.25", ""},
		{"{ at_most: 0.5 }", "at most 0.5", "1", "expected at most 0.5, saw 1"},
		{"{ at_least: 1 }", "at least 1", "many", "expected at least 1, saw many, which is not a number"},
		{"{ at_least: 1 }", "at least 1", "", `expected at least 1, saw "", which is not a number`},
		{"{ at_least: 10, at_most: 20 }", "at least 10 and at most 20", "15", ""},
		{"{ at_least: 10, at_most: 20 }", "at least 10 and at most 20", "21", "expected at least 10 and at most 20, saw 21"},
		{"{ contains: a, not: { contains: b } }", `containing "a" and not containing "b"`, "ab", `expected containing "a" and not containing "b", saw ab`},
		{"{}", "anything", "x", ""},
		{"x", "x", long, `expected x, saw "` + long[:200] + `"… (300 bytes)`},
	} {
		s, _, err := scenario.Parse("x", []byte("name: x\nvpcs:\nsteps: [{ expect: { body: "+c.yaml+" } }]\n"))
		if err != nil {
			t.Errorf("%s: %v", c.yaml, err)
			continue
		}
		m := s.Steps[0].Expect.Body
		if got := m.String(); got != c.words {
			t.Errorf("%s reads %s, want %s", c.yaml, got, c.words)
		}
		if ok, why := m.Match(c.value); ok != (c.why == "") || why != c.why {
			t.Errorf("%s on %q: %v, %s; want %s", c.yaml, c.value, ok, why, c.why)
		}
	}
	var none *scenario.Matcher
	if ok, why := none.Match("x"); !ok || why != "" || none.String() != "anything" {
		t.Errorf("no matcher: %v, %s, %s", ok, why, none)
	}
}
