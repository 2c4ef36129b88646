// Package live is a lab that runs, as far as that is the same whether its hosts are
// namespaces or simulated: the lab as data, which edits, time and health checks
// change, and the walk that follows it; the names that its resolvers know; flow logs,
// captures, metrics and counters; the way that a packet would take.
package live

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// Fabric owns the walk, and lets others look at it between two packets.
type Fabric interface {
	// Do runs f and waits for its end. It fails where the fabric has stopped.
	Do(f func(walk *dataplane.Walk, now clock.Time)) error
}

// Devices stand behind the lab's interfaces, and follow it.
type Devices interface {
	// Prepare makes what the lab has got and has no device for. It is called after
	// each change, before packets follow it.
	Prepare(lab *topology.Lab) (Change, error)
}

// Change is what devices do about a change of the lab. Any of it may be nil.
type Change struct {
	// Swap is called between two packets, when those before have followed the old
	// program and those after will follow the new one.
	Swap func() error
	// Done is called after that.
	Done func() error
}

// Lab is a lab that runs. Its methods may be called from any goroutine, unless they
// say otherwise.
type Lab struct {
	now      func() clock.Time
	began    time.Time
	walk     *dataplane.Walk
	fabric   Fabric
	devices  Devices
	names    atomic.Pointer[topology.Names]
	backends atomic.Pointer[topology.Backends]

	mu       sync.Mutex // guards what edits, time and health checks change in lab
	lab      *topology.Lab
	program  *dataplane.Program // of lab
	settling bool               // the first health checks show all at once
	events   func(Event)
	told     []topology.Condition // what events have said

	logs     *logs
	captures []*watching           // of the story's goroutine
	room     int                   // bytes left for all captures; the walk's owner counts
	streams  int                   // and for all streams
	record   func(Recording) error // may be nil
}

// Options are what a run can choose.
type Options struct {
	Seed uint64
	// Now is the lab's clock, and Began what its moment 0 is called.
	Now   func() clock.Time
	Began time.Time
	// Logs takes the records of flow logs away; nil keeps them for the steps only.
	Logs Delivery
	// Captures takes away what was captured, when the lab has come to its end; may be nil.
	Captures func(Recording) error
	// Events is told of every state that changes, one at a time; may be nil.
	Events func(Event)
	// CompleteLog also makes records of what AWS has none of.
	CompleteLog bool
	// Unlogged says that nobody asks for flow logs: none are kept, which a million flows
	// would fill with as many records a minute, and more.
	Unlogged bool
	// Accounts says that somebody may ask for flows.
	Accounts bool
}

// New returns a lab that is ready to run. Start must follow, once fabric and devices
// stand.
func New(lab *topology.Lab, opts Options) *Lab {
	l := &Lab{now: opts.Now, began: opts.Began, lab: lab, settling: true, record: opts.Captures, room: capturesRoom, streams: capturesRoom, events: opts.Events}
	l.publish(lab.Names())
	l.logs = newLogs(lab, opts.Began, opts.Logs)
	l.logs.none = opts.Unlogged
	settings := dataplane.DefaultSettings()
	settings.Seed = opts.Seed
	lab.Configure(&settings)
	settings.LogHidden, settings.Unlogged, settings.Accounts = opts.CompleteLog, opts.Unlogged, opts.Accounts
	l.program = lab.Compile()
	l.walk = dataplane.New(l.program, settings)
	return l
}

// Walk returns the lab's walk, which belongs to the fabric.
func (l *Lab) Walk() *dataplane.Walk { return l.walk }

// Began returns what moment 0 of the lab's time is called.
func (l *Lab) Began() time.Time { return l.began }

// Start says who owns the walk, and what stands behind the interfaces.
func (l *Lab) Start(f Fabric, d Devices) { l.fabric, l.devices = f, d }

// Settle ends the time in which nothing that health checks find shows.
func (l *Lab) Settle() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settling = false
	return l.load()
}

// Edit implements part of story.World.
func (l *Lab) Edit(f func(*topology.Lab) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := l.lab.Advance(l.now())
	err := f(l.lab)
	if err != nil && !changed {
		return err
	}
	return errors.Join(err, l.load())
}

// Look implements part of story.World.
func (l *Lab) Look(f func(*topology.Lab) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lab.Advance(l.now()) {
		if err := l.load(); err != nil {
			return err
		}
	}
	return f(l.lab)
}

// Keep tells the lab what time it is, and returns when it wants to hear that next, if
// ever.
func (l *Lab) Keep() (next clock.Time, ok bool, err error) {
	err = l.Look(func(lab *topology.Lab) error {
		next, ok = lab.Next()
		return nil
	})
	return next, ok, err
}

// Checked tells the lab how a health check went.
func (l *Lab) Checked(c topology.Check, passed bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	elapsed := l.lab.Advance(l.now())
	changed := l.lab.Checked(c, passed)
	if l.settling {
		return nil
	}
	return l.checked(changed, elapsed)
}

// Suspect tells the lab which targets fail passive checks (F2.53).
func (l *Lab) Suspect() error {
	var suspects []dataplane.Suspect
	if err := l.Do(func(walk *dataplane.Walk, _ clock.Time) { suspects = walk.Suspects() }); err != nil {
		return err
	}
	if len(suspects) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	elapsed, changed := l.lab.Advance(l.now()), false
	for _, s := range suspects {
		changed = l.lab.Suspected(s) || changed
	}
	return l.checked(changed, elapsed)
}

// checked makes names and packets follow what checks have changed, and time beside them.
// The caller holds mu.
func (l *Lab) checked(changed, elapsed bool) error {
	switch {
	case elapsed:
		return l.load()
	case changed:
		return l.follow(
			func() *topology.Names { return l.lab.NamesHealth(l.Names()) },
			func() *dataplane.Program { return l.lab.CompileHealth(l.program) },
		)
	}
	return nil
}

// load makes names and packets follow the lab as it is now. The caller holds mu.
func (l *Lab) load() error { return l.follow(l.lab.Names, l.lab.Compile) }

func (l *Lab) follow(names func() *topology.Names, compile func() *dataplane.Program) error {
	change, err := l.devices.Prepare(l.lab)
	if err != nil {
		return err
	}
	l.lab.Observe(l.now())
	l.tell()
	l.publish(names())
	l.program = compile()
	var failed error
	err = l.Do(func(walk *dataplane.Walk, _ clock.Time) {
		walk.Load(l.program)
		if change.Swap != nil {
			failed = change.Swap()
		}
	})
	if change.Done != nil {
		failed = errors.Join(failed, change.Done())
	}
	return errors.Join(err, failed)
}

// publish makes resolvers and proxies know the lab as it is now.
func (l *Lab) publish(names *topology.Names) {
	l.names.Store(names)
	l.backends.Store(l.lab.Backends())
}

// Names returns what resolvers answer from.
func (l *Lab) Names() *topology.Names { return l.names.Load() }

// Backends returns to which targets the Application Load Balancers forward.
func (l *Lab) Backends() *topology.Backends { return l.backends.Load() }

// Do runs f between two packets.
func (l *Lab) Do(f func(walk *dataplane.Walk, now clock.Time)) error { return l.fabric.Do(f) }

// Now implements part of story.World.
func (l *Lab) Now() time.Duration { return time.Duration(l.now()) }

// Restart implements part of story.World.
func (l *Lab) Restart(keepState bool) error {
	return l.Do(func(walk *dataplane.Walk, _ clock.Time) { walk.Restart(keepState) })
}

// Drops implements part of story.World.
func (l *Lab) Drops(nics []*topology.NIC) (sum [drop.NumReasons]uint64, err error) {
	err = l.Do(func(walk *dataplane.Walk, _ clock.Time) {
		for _, nic := range nics {
			for r, n := range walk.Drops(nic.Index) {
				sum[r] += n
			}
		}
	})
	return sum, err
}

// Metrics implements part of story.World.
func (l *Lab) Metrics() (all []cloudwatch.Series, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var counted []metrics.Series
	var now clock.Time
	err = l.Do(func(walk *dataplane.Walk, at clock.Time) {
		counted, now = walk.Metrics(at), at
	})
	if err != nil {
		return nil, err
	}
	return l.lab.Metrics(now, counted), nil
}

// End hands over what flow logs and captures have come to. The fabric has come to
// rest, and nobody calls l any more.
func (l *Lab) End() error { return errors.Join(l.endLogs(), l.endCaptures()) }
