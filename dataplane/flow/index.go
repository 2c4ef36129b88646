package flow

import "github.com/plsim/plsim/dataplane/cache"

// index leads from the hashes of keys to what has them: cells of 8 bytes, probed
// linearly. A cell keeps 32 bits of its key's hash, which is both its home in the
// index and the proof that what it leads to is worth looking at; growing and deleting
// therefore never touch that.
//
// An index of millions of cells takes a tenth of a second to grow. So cells move to the
// larger one a few at a time, as others are put there, and until then are looked for in both.
type index struct {
	cells  cells
	former cells  // what has not moved yet; nil: all has
	next   uint32 // the cell of former, an empty one, from where moving goes on
	left   int    // how many of former have to be looked at
	used   int
}

// cell leads to a key. The zero cell is empty.
type cell struct {
	hash uint32
	key  uint32 // a number of whoever has it, from 1
}

// cells are a table with linear probing. Their number is a power of two.
type cells []cell

const (
	minIndex = 16
	// moves is how many cells are looked at for each that is put: all of them long
	// before there are enough for the index to grow again.
	moves = 8
)

func newIndex() index { return index{cells: make(cells, minIndex)} }

// put stores c.
func (x *index) put(c cell) {
	if x.used+1 > len(x.cells)/4*3 {
		x.move(x.left)
		x.grow()
	}
	x.move(min(moves, x.left))
	x.used++
	x.cells.place(c)
}

// remove takes away c, which must be there.
func (x *index) remove(c cell) {
	x.used--
	if !x.cells.remove(c) {
		x.former.remove(c)
	}
}

// first returns the first cell with a hash, which need not be that of the key one looks
// for; the zero cell where there is none.
func (x *index) first(hash uint32) cell {
	c := x.cells.first(hash)
	if c.key == 0 && x.former != nil {
		c = x.former.first(hash)
	}
	return c
}

// grow makes room for twice as many cells, without moving those that there are.
func (x *index) grow() {
	x.former, x.left, x.next = x.cells, len(x.cells), 0
	x.cells = cache.Make[cell](2 * len(x.former))
	for x.former[x.next].key != 0 {
		x.next++
	}
}

// move looks at the next n cells and those after them that are not empty, and moves them.
// What belongs together, since it has pushed each other from home, so moves together.
func (x *index) move(n int) {
	mask := uint32(len(x.former) - 1)
	for ; x.left > 0 && (n > 0 || x.former[x.next].key != 0); n-- {
		if c := &x.former[x.next]; c.key != 0 {
			x.cells.place(*c)
			*c = cell{}
		}
		x.next = (x.next + 1) & mask
		x.left--
	}
	if x.left == 0 {
		x.former = nil
	}
}

// place stores c in the first empty cell from its home on.
func (t cells) place(c cell) {
	mask := uint32(len(t) - 1)
	i := c.hash & mask
	for t[i].key != 0 {
		i = (i + 1) & mask
	}
	t[i] = c
}

// first returns the first cell with a hash.
func (t cells) first(hash uint32) cell {
	mask := uint32(len(t) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if c := t[i]; c.hash == hash || c.key == 0 {
			return c
		}
	}
}

// remove takes away c, if it is there, and closes the gap, so that a deletion leaves no
// trace that later lookups would have to step over.
func (t cells) remove(c cell) bool {
	mask := uint32(len(t) - 1)
	gap := c.hash & mask
	for ; t[gap].key != c.key; gap = (gap + 1) & mask {
		if t[gap].key == 0 {
			return false
		}
	}
	for i := (gap + 1) & mask; t[i].key != 0; i = (i + 1) & mask {
		// A cell may move back into the gap unless its home lies behind it.
		if home := t[i].hash & mask; (i-home)&mask >= (i-gap)&mask {
			t[gap] = t[i]
			gap = i
		}
	}
	t[gap] = cell{}
	return true
}
