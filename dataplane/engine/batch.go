package engine

import (
	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

const (
	// batchFrames is how many frames are read before the first of them is forwarded:
	// enough for the walk to wait for their flows' memory all at once.
	batchFrames = 16
	// batchBytes ends a batch of long frames, which would drive each other out of
	// the cache between being read and being sent.
	batchBytes = 1 << 14
)

// batch is frames that waited at one port, in their order. Their memory is used again
// and again.
type batch struct {
	frames   [batchFrames]*packet.Frame
	arrivals [batchFrames]dataplane.Arrival
}

func newBatch() *batch {
	b := new(batch)
	for i := range b.frames {
		b.frames[i] = packet.NewFrame()
	}
	return b
}

// receive reads frames that wait at a port, most at most, and tells the walk of them.
// It returns none only where none is left, or no port.
func (e *Engine) receive(in dataplane.InterfaceID, b *batch, most int) []*packet.Frame {
	n, bytes := 0, 0
	for n < min(most, batchFrames) && bytes < batchBytes && e.ports[in] != nil {
		f := b.frames[n]
		ok, err := e.ports[in].Recv(f)
		if err != nil {
			e.detach(in)
		}
		if err != nil || !ok {
			break
		}
		b.arrivals[n] = dataplane.Arrival{In: in, Ethernet: f.Ethernet()}
		n, bytes = n+1, bytes+len(f.Ethernet())
	}
	if n > 1 {
		e.walk.Expect(b.arrivals[:n])
	}
	return b.frames[:n]
}
