// Package engine moves packets between the ports of a lab. It holds the only
// goroutine on the packet path: one worker owns the walk, its tables and every
// port, so that nothing there needs a lock. Whoever wants to look at the walk or
// change it hands the worker a function ([Engine.Do]), which runs between two
// packets.
package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/link"
	"github.com/plsim/plsim/dataplane/packet"
)

const (
	// burst is how many frames one port may deliver before the next one's
	// turn, so that a busy sender does not starve the others.
	burst = 64
	// tick is how long the worker sleeps at most while nothing arrives: often
	// enough to forget idle flows, too seldom to cost anything.
	tick = time.Second
	// sweepEvery is how often each table is searched for idle flows, and sweep
	// how many slots of it at a time: a few per thousand of the worker's time.
	sweepEvery = 10 * time.Millisecond
	sweep      = 1 << 12
)

// ErrStopped is returned by calls on an engine whose worker has ended.
var ErrStopped = errors.New("the forwarder has stopped")

// Engine runs a walk over ports.
type Engine struct {
	walk   *dataplane.Walk
	poller Poller
	now    func() clock.Time
	wall   func(time.Duration) time.Duration
	ports  []Port // by InterfaceID; nil where no device stands behind an interface
	held   held   // what is under way on links

	mu      sync.Mutex // guards calls and stopped
	calls   []func()
	stopped bool
	done    chan struct{}
}

// New returns an engine for a walk. now is the lab's clock; it is read once a
// turn, not once a packet. wall says how long a time of the lab lasts for a poller
// that waits. The engine owns walk and poller from here on.
func New(walk *dataplane.Walk, poller Poller, now func() clock.Time, wall func(time.Duration) time.Duration) *Engine {
	return &Engine{walk: walk, poller: poller, now: now, wall: wall, done: make(chan struct{})}
}

// Attach puts a port behind an interface. It must be called before Run, or
// within Do.
func (e *Engine) Attach(id dataplane.InterfaceID, p Port) error {
	for int(id) >= len(e.ports) {
		e.ports = append(e.ports, nil)
	}
	if err := e.poller.Add(int(id), p); err != nil {
		return fmt.Errorf("attach the device of interface %d: %w", id, err)
	}
	e.ports[id] = p
	return nil
}

// Do runs f on the worker, between two packets, and waits for its end. It may be
// called from any goroutine but the worker itself, also before Run. It returns
// [ErrStopped] where the worker has ended.
func (e *Engine) Do(f func(w *dataplane.Walk, now clock.Time)) error {
	ran := make(chan struct{})
	e.mu.Lock()
	if e.stopped {
		e.mu.Unlock()
		return ErrStopped
	}
	e.calls = append(e.calls, func() {
		f(e.walk, e.now())
		close(ran)
	})
	e.mu.Unlock()
	e.poller.Wake()
	select {
	case <-ran:
		return nil
	case <-e.done:
		select {
		case <-ran: // it was the worker's last
			return nil
		default:
			return ErrStopped
		}
	}
}

// Run forwards until ctx ends, which is no error, or the poller fails. It may
// be called once.
func (e *Engine) Run(ctx context.Context) error {
	// The worker sits in system calls most of the time; a thread of its own
	// spares the scheduler from moving it about.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(e.done)
	defer e.stop()
	defer context.AfterFunc(ctx, e.poller.Wake)()

	var (
		batch = newBatch()
		ready []int
		swept clock.Time
		err   error
	)
	for ctx.Err() == nil {
		e.serveCalls()
		if ready, err = e.poller.Wait(ready[:0], e.patience()); err != nil {
			return fmt.Errorf("wait for packets: %w", err)
		}
		now := e.now()
		e.deliver(now, batch[0].Frame)
		for _, i := range ready {
			e.drain(now, dataplane.InterfaceID(i), batch)
		}
		if now.Sub(swept) >= sweepEvery {
			e.walk.Expire(now, sweep)
			swept = now
		}
	}
	return nil
}

// drain forwards what waits at a port, a burst at most. The poller tells again of
// a port that has more. The first frame goes by itself: most often it is the only
// one, and it should not wait until that is known.
func (e *Engine) drain(now clock.Time, in dataplane.InterfaceID, b *batch) {
	if int(in) >= len(e.ports) {
		return
	}
	for left, most := burst, 1; left > 0; most = left {
		came := e.receive(in, b, most)
		if len(came) == 0 {
			return
		}
		e.forward(now, came)
		left -= len(came)
	}
}

// forward takes frames along the walk, and sends what becomes of them.
func (e *Engine) forward(now clock.Time, batch []dataplane.Passage) {
	e.walk.ProcessBatch(now, batch)
	for i := range batch {
		switch p := &batch[i]; {
		case p.Out == dataplane.NoInterface:
		case p.Fate != nil:
			e.dispatch(now, p.Out, p.Frame, p.Fate)
		default:
			e.send(p.Out, p.Frame)
		}
	}
}

// patience is how long the worker may sleep: until the next frame arrives, or a tick.
func (e *Engine) patience() time.Duration {
	at, ok := e.held.next()
	if !ok {
		return tick
	}
	return min(tick, e.wall(max(0, at.Sub(e.now()))))
}

// dispatch sends what a frame became on its way over links, now or later.
func (e *Engine) dispatch(now clock.Time, out dataplane.InterfaceID, f *packet.Frame, fate *link.Fate) {
	at, n := fate.Arrivals()
	for _, at := range at[:n] {
		switch {
		case at <= now:
			e.send(out, f)
		case !e.held.put(at, out, f):
			e.walk.Dropped(out, drop.LinkMemory)
		}
	}
}

// deliver sends the frames that have arrived by now.
func (e *Engine) deliver(now clock.Time, f *packet.Frame) {
	for {
		if at, ok := e.held.next(); !ok || at > now {
			return
		}
		out := e.held.take(f)
		e.send(out, f)
	}
}

func (e *Engine) send(out dataplane.InterfaceID, f *packet.Frame) {
	if int(out) >= len(e.ports) || e.ports[out] == nil {
		e.walk.Dropped(out, drop.PortDown)
		return
	}
	switch ok, err := e.ports[out].Send(f); {
	case err != nil:
		e.detach(out)
		e.walk.Dropped(out, drop.PortDown)
	case !ok:
		e.walk.Dropped(out, drop.QueueFull)
	}
}

// Detach takes away the port behind an interface, and closes it. It must be called
// within Do.
func (e *Engine) Detach(id dataplane.InterfaceID) {
	if int(id) < len(e.ports) && e.ports[id] != nil {
		e.detach(id)
	}
}

// detach lets go of a device that failed. It went with the instance that held
// it: a fact of the lab, not a fault of the engine. Closing it also takes it from
// the poller, which would else report it for ever.
func (e *Engine) detach(id dataplane.InterfaceID) {
	_ = e.ports[id].Close()
	e.ports[id] = nil
}

func (e *Engine) serveCalls() {
	e.mu.Lock()
	calls := e.calls
	e.calls = nil
	e.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

// stop refuses further calls and serves those that came in time.
func (e *Engine) stop() {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	e.serveCalls()
}
