package flowlog

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Key is what a record is about. Flow holds the packets' own addresses, source
// first; its scope is the interface.
type Key struct {
	Flow   flow.Key
	Way    flow.Way
	Action Action
	Path   Path // of egress
}

// Windows that AWS knows (F4.2).
const (
	ShortWindow = 60 * time.Second
	LongWindow  = 600 * time.Second
)

// Aggregator sums counters over windows of lab time, the first of which begins
// at 0. It has one owner.
type Aggregator struct {
	window time.Duration
	epoch  time.Time
	sums   map[slot]Counter
}

type slot struct {
	window int64
	key    Key
}

// NewAggregator returns an aggregator with windows of the given length, 0 or
// less for [LongWindow]. The epoch is the wall-clock time that lab time 0 is
// said to be in records.
func NewAggregator(window time.Duration, epoch time.Time) *Aggregator {
	if window <= 0 {
		window = LongWindow
	}
	return &Aggregator{window: window, epoch: epoch, sums: make(map[slot]Counter)}
}

// Add takes in what a counter saw. It belongs to the window of its last packet,
// so counters should be handed over when a window ends ([Aggregator.End]).
func (a *Aggregator) Add(k Key, c Counter) {
	if c.Packets == 0 {
		return
	}
	if k.Flow.Proto == packet.ICMP || k.Flow.Proto == packet.ICMPv6 {
		k.Flow.SrcPort, k.Flow.DstPort = 0, 0 // records do not tell echoes apart
	}
	s := slot{a.index(c.Last), k}
	sum := a.sums[s]
	sum.Merge(c)
	a.sums[s] = sum
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
// describe does not know has no records.
func (a *Aggregator) Close(now clock.Time, describe Describe) []Record {
	open := a.index(now)
	return a.collect(func(w int64) bool { return w < open }, describe, true)
}

// Flush is Close for all windows, ended or not: the lab is over.
func (a *Aggregator) Flush(describe Describe) []Record {
	return a.collect(func(int64) bool { return true }, describe, true)
}

// Snapshot returns the records of all windows as they are now, and forgets none.
func (a *Aggregator) Snapshot(describe Describe) []Record {
	return a.collect(func(int64) bool { return true }, describe, false)
}

func (a *Aggregator) collect(ended func(window int64) bool, describe Describe, forget bool) []Record {
	var slots []slot
	for s := range a.sums {
		if ended(s.window) {
			slots = append(slots, s)
		}
	}
	slices.SortFunc(slots, a.compare)
	records := make([]Record, 0, len(slots))
	for _, s := range slots {
		if i, ok := describe(s.key.Flow.Scope); ok {
			records = append(records, a.record(s.key, a.sums[s], i))
		}
		if forget {
			delete(a.sums, s)
		}
	}
	return records
}

func (a *Aggregator) index(t clock.Time) int64 { return int64(t) / int64(a.window) }

func (a *Aggregator) unix(t clock.Time) int64 { return a.epoch.Add(time.Duration(t)).Unix() }

func (a *Aggregator) record(k Key, c Counter, i Interface) Record {
	r := Record{
		Interface: i, Way: k.Way,
		Src: k.Flow.Src, Dst: k.Flow.Dst, PktSrc: k.Flow.Src, PktDst: k.Flow.Dst,
		SrcPort: k.Flow.SrcPort, DstPort: k.Flow.DstPort, Proto: k.Flow.Proto,
		Packets: c.Packets, Bytes: c.Bytes,
		Start: a.unix(c.First), End: a.unix(c.Last),
		Action: k.Action, Path: k.Path, Flags: c.Flags,
	}
	if k.Way == flow.Ingress {
		r.Dst = i.primary(k.Flow.Dst)
	} else {
		r.Src = i.primary(k.Flow.Src)
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

func (a *Aggregator) compare(x, y slot) int {
	k, l := &x.key, &y.key
	return cmp.Or(
		cmp.Compare(x.window, y.window),
		cmp.Compare(k.Flow.Scope, l.Flow.Scope),
		cmp.Compare(a.sums[x].First, a.sums[y].First),
		bytes.Compare(k.Flow.Src[:], l.Flow.Src[:]),
		bytes.Compare(k.Flow.Dst[:], l.Flow.Dst[:]),
		cmp.Compare(k.Flow.Proto, l.Flow.Proto),
		cmp.Compare(k.Flow.SrcPort, l.Flow.SrcPort),
		cmp.Compare(k.Flow.DstPort, l.Flow.DstPort),
		cmp.Compare(k.Way, l.Way),
		cmp.Compare(k.Action, l.Action),
	)
}
