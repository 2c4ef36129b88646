package graph

import (
	"cmp"
	"slices"

	"github.com/plsim/plsim/topology"
)

// route is an edge with its place: a cubic Bézier curve.
type route struct {
	from, to point
	bends    [2]point
	mood     mood
}

type point struct{ x, y int }

// A side of a box; edges that begin or end there share its length.
type side struct {
	box   *placed
	right bool
}

// end is an end of an edge.
type end struct {
	side
	edge  int
	other *placed
}

// routes lets every edge leave and enter its boxes at their sides: the near ones, or of
// two boxes of one lane the left ones. Boxes of different widths, one above the other,
// are joined between the lanes.
func routes(d *topology.Diagram, s *sheet) []route {
	edges := distinct(d.Edges)
	all := make([]route, len(edges))
	ends := map[side][]end{}
	var order []side
	dock := func(i int, b, other *placed) bool {
		at := side{b, b.x+b.w <= other.x}
		if ends[at] == nil {
			order = append(order, at)
		}
		ends[at] = append(ends[at], end{at, i, other})
		return at.right
	}
	rights := make([][2]bool, len(edges))
	for i, e := range edges {
		from, to := s.places[e.From], s.places[e.To]
		if !above(from, to) {
			rights[i] = [2]bool{dock(i, from, to), dock(i, to, from)}
		} else {
			all[i] = between(from, to)
		}
		all[i].mood = moodOf(e.State)
	}
	for _, at := range order {
		list := ends[at]
		slices.SortStableFunc(list, func(a, b end) int {
			return cmp.Compare(a.other.y+a.other.h/2, b.other.y+b.other.h/2)
		})
		for n, e := range list {
			p := point{at.box.x, at.box.y + at.box.h*(n+1)/(len(list)+1)}
			if at.right {
				p.x += at.box.w
			}
			if s.places[edges[e.edge].From] == at.box {
				all[e.edge].from = p
			} else {
				all[e.edge].to = p
			}
		}
	}
	for i := range all {
		r := &all[i]
		if above(s.places[edges[i].From], s.places[edges[i].To]) {
			continue
		}
		reach := max(abs(r.to.x-r.from.x)/2, lane/2-2)
		r.bends = [2]point{{r.from.x - reach, r.from.y}, {r.to.x - reach, r.to.y}}
		for j, right := range rights[i] {
			if right {
				r.bends[j].x += 2 * reach
			}
		}
	}
	return all
}

// above reports whether two boxes stand one above the other, and are not of one lane.
func above(a, b *placed) bool {
	return a.x < b.x+b.w && b.x < a.x+a.w && a.w != b.w && (a.y+a.h <= b.y || b.y+b.h <= a.y)
}

// between joins two boxes one above the other: from the side of the narrower one, which
// stands in a lane, along the room between the lanes.
func between(from, to *placed) route {
	if to.w < from.w {
		r := between(to, from)
		r.from, r.to = r.to, r.from
		return r
	}
	side, x := from.x, from.x-lane/2
	if from.Side == topology.Providers {
		side, x = from.x+from.w, from.x+from.w+lane/2
	}
	r := route{from: point{side, from.y + from.h/2}, to: point{x, to.y}}
	if to.y < from.y {
		r.to.y += to.h
	}
	r.bends = [2]point{{x, r.from.y}, {x, r.from.y}}
	return r
}

// distinct leaves out edges that only differ in what a picture does not show.
func distinct(edges []topology.Edge) []topology.Edge {
	type pair struct {
		from, to *topology.Box
		mood     mood
	}
	told := map[pair]bool{}
	var all []topology.Edge
	for _, e := range edges {
		p := pair{e.From, e.To, moodOf(e.State)}
		if e.From != e.To && !told[p] {
			told[p] = true
			all = append(all, e)
		}
	}
	return all
}

func abs(n int) int { return max(n, -n) }
