package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Match reports whether value meets every condition. If not, why says for people
// what was expected and what was seen. at_least and at_most compare numbers;
// equality is that of the text.
func (m *Matcher) Match(value string) (ok bool, why string) {
	for _, c := range m.conditions() {
		if holds, remark := c.holds(value); !holds {
			return false, fmt.Sprintf("expected %s, saw %s%s", m, quote(value), remark)
		}
	}
	return true, ""
}

// String describes the expectation in words: at least 50, or containing "Hello".
func (m *Matcher) String() string {
	var words []string
	for _, c := range m.conditions() {
		words = append(words, c.words)
	}
	if len(words) == 0 {
		return "anything"
	}
	return strings.Join(words, " and ")
}

// condition is one key of a matcher.
type condition struct {
	words string
	holds func(value string) (ok bool, remark string)
}

// conditions returns what must hold, in the order of the fields.
func (m *Matcher) conditions() []condition {
	if m == nil {
		return nil
	}
	var cs []condition
	add := func(words string, holds func(string) (bool, string)) { cs = append(cs, condition{words, holds}) }
	text := func(words string, holds func(string) bool) {
		add(words, func(v string) (bool, string) { return holds(v), "" })
	}
	if m.Equals != nil {
		text(quote(*m.Equals), func(v string) bool { return v == *m.Equals })
	}
	if m.Contains != nil {
		text(fmt.Sprintf("containing %q", *m.Contains), func(v string) bool { return strings.Contains(v, *m.Contains) })
	}
	if m.Matches != nil {
		add("matching /"+*m.Matches+"/", func(v string) (bool, string) {
			re, err := regexp.Compile(*m.Matches)
			if err != nil { // only in a Matcher that was not loaded from a file
				return false, ": the regular expression is wrong"
			}
			return re.MatchString(v), ""
		})
	}
	if m.Not != nil {
		text("not "+m.Not.String(), func(v string) bool { ok, _ := m.Not.Match(v); return !ok })
	}
	if m.OneOf != nil {
		words := make([]string, len(m.OneOf))
		for i, w := range m.OneOf {
			words[i] = quote(w)
		}
		text("one of "+strings.Join(words, ", "), func(v string) bool { return slices.Contains(m.OneOf, v) })
	}
	if m.AtLeast != nil {
		add("at least "+formatNumber(*m.AtLeast), compare(func(f float64) bool { return f >= *m.AtLeast }))
	}
	if m.AtMost != nil {
		add("at most "+formatNumber(*m.AtMost), compare(func(f float64) bool { return f <= *m.AtMost }))
	}
	return cs
}

func compare(holds func(float64) bool) func(string) (bool, string) {
	return func(v string) (bool, string) {
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return false, ", which is not a number"
		}
		return holds(f), ""
	}
}

func formatNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

var word = regexp.MustCompile(`^[A-Za-z0-9_./:-]+$`)

// quote puts a value into quotes unless it is a plain word, and cuts a long one.
func quote(value string) string {
	if word.MatchString(value) && len(value) <= 100 {
		return value
	}
	if short := prefix(value, 200); short != value {
		return fmt.Sprintf("%q… (%d bytes)", short, len(value))
	}
	return strconv.Quote(value)
}
