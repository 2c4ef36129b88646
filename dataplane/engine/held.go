package engine

import (
	"math/bits"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// room is how many bytes the frames under way may take: what a link of 10 Gbit/s
// holds in a fifth of a second.
const room = 256 << 20

// held are the frames that are under way on links: a heap, the next to arrive first,
// and of those that arrive at the same time the first that was sent. Their memory is
// used again and again.
type held struct {
	frames []underWay
	sent   uint64
	free   [sizes][][]byte
	made   int // bytes of memory, in use and free
}

// underWay is a frame, with its virtio-net header, that arrives at an interface.
type underWay struct {
	at    clock.Time
	order uint64
	out   dataplane.InterfaceID
	bytes []byte
}

// Memory comes in pieces of 2^minSize bytes and its multiples by two, up to what the
// longest frame needs.
const (
	minSize = 8
	maxSize = 17
	sizes   = maxSize - minSize + 1
)

// put keeps a copy of a frame until it arrives. It reports whether there was room.
func (h *held) put(at clock.Time, out dataplane.InterfaceID, f *packet.Frame) bool {
	b := h.memory(len(f.Bytes()))
	if b == nil {
		return false
	}
	copy(b, f.Bytes())
	h.sent++
	h.frames = append(h.frames, underWay{at, h.sent, out, b})
	h.rise(len(h.frames) - 1)
	return true
}

// next returns when the next frame arrives, if one is under way.
func (h *held) next() (at clock.Time, ok bool) {
	if len(h.frames) == 0 {
		return 0, false
	}
	return h.frames[0].at, true
}

// take copies the next frame to f, and returns where it arrives.
func (h *held) take(f *packet.Frame) dataplane.InterfaceID {
	first, last := h.frames[0], len(h.frames)-1
	h.frames[0], h.frames[last] = h.frames[last], underWay{}
	h.frames = h.frames[:last]
	h.sink()
	f.SetLen(copy(f.Room(), first.bytes))
	size := sizeOf(len(first.bytes))
	h.free[size] = append(h.free[size], first.bytes)
	return first.out
}

// sizeOf is the index of the smallest piece of memory that has n bytes.
func sizeOf(n int) int { return max(0, bits.Len(uint(n-1))-minSize) }

// memory returns n bytes, nil where that would be more than there is room for.
func (h *held) memory(n int) []byte {
	size := sizeOf(n)
	free := &h.free[size]
	if k := len(*free); k > 0 {
		b := (*free)[k-1]
		*free = (*free)[:k-1]
		return b[:n]
	}
	bytes := 1 << (minSize + size)
	if h.made+bytes > room {
		h.release()
	}
	if h.made+bytes > room {
		return nil
	}
	h.made += bytes
	return make([]byte, n, bytes)
}

// release gives back the memory that is free, for there may be enough of another size.
func (h *held) release() {
	for size := range h.free {
		h.made -= len(h.free[size]) << (minSize + size)
		h.free[size] = nil
	}
}

func (u *underWay) before(o *underWay) bool {
	return u.at < o.at || u.at == o.at && u.order < o.order
}

// rise moves the frame at i up to where it belongs.
func (h *held) rise(i int) {
	for i > 0 {
		up := (i - 1) / 2
		if !h.frames[i].before(&h.frames[up]) {
			return
		}
		h.frames[i], h.frames[up] = h.frames[up], h.frames[i]
		i = up
	}
}

// sink moves the first frame down to where it belongs.
func (h *held) sink() {
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < len(h.frames) && h.frames[down].before(&h.frames[least]) {
				least = down
			}
		}
		if least == i {
			return
		}
		h.frames[i], h.frames[least] = h.frames[least], h.frames[i]
		i = least
	}
}
