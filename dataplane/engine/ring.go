package engine

import (
	"sync/atomic"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// ring passes frames from one worker to the first one, in their order. One goroutine
// puts and one takes.
type ring struct {
	slots [ringSize]dataplane.Passage
	_     [64]byte // each count has a line of the processor's cache to itself
	put   atomic.Uint64
	_     [56]byte
	taken atomic.Uint64
	_     [56]byte
}

// ringSize is how many frames a ring holds; a power of two.
const ringSize = 128

func newRing() *ring {
	r := new(ring)
	for i, f := range packet.NewFrames(ringSize) {
		r.slots[i].Frame = f
	}
	return r
}

// room returns how many more frames the ring takes.
func (r *ring) room() int { return ringSize - int(r.put.Load()-r.taken.Load()) }

// hand puts a frame into the ring, which has room, and leaves another in its place.
func (r *ring) hand(p *dataplane.Passage) {
	n := r.put.Load()
	s := &r.slots[n%ringSize]
	s.In, s.Frame, p.Frame = p.In, p.Frame, s.Frame
	r.put.Store(n + 1)
}

// empty reports whether all frames were taken.
func (r *ring) empty() bool { return r.put.Load() == r.taken.Load() }

// first returns frames that were put first, side by side. They stay in the ring until they
// are released.
func (r *ring) first(most int) []dataplane.Passage {
	n := r.taken.Load()
	at, waiting := int(n%ringSize), int(r.put.Load()-n)
	return r.slots[at:min(at+min(most, waiting), ringSize)]
}

// release takes so many frames out of the ring.
func (r *ring) release(n int) { r.taken.Add(uint64(n)) }
