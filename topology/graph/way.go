package graph

import (
	"container/heap"
	"slices"
)

// What a way costs. Those for a pixel come on top of 3 for its length.
const (
	pixel        = 3
	shared       = 2    // a pixel where edges of the same net run already
	bend         = 90   // a corner
	middling     = 800  // to meet a box as far from the middle of its side as it is high
	otherSide    = 500  // to meet a box elsewhere than the net does
	crossing     = 100  // of an edge of another net
	touching     = 1500 // a spot where one of another net turns
	nearEdge     = 1    // a pixel beside one of another net
	behind       = 15   // a pixel shortly before or behind one of another net, on one line with it
	nearBox      = 1    // a pixel beside an outline
	otherZone    = 2    // a pixel through a zone where neither end is
	onEdge       = 60   // a pixel along one of another net
	onText       = 60   // a pixel through text
	otherNetwork = 600  // a pixel through a VPC where neither end is
	onBox        = 2000 // a pixel through a box
)

// port is where an edge may meet a side of its box: beside a spot of the grid.
type port struct {
	point
	spot int
	cost int
}

// search finds the cheapest way between two boxes.
type search struct {
	*grid
	net     int
	foreign []int
	best    []int // cost by spot and direction: 2*spot, plus 1 where it was reached downwards or upwards
	before  []int // where it was reached from
	queue   queue
}

// way finds the cheapest way from one of some ports to one of others, and returns its
// spots, and the two ports.
func (g *grid) way(net int, foreign []int, from, to []port) (spots []int, start, end port) {
	s := &search{grid: g, net: net, foreign: foreign, best: make([]int, 2*len(g.spots)), before: make([]int, 2*len(g.spots))}
	starts, ends := map[int]port{}, map[int][]port{}
	for _, p := range from {
		if old, ok := starts[p.spot]; !ok || p.cost < old.cost {
			starts[p.spot] = p
		}
	}
	for _, p := range from {
		if starts[p.spot] == p {
			s.reach(2*p.spot, -1, p.cost+1)
		}
	}
	for _, p := range to {
		ends[p.spot] = append(ends[p.spot], p)
	}
	last, least := -1, 0
	for len(s.queue) > 0 {
		now := heap.Pop(&s.queue).(state)
		if last >= 0 && now.cost >= least {
			break
		}
		if now.cost > s.best[now.at] {
			continue // reached cheaper meanwhile
		}
		for _, p := range ends[now.at/2] {
			if cost := now.cost + p.cost + s.turn(now.at, 0); last < 0 || cost < least {
				last, least, end = now.at, cost, p
			}
		}
		s.spread(now)
	}
	for at := last; at >= 0; at = s.before[at] {
		if len(spots) == 0 || spots[len(spots)-1] != at/2 {
			spots = append(spots, at/2)
		}
	}
	slices.Reverse(spots)
	return spots, starts[spots[0]], end
}

// spread reaches the neighbours of a spot.
func (s *search) spread(now state) {
	spot, wide := now.at/2, len(s.columns)
	row, column := spot/wide, spot%wide
	if column > 0 {
		s.take(now, spot-1, 0, spot-1)
	}
	if column+1 < wide {
		s.take(now, spot+1, 0, spot)
	}
	if row > 0 {
		s.take(now, spot-wide, 1, spot-wide)
	}
	if row+1 < s.rows {
		s.take(now, spot+wide, 1, spot)
	}
}

// take takes a step: to a spot, in a direction, from the upper or left one of its ends.
func (s *search) take(now state, to, direction, first int) {
	cost := now.cost + s.turn(now.at, direction)
	wide, from := len(s.columns), now.at/2
	length, price := pitch, max(s.foreign[s.spots[from].holder], s.foreign[s.spots[to].holder])
	if direction == 0 {
		right := func(a *spot) int { return a.right.net }
		length = s.columns[first%wide+1] - s.columns[first%wide]
		price += s.price(s.spots[first].right, s.beside(first, wide, right), false)
	} else {
		down := func(a *spot) int { return a.down.net }
		lined := s.beside(first, wide, down) || s.beside(first, 2*wide, down) || s.beside(first, 3*wide, down)
		price += s.price(s.spots[first].down, s.beside(first, 1, down), lined)
	}
	s.reach(2*to+direction, now.at, cost+length*price)
}

// beside reports whether edges of another net take a step so many spots before or behind
// one.
func (s *search) beside(at, distance int, net func(*spot) int) bool {
	for _, next := range []int{at - distance, at + distance} {
		if next >= 0 && next < len(s.spots) {
			if n := net(&s.spots[next]); n != 0 && n != s.net {
				return true
			}
		}
	}
	return false
}

// price is what a pixel of a step costs.
func (s *search) price(t step, beside, lined bool) int {
	cost := pixel
	if t.net == s.net {
		cost = shared
	} else if t.net != 0 {
		cost += onEdge
	}
	for _, extra := range []struct {
		is   bool
		cost int
	}{{beside, nearEdge}, {lined, behind}, {t.near, nearBox}, {t.text, onText}, {t.box, onBox}} {
		if extra.is {
			cost += extra.cost
		}
	}
	return cost
}

// turn is what it costs to leave a spot in a direction.
func (s *search) turn(at, direction int) int {
	cost := 0
	if at%2 != direction {
		cost = bend
	}
	here := &s.spots[at/2]
	switch {
	case here.net == 0 || here.net == s.net:
	case cost == 0 && (direction == 0 && here.passed == along || direction == 1 && here.passed == across):
		cost += crossing
	default:
		cost += touching
	}
	return cost
}

func (s *search) reach(at, before, cost int) {
	if s.best[at] == 0 || cost < s.best[at] {
		s.best[at], s.before[at] = cost, before
		heap.Push(&s.queue, state{at, cost})
	}
}

// state is a spot that was reached, in a direction.
type state struct{ at, cost int }

// queue has the cheapest state first, and of equal ones the one further up and left.
type queue []state

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	return q[i].cost < q[j].cost || q[i].cost == q[j].cost && q[i].at < q[j].at
}
func (q *queue) Push(x any) { *q = append(*q, x.(state)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
