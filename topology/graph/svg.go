package graph

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/plsim/plsim/topology"
)

// SVG writes a picture, 1200 pixels wide at most, dark on light. It needs no font and no
// style sheet of its own.
func SVG(w io.Writer, d *topology.Diagram) error {
	s := lay(d)
	p := &canvas{sheet: s}
	legend := "Green: usable · amber, dashed: not yet, or not known yet · red, dotted: not usable"
	at := s.h + 2*leading
	var foot []line
	for _, t := range wrap(legend, s.w-2*margin, textSize, false) {
		foot = append(foot, line{text: t, x: margin, y: at, size: textSize})
		at += leading
	}
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="Helvetica, Arial, sans-serif">`+"\n", s.w, at, s.w, at)
	p.printf("<title>%s</title>\n", escaped(d.Name))
	p.printf("<desc>Drawn by plsim graph</desc>\n")
	p.printf("<defs>\n")
	for m := plain; m <= failing; m++ {
		p.printf(`<marker id="%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="%s"/></marker>`+"\n", looks[m].name, looks[m].line)
	}
	p.printf("</defs>\n")
	p.printf(`<rect x="0" y="0" width="%d" height="%d" fill="#ffffff"/>`+"\n", s.w, at)
	for i, t := range wrap(d.Name, s.w-2*margin, 16, true)[:1] {
		p.text(line{text: t, x: margin, y: margin + leading + i*leading, size: 16, bold: true})
	}
	p.each(s.boxes, func(b *placed) {
		if holds(b.Kind) {
			p.rect(b)
		}
	})
	for _, r := range routes(d, s) {
		p.route(r)
	}
	p.each(s.boxes, func(b *placed) {
		if !holds(b.Kind) {
			p.rect(b)
		}
		for _, l := range b.lines {
			p.text(l)
		}
	})
	for _, l := range foot {
		p.text(l)
	}
	p.printf("</svg>\n")
	_, err := io.WriteString(w, p.out.String())
	return err
}

// canvas is an SVG that is being written.
type canvas struct {
	*sheet
	out strings.Builder
}

func (p *canvas) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

// each visits boxes before those that they hold.
func (p *canvas) each(boxes []*placed, visit func(*placed)) {
	for _, b := range boxes {
		visit(b)
		p.each(b.inner, visit)
	}
}

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
	p.printf(`<rect x="%d" y="%d" width="%d" height="%d" rx="3" fill="%s" stroke="%s"`, b.x, b.y, b.w, b.h, fill, outline)
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

func (p *canvas) route(r route) {
	look := looks[r.mood]
	p.printf(`<path d="M%d,%d C%d,%d %d,%d %d,%d" fill="none" stroke="%s" stroke-width="1.3" marker-end="url(#%s)"`,
		r.from.x, r.from.y, r.bends[0].x, r.bends[0].y, r.bends[1].x, r.bends[1].y, r.to.x, r.to.y, look.line, look.name)
	if look.dash != "" {
		p.printf(` stroke-dasharray="%s"`, look.dash)
	}
	p.printf("/>\n")
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(oneLine(s))) // a builder takes everything
	return b.String()
}
