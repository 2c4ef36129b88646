package live

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/topology"
)

// Delivery takes away the records of flow logs as their windows end.
type Delivery interface {
	// Deliver takes the records of windows of one length that ended before a moment in
	// Unix seconds. Those of later calls end after it, but for one that comes late.
	Deliver(window time.Duration, records []flowlog.Record, until int64) error
}

// DeliveryError says that the records of flow logs could not be taken away.
type DeliveryError struct{ Err error }

func (e *DeliveryError) Error() string { return "keep the files: " + e.Err.Error() }

func (e *DeliveryError) Unwrap() error { return e.Err }

// logs are the lab's flow logs. What the walk has counted is taken away from it now and
// then, between two packets, and summed up here.
type logs struct {
	mu      sync.Mutex
	began   time.Time
	sums    []*flowlog.Aggregator // by length of their windows
	windows []time.Duration
	kept    [][]flowlog.Record // of sums, what was delivered: as much as is kept for steps
	silence bool               // steps can ask for records of silence
	forgot  bool               // something is no longer kept
	none    bool               // nobody asks
	to      Delivery           // may be nil
	fault   error              // of the delivery
}

// maxKept is how many records of windows that have ended steps can read.
const maxKept = 1 << 18

// slice is how many slots of the walk's paths are searched between two packets when a
// window ends.
const slice = 1 << 13

func newLogs(lab *topology.Lab, began time.Time, to Delivery) *logs {
	l := &logs{began: began, windows: lab.LogWindows(), silence: len(lab.FlowLogs) > 0, to: to}
	for _, window := range l.windows {
		l.sums = append(l.sums, flowlog.NewAggregator(window, began, 0))
	}
	l.kept = make([][]flowlog.Record, len(l.sums))
	return l
}

// Collect empties the walk's log.
func (l *Lab) Collect() error { return l.collect((*dataplane.Walk).TakeLog) }

// WindowEnd returns the first moment after t at which a window of flow logs ends.
func (l *Lab) WindowEnd(t clock.Time) clock.Time { return l.logs.sums[0].End(t) }

// collect takes in what a call on the walk takes out of its log.
func (l *Lab) collect(take func(*dataplane.Walk) flowlog.Batch) error {
	var batch flowlog.Batch
	if err := l.Do(func(walk *dataplane.Walk, _ clock.Time) { batch = take(walk) }); err != nil {
		return err
	}
	l.logs.mu.Lock()
	defer l.logs.mu.Unlock()
	for _, s := range l.logs.sums {
		s.Add(batch)
	}
	return nil
}

// CloseWindows delivers the records of the windows that have ended by now. It makes
// the walk look at all of its paths first, a slice at a time.
func (l *Lab) CloseWindows(now clock.Time) error {
	for slots, done := 1, 0; done < slots; done += slice {
		err := l.collect(func(walk *dataplane.Walk) flowlog.Batch {
			slots = walk.Slots()
			walk.Expire(now, slice)
			return walk.TakeLog()
		})
		if err != nil {
			return err
		}
	}
	about, all := l.logged()
	l.logs.mu.Lock()
	defer l.logs.mu.Unlock()
	for i, s := range l.logs.sums {
		end := s.End(now) - clock.Time(l.logs.windows[i])
		l.logs.deliver(i, s.Close(now, describe(about), all), end)
	}
	return nil
}

// endLogs delivers all that is left. The walk has come to rest: its worker has ended.
func (l *Lab) endLogs() error {
	if l.logs.none {
		return nil
	}
	about, all := l.logged()
	l.logs.mu.Lock()
	defer l.logs.mu.Unlock()
	batch, now := l.walk.LogSoFar(), l.now()
	for i, s := range l.logs.sums {
		s.Add(batch)
		l.logs.deliver(i, append(s.Close(now, describe(about), all), s.Flush(describe(about))...), now)
	}
	return l.logs.fault
}

func (l *logs) deliver(i int, records []flowlog.Record, until clock.Time) {
	for _, r := range records {
		if r.Status == flowlog.NoData && !l.silence {
			continue
		}
		if kept := l.kept[i]; len(kept) == maxKept { // a window may have millions
			l.kept[i], l.forgot = kept[:copy(kept, kept[maxKept/2:])], true
		}
		l.kept[i] = append(l.kept[i], r)
	}
	if l.to == nil || l.fault != nil {
		return
	}
	if err := l.to.Deliver(l.windows[i], records, l.began.Add(time.Duration(until)).Unix()); err != nil {
		l.fault = &DeliveryError{err}
	}
}

// logged says what flow logs say of the interfaces as they are now.
func (l *Lab) logged() (map[flow.Scope]flowlog.Interface, []flow.Scope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lab.Logged()
}

func describe(about map[flow.Scope]flowlog.Interface) flowlog.Describe {
	return func(at flow.Scope) (flowlog.Interface, bool) {
		i, ok := about[at]
		return i, ok
	}
}

// errForgot is what a step hears that asks for more than is kept.
var errForgot = errors.New("the flow logs have become so long that their beginning is in files only: look there, with plsim flowlogs")

// errUnlogged is what a lab hears that was told that nobody would ask.
var errUnlogged = errors.New("this run keeps no flow logs")

// Records implements part of story.World.
func (l *Lab) Records(log *topology.FlowLog) ([]flowlog.Record, error) {
	if l.logs.none {
		return nil, errUnlogged
	}
	if err := l.collect((*dataplane.Walk).LogSoFar); err != nil {
		return nil, err
	}
	about, _ := l.logged()
	l.logs.mu.Lock()
	defer l.logs.mu.Unlock()
	i := 0
	if log != nil {
		i = slices.Index(l.logs.windows, log.Window)
	}
	if l.logs.forgot {
		return nil, errForgot
	}
	return append(slices.Clone(l.logs.kept[i]), l.logs.sums[i].Snapshot(describe(about))...), nil
}
