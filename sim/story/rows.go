package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/plsim/plsim/sim/scenario"
)

// rows are what a step looks through: records of flow logs, or packets.
type rows struct {
	what  string // record, packet
	head  string // says what a row's columns are; may be ""
	n     int
	field func(i int, name string) (string, bool)
	text  func(i int) string
}

// fields are what is wanted of a row.
type fields map[string]*scenario.Matcher

// compare looks for the rows that must be there, and for those that must not.
func (r rows) compare(c *comparison, present []map[string]*scenario.Matcher, e *scenario.Expect) {
	c.note("%s", Count(r.n, r.what))
	for _, want := range present {
		if r.find(want) < 0 {
			c.differ("expected a %s with %s, saw none%s", r.what, fields(want), r.nearest(want))
		}
	}
	for _, unwanted := range e.Absent {
		if i := r.find(unwanted); i >= 0 {
			c.differ("expected no %s with %s, saw %s", r.what, fields(unwanted), r.text(i))
		}
	}
	if counted := c.match("count of "+r.what+"s", e.Count, fmt.Sprint(r.n)); r.n > 0 && (!counted || c.looks()) {
		r.show(c)
	}
}

// show shows the rows, the last if there are too many: below what differs, or else by
// themselves.
func (r rows) show(c *comparison) {
	line := c.show
	if !c.looks() {
		line = func(text string) { c.differ("  %s", text) }
	}
	if r.head != "" {
		line(r.head)
	}
	first := max(0, r.n-shown)
	if first > 0 {
		line(Count(first, "earlier "+r.what) + ", and")
	}
	for i := first; i < r.n; i++ {
		line(r.text(i))
	}
}

// shown is how many rows are shown.
const shown = 48

// find returns the index of the first row that has all the fields, or -1.
func (r rows) find(want fields) int {
	for i := range r.n {
		if r.held(i, want) == len(want) {
			return i
		}
	}
	return -1
}

// held counts the fields of a row that are as wanted.
func (r rows) held(i int, want fields) int {
	n := 0
	for name, m := range want {
		if value, ok := r.field(i, name); ok {
			if held, _ := m.Match(value); held {
				n++
			}
		}
	}
	return n
}

// nearest shows the row that has most of the wanted fields.
func (r rows) nearest(want fields) string {
	if r.n == 0 {
		return ": there are none"
	}
	all := make([]int, r.n)
	for i := range all {
		all[i] = i
	}
	best := slices.MaxFunc(all, func(a, b int) int { return cmp.Compare(r.held(a, want), r.held(b, want)) })
	return "; the nearest is: " + r.text(best)
}

func (f fields) String() string {
	var words []string
	for _, name := range sortedKeys(f) {
		words = append(words, name+" "+f[name].String())
	}
	return strings.Join(words, ", ")
}
