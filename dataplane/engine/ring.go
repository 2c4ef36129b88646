package engine

import (
	"sync/atomic"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// ring passes frames from one worker to the first one, in their order. One goroutine
// puts and one takes.
type ring struct {
	slots [ringSize]handed
	_     [64]byte // each count has a line of the processor's cache to itself
	put   atomic.Uint64
	_     [56]byte
	taken atomic.Uint64
	_     [56]byte
}

// ringSize is how many frames a ring holds; a power of two.
const ringSize = 128

// handed is a frame that came from the device of an interface.
type handed struct {
	in dataplane.InterfaceID
	f  *packet.Frame
}

func newRing() *ring {
	r := new(ring)
	for i := range r.slots {
		r.slots[i].f = packet.NewFrame()
	}
	return r
}

// room returns how many more frames the ring takes.
func (r *ring) room() int { return ringSize - int(r.put.Load()-r.taken.Load()) }

// hand puts a frame into the ring, which has room, and returns another for it.
func (r *ring) hand(in dataplane.InterfaceID, f *packet.Frame) *packet.Frame {
	n := r.put.Load()
	s := &r.slots[n%ringSize]
	f, s.f, s.in = s.f, f, in
	r.put.Store(n + 1)
	return f
}

// empty reports whether all frames were taken.
func (r *ring) empty() bool { return r.put.Load() == r.taken.Load() }

// first returns the frames that were put first, as many as all has room for at most. They
// stay in the ring until release.
func (r *ring) first(all []handed) []handed {
	n := r.taken.Load()
	waiting := int(r.put.Load() - n)
	all = all[:min(len(all), waiting)]
	for i := range all {
		all[i] = r.slots[(n+uint64(i))%ringSize]
	}
	return all
}

// release takes so many frames out of the ring.
func (r *ring) release(n int) { r.taken.Add(uint64(n)) }
