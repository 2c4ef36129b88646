package flow

import "iter"

// Ref is a lasting reference to an entry of a table. It does not keep the entry
// alive: once the entry is deleted it refers to nothing, also when the memory
// has another entry by then. The zero Ref refers to nothing.
type Ref struct {
	slot uint32
	gen  uint32 // odd: an entry's; even: nobody's
}

// Valid reports whether r has ever referred to an entry.
func (r Ref) Valid() bool { return r.gen&1 == 1 }

const (
	chunkBits = 9
	chunkLen  = 1 << chunkBits
	minIndex  = 16
)

// Table maps keys to values of type V. An entry has one key, or two: one for
// each direction of a connection. A value never moves: a *V is good until its
// entry is deleted. The seed must be given ([NewTable]). A table has one owner.
//
// An index of 8-byte cells, probed linearly, leads to a slab of entries. A cell
// keeps 32 bits of its key's hash, which is both its home in the index and the
// proof that an entry is worth looking at; growing and deleting therefore never
// touch the entries.
type Table[V any] struct {
	seed   Seed
	index  []cell // its length is a power of two
	used   int    // cells in use: the number of keys
	chunks []*[chunkLen]entry[V]
	slots  uint32 // slots ever used: where the slab ends
	free   uint32 // first free slot, plus 1; 0: none
	sweep  uint32 // the slot that Sweep visits next
	len    int
}

// cell leads to a key. The zero cell is empty.
type cell struct {
	hash uint32
	key  uint32 // 1 + 2*slot + number of the key
}

func (c cell) slot() uint32 { return (c.key - 1) >> 1 }
func (c cell) dir() Dir     { return Dir((c.key - 1) & 1) }

type entry[V any] struct {
	keys  [2]Key
	gen   uint32 // odd while in use
	next  uint32 // while free: the next free slot, plus 1
	nkeys uint8
	value V
}

// NewTable returns an empty table.
func NewTable[V any](seed Seed) *Table[V] {
	return &Table[V]{seed: seed, index: make([]cell, minIndex)}
}

// Len returns the number of entries.
func (t *Table[V]) Len() int { return t.len }

// Slots returns how many slots [Table.Sweep] goes round.
func (t *Table[V]) Slots() int { return int(t.slots) }

// Lookup finds the entry that has the key k and says which of its keys k is.
// Without such an entry it returns the zero Ref and nil.
func (t *Table[V]) Lookup(k *Key) (Ref, *V, Dir) {
	h := t.hash(k)
	mask := uint32(len(t.index) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		c := t.index[i]
		if c.key == 0 {
			return Ref{}, nil, Forward
		}
		if c.hash != h {
			continue
		}
		e, dir := t.entry(c.slot()), c.dir()
		if e.keys[dir] == *k {
			return Ref{c.slot(), e.gen}, &e.value, dir
		}
	}
}

// Insert adds an entry with one key. If an entry has that key already, Insert
// returns that one and false, and nothing changes.
func (t *Table[V]) Insert(k Key, v V) (Ref, *V, bool) {
	return t.insert([2]Key{k}, 1, v)
}

// InsertPair adds an entry with two keys, such that a lookup of forward says
// [Forward] and one of reply says [Reply]. If an entry has one of the keys
// already, InsertPair returns that one (of two, the one with the key forward)
// and false, and nothing changes. Two equal keys are as good as one.
func (t *Table[V]) InsertPair(forward, reply Key, v V) (Ref, *V, bool) {
	if forward == reply {
		return t.Insert(forward, v)
	}
	return t.insert([2]Key{forward, reply}, 2, v)
}

func (t *Table[V]) insert(keys [2]Key, n int, v V) (Ref, *V, bool) {
	for i := range n {
		if ref, old, _ := t.Lookup(&keys[i]); old != nil {
			return ref, old, false
		}
	}
	for t.used+n > len(t.index)/4*3 {
		t.grow()
	}
	slot := t.take()
	e := t.entry(slot)
	e.keys, e.nkeys, e.value = keys, uint8(n), v
	e.gen++
	for i := range n {
		t.put(cell{t.hash(&keys[i]), 1 + 2*slot + uint32(i)})
	}
	t.used += n
	t.len++
	return Ref{slot, e.gen}, &e.value, true
}

// At returns the value of the entry that r refers to, or nil if it was deleted.
func (t *Table[V]) At(r Ref) *V {
	e := t.at(r)
	if e == nil {
		return nil
	}
	return &e.value
}

// Keys returns the keys of the entry that r refers to, of an entry with one key
// that key and a zero Key. It reports false if the entry was deleted.
func (t *Table[V]) Keys(r Ref) (forward, reply Key, ok bool) {
	e := t.at(r)
	if e == nil {
		return Key{}, Key{}, false
	}
	return e.keys[Forward], e.keys[Reply], true
}

// Delete removes the entry that r refers to with all its keys, and reports
// whether it was there.
func (t *Table[V]) Delete(r Ref) bool {
	e := t.at(r)
	if e == nil {
		return false
	}
	for i := range uint32(e.nkeys) {
		t.remove(t.hash(&e.keys[i]), 1+2*r.slot+i)
	}
	t.used -= int(e.nkeys)
	t.len--
	*e = entry[V]{gen: e.gen + 1, next: t.free} // drops what the value points to
	t.free = r.slot + 1
	return true
}

// Sweep visits the next n slots, round and round, each at most once a call, and
// deletes the entries for which del says so. It spreads the search for expired
// entries over time. del may use the table.
func (t *Table[V]) Sweep(n int, del func(Ref, *V) bool) {
	for range min(n, int(t.slots)) {
		if t.sweep >= t.slots {
			t.sweep = 0
		}
		slot := t.sweep
		t.sweep++
		e := t.entry(slot)
		if e.gen&1 == 0 {
			continue
		}
		if ref := (Ref{slot, e.gen}); del(ref, &e.value) {
			t.Delete(ref)
		}
	}
}

// All visits all entries, in an order that depends only on the calls that made
// the table. The body of the loop may use the table; whether it meets entries
// that it inserted is open.
func (t *Table[V]) All() iter.Seq2[Ref, *V] {
	return func(yield func(Ref, *V) bool) {
		for slot := uint32(0); slot < t.slots; slot++ {
			e := t.entry(slot)
			if e.gen&1 == 1 && !yield(Ref{slot, e.gen}, &e.value) {
				return
			}
		}
	}
}

func (t *Table[V]) hash(k *Key) uint32 { return uint32(Hash(t.seed, k) >> 32) }

func (t *Table[V]) entry(slot uint32) *entry[V] {
	return &t.chunks[slot>>chunkBits][slot&(chunkLen-1)]
}

func (t *Table[V]) at(r Ref) *entry[V] {
	if !r.Valid() || r.slot >= t.slots {
		return nil
	}
	if e := t.entry(r.slot); e.gen == r.gen {
		return e
	}
	return nil
}

// take returns a free slot, the one freed last if there is any.
func (t *Table[V]) take() uint32 {
	if t.free != 0 {
		slot := t.free - 1
		t.free = t.entry(slot).next
		return slot
	}
	if t.slots == uint32(len(t.chunks))*chunkLen {
		t.chunks = append(t.chunks, new([chunkLen]entry[V]))
	}
	t.slots++
	return t.slots - 1
}

// put stores c in the first empty cell from its home on.
func (t *Table[V]) put(c cell) {
	mask := uint32(len(t.index) - 1)
	i := c.hash & mask
	for t.index[i].key != 0 {
		i = (i + 1) & mask
	}
	t.index[i] = c
}

// remove takes away the cell of a key and closes the gap, so that a deletion
// leaves no trace that later lookups would have to step over.
func (t *Table[V]) remove(hash, key uint32) {
	mask := uint32(len(t.index) - 1)
	gap := hash & mask
	for t.index[gap].key != key {
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; t.index[i].key != 0; i = (i + 1) & mask {
		// A cell may move back into the gap unless its home lies behind it.
		if home := t.index[i].hash & mask; (i-home)&mask >= (i-gap)&mask {
			t.index[gap] = t.index[i]
			gap = i
		}
	}
	t.index[gap] = cell{}
}

func (t *Table[V]) grow() {
	old := t.index
	t.index = make([]cell, 2*len(old))
	for _, c := range old {
		if c.key != 0 {
			t.put(c)
		}
	}
}
