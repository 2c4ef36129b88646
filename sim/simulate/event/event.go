// Package event is a queue of what will happen, on virtual time. Events happen in
// the order of their times, and those of one time in the order in which they were
// put in; nothing else decides, so that a simulation runs alike on every machine.
// A [Queue] has one owner, reads no clock and starts no goroutine, and the chance of
// a simulation comes from its seed alone.
package event

import (
	"math/rand/v2"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
)

// Actor is told of its events when their time has come.
type Actor interface {
	// Happen may put in further events and cancel others.
	Happen(kind uint32, arg uint64)
}

// Seer is an actor that makes use of knowing early what will happen to it.
type Seer interface {
	// Foresee tells of some events that will happen soon, in any order, unless they
	// are cancelled. It is no occasion to do anything but to fetch from memory what
	// those will need: it comes when it comes, for some and not for others.
	Foresee(soon []Event)
}

// ActorID names an actor of a queue.
type ActorID uint32

// Event says whom it concerns, and, in the actor's own words, what it is. It holds no
// pointer, so that a million of them cost the garbage collector nothing.
type Event struct {
	Arg   uint64
	Actor ActorID
	Kind  uint32
}

// Timer refers to an event that was put in. The zero Timer refers to none, and so
// does one whose event has happened or was cancelled.
type Timer struct {
	slot uint32
	gen  uint32 // odd while the event waits
}

// Queue holds the events to come. Events of the present moment wait in a line of
// their own, and so do those of a [Line]; all others of the future in a wheel until they
// are near, and then in a heap. Every event there knows its place, so that
// a cancelled one is gone at once and nothing is left to step over later.
type Queue struct {
	now    clock.Time
	rnd    *rand.Rand
	actors []Actor
	seers  []Seer // by ActorID; nil: it is none
	wheel  wheel
	heap   []entry // of what is near
	lines  []line
	line   []uint32 // slots, those of cancelled events among them, from head on
	head   int
	slots  []slot
	free   uint32 // the first free slot, plus 1; 0: none
	seq    uint64
	count  int // events that wait
	done   uint64
	calls  []func() // of CallAt
	spare  []uint32 // free places in calls
	soon   [ahead]Event
}

// slot is the memory of one event.
type slot struct {
	Event
	gen uint32 // odd while the event waits
	at  uint32 // its place in the heap or the wheel, or inLine; while free: the next free slot, plus 1
}

const (
	inLine  = 1<<32 - 1
	inWheel = 1 << 31 // with the place there
)

// entry is an event in the wheel or the heap.
type entry struct {
	t    clock.Time
	seq  uint64 // in which order events were put in
	slot uint32
}

func (a *entry) before(b *entry) bool { return a.t < b.t || a.t == b.t && a.seq < b.seq }

// callers is the actor that calls the functions of [Queue.CallAt].
const callers ActorID = 0

// New returns an empty queue at the beginning of time.
func New(seed uint64) *Queue {
	q := &Queue{rnd: rand.New(rand.NewPCG(seed, 0x706c73696d)), wheel: wheel{soon: never}}
	q.Register((*caller)(q))
	return q
}

// Rand returns the queue's source of chance, the only one that whatever happens on
// the queue may draw from.
func (q *Queue) Rand() *rand.Rand { return q.rnd }

// Register makes a known to the queue, for good.
func (q *Queue) Register(a Actor) ActorID {
	q.actors = append(q.actors, a)
	seer, _ := a.(Seer)
	q.seers = append(q.seers, seer)
	return ActorID(len(q.actors) - 1)
}

// Now returns the present moment.
func (q *Queue) Now() clock.Time { return q.now }

// Len returns how many events wait.
func (q *Queue) Len() int { return q.count }

// Done returns how many events have happened.
func (q *Queue) Done() uint64 { return q.done }

// At puts in an event. One whose moment has passed happens at the present one.
func (q *Queue) At(t clock.Time, e Event) Timer {
	n := q.take()
	s := &q.slots[n]
	s.Event = e
	s.gen++
	q.count++
	if t <= q.now {
		s.at = inLine
		q.line = append(q.line, n)
		return Timer{n, s.gen}
	}
	q.seq++
	if e := (entry{t, q.seq, n}); tickOf(t) > q.wheel.tick {
		q.store(e)
	} else {
		q.heap = append(q.heap, e)
		q.rise(len(q.heap)-1, e)
	}
	return Timer{n, s.gen}
}

// After puts in an event that happens d from now.
func (q *Queue) After(d time.Duration, e Event) Timer { return q.At(q.now.Add(d), e) }

// CallAt puts in a call of f. It costs more than an event of an actor.
func (q *Queue) CallAt(t clock.Time, f func()) Timer {
	var i uint32
	if n := len(q.spare); n > 0 {
		i = q.spare[n-1]
		q.spare = q.spare[:n-1]
		q.calls[i] = f
	} else {
		i = uint32(len(q.calls))
		q.calls = append(q.calls, f)
	}
	return q.At(t, Event{Actor: callers, Arg: uint64(i)})
}

// caller calls the functions of [Queue.CallAt].
type caller Queue

// Happen implements [Actor].
func (c *caller) Happen(_ uint32, arg uint64) {
	f := c.calls[arg]
	(*Queue)(c).forget(arg)
	f()
}

// forget gives back the place of a function.
func (q *Queue) forget(call uint64) {
	q.calls[call] = nil
	q.spare = append(q.spare, uint32(call))
}

// Cancel takes out an event, and reports whether it still waited.
func (q *Queue) Cancel(t Timer) bool {
	if !q.Waits(t) {
		return false
	}
	s := &q.slots[t.slot]
	if s.Actor == callers {
		q.forget(s.Arg)
	}
	q.count--
	switch {
	case s.at == inLine: // the line is over before time goes on
		s.gen++
		return true
	case s.at&inWheel != 0:
		q.discard(s.at)
	default:
		q.remove(int(s.at))
	}
	q.release(t.slot)
	return true
}

// Waits reports whether the event that t refers to has neither happened nor been
// cancelled.
func (q *Queue) Waits(t Timer) bool {
	return t.gen&1 == 1 && int(t.slot) < len(q.slots) && q.slots[t.slot].gen == t.gen
}

// Next returns the moment of the next event, if there is any.
func (q *Queue) Next() (clock.Time, bool) {
	if q.skip(); q.head < len(q.line) {
		return q.now, true
	}
	if l := q.earliest(never); l != nil {
		return l.first().t, true
	}
	if len(q.heap) > 0 {
		return q.heap[0].t, true
	}
	return 0, false
}

// Step lets the next event happen, and reports whether there was one.
func (q *Queue) Step() bool { return q.step(never) }

// never is a moment that does not come.
const never = clock.Time(1<<63 - 1)

// step lets the next event happen unless that is later than until, and reports whether
// there was one.
func (q *Queue) step(until clock.Time) bool {
	q.skip()
	present := q.head < len(q.line)
	soonest := until
	if present {
		soonest = min(until, q.now)
	}
	l := q.earliest(soonest)
	// Whatever of lines and heap is due now was put in before now, and so before all
	// that waits for the present.
	switch {
	case l != nil && (!present || l.first().t <= q.now):
		w := *l.first()
		if w.t > until {
			return false
		}
		if l.foreseen == 0 && l.n >= few {
			q.foreseeLine(l)
		}
		l.advance()
		q.now = w.t
		q.happen(w.Event)
	case l == nil && len(q.heap) > 0 && (!present || q.heap[0].t <= q.now):
		top := q.heap[0]
		if top.t > until {
			return false
		}
		q.remove(0)
		q.now = top.t
		q.happen(q.release(top.slot))
	case present && q.now <= until:
		n := q.line[q.head]
		q.advance()
		q.happen(q.release(n))
	default:
		return false
	}
	return true
}

// Run lets events happen until none of the moment until, or before it, waits; then
// that moment is the present one. It returns early, and true, as soon as stop says
// so, which it asks before each event; stop may be nil.
func (q *Queue) Run(until clock.Time, stop func() bool) bool {
	for stop == nil || !stop() {
		if !q.step(until) {
			q.now = max(q.now, until)
			return false
		}
	}
	return true
}

func (q *Queue) happen(e Event) {
	q.count--
	q.done++
	q.actors[e.Actor].Happen(e.Kind, e.Arg)
}

// skip steps over what was cancelled at the front of the line.
func (q *Queue) skip() {
	for q.head < len(q.line) {
		n := q.line[q.head]
		if q.slots[n].gen&1 == 1 {
			return
		}
		q.advance()
		q.slots[n].gen++ // as release does from a waiting event's
		q.release(n)
	}
}

// advance takes the first of the line out. A line that never ends, because each event
// puts in another, is moved to the front of its memory now and then.
func (q *Queue) advance() {
	q.head++
	switch {
	case q.head == len(q.line):
		q.line, q.head = q.line[:0], 0
	case q.head >= 1024 && q.head*2 >= len(q.line):
		q.line = q.line[:copy(q.line, q.line[q.head:])]
		q.head = 0
	}
}

// take returns a free slot, with an even generation.
func (q *Queue) take() uint32 {
	if q.free != 0 {
		n := q.free - 1
		q.free = q.slots[n].at
		return n
	}
	q.slots = append(q.slots, slot{})
	return uint32(len(q.slots) - 1)
}

// release gives the memory of an event back, and returns what it was.
func (q *Queue) release(n uint32) Event {
	s := &q.slots[n]
	s.gen++
	s.at = q.free
	q.free = n + 1
	return s.Event
}
