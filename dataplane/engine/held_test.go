package engine

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// frame returns a frame of n bytes with a mark in them.
func frame(n int, mark byte) *packet.Frame {
	f := packet.NewFrame()
	f.SetEthernet(bytes.Repeat([]byte{mark}, n))
	return f
}

// TestHeld holds the heap against a sorted list: the next to arrive comes first, and
// of several at the same time the first that was sent.
func TestHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type sent struct {
			at   clock.Time
			mark byte
			size int
		}
		var h held
		var want []sent
		out := packet.NewFrame()
		for i := range rapid.IntRange(1, 200).Draw(t, "operations") {
			if len(want) > 0 && rapid.Bool().Draw(t, "take") {
				at, ok := h.next()
				to := h.take(out)
				if w := want[0]; !ok || at != w.at || to != dataplane.InterfaceID(w.mark) || !bytes.Equal(out.Ethernet(), bytes.Repeat([]byte{w.mark}, w.size)) {
					t.Fatalf("the next is %d bytes of %d at %d, want %+v", len(out.Ethernet()), to, at, w)
				}
				want = want[1:]
				continue
			}
			s := sent{clock.Time(rapid.IntRange(0, 20).Draw(t, "at")), byte(i), rapid.SampledFrom([]int{14, 245, 246, 247, 1514, 9015, 65550}).Draw(t, "size")}
			if !h.put(s.at, dataplane.InterfaceID(s.mark), frame(s.size, s.mark)) {
				t.Fatal("there is no room")
			}
			want = append(want, s)
			slices.SortStableFunc(want, func(a, b sent) int { return cmp.Compare(a.at, b.at) })
		}
		if _, ok := h.next(); ok != (len(want) > 0) {
			t.Fatalf("%d frames left", len(h.frames))
		}
	})
}

// TestHeldRoom: what has no room is refused, memory is used again, and what is left
// of one size serves another.
func TestHeldRoom(t *testing.T) {
	var h held
	long, short := frame(65_000, 1), frame(100, 2)
	held := func(f *packet.Frame) (n int) {
		for h.put(0, 0, f) {
			n++
		}
		return n
	}
	empty := func() {
		for len(h.frames) > 0 {
			h.take(packet.NewFrame())
		}
	}
	if n := held(long); n != room>>16 || h.made > room {
		t.Errorf("%d long frames in %d bytes", n, h.made)
	}
	h.take(packet.NewFrame())
	if n := held(long); n != 1 {
		t.Errorf("%d long frames more in the place of one", n)
	}
	empty()
	h.made = room - 1<<16 // no need to fill it all
	h.free = [sizes][][]byte{}
	h.free[sizeOf(1<<16)] = [][]byte{make([]byte, 1<<16)}
	h.made += 1 << 16
	if !h.put(0, 0, short) {
		t.Error("what is free of another size is not given back")
	}
	if h.made != room-1<<16+1<<minSize {
		t.Errorf("%d bytes in use", h.made)
	}
}

func TestHeldAlloc(t *testing.T) {
	var h held
	f, out := frame(1500, 1), packet.NewFrame()
	n := testing.AllocsPerRun(1000, func() {
		h.put(0, 0, f)
		h.take(out)
	})
	if n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
