package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Level says how much is printed.
type Level int

// The levels.
const (
	Minimal  Level = iota // the verdict, and the change that mends it
	Summary               // and the way, a line a decision
	Detailed              // and the checks in their order, who decided, and translations
)

// JSON writes an explanation for programs.
func JSON(w io.Writer, e *Explanation) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// Print writes an explanation for people.
func Print(w io.Writer, e *Explanation, level Level) {
	p := printer{w}
	p.line(0, "%s to %s: %s", e.From, e.target(), e.headline())
	p.line(1, "%s", e.Summary)
	if level == Detailed {
		p.checks(e)
	}
	if level >= Summary {
		p.way(e, level)
	}
	p.changes(e)
	if level >= Summary && len(e.Assumptions) > 0 {
		p.line(0, "Assumed:")
		for _, a := range e.Assumptions {
			p.line(1, "- %s", a)
		}
	}
	p.proof(e.Proof)
}

// target is where the packet goes.
func (e *Explanation) target() string {
	to := e.To
	if e.Address != "" && !strings.Contains(to, e.Address) {
		to += " (" + e.Address + ")"
	}
	if e.Port == 0 {
		return to + ", ping"
	}
	return fmt.Sprintf("%s, %s", to, strings.ToUpper(e.Protocol))
}

// headline is the verdict with its codes.
func (e *Explanation) headline() string {
	var codes []string
	if e.Reason != "" {
		codes = append(codes, e.Reason)
	}
	if e.Code != "" {
		codes = append(codes, "AWS: "+e.Code)
	}
	text := string(e.Verdict)
	if len(codes) > 0 {
		text += " (" + strings.Join(codes, "; ") + ")"
	}
	return text
}

type printer struct{ w io.Writer }

func (p printer) line(indent int, format string, args ...any) {
	fmt.Fprintf(p.w, strings.Repeat("  ", indent)+format+"\n", args...)
}

// checks prints what was checked, in the order in which AWS's support does.
func (p printer) checks(e *Explanation) {
	p.line(0, "Checks:")
	for _, c := range Checks {
		about := slices.ContainsFunc(e.Hops, func(h Hop) bool { return h.Check == c })
		switch {
		case c == e.FailedCheck:
			p.line(1, "%-16s fails", c)
		case about || c == CheckDNS && e.Outcome != NoName && !strings.HasPrefix(e.To, e.Address):
			p.line(1, "%-16s holds", c)
		default:
			p.line(1, "%-16s has no part in it", c)
		}
	}
}

// way prints the decisions, there and back.
func (p printer) way(e *Explanation, level Level) {
	var direction Direction
	for _, h := range e.Hops {
		if h.Direction != direction {
			direction = h.Direction
			p.line(0, "%s:", map[Direction]string{There: "There", Back: "Back"}[direction])
		}
		mark := " "
		if h.Dropped {
			mark = "x"
		}
		p.line(0, "%s %s", mark, h.Text)
		for _, n := range h.Notes {
			p.line(1, "%s", n)
		}
		if level < Detailed {
			continue
		}
		if d := h.Decider; d != nil {
			p.line(3, "%s", d)
		}
		if h.Before != "" {
			p.line(3, "before: %s", h.Before)
			p.line(3, "after:  %s", h.After)
		}
	}
}

func (d *Decider) String() string {
	text := strings.ReplaceAll(d.Kind, "_", " ") + ": " + d.Name
	if d.ID != "" {
		text += " (" + d.ID + ")"
	}
	if d.Rule != "" {
		text += ", " + d.Rule
	}
	if d.Place != "" {
		text += ", " + d.Place
	}
	return text
}

// changes prints what would mend it.
func (p printer) changes(e *Explanation) {
	switch n := len(e.Changes); {
	case e.Advice != "":
		p.line(0, "%s", e.Advice)
	case n == 1:
		p.line(0, "One change mends it:")
	case n > 1:
		p.line(0, "%d changes mend it together:", n)
	}
	for i, c := range e.Changes {
		p.line(1, "%d. %s", i+1, c)
	}
}

// proof prints what packets came to.
func (p printer) proof(f *Proof) {
	if f == nil {
		return
	}
	what := "agree with that"
	if !f.Agrees {
		what = "DISAGREE: " + f.Disagrees
	}
	p.line(0, "Proof: %s, seen: %s; dropped: %s. Packets %s.", times(f.Sent), strings.Join(f.Seen, ", "), orNone(f.Drops), strings.TrimSuffix(what, "."))
}

func times(n int) string {
	if n == 1 {
		return "sent once"
	}
	return fmt.Sprintf("sent %d times", n)
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}
