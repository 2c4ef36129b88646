package engine

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// helper is a worker that does not own the walk. It reads the ports that are its own,
// forwards what its courier knows by heart, and hands all else to the first worker.
type helper struct {
	engine *Engine
	poller Poller
	turn   turn // of what follows
	// courier knows the flows, and lost are ports whose devices are gone, about which the
	// first worker will do something.
	courier *dataplane.Courier
	lost    []dataplane.InterfaceID

	handed *ring
	full   atomic.Bool   // it waits for room in the ring,
	room   chan struct{} // of which this tells it
	// What follows is the first worker's.
	lender *dataplane.Lender // to the courier
	halted bool              // it has what is the turn's
}

func newHelper(e *Engine, poller Poller) *helper {
	h := &helper{engine: e, poller: poller, turn: newTurn(), handed: newRing(), room: make(chan struct{}, 1)}
	h.courier, h.lender = e.walk.Hire(h.halt)
	return h
}

// run forwards until ctx ends, which is no error, or the poller fails.
func (h *helper) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h.engine.begin()
	var (
		batch = newBatch()
		ready []int
		err   error
	)
	for ctx.Err() == nil {
		if ready, err = h.poller.Wait(ready[:0], -1); err != nil {
			return fmt.Errorf("wait for packets: %w", err)
		}
		now := h.engine.now()
		for _, i := range ready {
			h.drain(ctx, now, dataplane.InterfaceID(i), batch)
		}
	}
	return nil
}

// drain forwards what waits at a port, as the first worker does.
func (h *helper) drain(ctx context.Context, now clock.Time, in dataplane.InterfaceID, b *batch) {
	for left, most := burst, 1; left > 0 && h.awaitRoom(ctx); most = left {
		h.turn.begin()
		n := h.forward(now, in, b, most)
		h.turn.end()
		if !h.handed.empty() {
			h.engine.wake()
		}
		if n == 0 {
			return
		}
		left -= n
	}
}

// awaitRoom waits until the first worker can be handed a whole batch, so that none of it
// is lost. It reports false where ctx ends first.
func (h *helper) awaitRoom(ctx context.Context) bool {
	for h.handed.room() < batchFrames {
		h.full.Store(true)
		if h.handed.room() >= batchFrames {
			break
		}
		select {
		case <-h.room:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// forward forwards a batch of frames, and returns how many there were.
func (h *helper) forward(now clock.Time, in dataplane.InterfaceID, b *batch, most int) int {
	port := h.engine.port(in)
	if port == nil || slices.Contains(h.lost, in) {
		return 0
	}
	came, err := b.receive(in, port, most)
	if err != nil {
		h.lose(in)
	}
	h.courier.Carry(now, came)
	for i := range came {
		if p := &came[i]; p.Out != dataplane.NoInterface {
			h.send(p.Out, p.Frame)
		} else {
			h.handed.hand(p)
		}
	}
	return len(came)
}

func (h *helper) send(out dataplane.InterfaceID, f *packet.Frame) {
	port := h.engine.port(out)
	if port == nil {
		h.courier.Dropped(out, drop.PortDown)
		return
	}
	if why, gone := lost(port.Send(f)); why != drop.None {
		if gone {
			h.lose(out)
		}
		h.courier.Dropped(out, why)
	}
}

// lose leaves a device that is gone to the first worker, who alone lets go of devices.
func (h *helper) lose(id dataplane.InterfaceID) {
	if !slices.Contains(h.lost, id) {
		h.lost = append(h.lost, id)
	}
	h.engine.lost.Store(true)
	h.engine.wake()
}

// halt keeps the helper from its next batch, after it has ended the one at hand. Only the
// first worker calls it.
func (h *helper) halt() {
	if !h.halted {
		h.turn.halt()
		h.halted = true
	}
}

// resume lets the helper go on, if it was halted.
func (h *helper) resume() {
	if h.halted {
		h.halted = false
		h.turn.resume()
	}
}
