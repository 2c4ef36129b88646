package graph

import (
	"cmp"
	"slices"

	"github.com/plsim/plsim/topology"
)

// Measures of a drawing, in pixels. All three columns together are 1200 wide at most.
// Places and sizes of boxes are multiples of pitch, and edges run half a pitch beside
// these, so that no edge runs along an outline.
const (
	pitch     = 6
	margin    = 18
	gutter    = 48 // between columns: room for edges
	sideWidth = 426
	midWidth  = 210
	padding   = 6  // within a box that holds others
	spacing   = 12 // between boxes of a column
	lane      = 54 // between the two halves of a VPC: room for edges
	inset     = 6  // of text
	nameSize  = 18 // of the name of the lab
	textSize  = 11
	boldSize  = 12
	leading   = 15 // from one line to the next
)

// placed is a box with its place.
type placed struct {
	*topology.Box
	in         *placed // nil: an outermost one
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

// top is where the outermost boxes begin, below the name of the lab.
const top = margin + 2*leading

// lay places every box: consumers left, providers right, and in the middle what joins
// them. In a VPC its zones stand below one another, in the same order everywhere.
func lay(d *topology.Diagram) *sheet {
	s := &sheet{places: map[*topology.Box]*placed{}, h: top}
	x := margin
	var joints []*placed
	for side, w := range []int{topology.Consumers: sideWidth, topology.Between: midWidth, topology.Providers: sideWidth} {
		y := top
		for _, b := range d.Boxes {
			if b.Side != topology.Side(side) {
				continue
			}
			p := s.place(b, nil, x, y, w)
			s.boxes = append(s.boxes, p)
			if b.Side == topology.Between {
				joints = append(joints, p)
			}
			y = p.y + p.h + 2*spacing
		}
		if y == top {
			continue
		}
		s.w = x + w + margin
		s.h = max(s.h, y-2*spacing)
		x += w + gutter
	}
	s.w = max(s.w, 2*margin+sideWidth)
	s.balance(d, joints)
	return s
}

// balance moves what joins networks to the height of what it joins, in the order that
// makes edges short.
func (s *sheet) balance(d *topology.Diagram, joints []*placed) {
	wish := map[*placed]int{}
	for _, p := range joints {
		sum, n := 0, 0
		for _, e := range d.Edges {
			from, to := s.places[e.From], s.places[e.To]
			switch {
			case from == to || from.in == nil && from.Side == topology.Between && to.in == nil && to.Side == topology.Between:
			case from == p:
				sum, n = sum+to.middle(), n+1
			case to == p:
				sum, n = sum+from.middle(), n+1
			}
		}
		if wish[p] = s.h / 2; n > 0 {
			wish[p] = sum / n
		}
	}
	slices.SortStableFunc(joints, func(a, b *placed) int { return cmp.Compare(wish[a], wish[b]) })
	y := top
	for _, p := range joints {
		y = max(y, (wish[p]-p.h/2)/pitch*pitch)
		p.lower(y - p.y)
		y += p.h + 2*spacing
	}
	bottom := s.h
	for _, p := range slices.Backward(joints) {
		p.lower(min(0, bottom-p.h-p.y))
		bottom = p.y - 2*spacing
	}
}

// middle is the height at which most edges meet a box.
func (p *placed) middle() int { return p.y + p.h/2 }

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

// halved reports whether what a box holds stands in two halves with a lane in between.
func halved(k topology.BoxKind, w int) bool { return holds(k) && w > midWidth }

// place lays out a box of a given width. Text keeps out of the lane of what has one.
func (s *sheet) place(b *topology.Box, in *placed, x, y, w int) *placed {
	p := &placed{Box: b, in: in, x: x, y: y, w: w}
	s.places[b] = p
	room := w - 2*inset
	if halved(b.Kind, w) {
		room = (w-lane)/2 - inset
	}
	at := y + inset/2
	write := func(text string, size int, bold bool, m mood) {
		for _, t := range wrap(text, room, size, bold) {
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
	at = y + roundUp(at+inset-y)
	if len(b.Inner) > 0 {
		at = s.fill(p, at) + padding
	}
	p.h = at - y
	return p
}

// fill places what a box holds below its text, and returns where that ends: first, in
// two halves where there is room for them, what holds nothing itself, and below that
// what does.
func (s *sheet) fill(p *placed, y int) int {
	left, room := p.x+padding, p.w-2*padding
	half, ends := (room-lane)/2, [2]int{y, y}
	if !halved(p.Kind, p.w) {
		half = room
	} else if p.Kind == topology.NetworkBox {
		ends[1] = p.y + 2*padding // beside the text
	}
	into := halves(p, half == room)
	for _, b := range p.Inner {
		if holds(b.Kind) {
			continue
		}
		to := into(b, ends)
		q := s.place(b, p, left+to*(half+lane), ends[to], half)
		p.inner = append(p.inner, q)
		ends[to] = q.y + q.h + spacing
	}
	y = max(y, ends[0], ends[1])
	for _, b := range p.Inner {
		if holds(b.Kind) {
			q := s.place(b, p, left, y, room)
			p.inner = append(p.inner, q)
			y = q.y + q.h + spacing
		}
	}
	return y - spacing
}

// halves says which half a box goes into: what leads out of a VPC stands towards the
// middle of the drawing, and hosts and groups of them away from it. Where a subnet has
// only hosts, both halves are filled evenly.
func halves(p *placed, single bool) func(*topology.Box, [2]int) int {
	leads := func(b *topology.Box) bool { return b.Kind != topology.HostBox && b.Kind != topology.GroupBox }
	even := p.Kind != topology.NetworkBox && !slices.ContainsFunc(p.Inner, leads)
	return func(b *topology.Box, ends [2]int) int {
		switch {
		case single:
			return 0
		case even && ends[1] < ends[0], !even && leads(b) == (p.Side == topology.Consumers):
			return 1
		}
		return 0
	}
}

// roundUp makes a length a multiple of pitch.
func roundUp(n int) int { return (n + pitch - 1) / pitch * pitch }
