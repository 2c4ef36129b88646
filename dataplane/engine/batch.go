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
type batch [batchFrames]dataplane.Passage

func newBatch() *batch {
	b := new(batch)
	for i, f := range packet.NewFrames(batchFrames) {
		b[i].Frame = f
	}
	return b
}

// receive reads frames that wait at a port, most at most. There are none only where none
// is left, or the device is gone, which the error says.
func (b *batch) receive(in dataplane.InterfaceID, port Port, most int) (came []dataplane.Passage, err error) {
	n, bytes := 0, 0
	for n < min(most, batchFrames) && bytes < batchBytes {
		f := b[n].Frame
		var ok bool
		if ok, err = port.Recv(f); err != nil || !ok {
			break
		}
		b[n].In = in
		n, bytes = n+1, bytes+len(f.Ethernet())
	}
	return b[:n], err
}
