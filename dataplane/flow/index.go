package flow

// index leads from the hashes of keys to what has them: cells of 8 bytes, probed
// linearly. A cell keeps 32 bits of its key's hash, which is both its home in the
// index and the proof that what it leads to is worth looking at; growing and deleting
// therefore never touch that.
type index struct {
	cells []cell // their number is a power of two
	used  int
}

// cell leads to a key. The zero cell is empty.
type cell struct {
	hash uint32
	key  uint32 // a number of whoever has it, from 1
}

const minIndex = 16

func newIndex() index { return index{cells: make([]cell, minIndex)} }

// put stores c in the first empty cell from its home on.
func (x *index) put(c cell) {
	if x.used+1 > len(x.cells)/4*3 {
		x.grow()
	}
	x.used++
	x.place(c)
}

func (x *index) place(c cell) {
	mask := uint32(len(x.cells) - 1)
	i := c.hash & mask
	for x.cells[i].key != 0 {
		i = (i + 1) & mask
	}
	x.cells[i] = c
}

// first returns the first cell with a hash, which need not be that of the key one looks
// for; the zero cell where there is none.
func (x *index) first(hash uint32) cell {
	mask := uint32(len(x.cells) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if c := x.cells[i]; c.hash == hash || c.key == 0 {
			return c
		}
	}
}

// remove takes away c, which must be there, and closes the gap, so that a deletion
// leaves no trace that later lookups would have to step over.
func (x *index) remove(c cell) {
	x.used--
	mask := uint32(len(x.cells) - 1)
	gap := c.hash & mask
	for x.cells[gap].key != c.key {
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; x.cells[i].key != 0; i = (i + 1) & mask {
		// A cell may move back into the gap unless its home lies behind it.
		if home := x.cells[i].hash & mask; (i-home)&mask >= (i-gap)&mask {
			x.cells[gap] = x.cells[i]
			gap = i
		}
	}
	x.cells[gap] = cell{}
}

func (x *index) grow() {
	old := x.cells
	x.cells = make([]cell, 2*len(old))
	for _, c := range old {
		if c.key != 0 {
			x.place(c)
		}
	}
}
