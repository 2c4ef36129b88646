package flow

// Shared holds values that many have in common: each once, as long as somebody uses
// it, under a number from 1. A value does not move. The zero Shared is empty. It has
// one owner.
type Shared[T comparable] struct {
	index index           // by hash; a cell's key is the number
	slab  Slab[shared[T]] // by number; nobody has slot 0
	first []shared[T]     // the slab's first chunk, beyond which few have any
	born  uint32
}

type shared[T comparable] struct {
	value T
	hash  uint32
	users uint32
	born  uint32 // how many values have begun to be shared before, in all
}

// Mark refers to a value that was shared, as long as it is so without a break.
type Mark struct{ number, born uint32 }

// Use returns the number of a value with a hash, for one more user. Equal values must
// come with equal hashes.
func (s *Shared[T]) Use(v *T, hash uint64) uint32 {
	return s.use(v, uint32(hash>>32))
}

func (s *Shared[T]) use(v *T, h uint32) uint32 {
	if s.index.cells == nil {
		s.index = newIndex()
		s.slab.Take()
		s.first = s.slab.chunks.all[0]
	}
	number := s.find(s.index.cells, h, v)
	if number == 0 && s.index.former != nil {
		number = s.find(s.index.former, h, v)
	}
	if number != 0 {
		s.slab.At(number).users++
		return number
	}
	number = s.slab.Take()
	s.born++
	*s.slab.At(number) = shared[T]{*v, h, 1, s.born}
	s.index.put(cell{h, number})
	return number
}

// find returns the number of a value with a hash by some of the index's cells, or 0.
func (s *Shared[T]) find(in cells, h uint32, v *T) uint32 {
	mask := uint32(len(in) - 1)
	for i := h & mask; in[i].key != 0; i = (i + 1) & mask {
		if c := in[i]; c.hash == h && s.slab.At(c.key).value == *v {
			return c.key
		}
	}
	return 0
}

// Mark returns a mark of the value with a number, which has users.
func (s *Shared[T]) Mark(number uint32) Mark { return Mark{number, s.slab.At(number).born} }

// Has reports whether the value with a mark has had users ever since. The zero Mark is of
// none.
func (s *Shared[T]) Has(m Mark) bool {
	return m.number != 0 && s.slab.At(m.number).born == m.born
}

// UseAgain returns the number of a value with a mark, which has users, for one more.
func (s *Shared[T]) UseAgain(m Mark) uint32 {
	s.slab.At(m.number).users++
	return m.number
}

// At returns the value with a number, which has users. It must not be changed.
func (s *Shared[T]) At(number uint32) *T {
	if int(number) < len(s.first) {
		return &s.first[number].value
	}
	return &s.slab.At(number).value
}

// Release says that a user of a number needs it no more.
func (s *Shared[T]) Release(number uint32) {
	at := s.slab.At(number)
	if at.users--; at.users > 0 {
		return
	}
	s.index.remove(cell{at.hash, number})
	*at = shared[T]{} // drops what the value points to
	s.slab.Free(number)
}

// Users returns how many users a number has.
func (s *Shared[T]) Users(number uint32) int { return int(s.slab.At(number).users) }

// Len returns how many values have users.
func (s *Shared[T]) Len() int { return s.index.used }
