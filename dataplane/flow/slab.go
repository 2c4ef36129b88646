package flow

// Slab holds values side by side, each in a slot with a number. A value never moves:
// a *T is good until its slot is freed. The zero Slab is empty. It has one owner.
type Slab[T any] struct {
	chunks []*[chunkLen]T
	slots  uint32   // ever used: where the slab ends
	free   []uint32 // slots that were given back
}

const (
	chunkBits = 9
	chunkLen  = 1 << chunkBits
)

// Len returns how many slots are in use.
func (s *Slab[T]) Len() int { return int(s.slots) - len(s.free) }

// At returns the value in a slot that was taken.
func (s *Slab[T]) At(slot uint32) *T { return &s.chunks[slot>>chunkBits][slot&(chunkLen-1)] }

// Take returns a slot that nobody uses, the one freed last if there is any. What is
// in it is the zero value, or what was there when it was freed.
func (s *Slab[T]) Take() uint32 {
	if last := len(s.free) - 1; last >= 0 {
		slot := s.free[last]
		s.free = s.free[:last]
		return slot
	}
	if s.slots == uint32(len(s.chunks))*chunkLen {
		s.chunks = append(s.chunks, new([chunkLen]T))
	}
	s.slots++
	return s.slots - 1
}

// Beside holds a value for each entry of a [Table], apart from the entry: what most
// lookups have no use for, and need not fetch. A value never moves. At first it is the
// zero value, and then what the slot's last entry left. The zero Beside is ready to use.
type Beside[T any] struct{ chunks []*[chunkLen]T }

// At returns the value beside the entry that r refers to, which must be there.
func (b *Beside[T]) At(r Ref) *T {
	for r.slot>>chunkBits >= uint32(len(b.chunks)) {
		b.chunks = append(b.chunks, new([chunkLen]T))
	}
	return &b.chunks[r.slot>>chunkBits][r.slot&(chunkLen-1)]
}

// Free gives back a slot that was taken.
func (s *Slab[T]) Free(slot uint32) { s.free = append(s.free, slot) }
