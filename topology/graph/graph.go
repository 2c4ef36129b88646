// Package graph draws labs as AWS draws its networks: as Mermaid and DOT, for others to
// lay out, and as SVG, which it lays out itself. The same lab gives the same bytes.
package graph

import (
	"io"
	"strings"

	"github.com/plsim/plsim/topology"
)

// In returns what draws in a language: mermaid, dot or svg; nil: none does.
func In(language string) func(io.Writer, *topology.Diagram) error {
	return map[string]func(io.Writer, *topology.Diagram) error{"mermaid": Mermaid, "dot": DOT, "svg": SVG}[language]
}

// mood is what the state of a part means for those who want to use it.
type mood int

const (
	plain mood = iota // it has no state
	usable
	waiting
	failing
)

// moodOf sorts the states of endpoints, services, targets and zones.
func moodOf(state string) mood {
	switch strings.ToLower(state) {
	case "":
		return plain
	case "available", "healthy":
		return usable
	case "pendingacceptance", "pending", "initial", "draining", "unhealthy.draining":
		return waiting
	default:
		return failing
	}
}

// holds reports whether boxes of a kind are drawn around others.
func holds(k topology.BoxKind) bool {
	switch k {
	case topology.AccountBox, topology.NetworkBox, topology.ZoneBox, topology.SubnetBox, topology.OutsideBox:
		return true
	}
	return false
}

// lines are what is written into a box, the title first.
func lines(b *topology.Box) []string {
	all := append([]string{b.Title}, b.Text...)
	if b.State != "" {
		all = append(all, b.State)
	}
	return all
}

// link is an edge as Mermaid and DOT have it: what stands in between is a box like
// others, which edges lead to and from once.
type link struct {
	from, to *topology.Box
	label    string
	mood     mood
}

// links lead through what stands in between.
func links(d *topology.Diagram) []link {
	var all []link
	told := map[link]bool{}
	add := func(l link) {
		if !told[l] {
			told[l] = true
			all = append(all, l)
		}
	}
	for _, e := range d.Edges {
		label := e.Label
		from := e.From
		if e.Via != nil {
			add(link{from, e.Via, label, plain})
			from, label = e.Via, ""
		}
		if e.State != "" {
			label = e.State
		}
		add(link{from, e.To, label, moodOf(e.State)})
	}
	return all
}
