package cloudwatch

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/metrics"
)

func at(d time.Duration) clock.Time { return clock.Time(d) }

// find returns a series of a group.
func find(t *testing.T, g *Group, now clock.Time, name string) *Series {
	t.Helper()
	for _, s := range g.Series(now) {
		if s.Name == name {
			return &s
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

// balancerGroup is a group of a whole load balancer.
func balancerGroup() *Group {
	return NewGroup(NetworkELB, Dimension{Name: LoadBalancer, Value: "net/a/1"})
}

// story is what a node sees: a flow from 0:05 to 1:15, packets at 0:05 and 0:35.
func story() *metrics.Meter {
	m := metrics.NewMeter()
	node := metrics.Place{Node: 1, Endpoint: metrics.None}
	m.Advance(at(5 * time.Second))
	m.Change(node, metrics.ActiveTCP, 1)
	m.Add(node, metrics.NewTCP, 1)
	m.Add(node, metrics.BytesTCP, 1000)
	m.Advance(at(35 * time.Second))
	m.Add(node, metrics.BytesTCP, 5000)
	m.Advance(at(75 * time.Second))
	m.Change(node, metrics.ActiveTCP, -1)
	return m
}

// TestPoints: F2.69: a point is a minute; counters are summed, what goes up and down
// is sampled every ten seconds, and a peak is the highest average over ten seconds.
func TestPoints(t *testing.T) {
	m := story()
	now := at(200 * time.Second)
	m.Advance(now)
	g := balancerGroup()
	for _, s := range m.Snapshot() {
		g.Count(s)
	}
	minute := at(time.Minute)
	for name, want := range map[string][]Point{
		"NewFlowCount":       {{0, 1, 1, 1, 1}, {minute, 1, 0, 0, 0}}, // always reported, while there is traffic
		"NewFlowCount_TCP":   {{0, 1, 1, 1, 1}},                       // only where it is not 0
		"NewFlowCount_UDP":   nil,
		"ProcessedBytes":     {{0, 1, 6000, 6000, 6000}, {minute, 1, 0, 0, 0}},
		"PeakBytesPerSecond": {{0, 1, 500, 500, 500}, {minute, 1, 0, 0, 0}},
		"ActiveFlowCount":    {{0, 6, 5.5, 0, 1}, {minute, 6, 1.5, 0, 1}},
	} {
		if got := find(t, g, now, name).Points; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	flows := find(t, g, now, "ActiveFlowCount")
	for statistic, want := range map[string]float64{Average: 7.0 / 12, Maximum: 1, Minimum: 0, SampleCount: 12, Sum: 7} {
		all := flows.Over(0)
		if len(all) != 1 || math.Abs(all[0].Statistic(statistic)-want) > 1e-9 {
			t.Errorf("%s over all is %v, want %v", statistic, all, want)
		}
	}
	if got := flows.Over(2 * time.Minute); len(got) != 1 {
		t.Errorf("periods of two minutes: %v", got)
	}
}

// TestPresentMinute: nobody has to wait for a minute to end.
func TestPresentMinute(t *testing.T) {
	m := story()
	g := balancerGroup()
	for _, s := range m.Snapshot() {
		g.Count(s)
	}
	got := find(t, g, at(75*time.Second), "ActiveFlowCount").Points[1]
	if want := (Point{at(time.Minute), 2, 2, 0, 1}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestStates: F2.69: the count of healthy targets is known at all times, from its
// beginning on, and may be 0.
func TestStates(t *testing.T) {
	var up, down metrics.Track
	up.Set(at(65*time.Second), 2)
	down.Set(at(65*time.Second), 0)
	g := NewGroup(NetworkELB, Dimension{Name: TargetGroup, Value: "t"}, Dimension{Name: LoadBalancer, Value: "l"})
	now := at(125 * time.Second)
	g.Follow(Healthy, &up, now)
	g.Follow(Unhealthy, &down, now)
	for name, want := range map[string][]Point{
		"HealthyHostCount":   {{at(time.Minute), 6, 12, 2, 2}, {at(2 * time.Minute), 1, 2, 2, 2}},
		"UnHealthyHostCount": {{at(time.Minute), 6, 0, 0, 0}, {at(2 * time.Minute), 1, 0, 0, 0}},
	} {
		if got := find(t, g, now, name).Points; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestSumsOverZones: F2.69: whatever its zones count, a load balancer has their sum, in every
// minute; and an average lies between minimum and maximum.
func TestSumsOverZones(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := metrics.NewMeter()
		var active [3]int
		now := clock.Time(0)
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			m.Advance(now)
			zone := rapid.IntRange(0, 2).Draw(t, "zone")
			place := metrics.Place{Node: 1 + flow.Scope(zone), Endpoint: metrics.None}
			switch {
			case rapid.Bool().Draw(t, "counts"):
				m.Add(place, metrics.BytesTCP, rapid.Uint64Range(1, 100).Draw(t, "bytes"))
			case active[zone] > 0 && rapid.Bool().Draw(t, "ends"):
				active[zone]--
				m.Change(place, metrics.ActiveTCP, -1)
			default:
				active[zone]++
				m.Change(place, metrics.ActiveTCP, 1)
			}
		}
		whole, zones := balancerGroup(), map[flow.Scope]*Group{}
		for _, s := range m.Snapshot() {
			whole.Count(s)
			zones[s.Node] = NewGroup(NetworkELB, Dimension{Name: LoadBalancer, Value: "net/a/1"}, Dimension{Name: AvailabilityZone, Value: "z"})
			zones[s.Node].Count(s)
		}
		for _, name := range []string{"ProcessedBytes", "ActiveFlowCount"} {
			want := map[clock.Time]float64{}
			for _, g := range zones {
				for _, s := range g.Series(now) {
					for _, p := range s.Points {
						if s.Name == name {
							want[p.At] += p.Sum
						}
					}
				}
			}
			for _, s := range whole.Series(now) {
				for _, p := range s.Points {
					if s.Name != name {
						continue
					}
					if math.Abs(p.Sum-want[p.At]) > 1e-6 {
						t.Fatalf("%s at %v: %v, and %v over the zones", name, p.At, p.Sum, want[p.At])
					}
					if a := p.Average(); a < p.Minimum-1e-9 || a > p.Maximum+1e-9 {
						t.Fatalf("%s: %v is not between its bounds", name, p)
					}
				}
			}
		}
	})
}

// TestCatalogue: F1.54, F1.55, F2.69: names are unique within a namespace, dimensions
// sorted, and the statistics are the API's.
func TestCatalogue(t *testing.T) {
	n := 0
	for _, ns := range Namespaces() {
		names := map[string]bool{}
		for _, m := range Of(ns) {
			n++
			if names[m.Name] || LeftOut(m.Name) != "" {
				t.Errorf("%s %s is there twice", ns, m.Name)
			}
			names[m.Name] = true
			for _, s := range m.Statistics {
				if !strings.Contains(strings.Join(Statistics(), " "), s) {
					t.Errorf("%s has a statistic %s", m.Name, s)
				}
			}
			for _, set := range m.Dimensions {
				if !slices.IsSorted(set) {
					t.Errorf("%s: dimensions %q are not sorted", m.Name, set)
				}
			}
			if (len(m.sums) == 0) == (len(m.levels) == 0) {
				t.Errorf("%s is made of sums, or of levels", m.Name)
			}
		}
	}
	if n != len(catalogue) {
		t.Errorf("%d metrics in namespaces, %d in all", n, len(catalogue))
	}
}
