package graph

import (
	"fmt"
	"io"
	"strings"

	"github.com/plsim/plsim/topology"
)

// moods are the looks of states in Mermaid and DOT: name, line and filling.
var looks = map[mood]struct{ name, line, fill, dash string }{
	plain:   {"plain", "#4a5568", "#ffffff", ""},
	usable:  {"usable", "#1b7f3b", "#eaf7ee", ""},
	waiting: {"waiting", "#9a6700", "#fff8e1", "6 3"},
	failing: {"failing", "#b3261e", "#fdecea", "2 3"},
}

// Mermaid writes a flowchart of https://mermaid.js.org.
func Mermaid(w io.Writer, d *topology.Diagram) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%%%% %s, drawn by plsim graph\nflowchart LR\n", oneLine(d.Name))
	for _, box := range d.Boxes {
		mermaidBox(&b, box, "  ")
	}
	all := links(d)
	for _, l := range all {
		arrow := "-->"
		if l.mood == waiting || l.mood == failing {
			arrow = "-.->"
		}
		if l.label != "" {
			arrow += "|\"" + mermaidText(l.label) + "\"|"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", l.from.ID, arrow, l.to.ID)
	}
	for _, m := range []mood{usable, waiting, failing} {
		fmt.Fprintf(&b, "  classDef %s stroke:%s,fill:%s,color:#1a202c\n", looks[m].name, looks[m].line, looks[m].fill)
	}
	for i, l := range all {
		if l.mood != plain {
			fmt.Fprintf(&b, "  linkStyle %d stroke:%s\n", i, looks[l.mood].line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func mermaidBox(b *strings.Builder, box *topology.Box, indent string) {
	var text []string
	for _, line := range lines(box) {
		text = append(text, mermaidText(line))
	}
	label := strings.Join(text, "<br/>")
	class := ""
	if m := moodOf(box.State); m != plain {
		class = looks[m].name
	}
	if !holds(box.Kind) || len(box.Inner) == 0 {
		fmt.Fprintf(b, "%s%s[\"%s\"]", indent, box.ID, label)
		if class != "" {
			fmt.Fprintf(b, ":::%s", class)
		}
		b.WriteByte('\n')
		return
	}
	fmt.Fprintf(b, "%ssubgraph %s[\"%s\"]\n", indent, box.ID, label)
	for _, inner := range box.Inner {
		mermaidBox(b, inner, indent+"  ")
	}
	fmt.Fprintf(b, "%send\n", indent)
	if class != "" {
		fmt.Fprintf(b, "%sclass %s %s\n", indent, box.ID, class)
	}
}

// mermaidText escapes text as Mermaid does, with entities between # and ;. Without, a
// quote would end the label, and a backtick begin Markdown.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune("\"#;<>&`[]{}|\\", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// oneLine replaces what would end a line, or is no character, by spaces.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\uFFFE' || r == '\uFFFF' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
