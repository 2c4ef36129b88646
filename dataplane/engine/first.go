package engine

import (
	"context"
	"fmt"
	"runtime"
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
	// tick is how long the first worker sleeps at most while nothing arrives: often
	// enough to forget idle flows, too seldom to cost anything.
	tick = time.Second
	// sweepEvery is how often each table is searched for idle flows, and sweep
	// how many slots of it at a time: a few per thousand of the worker's time.
	sweepEvery = 10 * time.Millisecond
	sweep      = 1 << 12
)

// run is what the first worker does.
func (e *Engine) run(ctx context.Context) error {
	// A worker sits in system calls most of the time; a thread of its own
	// spares the scheduler from moving it about.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer e.resume()
	e.begin()
	var (
		batch = newBatch()
		ready []int
		swept clock.Time
		err   error
	)
	for ctx.Err() == nil {
		e.serveCalls()
		if ready, err = e.wait(ready[:0]); err != nil {
			return fmt.Errorf("wait for packets: %w", err)
		}
		now := e.now()
		e.deliver(now, batch[0].Frame)
		e.drainAll(now, ready, batch)
		for _, h := range e.helpers {
			e.relieve(now, h)
		}
		if now.Sub(swept) >= sweepEvery {
			e.walk.Expire(now, sweep)
			swept = now
		}
		e.resume()
	}
	return nil
}

// wait waits until a port has something, or a helper has handed something over.
func (e *Engine) wait(ready []int) ([]int, error) {
	if len(e.helpers) == 0 {
		return e.poller.Wait(ready, e.patience())
	}
	e.asleep.Store(true) // first: what is handed over after the look wakes it
	defer e.asleep.Store(false)
	patience := e.patience()
	for _, h := range e.helpers {
		if !h.handed.empty() {
			patience = 0
		}
	}
	if e.lost.Load() {
		patience = 0
	}
	return e.poller.Wait(ready, patience)
}

// patience is how long the worker may sleep: until the next frame arrives, a period ends
// that others have counted in, or a tick.
func (e *Engine) patience() time.Duration {
	d := tick
	if at, ok := e.held.next(); ok {
		d = min(d, e.wall(max(0, at.Sub(e.now()))))
	}
	if e.offload != nil {
		d = min(d, e.wall(max(0, e.walk.PeriodEnd().Sub(e.now()))))
	}
	return d
}

// drainAll forwards what waits at ports. When nothing waits any more, which a packet to come
// could overtake, the flows that have settled are lent.
func (e *Engine) drainAll(now clock.Time, ports []int, b *batch) {
	all := true
	for _, i := range ports {
		drained := e.drain(now, dataplane.InterfaceID(i), b)
		all = all && drained
	}
	if all && e.offload != nil {
		e.offload.Lend()
	}
}

// drain forwards what waits at a port, a burst at most, and reports whether that was all.
// The poller tells again of a port that has more. The first frame goes by itself: most
// often it is the only one, and it should not wait until that is known.
func (e *Engine) drain(now clock.Time, in dataplane.InterfaceID, b *batch) bool {
	for left, most := burst, 1; left > 0; most = left {
		port := e.port(in)
		if port == nil {
			return true
		}
		came, err := b.receive(in, port, most)
		if err != nil {
			e.Detach(in)
		}
		if len(came) == 0 {
			return true
		}
		if e.offload != nil {
			for i := range came {
				e.offload.Consider(&came[i])
			}
		}
		e.forward(now, came)
		left -= len(came)
		e.resume()
	}
	return false
}

// relieve forwards what a helper has handed over, a burst at most. Where a flow of it is
// settled, the helper rests until nothing is left of that, and has the flow from then on.
func (e *Engine) relieve(now clock.Time, h *helper) {
	lend := false
	for left := burst; left > 0; {
		n, wanted := e.takeOver(now, h)
		if n == 0 {
			break
		}
		left -= n
		lend = wanted
		e.resume()
	}
	if e.lost.Load() && e.lost.Swap(false) {
		e.bury()
	}
	if !lend {
		return
	}
	h.halt()
	for n := 1; n > 0; {
		n, _ = e.takeOver(now, h)
	}
	h.lender.Lend()
	e.resume()
}

// takeOver forwards a batch of what a helper has handed over, and returns how many frames
// that were and whether something could be lent.
func (e *Engine) takeOver(now clock.Time, h *helper) (n int, wanted bool) {
	batch := h.handed.first(batchFrames)
	for i := range batch {
		wanted = h.lender.Consider(&batch[i])
	}
	e.forward(now, batch)
	h.handed.release(len(batch))
	if h.full.Load() && h.full.CompareAndSwap(true, false) {
		select {
		case h.room <- struct{}{}:
		default: // it has been told already
		}
	}
	return len(batch), wanted
}

// bury lets go of the devices that helpers have lost.
func (e *Engine) bury() {
	e.halt()
	for _, h := range e.helpers {
		for _, id := range h.lost {
			e.Detach(id)
		}
		h.lost = h.lost[:0]
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
	port := e.port(out)
	if port == nil {
		e.walk.Dropped(out, drop.PortDown)
		return
	}
	if why, gone := lost(port.Send(f)); why != drop.None {
		if gone {
			e.Detach(out)
		}
		e.walk.Dropped(out, why)
	}
}

// Detach takes away the port behind an interface, and closes it. It must be called
// within Do. A device that fails goes with the instance that held it: a fact of the lab,
// not a fault of the engine. Closing it also takes it from the poller, which would else
// report it for ever.
func (e *Engine) Detach(id dataplane.InterfaceID) {
	if port := e.port(id); port != nil {
		e.halt() // nobody else sends to it now
		_ = port.Close()
		e.ports[id] = nil
	}
}
