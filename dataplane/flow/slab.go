package flow

import (
	"math/bits"

	"github.com/plsim/plsim/dataplane/cache"
)

// Slab holds values side by side, each in a slot with a number. A value never moves:
// a *T is good until its slot is freed. The zero Slab is empty. It has one owner.
type Slab[T any] struct {
	chunks chunks[T]
	slots  int      // how many were ever used
	free   []uint32 // those that were given back
}

// Len returns how many slots are in use.
func (s *Slab[T]) Len() int { return s.slots - len(s.free) }

// At returns the value in a slot that was taken.
func (s *Slab[T]) At(slot uint32) *T { return s.chunks.at(slot) }

// Take returns a slot that nobody uses, the one freed last if there is any. What is
// in it is the zero value, or what was there when it was freed.
func (s *Slab[T]) Take() uint32 {
	if last := len(s.free) - 1; last >= 0 {
		slot := s.free[last]
		s.free = s.free[:last]
		return slot
	}
	slot := slotOf(s.slots)
	s.chunks.reach(slot)
	s.slots++
	return slot
}

// Free gives back a slot that was taken.
func (s *Slab[T]) Free(slot uint32) { s.free = append(s.free, slot) }

// Beside holds a value for each entry of a [Table], apart from the entry: what most
// lookups have no use for, and need not fetch. A value never moves. At first it is the
// zero value, and then what the slot's last entry left. The zero Beside is ready to use.
type Beside[T any] struct{ chunks chunks[T] }

// At returns the value beside the entry that r refers to, which must be there.
func (b *Beside[T]) At(r Ref) *T {
	b.chunks.reach(r.slot)
	return b.chunks.at(r.slot)
}

// chunks are where values are, by the numbers of their slots. So that few lead to many, they
// grow with what there is: each is at most an eighth of all before it, but the first ones,
// which are equally long. Slices, since with pointers to arrays Go would look at the first
// value of a chunk, to know that the pointer is not nil, and wait for it.
type chunks[T any] struct{ all [][]T }

// A slot's number is that of its chunk and its place in that, so that they need not be worked
// out: where a chunk ends before there is no more room for places, numbers are left out.
const (
	firstBits = 9  // of a slot's place in the first chunk, and
	placeBits = 20 // in the longest ones
	shareBits = 4  // of the number of chunks that are equally long
)

// slotOf returns the number of the slot that is used after so many others.
func slotOf(others int) uint32 {
	n := uint32(others) + 1<<(firstBits+shareBits) // as if there were as many chunks before the first ones
	length := min(uint32(bits.Len32(n))-shareBits-1, placeBits)
	chunk := length<<shareBits + n>>length - (firstBits+1)<<shareBits
	return chunk<<placeBits | n&(1<<length-1)
}

// chunkLen returns how many slots a chunk has.
func chunkLen(chunk uint32) uint32 { return 1 << min(firstBits+chunk>>shareBits, placeBits) }

// at returns the value in a slot for which there is room.
func (c *chunks[T]) at(slot uint32) *T {
	return &c.all[slot>>placeBits][slot&(1<<placeBits-1)]
}

// has reports whether there is room for a slot.
func (c *chunks[T]) has(slot uint32) bool {
	chunk := slot >> placeBits
	return chunk < uint32(len(c.all)) && slot&(1<<placeBits-1) < uint32(len(c.all[chunk]))
}

// reach makes room for a slot.
func (c *chunks[T]) reach(slot uint32) {
	for slot>>placeBits >= uint32(len(c.all)) {
		c.all = append(c.all, cache.Make[T](int(chunkLen(uint32(len(c.all))))))
	}
}
