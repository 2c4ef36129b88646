package engine

import "sync/atomic"

// turn says whose a worker's things are at the moment: the worker's, from when it begins
// a batch of frames until it ends it, or the first worker's, which may take them in
// between. The worker pays for that with two atomic operations a batch, and waits for
// nobody unless the first one has something to do with them.
type turn struct {
	state atomic.Uint32
	ended chan struct{} // tells the first worker that the batch is over
	again chan struct{} // tells the worker to go on
}

// The states of a turn.
const (
	resting uint32 = iota // nobody has anything to do with them
	working               // the worker has a batch at hand
	claimed               // it has, and the first one waits for the end of that
	halted                // the first one has them
	waiting               // it has, and the worker waits for the end of that
)

// glances is how often somebody looks whether the other has come to an end, before they
// fall asleep over it: as long as a batch takes.
const glances = 2000

func newTurn() turn { return turn{ended: make(chan struct{}, 1), again: make(chan struct{}, 1)} }

// begin begins a batch. The worker calls it.
func (t *turn) begin() {
	for range glances {
		if t.state.CompareAndSwap(resting, working) {
			return
		}
	}
	for !t.state.CompareAndSwap(resting, working) {
		if t.state.CompareAndSwap(halted, waiting) {
			<-t.again
			return
		}
	}
}

// end ends a batch. The worker calls it.
func (t *turn) end() {
	if t.state.CompareAndSwap(working, resting) {
		return
	}
	t.state.Store(halted)
	t.ended <- struct{}{}
}

// halt returns when no batch is at hand, and none begins until resume. The first worker
// calls it.
func (t *turn) halt() {
	for {
		if t.state.CompareAndSwap(resting, halted) {
			return
		}
		if t.state.CompareAndSwap(working, claimed) {
			break
		}
	}
	for range glances {
		if t.state.Load() == halted {
			break
		}
	}
	<-t.ended
}

// resume lets the worker go on.
func (t *turn) resume() {
	if !t.state.CompareAndSwap(halted, resting) {
		t.state.Store(working)
		t.again <- struct{}{}
	}
}
