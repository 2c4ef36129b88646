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

// Whatever is put in and cancelled, the queue does what a sorted list does.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type item struct {
			t     clock.Time
			arg   uint64
			timer event.Timer
		}
		r := newRecorder(1)
		lines := []event.Line{r.q.Line(2), r.q.Line(3)}
		var want []item
		var n uint64
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1, 2:
				n++
				at := max(r.q.Now()+clock.Time(rapid.IntRange(-1, 5).Draw(t, "when")), r.q.Now())
				want = append(want, item{at, n, r.at(at, n)})
				slices.SortStableFunc(want, func(a, b item) int { return int(a.t - b.t) })
			case 5: // a line's events come between those of the same moment
				n++
				i := rapid.IntRange(0, 1).Draw(t, "line")
				r.q.Join(lines[i], event.Event{Actor: r.id, Arg: n})
				want = append(want, item{r.q.Now() + clock.Time(2+i), n, event.Timer{}})
				slices.SortStableFunc(want, func(a, b item) int { return int(a.t - b.t) })
			case 3:
				if len(want) > 0 {
					i := rapid.IntRange(0, len(want)-1).Draw(t, "which")
					inLine := want[i].timer == event.Timer{}
					if r.q.Cancel(want[i].timer) == inLine {
						t.Fatal("cancelled, or not")
					}
					if !inLine {
						want = slices.Delete(want, i, i+1)
					}
				}
			case 4:
				if got := r.q.Step(); got != (len(want) > 0) {
					t.Fatalf("step: %v with %d events", got, len(want))
				} else if got {
					if next, ok := r.q.Next(); ok != (len(want) > 1) || ok && next != want[1].t {
						t.Fatalf("next is %d, %v", next, ok)
					}
					if last := r.args[len(r.args)-1]; last != want[0].arg || r.q.Now() != want[0].t {
						t.Fatalf("%d at %d, want %d at %d", last, r.q.Now(), want[0].arg, want[0].t)
					}
					want = want[1:]
				}
			}
			if r.q.Len() != len(want) {
				t.Fatalf("%d events wait, want %d", r.q.Len(), len(want))
			}
		}
	})
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
