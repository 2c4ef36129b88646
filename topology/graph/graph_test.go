package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/topology"
)

// diagrams are labs as no author would write them: any text, any number of parts.
func diagrams(t *rapid.T) *topology.Diagram {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,60}`), rapid.SampledFrom([]string{`"`, `a"]; x`, "</text>", "`x`", `\`, "#35;", "--> end", strings.Repeat("W", 90)}))
	d := &topology.Diagram{Name: text.Draw(t, "name")}
	var all []*topology.Box
	var grow func(kinds []topology.BoxKind, side topology.Side) *topology.Box
	grow = func(kinds []topology.BoxKind, side topology.Side) *topology.Box {
		b := &topology.Box{
			ID: fmt.Sprint("box", len(all)), Kind: kinds[0], Side: side, Title: text.Draw(t, "title"),
			Text:  rapid.SliceOfN(text, 0, 3).Draw(t, "text"),
			State: rapid.SampledFrom([]string{"", "available", "pendingAcceptance", "unhealthy"}).Draw(t, "state"),
		}
		all = append(all, b)
		if len(kinds) > 1 {
			for range rapid.IntRange(0, 3).Draw(t, "inner") {
				b.Inner = append(b.Inner, grow(kinds[1:], side))
			}
		}
		if b.Kind == topology.SubnetBox {
			for range rapid.IntRange(0, 2).Draw(t, "interfaces") {
				b.Inner = append(b.Inner, grow([]topology.BoxKind{topology.InterfaceBox}, side))
			}
		}
		return b
	}
	nest := []topology.BoxKind{topology.AccountBox, topology.NetworkBox, topology.ZoneBox, topology.SubnetBox, topology.HostBox}
	for range rapid.IntRange(0, 3).Draw(t, "accounts") {
		d.Boxes = append(d.Boxes, grow(nest, rapid.SampledFrom([]topology.Side{topology.Consumers, topology.Providers}).Draw(t, "side")))
	}
	for range rapid.IntRange(0, 3).Draw(t, "joints") {
		d.Boxes = append(d.Boxes, grow([]topology.BoxKind{topology.ServiceBox}, topology.Between))
	}
	if len(all) > 1 {
		one := rapid.SampledFrom(all)
		for range rapid.IntRange(0, 8).Draw(t, "edges") {
			d.Edges = append(d.Edges, topology.Edge{From: one.Draw(t, "from"), To: one.Draw(t, "to"), Label: text.Draw(t, "label"), State: "healthy"})
		}
	}
	return d
}

// Boxes lie within those that hold them, and beside all others; so do lines of text.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lay(diagrams(t))
		var check func(p *placed)
		beside := func(list []*placed) {
			for i, p := range list {
				for _, q := range list[:i] {
					if p.x < q.x+q.w && q.x < p.x+p.w && p.y < q.y+q.h && q.y < p.y+p.h {
						t.Fatalf("%s and %s overlap: %+v %+v", p.ID, q.ID, p, q)
					}
				}
			}
		}
		check = func(p *placed) {
			beside(p.inner)
			bottom := p.y
			for _, l := range p.lines {
				if l.x < p.x || l.x+width(l.text, l.size, l.bold) > p.x+p.w || l.y-l.size < bottom-1 || l.y+3 > p.y+p.h {
					t.Fatalf("%q leaves %s, or meets the line above", l.text, p.ID)
				}
				bottom = l.y
			}
			for _, q := range p.inner {
				if q.x < p.x || q.x+q.w > p.x+p.w || q.y < p.y || q.y+q.h > p.y+p.h {
					t.Fatalf("%s is not within %s", q.ID, p.ID)
				}
				for _, l := range p.lines {
					if q.x < l.x+width(l.text, l.size, l.bold) && l.x < q.x+q.w && q.y < l.y+3 {
						t.Fatalf("%s is not beside or below %q of %s", q.ID, l.text, p.ID)
					}
				}
				check(q)
			}
		}
		beside(s.boxes)
		for _, p := range s.boxes {
			if p.x < 0 || p.y < 0 || p.x+p.w > s.w || p.y+p.h > s.h {
				t.Fatalf("%s leaves the sheet", p.ID)
			}
			check(p)
		}
		if s.w > 1200 {
			t.Fatalf("%d pixels wide", s.w)
		}
	})
}

// Every edge goes from an outline to an outline with right angles, through no box but
// those that hold its ends, and zones and subnets of their VPCs. An edge between a box
// and one within it is no more than drawn.
func TestRoutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := diagrams(t)
		s := lay(d)
		all := routes(d, s)
		if want := len(distinct(d.Edges)); len(all) != want {
			t.Fatalf("%d routes, want %d", len(all), want)
		}
		for _, r := range all {
			onOutline(t, r.from, r.points[0])
			onOutline(t, r.to, r.points[len(r.points)-1])
			free := within(r.from, r.to) || within(r.to, r.from)
			for i, b := range r.points[1:] {
				a := r.points[i]
				if a.x != b.x && a.y != b.y {
					t.Fatalf("%s to %s runs aslant: %v", r.from.ID, r.to.ID, r.points)
				}
				each(s.boxes, func(p *placed) {
					meets := max(a.x, b.x) > p.x && min(a.x, b.x) < p.x+p.w && max(a.y, b.y) > p.y && min(a.y, b.y) < p.y+p.h
					if meets && !free && !passes(r, p) {
						t.Fatalf("%s to %s runs through %s: %v", r.from.ID, r.to.ID, p.ID, r.points)
					}
				})
			}
		}
	})
}

// passes reports whether a route may lead through a box.
func passes(r route, p *placed) bool {
	if within(r.from, p) || within(r.to, p) {
		return true
	}
	for q := p.in; q != nil && (p.Kind == topology.ZoneBox || p.Kind == topology.SubnetBox); q = q.in {
		if q.Kind == topology.NetworkBox {
			return within(r.from, q) || within(r.to, q)
		}
	}
	return false
}

// within reports whether a box is in another.
func within(p, in *placed) bool {
	for p = p.in; p != nil; p = p.in {
		if p == in {
			return true
		}
	}
	return false
}

func onOutline(t *rapid.T, p *placed, at point) {
	t.Helper()
	if at.x != p.x && at.x != p.x+p.w || at.y <= p.y || at.y >= p.y+p.h {
		t.Fatalf("%v is not on a side of %s", at, p.ID)
	}
}

// Whatever the text, SVG is XML with all edges, Mermaid has a box or edge a line, and the
// strings of DOT end where they should.
func TestAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := diagrams(t)
		var svg, again, mermaid, dot bytes.Buffer
		for _, err := range []error{SVG(&svg, d), SVG(&again, d), Mermaid(&mermaid, d), DOT(&dot, d)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(svg.Bytes(), again.Bytes()) {
			t.Fatal("the same diagram gave other bytes")
		}
		dec := xml.NewDecoder(&svg)
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.Lines(mermaid.String()) {
			if strings.HasPrefix(line, "%%") {
				continue
			}
			if n := strings.Count(line, `"`); n != 0 && n != 2 {
				t.Fatalf("Mermaid: %d quotes in %q", n, line)
			}
		}
		for line := range strings.Lines(dot.String()) {
			if n := strings.Count(strings.NewReplacer(`\\`, "", `\"`, "").Replace(line), `"`); n%2 != 0 {
				t.Fatalf("DOT: %d quotes in %q", n, line)
			}
		}
	})
}

// The widths of DejaVu Sans, among the widest of the fonts that a browser may choose, in
// pixels at size 10.
func TestWidth(t *testing.T) {
	for text, widest := range map[string][2]int{ // normal and bold
		"eni-eb75fe5153ec8ffd4":      {117, 131},
		"network load balancer":      {112, 127},
		"WWWWWWWWWW":                 {99, 111},
		"mmmmmmmmmm":                 {98, 105},
		"10.0.0.0/16, 10.1.0.0/16":   {122, 135},
		"abcdefghijklmnopqrstuvwxyz": {147, 166},
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ": {175, 197},
		"..::--//||":                 {34, 39},
		"~~^^__$$##":                 {73, 75},
	} {
		for i, bold := range []bool{false, true} {
			if got := width(text, 10, bold); got < widest[i] || got > widest[i]*3/2 {
				t.Errorf("width(%q, bold %v) is %d, want %d or a little more", text, bold, got, widest[i])
			}
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"short", "short"},
		{"one two three four", "one two|three four"},
		{"abcdefghijklmnopqrstuvwxyz", "abcdefghijkl|mnopqrstuv|wxyz"},
		{"www.example-long.com", "www.|example-|long.com"},
		{"a\nb\x00c", "a b c"},
	} {
		if got := strings.Join(wrap(c.text, 70, 10, false), "|"); got != c.want {
			t.Errorf("wrap(%q) is %q, want %q", c.text, got, c.want)
		}
	}
}
