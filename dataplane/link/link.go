// Package link does to a packet what the links do that it crosses: it takes time,
// is lost, arrives twice, overtakes others, waits for those before it, or is too
// long. AWS publishes nothing of this; a link is what somebody asks "what if" about.
//
// Nothing here reads a clock, and chance comes from outside. Whoever owns a [Links]
// calls it one packet at a time, when the packet is sent, for each link that it
// crosses; its [Fate] then says when it arrives. There are no events in between:
//
//   - every link judges its queue at the moment when the packet is sent, so that
//     one sender's slow link never holds up what others send;
//   - links on one way work at the same time: of their queues the longest counts,
//     of their delays the sum.
package link

import (
	"math/rand/v2"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
)

// Spec says what a link does to what crosses it. The zero Spec does nothing.
type Spec struct {
	// Down says that nothing crosses.
	Down bool
	// Delay is how long each packet is under way, and Jitter by how much more or less
	// that may be; all times in between are equally likely. So a packet may overtake
	// the one before.
	Delay, Jitter time.Duration
	// Loss, Duplicate and Reorder are the shares, 0 to 1, of the packets that are
	// lost, that arrive twice, and that skip Delay and Jitter and so overtake others.
	Loss, Duplicate, Reorder float64
	// Rate is how many bits of IP packets enter the link in a second, 0: any number at
	// once. Queue is how long a packet may wait for those before it; one that would
	// wait for longer is dropped.
	Rate  int64
	Queue time.Duration
	// MTU is the length of the longest IP packet that crosses, in bytes; 0: any. A
	// longer one dies in silence.
	MTU int
}

// ID is the index of a link among those of its lab. 0 is no link.
type ID uint16

// Dir is a direction of a link. Each has a rate, and a queue, of its own.
type Dir uint8

// Packet is what links must know of one, in bytes of IP packet. A superframe stands
// for several: it takes the time of them all, and they share one fate.
type Packet struct {
	WireLen int // of all together, with their headers
	MaxLen  int // of the longest
}

// Fate is what becomes of a packet: how many copies arrive, and when.
type Fate struct {
	sent   clock.Time
	copies [2]struct {
		out   clock.Time    // of the last queue
		delay time.Duration // from there on
	}
	n int
}

// Send returns the fate of a packet that is sent now and has crossed no link yet.
func Send(now clock.Time) Fate {
	f := Fate{sent: now, n: 1}
	f.copies[0].out = now
	return f
}

// Arrivals returns when the packet's copies arrive: none, one or two of them.
func (f *Fate) Arrivals() (at [2]clock.Time, n int) {
	for i, c := range f.copies[:f.n] {
		at[i] = c.out.Add(c.delay)
	}
	return at, f.n
}

// Links are the links of a lab and what waits at them.
type Links struct {
	specs []Spec
	busy  [][2]clock.Time // by ID and Dir: when what was sent before has entered the link
	rnd   *rand.Rand
}

// New returns links without any. rnd must serve nobody else, so that what happens on
// links alters no other choice.
func New(rnd *rand.Rand) *Links { return &Links{rnd: rnd} }

// Load makes the links follow other specs, by ID; the first is no link's. What waits
// at a link stays there.
func (l *Links) Load(specs []Spec) {
	l.specs = specs
	if n := len(specs) - len(l.busy); n > 0 {
		l.busy = append(l.busy, make([][2]clock.Time, n)...)
	}
}

// Refuses returns why a packet cannot cross a link, whatever chance may say, or
// drop.None. It changes nothing.
func (l *Links) Refuses(id ID, p Packet) drop.Reason {
	switch s := &l.specs[id]; {
	case s.Down:
		return drop.LinkDown
	case s.MTU > 0 && p.MaxLen > s.MTU:
		return drop.LinkMTU
	}
	return drop.None
}

// Cross takes a packet across a link. It returns why no copy of it arrives, or
// drop.None; of two copies nobody misses one.
func (l *Links) Cross(f *Fate, id ID, dir Dir, p Packet) drop.Reason {
	why := l.Refuses(id, p)
	if why != drop.None {
		f.n = 0
		return why
	}
	s, busy := &l.specs[id], &l.busy[id][dir]
	came := f.copies[:f.n]
	alone := f.n == 1
	var left Fate
	for _, c := range came {
		if l.happens(s.Loss) {
			why = drop.LinkLoss
			continue
		}
		copies := 1
		if alone && l.happens(s.Duplicate) {
			copies = 2
		}
		for range copies {
			c := c
			if !s.queue(busy, f.sent, &c.out, p.WireLen) {
				why = drop.LinkQueue
				continue
			}
			c.delay += l.delay(s)
			left.copies[left.n] = c
			left.n++
		}
	}
	f.copies, f.n = left.copies, left.n
	if f.n > 0 {
		return drop.None
	}
	return why
}

// queue lets length bytes enter the link behind those that were sent before, and
// moves out on to when they have. It reports whether there was room.
func (s *Spec) queue(busy *clock.Time, sent clock.Time, out *clock.Time, length int) bool {
	if s.Rate == 0 {
		return true
	}
	begin := max(sent, *busy)
	if begin.Sub(sent) > s.Queue {
		return false
	}
	const second = int64(time.Second)
	*busy = begin.Add(time.Duration((int64(length)*8*second + s.Rate - 1) / s.Rate))
	*out = max(*out, *busy)
	return true
}

// delay draws for how long a packet is under way.
func (l *Links) delay(s *Spec) time.Duration {
	switch {
	case l.happens(s.Reorder):
		return 0
	case s.Jitter == 0:
		return s.Delay
	}
	return max(0, s.Delay-s.Jitter+time.Duration(l.rnd.Int64N(2*int64(s.Jitter)+1)))
}

// happens draws whether something happens that a share of packets meets.
func (l *Links) happens(share float64) bool {
	return share > 0 && l.rnd.Float64() < share
}
