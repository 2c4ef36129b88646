package metrics

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/clock"
)

func at(s float64) clock.Time { return clock.Time(s * float64(time.Second)) }

func TestTrack(t *testing.T) {
	var track Track
	track.Set(at(2), 0)
	track.Set(at(4), 2)
	track.Set(at(5), 1)
	track.Set(at(35), 3)
	track.Set(at(35), 0)
	track.Set(at(71), 1)
	want := []Level{
		{0, 0, 2, 7 * time.Second}, // 2 for one second, 1 for five
		{1, 1, 1, 10 * time.Second},
		{2, 1, 1, 10 * time.Second},
		{3, 0, 3, 5 * time.Second},
		{7, 0, 1, 2 * time.Second},
	}
	if got := track.Levels(at(73)); !reflect.DeepEqual(got, want) {
		t.Errorf("levels\n%v, want\n%v", got, want)
	}
	var late Track // it begins with a value: nothing was known before
	late.Set(at(12), 2)
	if got, want := late.Levels(at(13)), []Level{{1, 2, 2, 2 * time.Second}}; !reflect.DeepEqual(got, want) {
		t.Errorf("levels %v, want %v", got, want)
	}
}

// TestTrackIsASum: however a number goes up and down, its levels say for how long it
// was what, and lie between its lowest and highest value.
func TestTrackIsASum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var track Track
		var now clock.Time
		var area, area2 time.Duration
		track.Set(0, 0)
		for range rapid.IntRange(0, 30).Draw(t, "changes") {
			step := time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second
			area += time.Duration(track.Value()) * step
			now = now.Add(step)
			track.Set(now, rapid.Uint64Range(0, 5).Draw(t, "value"))
		}
		last := int64(-1)
		for _, l := range track.Levels(now) {
			area2 += l.Area
			if l.Number <= last || l.Low > l.High || l.Area > time.Duration(l.High)*Interval {
				t.Fatalf("slot %d after %d: %v", l.Number, last, l)
			}
			last = l.Number
		}
		if area != area2 {
			t.Fatalf("%v in all, want %v", area2, area)
		}
	})
}

func TestMeterAdds(t *testing.T) {
	m := NewMeter()
	here, there := Place{1, None}, Place{1, 2}
	m.Advance(at(25))
	m.Add(here, Packets, 1)
	m.Traffic(here).Add(at(9.9), 5, NumCounters, 0) // reported late
	m.Add(here, Packets, 2)
	m.Add(there, NewTCP, 1)
	m.Change(there, ActiveTCP, 1)
	m.Add(Nowhere, Packets, 1)
	m.Advance(at(20)) // time does not run backwards
	got := m.Snapshot()
	want := []Series{{Place: there, Slots: []Slot{{Number: 2}}}, {Place: here, Slots: []Slot{{Number: 0}, {Number: 2}}}}
	want[0].Slots[0].Sums[NewTCP] = 1
	want[0].Levels[ActiveTCP] = []Level{{Number: 2, High: 1}}
	want[1].Slots[0].Sums[Packets], want[1].Slots[1].Sums[Packets] = 5, 3
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if end := m.End(); end != at(30) {
		t.Errorf("the slot ends at %v", end)
	}
}

// What counts a place's packets may be kept, whatever else is counted there, and however
// many slots come and go.
func TestTrafficLasts(t *testing.T) {
	m := NewMeter()
	here := Place{1, 2}
	traffic := m.Traffic(here)
	traffic.Add(at(35), 1, BytesTCP, 100)
	m.Advance(at(5))
	m.Add(here, NewTCP, 1) // in a slot before
	traffic.Add(at(36), 1, BytesTCP, 100)
	traffic.Add(at(40), 1, NumCounters, 100)
	m.Traffic(Nowhere).Add(at(40), 1, BytesTCP, 100)
	for s := range int64(50) {
		m.Advance(at(float64(50 + 10*s)))
		m.Add(here, NewTCP, 1)
	}
	traffic.Add(at(39), 2, BytesUDP, 7)
	all := m.Snapshot()
	if len(all) != 1 || len(all[0].Slots) != 53 {
		t.Fatalf("%v", all)
	}
	got := all[0].Slots[1:3]
	want := []Slot{{Number: 3}, {Number: 4}}
	want[0].Sums[Packets], want[0].Sums[BytesTCP], want[0].Sums[BytesUDP] = 4, 200, 7
	want[1].Sums[Packets] = 1
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// Packets that pass are counted in the slot of their moment: in no other, whatever is reported
// late, and wherever slots move.
func TestPresentPasses(t *testing.T) {
	m := NewMeter()
	here := m.Traffic(Place{1, 2})
	pass := func(s float64) {
		m.Pass(at(s))
		if !here.Count(BytesTCP, 100) {
			here.Add(at(s), 1, BytesTCP, 100)
		}
	}
	present := func(when string, want bool) {
		t.Helper()
		if got := here.place.present != nil; got != want {
			t.Errorf("%s: present %t", when, got)
		}
	}
	present("at first", false)
	pass(21)
	present("when one has passed", true)
	pass(22)
	here.Add(at(12), 5, BytesTCP, 7) // reported late: a slot comes before
	present("when slots have moved", false)
	pass(23)
	pass(30)
	here.Add(at(12), 5, BytesTCP, 7)
	pass(39.9)
	m.Pass(at(40))
	present("in the next slot", false)
	here.Add(at(39), 1, NumCounters, 1)
	present("when what was before is reported", false)
	pass(41)
	if nowhere := m.Traffic(Nowhere); nowhere.Count(BytesTCP, 100) {
		t.Error("somewhere")
	}
	var got [][2]uint64
	for _, s := range m.Snapshot()[0].Slots {
		got = append(got, [2]uint64{s.Sums[Packets], s.Sums[BytesTCP]})
	}
	if want := [][2]uint64{{10, 14}, {3, 300}, {3, 200}, {1, 100}}; !reflect.DeepEqual(got, want) {
		t.Errorf("packets and bytes %v, want %v", got, want)
	}
}

// TestMemoryIsBounded: a lab that runs for a week remembers hours.
func TestMemoryIsBounded(t *testing.T) {
	m := NewMeter()
	p := Place{1, None}
	m.Change(p, ActiveTCP, 1)
	for s := range 7 * 24 * 360 {
		m.Advance(clock.Time(s) * clock.Time(Interval))
		m.Add(p, Packets, 1)
	}
	s := m.Snapshot()[0]
	for what, n := range map[string]int{"sums": len(s.Slots), "levels": len(s.Levels[ActiveTCP])} {
		if int64(n) < kept || int64(n) > 2*kept {
			t.Errorf("%d %s, want %d to %d", n, what, kept, 2*kept)
		}
	}
}
