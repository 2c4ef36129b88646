package event

import (
	"time"

	"github.com/plsim/plsim/dataplane/clock"
)

// Line is a line of events that all happen the same time after they were put in. Those
// before have nothing to be compared with those behind, so that a million of them cost
// no more than one; and they cannot be cancelled.
type Line uint32

// line holds the events of a Line in a ring.
type line struct {
	delay time.Duration
	ring  []waiting // its length is a power of two
	head  int
	n     int

	foreseen int // of the first, how many the actors know of
}

// waiting is an event in a line.
type waiting struct {
	t   clock.Time
	seq uint64
	Event
}

// Line returns a new line for events that happen d after they are put in, which is more
// than 0. A queue is meant to have few of them.
func (q *Queue) Line(d time.Duration) Line {
	q.lines = append(q.lines, line{delay: max(d, 1), ring: make([]waiting, 64)})
	return Line(len(q.lines) - 1)
}

// Join puts an event at the end of a line.
func (q *Queue) Join(to Line, e Event) {
	l := &q.lines[to]
	if l.n == len(l.ring) {
		l.grow()
	}
	q.seq++
	q.count++
	l.ring[(l.head+l.n)&(len(l.ring)-1)] = waiting{q.now.Add(l.delay), q.seq, e}
	l.n++
}

func (l *line) grow() {
	ring := make([]waiting, 2*len(l.ring))
	n := copy(ring, l.ring[l.head:])
	copy(ring[n:], l.ring[:l.head])
	l.ring, l.head = ring, 0
}

func (l *line) first() *waiting { return &l.ring[l.head] }

func (l *line) advance() {
	l.head = (l.head + 1) & (len(l.ring) - 1)
	l.n--
	l.foreseen = max(l.foreseen-1, 0)
}

// earliest returns the line whose first event comes before those of all others and
// before all events of wheel and heap, or nil. What happens after until is not its concern.
func (q *Queue) earliest(until clock.Time) *line {
	var best *line
	for i := range q.lines {
		if l := &q.lines[i]; l.n > 0 && (best == nil || l.first().before(best.first().t, best.first().seq)) {
			best = l
		}
	}
	if best != nil {
		until = min(until, best.first().t)
	}
	if len(q.heap) == 0 && q.wheel.soon <= until {
		q.draw(until)
	}
	if best != nil && len(q.heap) > 0 && !best.first().before(q.heap[0].t, q.heap[0].seq) {
		return nil
	}
	return best
}

// before reports whether the event comes before one of that moment and number.
func (w *waiting) before(t clock.Time, seq uint64) bool {
	return w.t < t || w.t == t && w.seq < seq
}
