package flow

import (
	"math/bits"

	"github.com/plsim/plsim/dataplane/cache"
)

// Slab holds values side by side, each in a slot with a number. A value never moves:
// a *T is good until its slot is freed. The zero Slab is empty. It has one owner.
type Slab[T any] struct {
	chunks chunks[T]
	slots  uint32   // ever used: where the slab ends
	free   []uint32 // slots that were given back
}

// Len returns how many slots are in use.
func (s *Slab[T]) Len() int { return int(s.slots) - len(s.free) }

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
	s.chunks.reach(s.slots)
	s.slots++
	return s.slots - 1
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
type chunks[T any] struct {
	first []T // the first one, beyond which few have any
	all   [][]T
}

const (
	firstBits = 9 // of a slot's place in the first chunk
	shareBits = 4 // of the number of chunks that are equally long
)

// place returns the number of a slot's chunk, and the slot's place in that.
func place(slot uint32) (chunk, at uint32) {
	slot += 1 << (firstBits + shareBits) // as if there were as many chunks before the first ones
	length := uint32(bits.Len32(slot)) - shareBits - 1
	return length<<shareBits + slot>>length - (firstBits+1)<<shareBits, slot & (1<<length - 1)
}

// chunkLen returns how many slots a chunk has.
func chunkLen(chunk uint32) uint32 { return 1 << (firstBits + chunk>>shareBits) }

// at returns the value in a slot for which there is room.
func (c *chunks[T]) at(slot uint32) *T {
	if slot < uint32(len(c.first)) {
		return &c.first[slot]
	}
	chunk, at := place(slot)
	return &c.all[chunk][at]
}

// reach makes room for a slot.
func (c *chunks[T]) reach(slot uint32) {
	for chunk, _ := place(slot); chunk >= uint32(len(c.all)); {
		c.all = append(c.all, cache.Make[T](int(chunkLen(uint32(len(c.all))))))
		c.first = c.all[0]
	}
}
