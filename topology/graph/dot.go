package graph

import (
	"fmt"
	"io"
	"strings"

	"github.com/plsim/plsim/topology"
)

// DOT writes a graph in the language of Graphviz.
func DOT(w io.Writer, d *topology.Diagram) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n", quoted(d.Name))
	b.WriteString("  rankdir=LR; compound=true; newrank=true\n" +
		"  graph [fontname=\"Helvetica\" fontsize=11 color=\"#8a94a6\"]\n" +
		"  node [shape=box style=filled fontname=\"Helvetica\" fontsize=10 color=\"#4a5568\" fillcolor=\"#ffffff\"]\n" +
		"  edge [fontname=\"Helvetica\" fontsize=9 color=\"#4a5568\"]\n")
	for _, box := range d.Boxes {
		dotBox(&b, box, "  ")
	}
	for _, l := range links(d) {
		var attrs []string
		if holds(l.from.Kind) {
			attrs = append(attrs, "ltail=cluster_"+l.from.ID)
		}
		if holds(l.to.Kind) {
			attrs = append(attrs, "lhead=cluster_"+l.to.ID)
		}
		if l.label != "" {
			attrs = append(attrs, "label="+quoted(l.label))
		}
		if l.mood != plain {
			attrs = append(attrs, "color="+quoted(looks[l.mood].line))
		}
		if l.mood == waiting || l.mood == failing {
			attrs = append(attrs, "style=dashed")
		}
		fmt.Fprintf(&b, "  %s -> %s [%s]\n", l.from.ID, l.to.ID, strings.Join(attrs, " "))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dotBox writes a box. One that holds others is a cluster with an invisible node, since
// edges of Graphviz have nodes at their ends.
func dotBox(b *strings.Builder, box *topology.Box, indent string) {
	var text []string
	for _, line := range lines(box) {
		text = append(text, quotable(line))
	}
	look := looks[moodOf(box.State)]
	if !holds(box.Kind) {
		fmt.Fprintf(b, "%s%s [label=\"%s\" color=\"%s\" fillcolor=\"%s\"]\n", indent, box.ID, strings.Join(text, `\n`), look.line, look.fill)
		return
	}
	style := "solid"
	if box.Kind == topology.ZoneBox {
		style = "dashed"
	}
	fmt.Fprintf(b, "%ssubgraph cluster_%s {\n%s  label=\"%s\"; style=%s\n", indent, box.ID, indent, strings.Join(text, `\n`), style)
	fmt.Fprintf(b, "%s  %s [shape=point style=invis]\n", indent, box.ID)
	for _, inner := range box.Inner {
		dotBox(b, inner, indent+"  ")
	}
	fmt.Fprintf(b, "%s}\n", indent)
}

func quoted(s string) string { return `"` + quotable(s) + `"` }

// quotable escapes text for a string of DOT, where a backslash begins an escape and & an
// entity.
func quotable(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(oneLine(s))
}
