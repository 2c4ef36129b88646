package emulate

import (
	"context"
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

// logs are the lab's flow logs. What the walk has counted is taken away from it every
// second, between two packets, and summed up here.
type logs struct {
	mu      sync.Mutex
	began   time.Time
	sums    []*flowlog.Aggregator // by length of their windows
	windows []time.Duration
	kept    [][]flowlog.Record // of sums, what was delivered: as much as is kept for steps
	silence bool               // steps can ask for records of silence
	forgot  bool               // something is no longer kept
	to      Delivery           // may be nil
	fault   error              // of the delivery
}

// maxKept is how many records of windows that have ended steps can read.
const maxKept = 1 << 18

// collectEvery is how often the walk's log is emptied, in time of the wall, and slice
// how many slots of its paths are searched between two packets when a window ends.
const (
	collectEvery = time.Second
	slice        = 1 << 13
)

func newLogs(lab *topology.Lab, began time.Time, to Delivery) *logs {
	l := &logs{began: began, windows: lab.LogWindows(), silence: len(lab.FlowLogs) > 0, to: to}
	for _, window := range l.windows {
		l.sums = append(l.sums, flowlog.NewAggregator(window, began, 0))
	}
	l.kept = make([][]flowlog.Record, len(l.sums))
	return l
}

// keepLogs empties the walk's log as long as the lab lives.
func (w *World) keepLogs(ctx context.Context) {
	next := w.logs.sums[0].End(0)
	for {
		pause := min(collectEvery, max(w.wall(next.Sub(w.now())), time.Millisecond))
		if w.Pause(ctx, pause) != nil {
			return
		}
		now := w.now()
		if now < next {
			if w.collect((*dataplane.Walk).TakeLog) != nil {
				return // the engine has stopped, and says why
			}
			continue
		}
		if w.closeWindows(now) != nil {
			return
		}
		next = w.logs.sums[0].End(now)
	}
}

// collect takes in what a call on the walk takes out of its log.
func (w *World) collect(take func(*dataplane.Walk) flowlog.Batch) error {
	var batch flowlog.Batch
	if err := w.engine.Do(func(walk *dataplane.Walk, _ clock.Time) { batch = take(walk) }); err != nil {
		return err
	}
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	for _, s := range w.logs.sums {
		s.Add(batch)
	}
	return nil
}

// closeWindows delivers the records of the windows that have ended by now. It makes
// the walk look at all of its paths first, a slice at a time.
func (w *World) closeWindows(now clock.Time) error {
	for slots, done := 1, 0; done < slots; done += slice {
		err := w.collect(func(walk *dataplane.Walk) flowlog.Batch {
			slots = walk.Slots()
			walk.Expire(now, slice)
			return walk.TakeLog()
		})
		if err != nil {
			return err
		}
	}
	about, all := w.logged()
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	for i, s := range w.logs.sums {
		end := s.End(now) - clock.Time(w.logs.windows[i])
		w.logs.deliver(i, s.Close(now, describe(about), all), end)
	}
	return nil
}

// endLogs delivers all that is left. The walk has come to rest: its worker has ended.
func (w *World) endLogs() error {
	about, all := w.logged()
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	batch, now := w.walk.LogSoFar(), w.now()
	for i, s := range w.logs.sums {
		s.Add(batch)
		w.logs.deliver(i, append(s.Close(now, describe(about), all), s.Flush(describe(about))...), now)
	}
	return w.logs.fault
}

func (l *logs) deliver(i int, records []flowlog.Record, until clock.Time) {
	for _, r := range records {
		if r.Status != flowlog.NoData || l.silence {
			l.kept[i] = append(l.kept[i], r)
		}
	}
	if len(l.kept[i]) > maxKept {
		l.kept[i], l.forgot = slices.Clone(l.kept[i][len(l.kept[i])-maxKept/2:]), true
	}
	if l.to == nil || l.fault != nil {
		return
	}
	if err := l.to.Deliver(l.windows[i], records, l.began.Add(time.Duration(until)).Unix()); err != nil {
		l.fault = &DeliveryError{err}
	}
}

// logged says what flow logs say of the interfaces as they are now.
func (w *World) logged() (map[flow.Scope]flowlog.Interface, []flow.Scope) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lab.Logged()
}

func describe(about map[flow.Scope]flowlog.Interface) flowlog.Describe {
	return func(at flow.Scope) (flowlog.Interface, bool) {
		i, ok := about[at]
		return i, ok
	}
}

// errForgot is what a step hears that asks for more than is kept.
var errForgot = errors.New("the flow logs have become so long that their beginning is in files only: look there, with plsim flowlogs")

// Records implements [sim.World].
func (w *World) Records(log *topology.FlowLog) ([]flowlog.Record, error) {
	if err := w.collect((*dataplane.Walk).LogSoFar); err != nil {
		return nil, err
	}
	about, _ := w.logged()
	l := w.logs
	l.mu.Lock()
	defer l.mu.Unlock()
	i := 0
	if log != nil {
		i = slices.Index(l.windows, log.Window)
	}
	if l.forgot {
		return nil, errForgot
	}
	return append(slices.Clone(l.kept[i]), l.sums[i].Snapshot(describe(about))...), nil
}
