// Package traffic is what generators do that needs no socket and no clock: when what
// begins, what is sent, how latencies are summed up. Both modes share it, so that a
// generator means the same in both.
//
// All times are the lab's, from the generator's start.
package traffic

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/plsim/plsim/sim/scenario"
)

// Backoff is how long a client that asks as fast as it is answered waits after a
// failure: a refusal comes at once, and should not become a flood.
const Backoff = 100 * time.Millisecond

// Schedule says when a generator begins what. The arrivals of a rate do not wait for
// answers: they are an open loop.
type Schedule struct {
	rate     float64
	random   *rand.Rand // of Poisson arrivals; nil for constant ones
	count    int        // 0: no end
	duration time.Duration

	n    int           // how many there have been
	last time.Duration // when the last one was
}

// NewSchedule returns the arrivals of a generator that has a rate. The same seed gives
// the same arrivals.
func NewSchedule(t *scenario.Traffic, seed uint64) *Schedule {
	s := &Schedule{rate: t.Rate, count: t.Count, duration: t.Duration.Duration()}
	if t.Arrivals == scenario.PoissonArrivals {
		s.random = rand.New(rand.NewPCG(seed, 0x7261_7465))
	}
	return s
}

// Next returns when the next one arrives. Where ok is false there is none, and the
// traffic is over at that time.
func (s *Schedule) Next() (at time.Duration, ok bool) {
	at = s.after()
	switch {
	case s.count > 0 && s.n >= s.count:
		if s.random != nil {
			at = s.last
		}
		if s.duration > 0 {
			at = min(at, s.duration)
		}
		return at, false
	case s.duration > 0 && at >= s.duration:
		return s.duration, false
	}
	s.n++
	s.last = at
	return at, true
}

// after returns when the one after the last is due.
func (s *Schedule) after() time.Duration {
	if s.random == nil { // counted from the start, so that nothing adds up
		return seconds(float64(s.n) / s.rate)
	}
	if s.count > 0 && s.n >= s.count {
		return s.last
	}
	return s.last + seconds(s.random.ExpFloat64()/s.rate)
}

// seconds returns n seconds, at most a century of them.
func seconds(n float64) time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	return time.Duration(min(math.Round(n*float64(time.Second)), float64(century)))
}
