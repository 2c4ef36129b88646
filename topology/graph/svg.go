package graph

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/plsim/plsim/topology"
)

// SVG writes a picture, 1200 pixels wide at most, dark on light. It needs no font and no
// style sheet of its own.
func SVG(w io.Writer, d *topology.Diagram) error {
	s := lay(d)
	p := &canvas{sheet: s}
	bottom := p.legend()
	foot := p.out.String()
	p.out.Reset()
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="Helvetica, Arial, sans-serif">`+"\n", s.w, bottom, s.w, bottom)
	p.printf("<title>%s</title>\n", escaped(d.Name))
	p.printf("<desc>Drawn by plsim graph</desc>\n")
	p.printf("<defs>\n")
	for m := plain; m <= failing; m++ {
		p.printf(`<marker id="%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="%s"/></marker>`+"\n", looks[m].name, looks[m].line)
	}
	p.printf("</defs>\n")
	p.printf(`<rect x="0" y="0" width="%d" height="%d" fill="#ffffff"/>`+"\n", s.w, bottom)
	for i, t := range wrap(d.Name, s.w-2*margin, nameSize, true)[:1] {
		p.text(line{text: t, x: margin, y: margin + leading + i*leading, size: nameSize, bold: true})
	}
	each(s.boxes, func(b *placed) {
		if holds(b.Kind) {
			p.rect(b)
		}
	})
	for _, r := range routes(d, s) {
		p.route(r)
	}
	each(s.boxes, func(b *placed) {
		if !holds(b.Kind) {
			p.rect(b)
		}
		for _, l := range b.lines {
			p.text(l)
		}
	})
	p.printf("%s</svg>\n", foot)
	_, err := io.WriteString(w, p.out.String())
	return err
}

// corner is the radius of the corners of edges, in pixels.
const corner = 5

// canvas is an SVG that is being written.
type canvas struct {
	*sheet
	out strings.Builder
}

func (p *canvas) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

// paint is how boxes of a kind look: outline, filling, dashes.
func paint(k topology.BoxKind) (line, fill, dash string) {
	switch k {
	case topology.AccountBox:
		return "#b0307a", "#fdf7fb", ""
	case topology.NetworkBox:
		return "#6b3fc4", "#faf8ff", ""
	case topology.ZoneBox:
		return "#0b7a75", "#ffffff", "5 3"
	case topology.SubnetBox:
		return "#2b6cb0", "#eef5fc", ""
	case topology.OutsideBox:
		return "#4a5568", "#f4f5f7", ""
	case topology.HostBox:
		return "#b45309", "#ffffff", ""
	case topology.GroupBox:
		return "#b45309", "#fff8f0", ""
	default:
		return "#6b3fc4", "#ffffff", ""
	}
}

func (p *canvas) rect(b *placed) {
	outline, fill, dash := paint(b.Kind)
	if m := moodOf(b.State); m != plain {
		outline = looks[m].line
		if !holds(b.Kind) {
			fill, dash = looks[m].fill, looks[m].dash
		}
	}
	p.printf(`<rect data-box="%s" x="%d" y="%d" width="%d" height="%d" rx="3" fill="%s" stroke="%s"`, escaped(b.ID), b.x, b.y, b.w, b.h, fill, outline)
	if dash != "" {
		p.printf(` stroke-dasharray="%s"`, dash)
	}
	p.printf("/>\n")
}

// text writes a line, with a halo that keeps it apart from edges below it.
func (p *canvas) text(l line) {
	fill := "#1a202c"
	if l.mood != plain {
		fill = looks[l.mood].line
	}
	p.printf(`<text x="%d" y="%d" font-size="%d" fill="%s" stroke="#ffffff" stroke-width="2" stroke-linejoin="round" paint-order="stroke"`, l.x, l.y, l.size, fill)
	if l.bold {
		p.printf(` font-weight="bold"`)
	}
	p.printf(">%s</text>\n", escaped(l.text))
}

// route draws an edge with round corners. It begins where it runs together with others,
// so that their dashes fall onto one another.
func (p *canvas) route(r route) {
	look, head, points := looks[r.mood], "end", r.points
	if r.joining {
		head, points = "start", slices.Clone(points)
		slices.Reverse(points)
	}
	p.printf(`<path data-from="%s" data-to="%s" d="M%d,%d`, escaped(r.from.ID), escaped(r.to.ID), points[0].x, points[0].y)
	for i := 1; i+1 < len(points); i++ {
		before, at, after := points[i-1], points[i], points[i+1]
		a, b := near(at, before), near(at, after)
		p.printf(" L%d,%d Q%d,%d %d,%d", a.x, a.y, at.x, at.y, b.x, b.y)
	}
	last := points[len(points)-1]
	p.printf(` L%d,%d" fill="none" stroke="%s" stroke-width="1.4" marker-%s="url(#%s)"`, last.x, last.y, look.line, head, look.name)
	if look.dash != "" {
		p.printf(` stroke-dasharray="%s"`, look.dash)
	}
	p.printf("/>\n")
}

// near is a point close to another, on the way to a third: half way at most.
func near(at, to point) point {
	toward := func(from, to int) int { return from + max(-corner, min(corner, (to-from)/2)) }
	return point{toward(at.x, to.x), toward(at.y, to.y)}
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(oneLine(s))) // a builder takes everything
	return b.String()
}
