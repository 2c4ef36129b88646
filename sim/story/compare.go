package story

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/sim/scenario"
)

// comparison holds what was seen against what was expected.
type comparison struct {
	expect      *scenario.Expect
	seen        []string
	shown       []string
	differences []string
}

func newComparison(e *scenario.Expect) *comparison { return &comparison{expect: e} }

// note adds a few words about what was seen.
func (c *comparison) note(format string, args ...any) {
	c.seen = append(c.seen, fmt.Sprintf(format, args...))
}

// differ adds an expectation that did not hold.
func (c *comparison) differ(format string, args ...any) {
	c.differences = append(c.differences, fmt.Sprintf(format, args...))
}

// looks reports whether nothing is expected: then the step is there to show something.
func (c *comparison) looks() bool { return reflect.ValueOf(*c.expect).IsZero() }

// show adds a line of what was read.
func (c *comparison) show(line string) { c.shown = append(c.shown, line) }

// match compares one value and reports whether it is as expected; no matcher means that
// nothing is expected of it.
func (c *comparison) match(what string, m *scenario.Matcher, value string) bool {
	if m == nil {
		return true
	}
	ok, why := m.Match(value)
	if !ok {
		c.differ("%s: %s", what, why)
	}
	return ok
}

// missing notes that a value which was expected does not exist.
func (c *comparison) missing(m *scenario.Matcher, what string) {
	if m != nil {
		c.differ("%s: expected %s, saw none", what, m)
	}
}

// failure compares how an exchange failed; it is expected not to, unless the
// scenario says otherwise.
func (c *comparison) failure(f Failure) {
	kind := cmp.Or(f.Kind, "none")
	if f.Kind != "" {
		c.note("%s: %s", f.Kind, f.Detail)
	}
	switch held, why := c.expect.Error.Match(kind); {
	case held:
	case f.Kind == "":
		c.differ("error: %s: it was answered", why)
	case answerWanted(c.expect.Error):
		c.differ("expected an answer, saw %s: %s", f.Kind, f.Detail)
	default:
		c.differ("error: %s: %s", why, f.Detail)
	}
}

// answerWanted reports whether nothing but an answer will do.
func answerWanted(m *scenario.Matcher) bool { return m.Equals != nil && *m.Equals == "none" }

// json compares values within a JSON body, by dotted path.
func (c *comparison) json(want map[string]*scenario.Matcher, body string) {
	if len(want) == 0 {
		return
	}
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		c.differ("json: the body is no JSON: %v; it is %q", err, shorten(body, 200))
		return
	}
	for _, path := range sortedKeys(want) {
		v, ok := lookup(doc, path)
		if !ok {
			c.differ("json %s: expected %s, saw no such value in %s", path, want[path], shorten(body, 200))
			continue
		}
		c.match("json "+path, want[path], v)
	}
}

// lookup finds a value by its dotted path, as text.
func lookup(doc any, path string) (string, bool) {
	for key := range strings.SplitSeq(path, ".") {
		switch in := doc.(type) {
		case map[string]any:
			v, ok := in[key]
			if !ok {
				return "", false
			}
			doc = v
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(in) {
				return "", false
			}
			doc = in[i]
		default:
			return "", false
		}
	}
	if s, ok := doc.(string); ok {
		return s, true
	}
	b, err := json.Marshal(doc)
	return string(b), err == nil
}

func (c *comparison) outcome() outcome {
	return outcome{seen: strings.Join(c.seen, "; "), shown: c.shown, differences: c.differences}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// printed adds the end of what a program printed.
func (c *comparison) printed(where, text string) {
	const most = 20
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	switch {
	case text == "":
		c.differ("it printed nothing on %s", where)
	case len(lines) > most:
		c.differ("its last lines on %s:\n%s", where, strings.Join(lines[len(lines)-most:], "\n"))
	default:
		c.differ("it printed on %s:\n%s", where, strings.Join(lines, "\n"))
	}
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// Count says how many of something there are: 1 step, 2 steps.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
