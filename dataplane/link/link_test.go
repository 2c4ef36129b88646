package link_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/link"
)

const (
	first link.ID = 1 + iota
	second
)

// load returns links of some specs, the first of which has ID first.
func load(seed uint64, specs ...link.Spec) *link.Links {
	l := link.New(rand.New(rand.NewPCG(seed, 0)))
	l.Load(append([]link.Spec{{}}, specs...))
	return l
}

// one is a packet of so many bytes.
func one(length int) link.Packet { return link.Packet{WireLen: length, MaxLen: length} }

// send takes a packet over links, one after the other in direction 0, and returns
// when its copies arrive.
func send(l *link.Links, now clock.Time, p link.Packet, ids ...link.ID) ([]clock.Time, drop.Reason) {
	f := link.Send(now)
	for _, id := range ids {
		if why := l.Cross(&f, id, 0, p); why != drop.None {
			_, n := f.Arrivals()
			if n > 0 {
				panic("a packet that is lost arrives")
			}
			return nil, why
		}
	}
	at, n := f.Arrivals()
	return at[:n], drop.None
}

const ms = clock.Time(time.Millisecond)

func TestCross(t *testing.T) {
	const mbit = 1_000_000 // 125 bytes in a millisecond
	for _, tt := range []struct {
		name  string
		specs []link.Spec
		sends []int // packets by length, all at moment 100 ms
		want  []clock.Time
		why   drop.Reason // of the last
	}{
		{"nothing", []link.Spec{{}}, []int{1500}, []clock.Time{100 * ms}, drop.None},
		{"delay", []link.Spec{{Delay: 20 * time.Millisecond}}, []int{1500, 1500}, []clock.Time{120 * ms, 120 * ms}, drop.None},
		{"delays add up", []link.Spec{{Delay: 20 * time.Millisecond}, {Delay: 3 * time.Millisecond}}, []int{1500}, []clock.Time{123 * ms}, drop.None},
		{"down", []link.Spec{{}, {Down: true}}, []int{1500}, nil, drop.LinkDown},
		{"all lost", []link.Spec{{Loss: 1}}, []int{1500}, nil, drop.LinkLoss},
		{"fits", []link.Spec{{MTU: 1500}}, []int{1500}, []clock.Time{100 * ms}, drop.None},
		{"too long", []link.Spec{{MTU: 1500}}, []int{1501}, nil, drop.LinkMTU},
		{"all twice", []link.Spec{{Duplicate: 1}}, []int{1500}, []clock.Time{100 * ms, 100 * ms}, drop.None},
		{"never more than twice", []link.Spec{{Duplicate: 1}, {Duplicate: 1}}, []int{1500}, []clock.Time{100 * ms, 100 * ms}, drop.None},
		{"all skip the delay", []link.Spec{{Delay: 20 * time.Millisecond, Reorder: 1}}, []int{1500}, []clock.Time{100 * ms}, drop.None},
		{"rate", []link.Spec{{Rate: mbit, Queue: time.Second}}, []int{125, 250, 125}, []clock.Time{101 * ms, 103 * ms, 104 * ms}, drop.None},
		{"rate and delay", []link.Spec{{Rate: mbit, Queue: time.Second, Delay: 5 * time.Millisecond}}, []int{125, 125}, []clock.Time{106 * ms, 107 * ms}, drop.None},
		{"two links work at the same time", []link.Spec{{Rate: mbit, Queue: time.Second}, {Rate: 2 * mbit, Queue: time.Second}}, []int{250, 250}, []clock.Time{102 * ms, 104 * ms}, drop.None},
		{"a copy takes room, too", []link.Spec{{Rate: mbit, Queue: time.Second, Duplicate: 1}}, []int{125}, []clock.Time{101 * ms, 102 * ms}, drop.None},
		{"the queue holds what waits no longer", []link.Spec{{Rate: mbit, Queue: 2 * time.Millisecond}}, []int{125, 125, 125}, []clock.Time{101 * ms, 102 * ms, 103 * ms}, drop.None},
		{"tail drop", []link.Spec{{Rate: mbit, Queue: 2 * time.Millisecond}}, []int{125, 125, 125, 125}, []clock.Time{101 * ms, 102 * ms, 103 * ms}, drop.LinkQueue},
		{"no queue at all", []link.Spec{{Rate: mbit}}, []int{125, 125}, []clock.Time{101 * ms}, drop.LinkQueue},
		{"a copy without room is not missed", []link.Spec{{Rate: mbit, Duplicate: 1}}, []int{125}, []clock.Time{101 * ms}, drop.None},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := load(1, tt.specs...)
			ids := []link.ID{first, second}[:len(tt.specs)]
			var got []clock.Time
			var why drop.Reason
			for _, length := range tt.sends {
				var at []clock.Time
				at, why = send(l, 100*ms, one(length), ids...)
				got = append(got, at...)
			}
			if !slices.Equal(got, tt.want) || why != tt.why {
				t.Errorf("arrive at %v, then %v; want %v, then %v", got, why, tt.want, tt.why)
			}
		})
	}
}

// TestDirections: what goes one way takes nothing from what goes the other.
func TestDirections(t *testing.T) {
	l := load(1, link.Spec{Rate: 1_000_000})
	for dir := range link.Dir(2) {
		f := link.Send(0)
		if why := l.Cross(&f, first, dir, one(125)); why != drop.None {
			t.Errorf("direction %d: %v", dir, why)
		}
	}
	f := link.Send(0)
	if why := l.Cross(&f, first, 1, one(125)); why != drop.LinkQueue {
		t.Errorf("another one: %v", why)
	}
}

// TestSuperframe takes the time of all its packets, with their headers, and is judged
// by the length of the longest.
func TestSuperframe(t *testing.T) {
	l := load(1, link.Spec{Rate: 8_000_000, MTU: 1500})
	at, why := send(l, 0, link.Packet{WireLen: 60_000, MaxLen: 1500}, first)
	if why != drop.None || !slices.Equal(at, []clock.Time{60 * ms}) {
		t.Errorf("arrives at %v, %v", at, why)
	}
}

// TestQueueSurvives: a link that is changed still has what waits at it.
func TestQueueSurvives(t *testing.T) {
	l := load(1, link.Spec{Rate: 1_000_000})
	if _, why := send(l, 0, one(1250), first); why != drop.None {
		t.Fatal(why)
	}
	l.Load([]link.Spec{{}, {Rate: 2_000_000, Queue: time.Second}, {}})
	if at, _ := send(l, 0, one(250), first); !slices.Equal(at, []clock.Time{11 * ms}) {
		t.Errorf("arrives at %v, want 11 ms", at)
	}
	if at, _ := send(l, 5*ms, one(250), second); !slices.Equal(at, []clock.Time{5 * ms}) {
		t.Errorf("over a link that is new: %v", at)
	}
}

// TestOthersDoNotWait: a packet that is long under way holds no place at a link that
// it has yet to reach.
func TestOthersDoNotWait(t *testing.T) {
	l := load(1, link.Spec{Delay: time.Second}, link.Spec{Rate: 1_000_000, Queue: time.Second})
	if at, _ := send(l, 0, one(125), first, second); !slices.Equal(at, []clock.Time{1001 * ms}) {
		t.Errorf("the slow one arrives at %v", at)
	}
	if at, _ := send(l, 10*ms, one(125), second); !slices.Equal(at, []clock.Time{11 * ms}) {
		t.Errorf("the other one arrives at %v", at)
	}
}

// TestSpecs holds, for any spec: nothing arrives before it can, nor more than twice;
// without jitter and reordering everything keeps its order; and what arrives never
// exceeds the rate.
func TestSpecs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.SampledFrom([]float64{0, 0, 0.1, 0.5, 1})
		span := func(most time.Duration) *rapid.Generator[time.Duration] {
			return rapid.Map(rapid.Int64Range(0, int64(most)), func(n int64) time.Duration { return time.Duration(n) })
		}
		s := link.Spec{
			Delay: span(time.Second).Draw(t, "delay"),
			Loss:  share.Draw(t, "loss"), Duplicate: share.Draw(t, "duplicate"), Reorder: share.Draw(t, "reorder"),
			Rate:  rapid.SampledFrom([]int64{0, 1, 9_600, 1_000_000, 10_000_000_000}).Draw(t, "rate"),
			Queue: span(time.Second).Draw(t, "queue"),
			MTU:   rapid.SampledFrom([]int{0, 1500}).Draw(t, "mtu"),
		}
		s.Jitter = span(s.Delay).Draw(t, "jitter")
		l := load(rapid.Uint64().Draw(t, "seed"), s)
		var now, last, began clock.Time
		bits := int64(0)
		for i := range rapid.IntRange(1, 50).Draw(t, "packets") {
			now = now.Add(span(10*time.Millisecond).Draw(t, "pause"))
			if i == 0 {
				began = now
			}
			length := rapid.IntRange(20, 9001).Draw(t, "length")
			at, why := send(l, now, one(length), first)
			if (len(at) == 0) != (why != drop.None) || len(at) > 2 {
				t.Fatalf("%d copies arrive: %v", len(at), why)
			}
			for _, at := range at {
				bits += int64(length) * 8
				least, most := s.Delay-s.Jitter, s.Delay+s.Jitter
				if s.Reorder > 0 {
					least = 0
				}
				wire := time.Duration(0)
				if s.Rate > 0 {
					wire = time.Duration(int64(length) * 8 * int64(time.Second) / s.Rate)
				}
				if took := at.Sub(now); took < least+wire || s.Rate == 0 && took > most {
					t.Fatalf("under way for %v; it is %v to %v, and %v for the rate", took, least, most, wire)
				}
				if s.Rate > 0 && bits > int64(float64(at.Sub(began)-least)*float64(s.Rate)/1e9*1.000001)+1 && s.Jitter == 0 && s.Reorder == 0 {
					t.Fatalf("%d bits in %v, at %d bit/s", bits, at.Sub(began)-least, s.Rate)
				}
				if at < last && s.Jitter == 0 && s.Reorder == 0 {
					t.Fatalf("arrives %v before the one before", last.Sub(at))
				}
				last = at
			}
		}
	})
}

// TestShares counts what chance does to many packets.
func TestShares(t *testing.T) {
	const many = 100_000
	for _, share := range []float64{0.001, 0.1, 0.5, 0.999} {
		l := load(7, link.Spec{Loss: share}, link.Spec{Duplicate: share}, link.Spec{Reorder: share, Delay: time.Second})
		counts := [3]int{}
		for range many {
			if _, why := send(l, 0, one(100), first); why == drop.LinkLoss {
				counts[0]++
			}
			if at, _ := send(l, 0, one(100), second); len(at) == 2 {
				counts[1]++
			}
			if at, _ := send(l, 0, one(100), second+1); at[0] == 0 {
				counts[2]++
			}
		}
		for i, n := range counts {
			// Six standard deviations of a binomial distribution are at most 0.0095.
			if got := float64(n) / many; got < share-0.0095 || got > share+0.0095 || n == 0 || n == many {
				t.Errorf("quality %d: %v of the packets, want %v", i, got, share)
			}
		}
	}
}

// TestJitter: every time in the range is as likely as the others.
func TestJitter(t *testing.T) {
	const many = 100_000
	l := load(3, link.Spec{Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond})
	var tenths [10]int
	for range many {
		at, _ := send(l, 0, one(100), first)
		if at[0] < 40*ms || at[0] > 60*ms {
			t.Fatalf("under way for %v", time.Duration(at[0]))
		}
		tenths[min(9, (at[0]-40*ms)/(2*ms))]++
	}
	for i, n := range tenths {
		if n < many/10-600 || n > many/10+600 {
			t.Errorf("%d of %d packets in the %d. tenth of the range", n, many, i+1)
		}
	}
}

// TestSeed: the same seed, the same accidents.
func TestSeed(t *testing.T) {
	accidents := func(seed uint64) (all []clock.Time) {
		l := load(seed, link.Spec{Loss: 0.3, Duplicate: 0.3, Reorder: 0.3, Delay: 5 * time.Millisecond, Jitter: time.Millisecond})
		for range 100 {
			at, _ := send(l, 0, one(100), first)
			all = append(all, at...)
		}
		return all
	}
	if !slices.Equal(accidents(1), accidents(1)) {
		t.Error("two runs with one seed differ")
	}
	if slices.Equal(accidents(1), accidents(2)) {
		t.Error("two seeds do the same")
	}
}

func TestAlloc(t *testing.T) {
	l := load(1, link.Spec{Delay: 5 * time.Millisecond, Jitter: time.Millisecond, Duplicate: 0.5, Rate: 1_000_000, Queue: time.Hour})
	n := testing.AllocsPerRun(1000, func() {
		f := link.Send(0)
		_ = l.Cross(&f, first, 0, one(100))
		_, _ = f.Arrivals()
	})
	if n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
