package event_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/simulate/event"
)

// recorder notes its events, and does what a test says.
type recorder struct {
	q    *event.Queue
	id   event.ActorID
	got  []string
	args []uint64
	do   func(kind uint32, arg uint64)
}

func newRecorder(seed uint64) *recorder {
	r := &recorder{q: event.New(seed)}
	r.id = r.q.Register(r)
	return r
}

func (r *recorder) Happen(kind uint32, arg uint64) {
	r.got = append(r.got, fmt.Sprintf("%d:%d", r.q.Now(), arg))
	r.args = append(r.args, arg)
	if r.do != nil {
		r.do(kind, arg)
	}
}

func (r *recorder) at(t clock.Time, arg uint64) event.Timer {
	return r.q.At(t, event.Event{Actor: r.id, Arg: arg})
}

func (r *recorder) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.got, want) {
		t.Errorf("what happened: %v, want %v", r.got, want)
	}
}

// Events of one time happen in the order in which they were put in, however many
// they are and whatever else is in the heap.
func TestSimultaneous(t *testing.T) {
	r := newRecorder(1)
	const n = 1000
	for i := range uint64(n) {
		r.at(5, i)
		r.at(clock.Time(6+i%7), n+i)
	}
	r.q.Run(5, nil)
	for i := range uint64(n) {
		if r.args[i] != i {
			t.Fatalf("event %d of one moment happens as number %d", r.args[i], i)
		}
	}
}

// What an event puts in at the present moment comes after all that was put in for this
// moment before, and before everything later.
func TestPresent(t *testing.T) {
	r := newRecorder(1)
	r.do = func(_ uint32, arg uint64) {
		if arg == 1 {
			r.at(10, 4)
			r.at(3, 5) // a moment that has passed
			r.q.After(0, event.Event{Actor: r.id, Arg: 6})
		}
		if arg == 4 {
			r.q.CallAt(10, func() { r.got = append(r.got, "call") })
		}
	}
	r.at(11, 7)
	for i := range uint64(3) {
		r.at(10, 1+i)
	}
	r.at(0, 0)
	r.q.Run(100, nil)
	r.expect(t, "0:0", "10:1", "10:2", "10:3", "10:4", "10:5", "10:6", "call", "11:7")
	if r.q.Now() != 100 || r.q.Done() != 9 {
		t.Errorf("it is %d after %d events", r.q.Now(), r.q.Done())
	}
}

func TestCancel(t *testing.T) {
	r := newRecorder(1)
	a, b := r.at(5, 1), r.at(5, 2)
	now, call := r.at(0, 3), r.q.CallAt(7, func() { t.Error("a cancelled call") })
	late := r.q.CallAt(0, func() { t.Error("a cancelled call of the present") })
	for _, x := range []event.Timer{b, now, call, late} {
		if !r.q.Waits(x) || !r.q.Cancel(x) || r.q.Cancel(x) || r.q.Waits(x) {
			t.Error("an event is cancelled once")
		}
	}
	again := r.at(9, 4) // in the memory of b
	if r.q.Cancel(b) || r.q.Len() != 2 {
		t.Error("an old timer cancels another's event")
	}
	if r.q.Cancel(event.Timer{}) {
		t.Error("the zero timer cancels")
	}
	r.q.Run(20, nil)
	r.expect(t, "5:1", "9:4")
	if r.q.Cancel(a) || r.q.Cancel(again) || r.q.Len() != 0 {
		t.Error("what has happened is cancelled")
	}
}

func TestRun(t *testing.T) {
	r := newRecorder(1)
	if _, ok := r.q.Next(); ok || r.q.Step() {
		t.Error("something happens on an empty queue")
	}
	r.at(5, 1)
	r.at(6, 2)
	r.at(7, 3)
	if next, ok := r.q.Next(); !ok || next != 5 {
		t.Errorf("next is %v, %v", next, ok)
	}
	if !r.q.Run(100, func() bool { return len(r.got) == 2 }) || r.q.Now() != 6 {
		t.Errorf("stopped at %v", r.q.Now())
	}
	if r.q.Run(6, nil) || r.q.Now() != 6 || !r.q.Step() || r.q.Now() != 7 {
		t.Errorf("it is %v", r.q.Now())
	}
	r.q.CallAt(r.q.Now(), func() { r.at(8, 4) })
	r.q.Run(8, nil)
	r.expect(t, "5:1", "6:2", "7:3", "8:4")
}

func TestSeed(t *testing.T) {
	if a, b := event.New(7).Rand().Uint64(), event.New(7).Rand().Uint64(); a != b {
		t.Error("one seed, two courses")
	}
	if a, b := event.New(7).Rand().Uint64(), event.New(8).Rand().Uint64(); a == b {
		t.Error("two seeds, one course")
	}
}

// model is what a queue should be: a list in the order in which things happen.
type model []planned

type planned struct {
	t     clock.Time
	arg   uint64
	timer event.Timer // zero: it is in a line, and cannot be cancelled
}

func (m *model) put(p planned) {
	i := len(*m)
	for i > 0 && (*m)[i-1].t > p.t {
		i--
	}
	*m = slices.Insert(*m, i, p)
}

// drawWait draws how long it is until an event: often nothing or little, so that many
// are of one moment, and else anything up to years.
func drawWait(t *rapid.T) clock.Time {
	if rapid.Bool().Draw(t, "soon") {
		return clock.Time(rapid.IntRange(-1, 5).Draw(t, "when"))
	}
	magnitude := clock.Time(1) << rapid.IntRange(0, 60).Draw(t, "magnitude")
	return magnitude + clock.Time(rapid.IntRange(-1, 1).Draw(t, "off"))*clock.Time(rapid.IntRange(0, 3).Draw(t, "by"))
}

// Whatever is put in, put off and cancelled, the queue does what a sorted list does.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRecorder(1)
		lines := []event.Line{r.q.Line(2), r.q.Line(300_000)}
		var want model
		var n uint64
		put := func() {
			n++
			at := max(r.q.Now()+drawWait(t), r.q.Now())
			want.put(planned{at, n, r.at(at, n)})
		}
		cancel := func() bool {
			if len(want) == 0 {
				return false
			}
			i := rapid.IntRange(0, len(want)-1).Draw(t, "which")
			timer := want[i].timer
			if r.q.Waits(timer) == (timer == event.Timer{}) || r.q.Cancel(timer) == (timer == event.Timer{}) {
				t.Fatal("cancelled, or not")
			}
			if timer == (event.Timer{}) {
				return false
			}
			want = slices.Delete(want, i, i+1)
			return true
		}
		happened := func(got int) { // what has just done so is what should have
			t.Helper()
			for i, arg := range r.args[got:] {
				if arg != want[i].arg {
					t.Fatalf("%d happens instead of %d at %d", arg, want[i].arg, want[i].t)
				}
			}
			want = want[len(r.args)-got:]
		}
		t.Repeat(map[string]func(*rapid.T){
			"put in":      func(*rapid.T) { put() },
			"put in more": func(*rapid.T) { put() },
			"cancel":      func(*rapid.T) { cancel() },
			"put off": func(*rapid.T) {
				if cancel() {
					put()
				}
			},
			"join": func(t *rapid.T) { // a line's events come between those of the same moment
				n++
				i := rapid.IntRange(0, 1).Draw(t, "line")
				r.q.Join(lines[i], event.Event{Actor: r.id, Arg: n})
				want.put(planned{t: r.q.Now() + clock.Time([]int{2, 300_000}[i]), arg: n})
			},
			"step": func(t *rapid.T) {
				had, got := len(want), len(r.args)
				if r.q.Step() != (had > 0) || len(r.args)-got != min(had, 1) {
					t.Fatalf("%d events happen, of %d", len(r.args)-got, had)
				}
				if had > 0 && r.q.Now() != want[0].t {
					t.Fatalf("it is %d, want %d", r.q.Now(), want[0].t)
				}
				happened(got)
			},
			"run": func(t *rapid.T) {
				until, got := r.q.Now()+max(drawWait(t), 0), len(r.args)
				due := 0
				for due < len(want) && want[due].t <= until {
					due++
				}
				if r.q.Run(until, nil); len(r.args)-got != due || r.q.Now() != until {
					t.Fatalf("%d events until %d, want %d; it is %d", len(r.args)-got, until, due, r.q.Now())
				}
				happened(got)
			},
			"look ahead": func(t *rapid.T) {
				if next, ok := r.q.Next(); ok != (len(want) > 0) || ok && next != want[0].t {
					t.Fatalf("next is %d, %v", next, ok)
				}
			},
			"": func(t *rapid.T) {
				if r.q.Len() != len(want) {
					t.Fatalf("%d events wait, want %d", r.q.Len(), len(want))
				}
			},
		})
	})
}

// seer is told of what will happen.
type seer struct {
	recorder
	foreseen map[uint64]bool
}

func (s *seer) Foresee(soon []event.Event) {
	for _, e := range soon {
		s.foreseen[e.Arg] = true
	}
	s.got = append(s.got, "foreseen")
}

// Of many events of about the same time, in a line or not, an actor is told before they
// happen; of a few that are alone it is not.
func TestForesee(t *testing.T) {
	s := &seer{recorder: recorder{q: event.New(1)}, foreseen: map[uint64]bool{}}
	s.id = s.q.Register(s)
	s.do = func(_ uint32, arg uint64) {
		if !s.foreseen[arg] {
			t.Errorf("%d comes unforeseen", arg)
		}
	}
	wire, other := s.q.Line(1000), newRecorder(1)
	other.id = s.q.Register(other)
	for i := range uint64(100) {
		s.q.Join(wire, event.Event{Actor: s.id, Arg: i})
		s.at(clock.Time(1e9+i%7), 1000+i)
		s.q.At(clock.Time(1e9+i%5), event.Event{Actor: other.id}) // which is none
	}
	s.q.Run(2e9, nil)
	if len(s.args) != 200 || len(s.foreseen) != 200 {
		t.Errorf("of %d events, %d were foreseen", len(s.args), len(s.foreseen))
	}
	s.do, s.got = nil, nil
	s.at(3e9, 1)
	s.at(4e9, 2)
	s.q.Join(wire, event.Event{Actor: s.id, Arg: 3})
	s.q.Run(5e9, nil)
	s.expect(t, "2000001000:3", "3000000000:1", "4000000000:2")
}

// A timer that is set and cancelled again and again leaves nothing behind, and nothing
// of that allocates.
func TestAlloc(t *testing.T) {
	r := newRecorder(1)
	wire := r.q.Line(5)
	var timer event.Timer
	turn := func() {
		for i := range uint64(10000) {
			r.q.Cancel(timer)
			timer = r.at(r.q.Now()+1e9, i)
			r.q.Cancel(r.at(r.q.Now(), i)) // in the line of the present
			r.at(r.q.Now()+1, i)
			r.q.Step()
			r.q.Join(wire, event.Event{Actor: r.id, Arg: i})
			r.q.Step()
		}
		r.got, r.args = r.got[:0], r.args[:0]
	}
	r.do = nil
	q := &quiet{}
	r.id = r.q.Register(q)
	turn()
	if n := testing.AllocsPerRun(5, turn); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if r.q.Len() != 1 || q.n == 0 {
		t.Errorf("%d events wait", r.q.Len())
	}
}

type quiet struct{ n int }

func (q *quiet) Happen(uint32, uint64) { q.n++ }

// chain keeps a number of events in the queue: each puts in another.
type chain struct {
	q   *event.Queue
	id  event.ActorID
	gap time.Duration
	n   uint64
}

func (c *chain) Happen(_ uint32, arg uint64) {
	c.n = c.n*6364136223846793005 + 1442695040888963407
	d := time.Duration(0)
	if c.gap > 0 {
		d = 1 + time.Duration(c.n>>33)%c.gap
	}
	c.q.After(d, event.Event{Actor: c.id, Arg: arg})
}

func BenchmarkEvents(b *testing.B) {
	for _, bc := range []struct {
		name string
		n    int
		gap  time.Duration
	}{{"now=1", 1, 0}, {"waiting=10", 10, 1000}, {"waiting=1000", 1000, 1e6}, {"waiting=1e6", 1e6, 1e9}} {
		b.Run(bc.name, func(b *testing.B) {
			c := &chain{q: event.New(1), gap: bc.gap}
			c.id = c.q.Register(c)
			for i := range bc.n {
				c.Happen(0, uint64(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				c.q.Step()
			}
		})
	}
}
