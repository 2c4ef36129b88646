// Package emulate makes a lab real: a network namespace for each instance, the
// engine between them, the VPC's resolver and the built-in services with sockets
// of their own. It is where the lab as data, the privileged package and the walk
// come together.
package emulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// World is a lab that runs in namespaces. One goroutine plays in it.
type World struct {
	*live.Lab
	edited chan struct{} // tells the keeper of the lab's time that there may be new moments
	lab    *topology.Lab // what does not change
	engine *engine.Engine
	name   string // among the labs of the sandbox
	began  time.Time
	scale  time.Duration // how many seconds of the lab pass in one of the wall
	ca     *authority    // nil where nobody speaks TLS

	hosts     map[string]*host                       // instances, by VPC/NAME
	resolvers map[string]*netns.Namespace            // by VPC
	nodes     map[*topology.NIC]*node                // of the load balancers
	listen    func(at map[*topology.NIC]*node) error // starts the TLS listeners of nodes; nil until all stand
	checks    *checks                                // nil until they begin
	kept      map[string]net.Conn                    // connections that steps go on with
	flaps     []flap                                 // faults that come and go
	patience  time.Duration                          // with programs that come up

	life context.Context // of the lab

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
// an error.
func Start(ctx context.Context, lab *topology.Lab, opts Options) (*World, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &World{
		lab: lab, name: opts.Name, began: time.Now(), scale: time.Duration(max(opts.TimeScale, 1)), cancel: cancel, halt: func() {},
		hosts: make(map[string]*host), resolvers: make(map[string]*netns.Namespace),
		nodes: make(map[*topology.NIC]*node),
		kept:  make(map[string]net.Conn), edited: make(chan struct{}, 1),
		seed: opts.Seed, generators: make(map[string]*generator),
		patience: cmp.Or(opts.Patience, defaultPatience), life: ctx,
	}
	w.Lab = live.New(lab, live.Options{
		Seed: opts.Seed, Now: w.now, Began: w.began, Logs: opts.Logs, Captures: opts.Captures, CompleteLog: opts.CompleteLog, Events: opts.Events, Accounts: opts.Accounts,
	})

	poller, err := netns.NewPoller()
	if err != nil {
		return w, err
	}
	w.engine = engine.New(w.Walk(), poller, w.now, w.wall)
	w.Start(w.engine, w)
	if err := w.build(); err != nil {
		return w, err
	}
	w.forward(ctx, poller)
	if err := w.serve(ctx); err != nil {
		return w, err
	}
	if err := w.launch(ctx, opts); err != nil {
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

// forward starts the engine, which halt ends.
func (w *World) forward(ctx context.Context, poller engine.Poller) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	w.halt = func() { stop(); <-ended }
	go func() {
		defer close(ended)
		defer poller.Close()
		netns.Prioritize()
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

// build makes all the namespaces, several at a time, and attaches their devices.
func (w *World) build() error {
	type job struct {
		nic *topology.NIC
		cfg netns.Config
		ns  *netns.Namespace
		err error
	}
	var jobs []*job
	for _, nic := range w.lab.NICs {
		switch nic.Kind {
		case dataplane.Instance, dataplane.OnPremises, dataplane.Internet, dataplane.Resolver, dataplane.Node, dataplane.Proxy:
			jobs = append(jobs, &job{nic: nic, cfg: w.configOf(nic)})
		}
	}
	var wg sync.WaitGroup
	next := make(chan *job)
	for range min(len(jobs), 2*runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for j := range next {
				j.ns, j.err = netns.New(j.cfg)
			}
		})
	}
	for _, j := range jobs {
		next <- j
	}
	close(next)
	wg.Wait()
	var errs []error
	for _, j := range jobs {
		if j.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", j.nic.Label, j.err))
			continue
		}
		switch j.nic.Kind {
		case dataplane.Instance, dataplane.OnPremises, dataplane.Internet:
			spec, err := scenario.ExpandInstance(w.lab, j.nic.Host.Instance)
			if err != nil {
				errs = append(errs, fmt.Errorf("instance %s: %w", j.nic.Host.Name, err))
			}
			w.hosts[j.nic.Host.Name] = &host{Host: j.nic.Host, spec: spec, ns: j.ns, parts: map[int][]part{}}
		case dataplane.Resolver:
			w.resolvers[j.nic.Network.Name] = j.ns
		default:
			w.nodes[j.nic] = newNode(j.nic, j.ns)
		}
		errs = append(errs, w.engine.Attach(j.nic.Index, j.ns.Port()))
	}
	return errors.Join(errs...)
}

// configOf describes the namespace behind an interface.
func (w *World) configOf(nic *topology.NIC) netns.Config {
	cfg := netns.Config{
		Name: nic.Label, Lab: w.name, MAC: nic.MAC, Addrs: nic.Addrs, Gateways: nic.Routers, MTU: nic.MTU,
		Single: w.lab.HasLinks(), // what links do, they do to packets
	}
	if nic.Kind == dataplane.Node {
		nodeVoice(&cfg)
	}
	if h := nic.Host; h != nil {
		cfg.Hostname, cfg.Resolver, cfg.Search = h.Hostname(), h.ResolverAddr(), h.SearchDomain()
	}
	return cfg
}

// Prepare implements [live.Devices]: nodes, TLS listeners and health checks follow the
// lab.
func (w *World) Prepare(lab *topology.Lab) (live.Change, error) {
	come, gone, err := w.renew()
	if err != nil {
		return live.Change{}, err
	}
	for nic, n := range w.nodes {
		if err := n.settle(nic); err != nil {
			return live.Change{}, err
		}
	}
	if w.listen != nil {
		if err := w.listen(come); err != nil {
			return live.Change{}, err
		}
	}
	w.checks.follow(lab.Checks())
	return live.Change{
		Swap: func() (err error) {
			for nic, n := range come {
				err = errors.Join(err, w.engine.Attach(nic.Index, n.ns.Port()))
			}
			for nic := range gone {
				w.engine.Detach(nic.Index)
			}
			return err
		},
		Done: func() (err error) {
			for _, n := range gone {
				err = errors.Join(err, n.ns.Close())
			}
			select {
			case w.edited <- struct{}{}:
			default: // it has been told
			}
			return err
		},
	}, nil
}

// renew makes namespaces for the nodes that load balancers have got, and parts with
// those that they have lost.
func (w *World) renew() (come, gone map[*topology.NIC]*node, err error) {
	come, gone = map[*topology.NIC]*node{}, map[*topology.NIC]*node{}
	for _, nic := range w.lab.NICs {
		n := w.nodes[nic]
		switch {
		case nic.Kind == dataplane.Node && n == nil:
			ns, err := netns.New(w.configOf(nic))
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", nic.Label, err)
			}
			w.nodes[nic] = newNode(nic, ns)
			come[nic] = w.nodes[nic]
		case nic.Kind == dataplane.Absent && n != nil:
			delete(w.nodes, nic)
			gone[nic] = n
		}
	}
	return come, gone, nil
}

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
	w.cancel()
	for _, g := range w.generators {
		g.abort()
	}
	for _, h := range w.hosts {
		h.stop()
	}
	w.wg.Wait()
	for _, c := range w.kept {
		_ = c.Close()
	}
	for _, h := range w.hosts {
		h.ns.Close()
	}
	for _, ns := range w.resolvers {
		ns.Close()
	}
	for _, n := range w.nodes {
		n.ns.Close()
	}
	return errors.Join(w.fault, w.End())
}
