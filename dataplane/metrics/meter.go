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

	of     Place  // the place that was asked for last,
	latest *place // if any

	from clock.Time // when the slot begins in which packets pass
}

type place struct {
	slots []Slot
	gauge [NumGauges]Track

	meter   *Meter
	present *Slot // in which packets pass; nil: look for it
}

// Traffic counts the packets that pass at a place.
type Traffic struct{ place *place }

// Traffic returns where to count the packets of a place; of [Nowhere] that is nowhere.
// It may be kept: what it counts is in the series at once.
func (m *Meter) Traffic(p Place) Traffic {
	if p == Nowhere {
		return Traffic{}
	}
	return Traffic{m.place(p)}
}

// Add counts packets that pass at a moment, and their bytes under a counter; with
// [NumCounters] those are not counted.
func (t Traffic) Add(at clock.Time, packets uint64, c Counter, bytes uint64) {
	p := t.place
	if p == nil {
		return
	}
	s := p.slot(SlotOf(at))
	if p.meter.holds(at) {
		p.present = s
	}
	s.add(packets, c, bytes)
}

// Count counts a packet that passes at the moment of which the meter was told last
// ([Meter.Pass]), without a call, and reports whether it could. If not, there is Add.
func (t Traffic) Count(c Counter, bytes uint64) bool {
	if p := t.place; p != nil {
		if s := p.present; s != nil {
			s.add(1, c, bytes)
			return true
		}
	}
	return false
}

func (s *Slot) add(packets uint64, c Counter, bytes uint64) {
	s.Sums[Packets] += packets
	if c < NumCounters {
		s.Sums[c] += bytes
	}
}

// Pass says at what moment packets pass from here on.
func (m *Meter) Pass(now clock.Time) {
	if !m.holds(now) {
		m.turn(now)
	}
}

// holds reports whether the slot in which packets pass is that of a moment.
func (m *Meter) holds(t clock.Time) bool { return uint64(t-m.from) < uint64(Interval) }

func (m *Meter) turn(now clock.Time) {
	m.from = clock.Time(SlotOf(now) * int64(Interval))
	for _, p := range m.places {
		p.present = nil
	}
}

// NewMeter returns a meter that has counted nothing.
func NewMeter() *Meter { return &Meter{places: make(map[Place]*place)} }

// Absorb takes over what another meter has counted, which has counted nothing then.
func (m *Meter) Absorb(o *Meter) {
	for at, from := range o.places {
		for i := range from.slots {
			to := m.place(at).slot(from.slots[i].Number)
			for c, n := range from.slots[i].Sums {
				to.Sums[c] += n
			}
		}
		from.slots, from.present = from.slots[:0], nil
	}
}

// Advance says what time it is for what is counted from here on. Time does not run
// backwards: an earlier moment is ignored.
func (m *Meter) Advance(now clock.Time) { m.now = max(m.now, now) }

// End returns the end of the present slot, which belongs to the next one.
func (m *Meter) End() clock.Time { return clock.Time((SlotOf(m.now) + 1) * int64(Interval)) }

// Add counts n more of something now.
func (m *Meter) Add(p Place, c Counter, n uint64) {
	if p == Nowhere || n == 0 {
		return
	}
	m.place(p).slot(SlotOf(m.now)).Sums[c] += n
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
	if m.latest != nil && p == m.of {
		return m.latest
	}
	if m.places[p] == nil {
		c := &place{meter: m}
		for g := range c.gauge {
			c.gauge[g].Set(m.now, 0)
		}
		m.places[p] = c
	}
	m.of, m.latest = p, m.places[p]
	return m.latest
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
	p.present = nil // it may have moved
	return &p.slots[i]
}
