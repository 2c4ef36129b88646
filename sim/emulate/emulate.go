// Package emulate makes a lab real: a network namespace for each instance, the
// engine between them, the VPC's resolver and the built-in services with sockets
// of their own. It is where the lab as data, the privileged package and the walk
// come together.
package emulate

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// World is a lab that runs in namespaces. One goroutine plays in it.
type World struct {
	*live.Lab
	edited     chan struct{} // tells the keeper of the lab's time that there may be new moments
	lab        *topology.Lab // for reading, by whoever keeps edits away
	engine     *engine.Engine
	shortcut   *shortcut // nil: there is none, for
	noShortcut error     // this reason
	name       string    // among the labs of the sandbox
	began      time.Time
	scale      time.Duration // how many seconds of the lab pass in one of the wall
	ca         *authority    // nil where nobody speaks TLS

	guard      sync.RWMutex                        // of hosts, and their environments
	hosts      map[string]*host                    // instances, by VPC/NAME
	leaving    []*host                             // instances that are gone, if all goes well
	resolvers  map[dataplane.InterfaceID]*resolver // of VPCs
	nodes      map[dataplane.InterfaceID]*node     // of the load balancers
	ends       map[end]*opened                     // where connections end that load balancers take on
	generation int                                 // how often the lab has become another one
	checks     *checks                             // nil until they begin
	kept       map[string]net.Conn                 // connections that steps go on with
	flaps      []flap                              // faults that come and go
	patience   time.Duration                       // with programs that come up

	life        context.Context // of the lab
	scenarioDir string

	seed       uint64
	generators map[string]*generator // of traffic, by name
	generated  int                   // how many generators there have been

	cancel context.CancelFunc
	halt   func() // ends the engine
	wg     sync.WaitGroup
	fault  error // of the engine; read after halt
}

// Options are what a run can choose.
type Options struct {
	Seed uint64
	// TimeScale is how many seconds of the lab pass in one of the wall; 0 means 1.
	TimeScale int
	// Workers is how many threads forward packets; 0 means 1.
	Workers int
	// NoOffload leaves every packet to the forwarder, also where the kernel could forward
	// those of settled flows.
	NoOffload bool
	// ScenarioDir is where the scenario file stands; programs get it as
	// SCENARIO_DIR. "" where there is none.
	ScenarioDir string
	// Name tells the lab from others that run at the same time in this sandbox; ""
	// where it is the only one.
	Name string
	// Logs takes the records of flow logs away; nil keeps them for the steps only.
	Logs live.Delivery
	// Captures takes away what was captured, when the lab has come to its end; may be nil.
	Captures func(live.Recording) error
	// Events is told of every state that changes, one at a time; may be nil.
	Events func(live.Event)
	// CompleteLog also makes records of what AWS has none of.
	CompleteLog bool
	// Accounts says that somebody may ask for flows.
	Accounts bool
	// Patience is how long an instance's program may take until it answers on
	// its wait_for_port. 0 means 30 s.
	Patience time.Duration
}

// Start builds the lab and returns when it is ready for the story: every
// namespace stands, every service listens, every program that was to be waited
// for answers, and every target that answers health checks has passed one. ctx bounds the life of all of it. Close must follow, also after
// an error, which is a *netns.Unsupported where the host has no room for the lab.
func Start(ctx context.Context, lab *topology.Lab, opts Options) (*World, error) {
	w, err := start(ctx, lab, opts)
	return w, netns.Exhausted(err)
}

func start(ctx context.Context, lab *topology.Lab, opts Options) (*World, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &World{
		lab: lab, name: opts.Name, began: time.Now(), scale: time.Duration(max(opts.TimeScale, 1)), cancel: cancel, halt: func() {},
		hosts: make(map[string]*host), resolvers: make(map[dataplane.InterfaceID]*resolver),
		nodes: make(map[dataplane.InterfaceID]*node), ends: make(map[end]*opened),
		kept: make(map[string]net.Conn), edited: make(chan struct{}, 1),
		seed: opts.Seed, generators: make(map[string]*generator),
		patience: cmp.Or(opts.Patience, defaultPatience), life: ctx, scenarioDir: opts.ScenarioDir,
	}
	w.Lab = live.New(lab, live.Options{
		Seed: opts.Seed, Now: w.now, Began: w.began, Logs: opts.Logs, Captures: opts.Captures, CompleteLog: opts.CompleteLog, Events: opts.Events, Accounts: opts.Accounts,
	})

	pollers, err := newPollers(max(opts.Workers, 1))
	if err != nil {
		return w, err
	}
	w.engine = engine.New(w.Walk(), pollers, w.now, w.wall, netns.Prioritize)
	w.shortcut, w.noShortcut = w.newShortcut(&opts)
	w.Start(w.engine, w)
	if err := w.build(); err != nil {
		return w, err
	}
	w.forward(ctx, pollers)
	if err := w.serve(); err != nil {
		return w, err
	}
	if err := w.launch(ctx); err != nil {
		return w, err
	}
	if err := w.check(ctx, opts.Seed); err != nil {
		return w, err
	}
	w.wg.Go(func() { w.keepTime(ctx) })
	w.wg.Go(func() { w.keepLogs(ctx) })
	if lab.PassiveChecks() {
		w.wg.Go(func() { w.keepSuspects(ctx) })
	}
	return w, nil
}

// newPollers returns a poller for each of some workers. Where there is no processor to
// spare, only the first worker, for which the others wait, stays awake for what may come.
func newPollers(workers int) (all []engine.Poller, err error) {
	for i := range workers {
		p, err := netns.NewPoller()
		if err != nil {
			closePollers(all)
			return nil, err
		}
		if i > 0 && workers >= runtime.NumCPU() {
			p.Yield()
		}
		all = append(all, p)
	}
	return all, nil
}

func closePollers(all []engine.Poller) {
	for _, p := range all {
		_ = p.Close()
	}
}

// forward starts the engine, which halt ends.
func (w *World) forward(ctx context.Context, pollers []engine.Poller) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	w.halt = func() { stop(); <-ended }
	go func() {
		defer close(ended)
		defer closePollers(pollers)
		if err := w.engine.Run(ctx); err != nil {
			w.fault = err
			w.cancel()
		}
	}()
}

// now is the lab's clock: the wall's time since the start, scaled (D6).
func (w *World) now() clock.Time { return clock.Time(time.Since(w.began) * w.scale) }

// wall returns how long a time of the lab lasts on the wall.
func (w *World) wall(d time.Duration) time.Duration { return (d + w.scale - 1) / w.scale }

// keepTime tells the lab what time it is whenever that changes something, until
// ctx ends.
func (w *World) keepTime(ctx context.Context) {
	for {
		next, ok, err := w.Keep()
		if err != nil {
			return // the engine has stopped, and says why
		}
		var due <-chan time.Time
		if ok {
			due = time.After(w.wall(next.Sub(w.now())))
		}
		select {
		case <-ctx.Done():
			return
		case <-w.edited:
		case <-due:
		}
	}
}

// collectEvery is how often the walk's log is emptied, in time of the wall.
const collectEvery = time.Second

// keepLogs empties the walk's log as long as the lab lives.
func (w *World) keepLogs(ctx context.Context) {
	next := w.WindowEnd(0)
	for {
		pause := min(collectEvery, max(w.wall(next.Sub(w.now())), time.Millisecond))
		if w.Pause(ctx, pause) != nil {
			return
		}
		now := w.now()
		if now < next {
			if w.Collect() != nil {
				return // the engine has stopped, and says why
			}
			continue
		}
		if w.CloseWindows(now) != nil {
			return
		}
		next = w.WindowEnd(now)
	}
}

// Elapsed implements [story.World]: on the wall.
func (w *World) Elapsed() time.Duration { return time.Since(w.began) }

// Wait implements [story.World].
func (w *World) Wait(ctx context.Context, d time.Duration) error { return w.Pause(ctx, w.wall(d)) }

// Pause implements [story.World].
func (w *World) Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends everything that Start began, and returns what went wrong in the
// forwarder, if anything did. It may be called more than once.
func (w *World) Close() error {
	w.halt() // so that nobody's farewell is part of the story
	w.shortcut.halt()
	w.cancel()
	for _, g := range w.generators {
		g.abort()
	}
	hosts := append(slices.Collect(maps.Values(w.hosts)), w.leaving...)
	for _, h := range hosts {
		h.stop()
	}
	w.wg.Wait()
	for _, c := range w.kept {
		_ = c.Close()
	}
	if w.shortcut != nil {
		_ = w.shortcut.fabric.Close() // before the namespaces, which leave nothing to tidy up there
	}
	for _, h := range hosts {
		h.ns.Close()
	}
	for _, r := range w.resolvers {
		r.ns.Close()
	}
	for _, n := range w.nodes {
		n.ns.Close()
	}
	ended := w.End() // which asks the kernel, too, what has passed
	return errors.Join(w.fault, ended, w.shortcut.close())
}
