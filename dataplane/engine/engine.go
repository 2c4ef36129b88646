// Package engine moves packets between the ports of a lab. It holds the only
// goroutines on the packet path. The first worker owns the walk and its tables, so that
// nothing there needs a lock; whoever wants to look at the walk or change it hands that
// worker a function ([Engine.Do]), which runs between two packets. Where there are more
// workers, each reads some of the ports, forwards by itself what the walk has decided and
// lent it, and hands all else to the first.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
)

// ErrStopped is returned by calls on an engine whose workers have ended.
var ErrStopped = errors.New("the forwarder has stopped")

// Engine runs a walk over ports.
type Engine struct {
	walk    *dataplane.Walk
	poller  Poller // of the first worker
	helpers []*helper
	offload *dataplane.Lender // to whoever needs no worker; nil: there is none
	now     func() clock.Time
	wall    func(time.Duration) time.Duration
	begin   func()
	ports   []Port // by InterfaceID; nil where no device stands behind an interface
	added   int    // how many ports there have been
	held    held   // what is under way on links

	asleep atomic.Bool // the first worker is, and does not notice what it is handed
	lost   atomic.Bool // helpers have lost devices

	mu      sync.Mutex // guards calls and stopped
	calls   []func()
	stopped bool
	done    chan struct{}
}

// New returns an engine for a walk, with a worker for each poller, of which there must be
// one at least. now is the lab's clock; workers read it once a turn, not once a packet.
// wall says how long a time of the lab lasts for a poller that waits. Each worker calls
// begin first, if there is one, on the thread that it keeps. The engine owns walk and
// pollers from here on.
func New(walk *dataplane.Walk, pollers []Poller, now func() clock.Time, wall func(time.Duration) time.Duration, begin func()) *Engine {
	e := &Engine{walk: walk, poller: pollers[0], now: now, wall: wall, begin: begin, done: make(chan struct{})}
	if begin == nil {
		e.begin = func() {}
	}
	for _, p := range pollers[1:] {
		e.helpers = append(e.helpers, newHelper(e, p))
	}
	return e
}

// Offload has somebody else forward what it can, such as the kernel. It must be called
// before Run.
func (e *Engine) Offload(to dataplane.Borrower) { e.offload = e.walk.LendTo(to) }

// Attach puts a port behind an interface. Workers read ports in turn: the first port is
// the first one's. It must be called before Run, or within Do.
func (e *Engine) Attach(id dataplane.InterfaceID, p Port) error {
	for int(id) >= len(e.ports) {
		e.ports = append(e.ports, nil)
	}
	poller := e.poller
	if n := e.added % (1 + len(e.helpers)); n > 0 {
		poller = e.helpers[n-1].poller
	}
	if err := poller.Add(int(id), p); err != nil {
		return fmt.Errorf("attach the device of interface %d: %w", id, err)
	}
	e.added++
	e.ports[id] = p
	return nil
}

// port returns what stands behind an interface, or nil.
func (e *Engine) port(id dataplane.InterfaceID) Port {
	if int(id) >= len(e.ports) {
		return nil
	}
	return e.ports[id]
}

// Do runs f on the first worker, between two packets, while the others rest, and waits for
// its end. It may be called from any goroutine but the worker itself, also before Run. It
// returns [ErrStopped] where the workers have ended.
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

// Run forwards until ctx ends, which is no error, or a poller fails. It may be called
// once.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.done)
	defer e.stop()
	ctx, end := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, e.wakeAll)()
	var helpers sync.WaitGroup
	failures := make([]error, 1+len(e.helpers))
	for i, h := range e.helpers {
		helpers.Go(func() {
			defer end()
			failures[1+i] = h.run(ctx)
		})
	}
	failures[0] = e.run(ctx)
	end()
	helpers.Wait()
	return errors.Join(failures...)
}

// wakeAll wakes every worker.
func (e *Engine) wakeAll() {
	e.poller.Wake()
	for _, h := range e.helpers {
		h.poller.Wake()
	}
}

// wake wakes the first worker if it sleeps.
func (e *Engine) wake() {
	if e.asleep.CompareAndSwap(true, false) {
		e.poller.Wake()
	}
}

// serveCalls runs what was handed to Do, while nobody else touches the walk's things.
func (e *Engine) serveCalls() {
	e.mu.Lock()
	calls := e.calls
	e.calls = nil
	e.mu.Unlock()
	if len(calls) == 0 {
		return
	}
	e.halt()
	for _, f := range calls {
		f()
	}
	e.resume()
}

// halt has all helpers rest until resume.
func (e *Engine) halt() {
	for _, h := range e.helpers {
		h.halt()
	}
}

// resume lets those helpers go on that were halted.
func (e *Engine) resume() {
	for _, h := range e.helpers {
		h.resume()
	}
}

// stop refuses further calls and serves those that came in time.
func (e *Engine) stop() {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	e.serveCalls()
}
