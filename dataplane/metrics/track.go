package metrics

import (
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
)

// Level is what a number was during one slot.
type Level struct {
	Number    int64 // of the slot
	Low, High uint64
	// Area is the number times how long it was so, summed: its mean is Area
	// divided by the length of the slot, or of the part that has passed.
	Area time.Duration
}

// Track follows a number that goes up and down. The zero Track has not begun; a
// slot in which the number was 0 throughout is left out.
type Track struct {
	value  uint64
	since  clock.Time // up to where levels are complete
	begun  bool
	first  clock.Time // when it began
	levels []Level
}

// Value returns what the number is.
func (t *Track) Value() uint64 { return t.value }

// Began returns when the track began.
func (t *Track) Began() clock.Time { return t.first }

// Set says that the number is v from now on. A track begins with its first Set.
// Time does not run backwards: an earlier moment counts as the last one.
func (t *Track) Set(now clock.Time, v uint64) {
	t.advance(now)
	before := t.value
	if !t.begun {
		before, t.begun, t.first = v, true, t.since
	}
	t.value = v
	if v == before && v == 0 {
		return
	}
	l := t.level(SlotOf(t.since), before)
	l.Low, l.High = min(l.Low, v), max(l.High, v)
}

// Levels returns what the number was up to now, oldest first.
func (t *Track) Levels(now clock.Time) []Level {
	t.advance(now)
	return slices.Clone(t.levels)
}

// advance completes the levels up to now.
func (t *Track) advance(now clock.Time) {
	if now <= t.since {
		return
	}
	if t.value > 0 {
		last := SlotOf(now)
		t.since = max(t.since, clock.Time((last-kept)*int64(Interval)))
		for s := SlotOf(t.since); s <= last; s++ {
			end := min(now, clock.Time((s+1)*int64(Interval)))
			t.level(s, t.value).Area += time.Duration(t.value) * end.Sub(t.since)
			t.since = end
		}
	}
	t.since = now
}

// level returns the level of a slot that is no older than the last one, in which
// the number was v at first.
func (t *Track) level(slot int64, v uint64) *Level {
	if n := len(t.levels); n == 0 || t.levels[n-1].Number < slot {
		if int64(n) >= 2*kept {
			t.levels = slices.Delete(t.levels, 0, n-int(kept))
		}
		t.levels = append(t.levels, Level{Number: slot, Low: v, High: v})
	}
	return &t.levels[len(t.levels)-1]
}
