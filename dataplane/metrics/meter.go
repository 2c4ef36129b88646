package metrics

import (
	"cmp"
	"maps"
	"slices"

	"github.com/plsim/plsim/dataplane/clock"
)

// Meter counts for all places. It has one owner.
type Meter struct {
	now    clock.Time
	places map[Place]*place
}

type place struct {
	slots []Slot
	gauge [NumGauges]Track
}

// NewMeter returns a meter that has counted nothing.
func NewMeter() *Meter { return &Meter{places: make(map[Place]*place)} }

// Advance says what time it is for what is counted from here on. Time does not run
// backwards: an earlier moment is ignored.
func (m *Meter) Advance(now clock.Time) { m.now = max(m.now, now) }

// End returns the end of the present slot, which belongs to the next one.
func (m *Meter) End() clock.Time { return clock.Time((SlotOf(m.now) + 1) * int64(Interval)) }

// Add counts n more of something now.
func (m *Meter) Add(p Place, c Counter, n uint64) { m.AddAt(m.now, p, c, n) }

// AddAt counts n more of something that happened at a moment, now or before.
func (m *Meter) AddAt(at clock.Time, p Place, c Counter, n uint64) {
	if p == Nowhere || n == 0 {
		return
	}
	m.place(p).slot(SlotOf(at)).Sums[c] += n
}

// Change adds to a gauge, or takes from it what was added.
func (m *Meter) Change(p Place, g Gauge, by int) {
	if p == Nowhere {
		return
	}
	t := &m.place(p).gauge[g]
	t.Set(m.now, uint64(int(t.Value())+by))
}

// Snapshot returns what was counted up to now, sorted by place.
func (m *Meter) Snapshot() []Series {
	all := make([]Series, 0, len(m.places))
	for _, p := range slices.SortedFunc(maps.Keys(m.places), compare) {
		s := Series{Place: p, Slots: slices.Clone(m.places[p].slots)}
		for g := range s.Levels {
			s.Levels[g] = m.places[p].gauge[g].Levels(m.now)
		}
		all = append(all, s)
	}
	return all
}

func compare(a, b Place) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Endpoint, b.Endpoint))
}

func (m *Meter) place(p Place) *place {
	if m.places[p] == nil {
		c := new(place)
		for g := range c.gauge {
			c.gauge[g].Set(m.now, 0)
		}
		m.places[p] = c
	}
	return m.places[p]
}

// slot returns the sums of a slot, which is mostly the last one or the one before.
func (p *place) slot(number int64) *Slot {
	i := len(p.slots)
	for i > 0 && p.slots[i-1].Number > number {
		i--
	}
	if i > 0 && p.slots[i-1].Number == number {
		return &p.slots[i-1]
	}
	if n := len(p.slots); int64(n) >= 2*kept {
		p.slots = slices.Delete(p.slots, 0, n-int(kept))
		i = max(i-(n-int(kept)), 0)
	}
	p.slots = slices.Insert(p.slots, i, Slot{Number: number})
	return &p.slots[i]
}
