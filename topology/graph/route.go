package graph

import (
	"cmp"
	"slices"

	"github.com/plsim/plsim/topology"
)

// route is an edge with its place: a line with right angles.
type route struct {
	from, to *placed
	points   []point // from one to the other
	mood     mood
	joining  bool // it runs together with others where it ends, not where it begins
}

type point struct{ x, y int }

// net is edges that run together as far as they can: those that leave one box, or those
// that lead to it, in one mood.
type net struct {
	box     *placed
	joining bool
	mood    mood
}

// routing is edges that find their ways, one after the other.
type routing struct {
	*grid
	nets  map[net]int               // numbers, from 1
	docks map[*placed]map[point]int // nets by the places where they meet boxes
}

// routes finds ways for all edges around all boxes, for short edges first.
func routes(d *topology.Diagram, s *sheet) []route {
	var all []route
	out, into := map[net]int{}, map[net]int{}
	for _, e := range distinct(d.Edges) {
		r := route{from: s.places[e.From], to: s.places[e.To], mood: moodOf(e.State)}
		all = append(all, r)
		out[net{box: r.from, mood: r.mood}]++
		into[net{r.to, true, r.mood}]++
	}
	r := &routing{newGrid(s), map[net]int{}, map[*placed]map[point]int{}}
	slices.SortStableFunc(all, func(a, b route) int { return cmp.Compare(distance(a.from, a.to), distance(b.from, b.to)) })
	for i := range all {
		e := &all[i]
		of := net{box: e.from, mood: e.mood}
		if joined := (net{e.to, true, e.mood}); into[joined] > out[of] {
			of, e.joining = joined, true
		}
		if r.nets[of] == 0 {
			r.nets[of] = len(r.nets) + 1
		}
		r.route(e, r.nets[of])
	}
	return all
}

// distance is that of the middles of two boxes.
func distance(a, b *placed) int {
	return abs(a.x+a.w/2-b.x-b.w/2) + abs(a.middle()-b.middle())
}

// route finds the way of an edge, and marks it as taken.
func (r *routing) route(e *route, net int) {
	spots, start, end := r.way(net, r.foreign(e.from, e.to), r.ports(e.from, e.to, net), r.ports(e.to, e.from, net))
	points := []point{start.point}
	for i, at := range spots {
		here := point{r.columns[at%len(r.columns)], r.y(at / len(r.columns))}
		before, after := points[len(points)-1], end.point
		if i+1 < len(spots) {
			after = point{r.columns[spots[i+1]%len(r.columns)], r.y(spots[i+1] / len(r.columns))}
			r.takeStep(at, spots[i+1], net)
		}
		way := turning
		switch {
		case before.y == here.y && here.y == after.y:
			way = across
		case before.x == here.x && here.x == after.x:
			way = along
		default:
			points = append(points, here)
		}
		if s := &r.spots[at]; s.passed == no {
			s.passed, s.net = way, net
		} else if s.passed != way || s.net != net {
			s.passed = turning
		}
	}
	e.points = append(points, end.point)
	r.dock(e.from, start.point, net)
	r.dock(e.to, end.point, net)
}

func (r *routing) takeStep(a, b, net int) {
	first := min(a, b)
	if max(a, b) == first+1 {
		r.spots[first].right.net = net
	} else {
		r.spots[first].down.net = net
	}
}

func (r *routing) dock(b *placed, at point, net int) {
	if r.docks[b] == nil {
		r.docks[b] = map[point]int{}
	}
	r.docks[b][at] = net
}

// ports are the places where an edge may meet a box, on its left and right: in the
// middle best, not close to another edge, and where others of its net do. One that leads
// to a box within meets it from within.
func (r *routing) ports(b, other *placed, net int) []port {
	var all []port
	within := false
	for p := other.in; p != nil; p = p.in {
		within = within || p == b
	}
	docks := r.docks[b]
	for _, x := range []int{b.x, b.x + b.w} {
		left := (x == b.x) != within // the edge comes from the left
		c, _ := slices.BinarySearch(r.columns, x)
		if left {
			c--
		}
		if c < 0 || c >= len(r.columns) {
			continue
		}
		for row := r.row(b.y + pitch); r.y(row) < b.y+b.h-pitch; row++ {
			p := port{point{x, r.y(row)}, row*len(r.columns) + c, pixel * abs(x-r.columns[c])}
			p.cost += middling * abs(p.y-b.middle()) / b.h
			for at, n := range docks {
				switch {
				case n == net && at.x != p.x:
					p.cost += otherSide
				case n == net && at != p.point:
					p.cost += 2 * otherSide
				case n != net && at == p.point:
					p.cost += 2 * touching
				case n != net && at.x == p.x && abs(at.y-p.y) < 2*pitch:
					p.cost += bend
				}
			}
			all = append(all, p)
		}
	}
	return all
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
