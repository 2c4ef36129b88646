package flowlog

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Windows that AWS knows (F4.2).
const (
	ShortWindow = 60 * time.Second
	LongWindow  = 600 * time.Second
)

// DefaultCapacity is how many records one window holds: enough for both
// directions of a million flows at an interface.
const DefaultCapacity = 1 << 21

// Aggregator sums entries over windows of lab time, the first of which begins
// at 0. It has one owner.
type Aggregator struct {
	window   time.Duration
	epoch    time.Time
	capacity int
	windows  map[int64]*sums
	open     int64 // the first window that has not been closed
}

// sums are the records of a window.
type sums struct {
	of      map[Key]sum
	skipped map[flow.Scope]Skip
}

type sum struct {
	Counter
	Note
}

// NewAggregator returns an aggregator with windows of the given length, 0 or
// less for [LongWindow]. The epoch is the wall-clock time that lab time 0 is
// said to be in records. What exceeds the capacity of a window, in records, is
// skipped; 0 or less stands for [DefaultCapacity].
func NewAggregator(window time.Duration, epoch time.Time, capacity int) *Aggregator {
	if window <= 0 {
		window = LongWindow
	}
	if capacity <= 0 {
		capacity = DefaultCapacity
	}
	return &Aggregator{window: window, epoch: epoch, capacity: capacity, windows: make(map[int64]*sums)}
}

// Add takes in a batch. An entry belongs to the window of its first packet, so
// counters should be handed over when a window ends: then none is in two records, and
// a record is little longer than its window where that takes a while. An entry that
// comes when its window has been closed belongs to the next that has not.
func (a *Aggregator) Add(b Batch) {
	for _, chunk := range b.chunks {
		for i := range chunk {
			a.add(&chunk[i])
		}
	}
	for at, s := range b.skipped {
		w := a.at(s.First)
		if old, ok := w.skipped[at]; ok {
			s.Entries += old.Entries
			s.First, s.Last = min(s.First, old.First), max(s.Last, old.Last)
		}
		w.skipped[at] = s
	}
}

func (a *Aggregator) add(e *Entry) {
	k := e.Key
	if k.Flow.Proto == packet.ICMP || k.Flow.Proto == packet.ICMPv6 {
		k.Flow.SrcPort, k.Flow.DstPort = 0, 0 // records do not tell echoes apart
	}
	w := a.at(e.First)
	s, known := w.of[k]
	if !known && len(w.of) >= a.capacity {
		if !k.Hidden {
			skip := w.skipped[k.Flow.Scope]
			skip.add(e)
			w.skipped[k.Flow.Scope] = skip
		}
		return
	}
	s.Merge(e.Counter)
	s.Note = e.Note
	w.of[k] = s
}

// at returns the window of a moment, or the first that is open where that one has
// been closed.
func (a *Aggregator) at(t clock.Time) *sums {
	i := max(a.index(t), a.open)
	w := a.windows[i]
	if w == nil {
		w = &sums{of: make(map[Key]sum), skipped: make(map[flow.Scope]Skip)}
		a.windows[i] = w
	}
	return w
}

// End returns the moment at which the window that holds now ends. That moment
// belongs to the next window.
func (a *Aggregator) End(now clock.Time) clock.Time {
	return clock.Time(a.index(now)+1) * clock.Time(a.window)
}

// Describe says what records say of an interface, and whether it is known.
type Describe func(flow.Scope) (Interface, bool)

// Close returns the records of all windows that have ended by now, ordered by
// window, interface and first packet, and forgets them. An interface that
// describe does not know has no records. Of those of all that no packet passed in a
// window there is a record that says so (F4.8).
func (a *Aggregator) Close(now clock.Time, describe Describe, all []flow.Scope) []Record {
	var records []Record
	for end := a.index(now); a.open < end; a.open++ {
		w := a.windows[a.open]
		delete(a.windows, a.open)
		if w == nil {
			w = &sums{}
		}
		records = append(records, a.records(a.open, w, describe, all)...)
	}
	return records
}

// Flush returns the records of all windows that are open, and forgets them. Who
// was silent in a window that has not ended is not told.
func (a *Aggregator) Flush(describe Describe) []Record {
	records := a.Snapshot(describe)
	clear(a.windows)
	return records
}

// Snapshot is Flush that forgets nothing.
func (a *Aggregator) Snapshot(describe Describe) []Record {
	var records []Record
	for _, i := range slices.Sorted(maps.Keys(a.windows)) {
		records = append(records, a.records(i, a.windows[i], describe, nil)...)
	}
	return records
}

// records returns what a window comes to.
func (a *Aggregator) records(i int64, w *sums, describe Describe, all []flow.Scope) []Record {
	list := make([]*Entry, 0, len(w.of))
	for k, s := range w.of {
		list = append(list, &Entry{k, s.Counter, s.Note})
	}
	slices.SortFunc(list, compare)
	records := make([]Record, 0, len(list))
	seen := make(map[flow.Scope]bool, len(all))
	for _, e := range list {
		if !e.Hidden {
			seen[e.Flow.Scope] = true
		}
		if about, ok := describe(e.Flow.Scope); ok {
			records = append(records, a.record(e, about))
		}
	}
	for _, at := range slices.Sorted(maps.Keys(w.skipped)) {
		s := w.skipped[at]
		seen[at] = true
		if about, ok := describe(at); ok {
			records = append(records, Record{Interface: about, Status: SkipData, Start: a.unix(s.First), End: a.unix(s.Last)})
		}
	}
	for _, at := range all {
		if about, ok := describe(at); ok && !seen[at] {
			begin := clock.Time(i) * clock.Time(a.window)
			records = append(records, Record{
				Interface: about, Status: NoData, Start: a.unix(begin), End: a.unix(begin.Add(a.window)) - 1,
			})
		}
	}
	return records
}

func (a *Aggregator) index(t clock.Time) int64 { return int64(t) / int64(a.window) }

func (a *Aggregator) unix(t clock.Time) int64 { return a.epoch.Add(time.Duration(t)).Unix() }

func (a *Aggregator) record(e *Entry, about Interface) Record {
	r := Record{
		Interface: about, Way: e.Way,
		Src: e.Flow.Src, Dst: e.Flow.Dst, PktSrc: e.Flow.Src, PktDst: e.Flow.Dst,
		SrcPort: e.Flow.SrcPort, DstPort: e.Flow.DstPort, Proto: e.Flow.Proto,
		Packets: e.Packets, Bytes: e.Bytes,
		Start: a.unix(e.First), End: a.unix(e.Last),
		Action: e.Action, Path: e.Path, Flags: e.Flags,
		Hidden: e.Hidden, Note: e.Note,
	}
	if e.Hidden {
		return r // the packets as they are
	}
	if e.Way == flow.Ingress {
		r.Dst = about.primary(e.Flow.Dst)
	} else {
		r.Src = about.primary(e.Flow.Src)
	}
	return r
}

// primary returns the interface's primary address of the family of addr, or
// addr itself if it is not known.
func (i *Interface) primary(addr packet.Addr) packet.Addr {
	for _, a := range i.Addrs {
		if a.Is4() == addr.Is4() {
			return a
		}
	}
	return addr
}

// compare orders entries of one window.
func compare(k, l *Entry) int {
	if c := cmp.Or(cmp.Compare(k.Flow.Scope, l.Flow.Scope), cmp.Compare(k.First, l.First)); c != 0 {
		return c
	}
	return cmp.Or(
		bytes.Compare(k.Flow.Src[:], l.Flow.Src[:]),
		bytes.Compare(k.Flow.Dst[:], l.Flow.Dst[:]),
		cmp.Compare(k.Flow.Proto, l.Flow.Proto),
		cmp.Compare(k.Flow.SrcPort, l.Flow.SrcPort),
		cmp.Compare(k.Flow.DstPort, l.Flow.DstPort),
		cmp.Compare(k.Way, l.Way),
		cmp.Compare(k.Action, l.Action),
		cmp.Compare(k.Path, l.Path),
	)
}
