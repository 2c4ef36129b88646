// Package simulate is a lab without a kernel: on virtual time, with simulated hosts,
// and without privilege. Its packets take the same walk as those of real hosts, through
// the same program. Everything happens in one goroutine, in the order of one queue of
// events, and chance comes from one seed: so the same scenario and seed see the same,
// byte for byte, on every machine.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/snat"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Epoch is what moment 0 of every simulation is called, so that no clock shows in
// what it writes.
var Epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// World is a lab that is simulated. It has one owner, which calls its methods one at a
// time.
type World struct {
	*live.Lab
	fabric
	lab       *topology.Lab
	instances map[string]*instance // by VPC/NAME
	nodes     map[*topology.NIC]*node
	checks    checks
	keeping   event.Timer // when the lab wants to hear what time it is
	kept      map[string]channel
	flaps     []*flap

	seed       uint64
	generators map[string]*generator // of traffic, by name
	generated  int                   // how many generators there have been

	scale    time.Duration
	progress func(Progress)
	fault    error // of the simulation itself
}

// Options are what a run can choose.
type Options struct {
	Seed uint64
	// TimeScale is how many seconds of the lab the story takes for one of its own, as
	// on the wall of a lab with real hosts; 0 means 1.
	TimeScale int
	// Logs takes the records of flow logs away; nil keeps them for the steps only.
	Logs live.Delivery
	// Captures takes away what was captured, when the lab has come to its end; may be nil.
	Captures func(live.Recording) error
	// Events is told of every state that changes, one at a time; may be nil.
	Events func(live.Event)
	// CompleteLog also makes records of what AWS has none of.
	CompleteLog bool
	// Unlogged says that nobody asks for flow logs, nor takes them away.
	Unlogged bool
	// Progress is called now and then while time passes; may be nil.
	Progress func(Progress)
}

// Progress is how far a simulation has come.
type Progress struct {
	Now    clock.Time
	Until  clock.Time // what goes on ends then at the latest; 0: nobody knows
	Events uint64     // so far
}

// Start builds the lab and returns when it is ready for the story: every service
// listens, and every target that answers health checks has passed one. Close must
// follow, also after an error.
func Start(ctx context.Context, lab *topology.Lab, opts Options) (*World, error) {
	queue := event.New(opts.Seed)
	w := &World{
		lab:       lab,
		instances: map[string]*instance{}, nodes: map[*topology.NIC]*node{},
		kept: map[string]channel{}, generators: map[string]*generator{}, seed: opts.Seed, progress: opts.Progress, scale: time.Duration(max(opts.TimeScale, 1)),
	}
	w.Lab = live.New(lab, live.Options{
		Seed: opts.Seed, Now: queue.Now, Began: Epoch,
		Logs: opts.Logs, Captures: opts.Captures, CompleteLog: opts.CompleteLog, Unlogged: opts.Unlogged, Events: opts.Events,
	})
	w.fabric.init(queue, w.Walk())
	w.stack = host.NewStack(queue, &w.fabric)
	w.Start(&w.fabric, w)
	if err := w.build(); err != nil {
		return w, err
	}
	if !opts.Unlogged {
		w.keepLogs()
	}
	w.keepTime()
	if lab.PassiveChecks() {
		w.keepSuspects()
	}
	return w, w.settle(ctx)
}

// Close ends the lab, and hands over what it has kept.
func (w *World) Close() error { return errors.Join(w.fault, w.End()) }

// build makes a host for each interface that has one behind it, and starts what
// listens there.
func (w *World) build() error {
	var errs []error
	for _, nic := range w.lab.NICs {
		var err error
		switch nic.Kind {
		case dataplane.Instance, dataplane.OnPremises, dataplane.Internet:
			err = w.addInstance(nic)
		case dataplane.Resolver:
			err = w.addResolver(nic)
		case dataplane.Node, dataplane.Proxy:
			w.addNode(nic)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", nic.Label, err))
		}
	}
	return errors.Join(append(errs, w.proxy()...)...)
}

// instance is an instance that is simulated.
type instance struct {
	*topology.Host
	spec  *topology.Instance // with its references replaced
	host  *host.Host
	sinks map[*topology.Service]*sink
	parts map[int][]part // its sockets, by port
}

// attach makes the host behind an interface.
func (w *World) attach(nic *topology.NIC, cfg host.Config) *host.Host {
	cfg.ID, cfg.MAC, cfg.Addrs, cfg.Routers, cfg.MTU = int(nic.Index), nic.MAC, nic.Addrs, nic.Routers, nic.MTU
	h := w.stack.New(cfg)
	w.plug(nic.Index, h)
	return h
}

func (w *World) addInstance(nic *topology.NIC) error {
	spec, err := scenario.ExpandInstance(w.lab, nic.Host.Instance)
	if err != nil {
		return err
	}
	i := &instance{Host: nic.Host, spec: spec, host: w.attach(nic, host.Config{})}
	w.instances[nic.Host.Name] = i
	for _, s := range spec.Services {
		if err := w.serve(i, s); err != nil {
			return fmt.Errorf("%s on port %d: %w", s.Type, s.Port, err)
		}
	}
	return nil
}

// instance finds an instance by the name that a scenario gives it.
func (w *World) instance(name string) (*instance, error) {
	h, err := w.lab.Instance(name)
	if err != nil {
		return nil, err
	}
	return w.instances[h.Name], nil
}

// Host returns the host of an instance, by the name that a scenario gives it, for
// whoever wants to make connections of their own.
func (w *World) Host(instance string) (*host.Host, error) {
	i, err := w.instance(instance)
	if err != nil {
		return nil, err
	}
	return i.host, nil
}

// Packets returns how many packets hosts have sent so far.
func (w *World) Packets() uint64 { return w.packets }

// node is a node of a load balancer, as far as it speaks for itself.
type node struct {
	host  *host.Host
	addrs []netip.Prefix
	turn  int // whose it is to be a connection's source (F2.2)
}

// addNode makes a node. The connections of a Network Load Balancer's look as AWS's do on
// the wire (F2.52); the walk takes one of the time to live.
func (w *World) addNode(nic *topology.NIC) {
	n := &node{addrs: nic.Addrs}
	cfg := host.Config{Source: n.source}
	if nic.Kind == dataplane.Node {
		cfg.TTL, cfg.Window, cfg.Ports = 255, 8961, [2]uint16{snat.FirstOwnPort, snat.LastOwnPort}
	}
	n.host = w.attach(nic, cfg)
	w.nodes[nic] = n
}

// source returns the address that the next connection comes from: each has its turn
// (F2.2).
func (n *node) source(to netip.Addr) netip.Addr {
	var own []netip.Addr
	for _, p := range n.addrs {
		if p.Addr().Is4() == to.Is4() {
			own = append(own, p.Addr())
		}
	}
	if len(own) == 0 {
		return netip.Addr{}
	}
	n.turn++
	return own[n.turn%len(own)]
}

// Prepare implements [live.Devices].
func (w *World) Prepare(lab *topology.Lab) (live.Change, error) {
	var gone []*topology.NIC
	for _, nic := range lab.NICs {
		n := w.nodes[nic]
		switch {
		case nic.Kind == dataplane.Node && n == nil:
			w.addNode(nic)
		case nic.Kind == dataplane.Absent && n != nil:
			delete(w.nodes, nic)
			gone = append(gone, nic)
		case n != nil && len(n.addrs) < len(nic.Addrs): // it has got more of them (F2.2)
			for _, a := range nic.Addrs[len(n.addrs):] {
				n.host.AddAddr(a)
			}
			n.addrs = nic.Addrs
		}
	}
	w.checks.follow(w, lab.Checks())
	return live.Change{Swap: func() error {
		for _, nic := range gone {
			w.unplug(nic.Index)
		}
		w.queue.Cancel(w.keeping)
		w.keeping = w.queue.CallAt(w.queue.Now(), w.keepTime)
		return nil
	}}, nil
}

// keepTime tells the lab what time it is whenever that changes something.
func (w *World) keepTime() {
	next, ok, err := w.Keep()
	w.fail(err)
	w.queue.Cancel(w.keeping)
	if ok {
		w.keeping = w.queue.CallAt(next, w.keepTime)
	}
}

// collectEvery is how often the walk's log is emptied.
const collectEvery = time.Second

// keepLogs empties the walk's log now and then, and when a window ends.
func (w *World) keepLogs() {
	now := w.queue.Now()
	end := w.WindowEnd(now)
	if now > 0 {
		w.fail(w.Collect())
	}
	if next := now.Add(collectEvery); next < end {
		w.queue.CallAt(next, w.keepLogs)
		return
	}
	w.queue.CallAt(end, func() {
		w.fail(w.CloseWindows(w.queue.Now()))
		w.keepLogs()
	})
}

// suspecting is how often the load balancers look at what their targets did to clients.
const suspecting = 50 * time.Millisecond

func (w *World) keepSuspects() {
	w.fail(w.Suspect())
	w.queue.CallAt(w.queue.Now().Add(suspecting), w.keepSuspects)
}

// date is what the present moment is called.
func (w *World) date() time.Time { return Epoch.Add(time.Duration(w.queue.Now())) }

// fail notes a fault of the simulation, which ends it.
func (w *World) fail(err error) {
	if w.fault == nil {
		w.fault = err
	}
}

// askEvery is how many events happen between two looks at what is outside of the
// simulation.
const askEvery = 1 << 12

// run lets the lab's time pass until a moment, or until done says so, which may be nil.
func (w *World) run(ctx context.Context, until clock.Time, done func() bool) error {
	count := 0
	w.queue.Run(until, func() bool {
		if count++; count%askEvery == 0 {
			if w.progress != nil {
				p := Progress{w.queue.Now(), until, w.queue.Done()}
				if until == endOfTime {
					p.Until = 0
				}
				w.progress(p)
			}
			if ctx.Err() != nil {
				return true
			}
		}
		return w.fault != nil || done != nil && done()
	})
	return errors.Join(w.fault, ctx.Err())
}

// within lets the lab's time pass for so long at most, until done says so.
func (w *World) within(ctx context.Context, d time.Duration, done func() bool) error {
	return w.run(ctx, w.queue.Now().Add(d), done)
}

// lasts returns how long a time of the story lasts in the lab, such as a step's timeout:
// with real hosts it is one of the wall.
func (w *World) lasts(d time.Duration) time.Duration { return d * w.scale }

// Wait implements [story.World].
func (w *World) Wait(ctx context.Context, d time.Duration) error { return w.within(ctx, d, nil) }

// breath is how long the lab goes on at least between two steps, as any tool would let
// it: connections that are over come to their end meanwhile.
const breath = time.Millisecond

// Pause implements [story.World].
func (w *World) Pause(ctx context.Context, d time.Duration) error {
	return w.within(ctx, max(w.lasts(d), breath), nil)
}

// Elapsed implements [story.World]: no wall plays a part.
func (w *World) Elapsed() time.Duration { return time.Duration(w.queue.Now()) / w.scale }

// Exec implements [story.World]. What needs a program is refused before the story
// begins.
func (w *World) Exec(context.Context, *scenario.Exec) (story.Exit, error) {
	return story.Exit{}, errors.New("a simulated instance runs no programs")
}
