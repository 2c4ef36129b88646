package main

import (
	"encoding/xml"
	"fmt"
	"image"
	"strings"
	"testing"

	"github.com/plsim/plsim/topology"
)

// drawnBox is a box of a picture, and the boxes that hold it.
type drawnBox struct {
	*topology.Box
	at image.Rectangle
	in *drawnBox
}

func (b *drawnBox) within(other *drawnBox) bool {
	for ; b != nil; b = b.in {
		if b == other {
			return true
		}
	}
	return false
}

// network is the VPC that a box is in; nil: none.
func (b *drawnBox) network() *drawnBox {
	for ; b != nil && b.Kind != topology.NetworkBox; b = b.in {
	}
	return b
}

// svgPicture is what a picture shows, as browsers read it.
type svgPicture struct {
	Rects []struct {
		Box string `xml:"data-box,attr"`
		X   int    `xml:"x,attr"`
		Y   int    `xml:"y,attr"`
		W   int    `xml:"width,attr"`
		H   int    `xml:"height,attr"`
	} `xml:"rect"`
	Paths []struct {
		From string `xml:"data-from,attr"`
		To   string `xml:"data-to,attr"`
		D    string `xml:"d,attr"`
	} `xml:"path"`
	Texts []struct {
		X    int    `xml:"x,attr"`
		Y    int    `xml:"y,attr"`
		Size int    `xml:"font-size,attr"`
		Text string `xml:",chardata"`
	} `xml:"text"`
}

// wellPlaced wants of a picture that boxes hold one another or stand apart, that text
// stands in its box and free of all others, and that no line leads through a box that
// does not hold one of its ends, or through text. Lines may cross zones and subnets of
// the VPCs of their ends.
func wellPlaced(t *testing.T, d *topology.Diagram, svg string) {
	t.Helper()
	var p svgPicture
	if err := xml.Unmarshal([]byte(svg), &p); err != nil {
		t.Fatal(err)
	}
	places := map[string]image.Rectangle{}
	for _, r := range p.Rects {
		places[r.Box] = image.Rect(r.X, r.Y, r.X+r.W, r.Y+r.H)
	}
	boxes := map[string]*drawnBox{}
	var all []*drawnBox
	var nest func(list []*topology.Box, in *drawnBox)
	nest = func(list []*topology.Box, in *drawnBox) {
		for _, b := range list {
			drawn := &drawnBox{b, places[b.ID], in}
			if drawn.at.Empty() || in != nil && !drawn.at.In(in.at) {
				t.Errorf("%s is not drawn within what holds it", b.ID)
			}
			boxes[b.ID], all = drawn, append(all, drawn)
			nest(b.Inner, drawn)
		}
	}
	nest(d.Boxes, nil)
	for i, a := range all {
		for _, b := range all[:i] {
			if a.at.Overlaps(b.at) && !a.within(b) && !b.within(a) {
				t.Errorf("%s and %s overlap", a.ID, b.ID)
			}
		}
	}
	var texts []image.Rectangle
	for _, l := range p.Texts {
		at := image.Rect(l.X, l.Y-l.Size*3/4, l.X+len(l.Text)*l.Size*11/20, l.Y+2)
		var own *drawnBox
		for _, b := range all { // those that hold others first
			if image.Pt(l.X, l.Y).In(b.at) {
				own = b
			}
		}
		for _, b := range all {
			if at.Overlaps(b.at) && !own.within(b) {
				t.Errorf("%q lies on %s", l.Text, b.ID)
			}
		}
		for i, other := range texts {
			if at.Overlaps(other) {
				t.Errorf("%q lies on %q", l.Text, p.Texts[i].Text)
			}
		}
		texts = append(texts, at)
	}
	for _, line := range p.Paths {
		from, to := boxes[line.From], boxes[line.To]
		through := func(s image.Rectangle) {
			for _, b := range all {
				home := b
				if b.Kind == topology.ZoneBox || b.Kind == topology.SubnetBox {
					home = b.network()
				}
				if crosses(s, b.at) && !from.in.within(home) && !to.in.within(home) {
					t.Errorf("the line from %s to %s passes through %s: %s", from.ID, to.ID, b.ID, line.D)
				}
			}
			for i, at := range texts {
				if crosses(s, at) {
					t.Errorf("the line from %s to %s passes through %q", from.ID, to.ID, p.Texts[i].Text)
				}
			}
		}
		var last image.Point
		for i, word := range strings.Fields(line.D) {
			var at image.Point
			if _, err := fmt.Sscanf(strings.TrimLeft(word, "MLQ"), "%d,%d", &at.X, &at.Y); err != nil {
				t.Fatalf("path %q: %v", line.D, err)
			}
			if i > 0 {
				through(image.Rectangle{last, at}.Canon())
			}
			last = at
		}
	}
}

// crosses reports whether a line has points within a rectangle, and not only on its
// outline.
func crosses(line, r image.Rectangle) bool {
	return line.Max.X > r.Min.X && line.Min.X < r.Max.X && line.Max.Y > r.Min.Y && line.Min.Y < r.Max.Y
}
