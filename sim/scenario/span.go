package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Span is a condition on a length of time.
type Span struct {
	AtLeast Duration `yaml:"at_least,omitempty" doc:"No shorter."`
	AtMost  Duration `yaml:"at_most,omitempty" doc:"No longer."`
}

// Match reports whether d lies within the bounds. If not, why says for people what was
// expected and what was seen.
func (s *Span) Match(d time.Duration) (ok bool, why string) {
	if d >= s.AtLeast.Duration() && (s.AtMost == 0 || d <= s.AtMost.Duration()) {
		return true, ""
	}
	return false, fmt.Sprintf("expected %s, saw %s", s, Duration(d))
}

// String describes the condition in words.
func (s *Span) String() string {
	var words []string
	if s.AtLeast != 0 {
		words = append(words, "at least "+s.AtLeast.String())
	}
	if s.AtMost != 0 {
		words = append(words, "at most "+s.AtMost.String())
	}
	return strings.Join(words, " and ")
}

// latencyWords are what can be expected of latencies.
var latencyWords = []string{"min", "mean", "p50", "p90", "p99", "max"}

// latency checks conditions on latencies.
func (c *checker) latency(path string, latency map[string]*Span) {
	for name, s := range latency {
		p := join(path, name)
		switch {
		case !slices.Contains(latencyWords, name):
			c.wrong(p, "no latency has this name%s", hint(name, latencyWords))
		case s == nil || *s == (Span{}):
			if !c.brokenBelow(p) {
				c.wrong(p, "the condition is empty: write { at_most: 50ms }, at_least or both")
			}
		case s.AtMost != 0 && s.AtLeast > s.AtMost:
			c.wrong(p, "at least %s and at most %s cannot both hold", s.AtLeast, s.AtMost)
		}
	}
}
