package graph

import (
	"slices"

	"github.com/plsim/plsim/topology"
)

// Measures of a drawing, in pixels. All three columns together are 1200 wide.
const (
	margin    = 16
	gutter    = 50 // between columns: room for edges
	sideWidth = 424
	midWidth  = 220
	padding   = 8  // within a box that holds others
	spacing   = 8  // between boxes of a column
	lane      = 22 // between the two lanes of a subnet
	inset     = 6  // of text
	textSize  = 10
	boldSize  = 11
	leading   = 14 // from one line to the next
)

// placed is a box with its place.
type placed struct {
	*topology.Box
	x, y, w, h int
	lines      []line
	inner      []*placed
}

// line is a line of text with its place: x, and y of its baseline.
type line struct {
	text string
	x, y int
	size int
	bold bool
	mood mood
}

// sheet is a drawing laid out.
type sheet struct {
	w, h   int
	boxes  []*placed // the outermost
	places map[*topology.Box]*placed
}

// lay places every box: consumers left, providers right, and in the middle what joins
// them. In a VPC its zones stand below one another, in the same order everywhere.
func lay(d *topology.Diagram) *sheet {
	s := &sheet{places: map[*topology.Box]*placed{}}
	x, top := margin, margin+2*leading
	var columns [][]*placed
	for side, w := range []int{topology.Consumers: sideWidth, topology.Between: midWidth, topology.Providers: sideWidth} {
		var column []*placed
		y := top
		for _, b := range d.Boxes {
			if b.Side == topology.Side(side) {
				p := s.place(b, x, y, w)
				column = append(column, p)
				y = p.y + p.h + 2*spacing
			}
		}
		if column == nil {
			continue
		}
		columns = append(columns, column)
		s.boxes = append(s.boxes, column...)
		s.w = x + w + margin
		s.h = max(s.h, y-2*spacing)
		x += w + gutter
	}
	s.w = max(s.w, 2*margin+sideWidth)
	for _, c := range columns {
		if c[0].Side == topology.Between { // what it joins is on both sides of it, all the way down
			last := c[len(c)-1]
			for _, p := range c {
				p.lower((s.h - last.y - last.h) / 2)
			}
		}
	}
	return s
}

// lower moves a box and all in it.
func (p *placed) lower(by int) {
	p.y += by
	for i := range p.lines {
		p.lines[i].y += by
	}
	for _, q := range p.inner {
		q.lower(by)
	}
}

// place lays out a box of a given width.
func (s *sheet) place(b *topology.Box, x, y, w int) *placed {
	p := &placed{Box: b, x: x, y: y, w: w}
	s.places[b] = p
	at := y + inset - 2
	write := func(text string, size int, bold bool, m mood) {
		for _, t := range wrap(text, w-2*inset, size, bold) {
			at += leading
			p.lines = append(p.lines, line{t, x + inset, at - 3, size, bold, m})
		}
	}
	write(b.Title, boldSize, true, plain)
	for _, t := range b.Text {
		write(t, textSize, false, plain)
	}
	if b.State != "" {
		write(b.State, textSize, true, moodOf(b.State))
	}
	at += inset
	if len(b.Inner) > 0 {
		at = s.fill(p, at) + padding
	}
	p.h = at - y
	return p
}

// fill places what a box holds below its text, and returns where that ends.
func (s *sheet) fill(p *placed, y int) int {
	left, room := p.x+padding, p.w-2*padding
	if p.Kind != topology.SubnetBox && (p.Kind != topology.OutsideBox || room < sideWidth-2*padding) {
		for _, b := range p.Inner {
			q := s.place(b, left, y, room)
			p.inner = append(p.inner, q)
			y = q.y + q.h + spacing
		}
		return y - spacing
	}
	// Two lanes: what leads out of the subnet stands towards the middle of the drawing.
	// Where nothing does, or nothing else is there, both are filled evenly.
	half := (room - lane) / 2
	ends := [2]int{y, y}
	leads := func(b *topology.Box) bool { return b.Kind != topology.HostBox }
	mixed := slices.ContainsFunc(p.Inner, leads)
	for _, b := range p.Inner {
		to := 0
		switch {
		case mixed && leads(b) == (p.Side == topology.Consumers):
			to = 1
		case !mixed && ends[1] < ends[0]:
			to = 1
		}
		q := s.place(b, left+to*(half+lane), ends[to], half)
		p.inner = append(p.inner, q)
		ends[to] = q.y + q.h + spacing
	}
	return max(ends[0], ends[1]) - spacing
}
