package graph

import (
	"slices"

	"github.com/plsim/plsim/topology"
)

// grid is where edges may run: along columns that no box stands on which holds nothing,
// which are the lanes and the rooms between and beside columns of boxes, and along rows
// a pitch apart.
type grid struct {
	columns []int // their x
	rows    int
	holders map[*placed]int // numbers of boxes that hold others, from 1
	spots   []spot          // of row 0 from left to right, then of row 1, …
}

// clearance is how far columns keep from boxes that edges end at: room for an arrow and
// a round corner, in pixels.
const clearance = 2 * pitch

// spot is where a row and a column meet, and the two steps from there.
type spot struct {
	holder int // the innermost box that holds this spot; 0: none
	passed passing
	net    int // of the edges that pass; 0: none do
	right  step
	down   step
}

// passing says how edges pass a spot.
type passing uint8

const (
	no passing = iota
	across
	along
	turning // or in both directions
)

// step leads from a spot to the next.
type step struct {
	box  bool // through a box that holds nothing
	text bool // through text
	near bool // beside the outline of a box
	net  int  // of the edges that take it; 0: none do
}

func (g *grid) y(row int) int { return top - spacing + pitch/2 + row*pitch }

// row is the first at or below a height.
func (g *grid) row(y int) int {
	return min(max(0, (y-g.y(0)+pitch-1)/pitch), g.rows-1)
}

func newGrid(s *sheet) *grid {
	g := &grid{rows: (s.h-top+3*spacing)/pitch - 1, holders: map[*placed]int{}}
	var all []*placed
	each(s.boxes, func(p *placed) { all = append(all, p) })
	for x := pitch / 2; x < s.w; x += pitch {
		taken := func(p *placed) bool {
			if holds(p.Kind) {
				return abs(x-p.x) < pitch || abs(x-p.x-p.w) < pitch // it would run beside the outline
			}
			return p.x-clearance < x && x < p.x+p.w+clearance
		}
		if !slices.ContainsFunc(all, taken) {
			g.columns = append(g.columns, x)
		}
	}
	g.spots = make([]spot, g.rows*len(g.columns))
	for _, p := range all { // those that hold others before these
		if holds(p.Kind) {
			g.holders[p] = len(g.holders) + 1
			g.within(p.x, p.y, p.w, p.h, func(at *spot) { at.holder = g.holders[p] })
		} else {
			g.steps(p.x, p.y, p.w, p.h, func(t *step) { t.box = true })
		}
		for _, l := range p.lines {
			g.steps(l.x, l.y-l.size, width(l.text, l.size, l.bold), l.size+3, func(t *step) { t.text = true })
		}
		for _, y := range []int{p.y - pitch/2, p.y + pitch/2, p.y + p.h - pitch/2, p.y + p.h + pitch/2} {
			g.within(p.x, y, p.w, 0, func(at *spot) { at.right.near = true })
		}
	}
	return g
}

// within visits the spots in a rectangle.
func (g *grid) within(x, y, w, h int, visit func(*spot)) {
	for r := g.row(y); r < g.rows && g.y(r) <= y+h; r++ {
		for c, at := range g.columns {
			if x <= at && at <= x+w {
				visit(&g.spots[r*len(g.columns)+c])
			}
		}
	}
}

// steps visits the steps through a rectangle.
func (g *grid) steps(x, y, w, h int, visit func(*step)) {
	for r := max(0, g.row(y)-1); r < g.rows && g.y(r) <= y+h; r++ {
		for c, at := range g.columns {
			to := &g.spots[r*len(g.columns)+c]
			if g.y(r) >= y && c+1 < len(g.columns) && at < x+w && x < g.columns[c+1] {
				visit(&to.right)
			}
			if x <= at && at <= x+w && g.y(r)+pitch > y {
				visit(&to.down)
			}
		}
	}
}

// foreign says of every holder how an edge between two boxes passes through it.
func (g *grid) foreign(from, to *placed) []int {
	home := map[*placed]bool{}
	for _, end := range []*placed{from, to} {
		for p := end.in; p != nil; p = p.in {
			home[p] = true
		}
	}
	cost := make([]int, len(g.holders)+1)
	for p, n := range g.holders {
		network := p
		for network.in != nil && network.Kind != topology.NetworkBox {
			network = network.in
		}
		switch {
		case home[p]:
		case home[network] && network.Kind == topology.NetworkBox:
			cost[n] = otherZone
		default:
			cost[n] = otherNetwork
		}
	}
	return cost
}

// each visits boxes before those that they hold.
func each(boxes []*placed, visit func(*placed)) {
	for _, b := range boxes {
		visit(b)
		each(b.inner, visit)
	}
}
