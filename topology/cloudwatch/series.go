package cloudwatch

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/metrics"
)

// Dimension is a name and a value that say what a series is about.
type Dimension struct {
	Name, Value string
	// Alias is what the lab calls the same; "" where that is the value.
	Alias string
}

// String returns the value as the lab calls it.
func (d Dimension) String() string { return cmp.Or(d.Alias, d.Value) }

// Group is what is reported under one set of dimensions: what all its places have
// counted, and what is known of the lab.
type Group struct {
	Namespace  string
	Dimensions []Dimension // sorted by name
	slots      map[int64]*slot
	began      [numLevels]clock.Time
	known      [numLevels]bool
}

// slot is the sum of a slot over all places.
type slot struct {
	traffic bool
	sums    [metrics.NumCounters]uint64
	levels  [numLevels]metrics.Level
}

// NewGroup returns a group of nothing.
func NewGroup(namespace string, dimensions ...Dimension) *Group {
	slices.SortFunc(dimensions, func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) })
	return &Group{Namespace: namespace, Dimensions: dimensions, slots: map[int64]*slot{}}
}

// Key tells groups apart.
func (g *Group) Key() string {
	words := []string{g.Namespace}
	for _, d := range g.Dimensions {
		words = append(words, d.Name, d.Value)
	}
	return strings.Join(words, "\x00")
}

// Count adds what was counted at a place.
func (g *Group) Count(s metrics.Series) {
	for _, add := range s.Slots {
		to := g.slot(add.Number)
		to.traffic = true
		for c, n := range add.Sums {
			to.sums[c] += n
		}
	}
	for gauge, levels := range s.Levels {
		for _, l := range levels {
			g.slot(l.Number).traffic = true
		}
		g.add(Level(gauge), levels)
	}
}

// Follow adds a state of the lab, as it was up to now.
func (g *Group) Follow(l Level, t *metrics.Track, now clock.Time) {
	if !g.known[l] || t.Began() < g.began[l] {
		g.known[l], g.began[l] = true, t.Began()
	}
	g.add(l, t.Levels(now))
}

func (g *Group) add(l Level, levels []metrics.Level) {
	for _, add := range levels {
		to := &g.slot(add.Number).levels[l]
		to.Low += add.Low
		to.High += add.High
		to.Area += add.Area
	}
}

func (g *Group) slot(number int64) *slot {
	if g.slots[number] == nil {
		g.slots[number] = new(slot)
	}
	return g.slots[number]
}

// Point is what CloudWatch calls a data point: statistics of the samples of a
// period. A counter has one sample a minute; what goes up and down has one for
// every ten seconds, which is a mean.
type Point struct {
	At          clock.Time // the start of the period
	SampleCount float64
	Sum         float64
	Minimum     float64
	Maximum     float64
}

// Average is the mean of the samples.
func (p *Point) Average() float64 { return p.Sum / p.SampleCount }

// Statistic returns the statistic of a name, which is one of [Statistics].
func (p *Point) Statistic(name string) float64 {
	switch name {
	case Average:
		return p.Average()
	case Maximum:
		return p.Maximum
	case Minimum:
		return p.Minimum
	case SampleCount:
		return p.SampleCount
	default:
		return p.Sum
	}
}

// Round rounds a value to what a sample can tell.
func Round(v float64) float64 { return math.Round(v*1000) / 1000 }

// Series is a metric in one set of dimensions.
type Series struct {
	*Metric
	Dimensions []Dimension
	// Points are those of whole minutes, and of the present one up to now. Minutes
	// without a point are left out.
	Points []Point
	// Until is the moment up to which the points go.
	Until clock.Time
}

// Period is how long a point lasts: CloudWatch's shortest for these namespaces.
const Period = time.Minute

// perMinute is how many slots a minute has.
const perMinute = int64(Period / metrics.Interval)

// Series returns the group's series up to now, with and without points.
func (g *Group) Series(now clock.Time) []Series {
	first := metrics.SlotOf(now) / perMinute
	for n := range g.slots {
		first = min(first, n/perMinute)
	}
	var all []Series
	for _, m := range Of(g.Namespace) {
		if !m.reportedBy(g.Dimensions) {
			continue
		}
		s := Series{Metric: m, Dimensions: g.Dimensions, Until: now}
		for minute := first; minute <= metrics.SlotOf(now)/perMinute; minute++ {
			if p, ok := g.point(m, minute, now); ok {
				s.Points = append(s.Points, p)
			}
		}
		all = append(all, s)
	}
	return all
}

// point makes a metric's point of a minute; ok is false where none is reported.
func (g *Group) point(m *Metric, minute int64, now clock.Time) (p Point, ok bool) {
	p.At = clock.Time(minute) * clock.Time(Period)
	from, to := minute*perMinute, min((minute+1)*perMinute-1, metrics.SlotOf(now))
	traffic := false
	var began clock.Time
	if len(m.levels) > 0 {
		began = g.began[m.levels[0]]
		from = max(from, metrics.SlotOf(began))
	}
	if m.reported == steady && !g.known[m.levels[0]] {
		return p, false
	}
	for n := from; n <= to; n++ {
		s := g.slots[n]
		if s == nil {
			s = new(slot)
		}
		traffic = traffic || s.traffic
		start, end := clock.Time(n)*clock.Time(metrics.Interval), clock.Time(n+1)*clock.Time(metrics.Interval)
		p.take(m, s, min(now, end).Sub(max(began, start)))
	}
	switch {
	case p.SampleCount == 0:
		return p, false // nothing was known yet
	case m.reported == inTraffic:
		return p, traffic
	case m.reported == nonzero:
		return p, p.Maximum > 0
	}
	return p, true
}

// take adds a slot to a point, of which so much has passed.
func (p *Point) take(m *Metric, s *slot, passed time.Duration) {
	if len(m.levels) == 0 {
		v := 0.0
		for _, c := range m.sums {
			v += float64(s.sums[c])
		}
		if m.peak {
			p.Sum = max(p.Sum, v/metrics.Interval.Seconds())
		} else {
			p.Sum += v
		}
		p.SampleCount, p.Minimum, p.Maximum = 1, p.Sum, p.Sum
		return
	}
	var low, high, area float64
	for _, l := range m.levels {
		low += float64(s.levels[l].Low)
		high += float64(s.levels[l].High)
		area += float64(s.levels[l].Area)
	}
	mean := high
	if passed > 0 {
		mean = area / float64(passed)
	}
	if p.SampleCount == 0 {
		p.Minimum = low
	}
	p.SampleCount++
	p.Sum += mean
	p.Minimum, p.Maximum = min(p.Minimum, low), max(p.Maximum, high)
}

// Latest returns the point of the present minute, or else of the one before; ok is
// false where neither has one.
func (s *Series) Latest() (p Point, ok bool) {
	if n := len(s.Points); n > 0 {
		p = s.Points[n-1]
	}
	return p, p.SampleCount > 0 && p.At.Add(2*Period) > s.Until
}

// Over returns the points of longer periods, each a multiple of a minute; 0 is all
// the time that the series covers.
func (s *Series) Over(period time.Duration) []Point {
	var all []Point
	for _, p := range s.Points {
		at := clock.Time(0)
		if period > 0 {
			at = p.At / clock.Time(period) * clock.Time(period)
		}
		if n := len(all); n > 0 && all[n-1].At == at {
			all[n-1].merge(p)
			continue
		}
		p.At = at
		all = append(all, p)
	}
	return all
}

// merge adds the samples of q.
func (p *Point) merge(q Point) {
	p.SampleCount += q.SampleCount
	p.Sum += q.Sum
	p.Minimum, p.Maximum = min(p.Minimum, q.Minimum), max(p.Maximum, q.Maximum)
}
