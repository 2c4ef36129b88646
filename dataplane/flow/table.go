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

// Table maps keys to values of type V. An entry has one key, or two: one for
// each direction of a connection. A value never moves: a *V is good until its
// entry is deleted. The seed must be given ([NewTable]). A table has one owner.
type Table[V any] struct{ table[[2]short, V] }

// Single is a [Table] whose entries have one key each, which costs less.
type Single[V any] struct{ table[[1]short, V] }

// NewTable returns an empty table with lines of its own.
func NewTable[V any](seed Seed) *Table[V] { return NewTableOn[V](NewLines(seed)) }

// NewTableOn returns an empty table with lines that it may share.
func NewTableOn[V any](l *Lines) *Table[V] { return &Table[V]{newTable[[2]short, V](l)} }

// NewSingle returns an empty table whose entries have one key, with lines of its own.
func NewSingle[V any](seed Seed) *Single[V] { return NewSingleOn[V](NewLines(seed)) }

// NewSingleOn returns an empty table whose entries have one key, with lines that it may
// share.
func NewSingleOn[V any](l *Lines) *Single[V] { return &Single[V]{newTable[[1]short, V](l)} }

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

// AddPair is InsertPair of two keys that no entry has, as the caller knows.
func (t *Table[V]) AddPair(forward, reply *Name, v *V) (Ref, *V) {
	if forward.Key == reply.Key {
		return t.Add(forward, v)
	}
	ref, e := t.add(v)
	t.enter(ref, e, Forward, forward)
	t.enter(ref, e, Reply, reply)
	return ref, &e.value
}

// table is what all tables are: an index that leads to a slab of entries, whose keys
// are short.
type table[K [1]short | [2]short, V any] struct {
	index index // a cell's key is 1 + 2*slot + number of the key
	slab  Slab[entry[K, V]]
	lines *Lines
	sweep int // how many slots come before the one that Sweep visits next
	len   int
}

func (c cell) slot() uint32 { return (c.key - 1) >> 1 }
func (c cell) dir() Dir     { return Dir((c.key - 1) & 1) }

type entry[K [1]short | [2]short, V any] struct {
	gen   uint32 // odd while in use
	keys  K
	value V
}

func newTable[K [1]short | [2]short, V any](l *Lines) table[K, V] {
	return table[K, V]{index: newIndex(), lines: l}
}

// Len returns the number of entries.
func (t *table[K, V]) Len() int { return t.len }

// Slots returns how many slots Sweep goes round.
func (t *table[K, V]) Slots() int { return t.slab.slots }

// Lookup finds the entry that has the key k and says which of its keys k is.
// Without such an entry it returns the zero Ref and nil.
func (t *table[K, V]) Lookup(k *Key) (Ref, *V, Dir) { return t.lookup(t.lines.hash(k), k) }

// Find is Lookup of a key that is named already.
func (t *table[K, V]) Find(n *Name) (Ref, *V, Dir) { return t.lookup(n.hash, &n.Key) }

// Has reports whether some entry has a key that is named already.
func (t *table[K, V]) Has(n *Name) bool {
	_, v, _ := t.lookup(n.hash, &n.Key)
	return v != nil
}

func (t *table[K, V]) lookup(h uint32, k *Key) (Ref, *V, Dir) {
	ref, v, dir := t.find(t.index.cells, h, k)
	if v == nil && t.index.former != nil {
		return t.find(t.index.former, h, k)
	}
	return ref, v, dir
}

// find finds the entry by some of the index's cells.
func (t *table[K, V]) find(in cells, h uint32, k *Key) (Ref, *V, Dir) {
	mask := uint32(len(in) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		c := in[i]
		if c.key == 0 {
			return Ref{}, nil, Forward
		}
		if c.hash != h {
			continue
		}
		e, dir := t.slab.At(c.slot()), c.dir()
		if t.lines.is(e.keys[dir], k) {
			return Ref{c.slot(), e.gen}, &e.value, dir
		}
	}
}

// Insert adds an entry with one key. If an entry has that key already, Insert
// returns that one and false, and nothing changes.
func (t *table[K, V]) Insert(k Key, v V) (Ref, *V, bool) { return t.insert([2]Key{k}, 1, v) }

func (t *table[K, V]) insert(keys [2]Key, n int, v V) (Ref, *V, bool) {
	for i := range n {
		if ref, old, _ := t.Lookup(&keys[i]); old != nil {
			return ref, old, false
		}
	}
	ref, e := t.add(&v)
	for i := range n {
		var name Name
		t.lines.Name(&name, &keys[i])
		t.enter(ref, e, Dir(i), &name)
	}
	return ref, &e.value, true
}

// Add is Insert of a key that no entry has, as the caller knows.
func (t *table[K, V]) Add(n *Name, v *V) (Ref, *V) {
	ref, e := t.add(v)
	t.enter(ref, e, Forward, n)
	return ref, &e.value
}

// add adds an entry without keys.
func (t *table[K, V]) add(v *V) (Ref, *entry[K, V]) {
	slot := t.slab.Take()
	e := t.slab.At(slot)
	e.value = *v
	e.gen++
	t.len++
	return Ref{slot, e.gen}, e
}

// enter gives an entry a key.
func (t *table[K, V]) enter(r Ref, e *entry[K, V], as Dir, n *Name) {
	e.keys[as] = t.lines.shorten(n)
	t.index.put(cell{n.hash, 1 + 2*r.slot + uint32(as)})
}

// At returns the value of the entry that r refers to, or nil if it was deleted.
func (t *table[K, V]) At(r Ref) *V {
	e := t.at(r)
	if e == nil {
		return nil
	}
	return &e.value
}

// Keys returns the keys of the entry that r refers to, of an entry with one key
// that key and a zero Key. It reports false if the entry was deleted.
func (t *table[K, V]) Keys(r Ref) (forward, reply Key, ok bool) {
	e := t.at(r)
	if e == nil {
		return Key{}, Key{}, false
	}
	var keys [2]Key
	for i := range len(e.keys) {
		keys[i] = t.lines.whole(e.keys[i])
	}
	return keys[Forward], keys[Reply], true
}

// Delete removes the entry that r refers to with all its keys, and reports
// whether it was there.
func (t *table[K, V]) Delete(r Ref) bool {
	e := t.at(r)
	if e == nil {
		return false
	}
	for i := range len(e.keys) {
		s := e.keys[i]
		if s.line == 0 {
			continue
		}
		k := t.lines.whole(s)
		t.index.remove(cell{t.lines.hash(&k), 1 + 2*r.slot + uint32(i)})
		t.lines.release(s)
	}
	t.len--
	*e = entry[K, V]{gen: e.gen + 1} // drops what the value points to
	t.slab.Free(r.slot)
	return true
}

// Sweep visits the next n slots, round and round, each at most once a call, and
// deletes the entries for which del says so. It spreads the search for expired
// entries over time. del may use the table.
func (t *table[K, V]) Sweep(n int, del func(Ref, *V) bool) {
	for range min(n, t.Slots()) {
		if t.sweep >= t.slab.slots {
			t.sweep = 0
		}
		slot := slotOf(t.sweep)
		t.sweep++
		e := t.slab.At(slot)
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
func (t *table[K, V]) All() iter.Seq2[Ref, *V] {
	return func(yield func(Ref, *V) bool) {
		for i := 0; i < t.slab.slots; i++ {
			slot := slotOf(i)
			e := t.slab.At(slot)
			if e.gen&1 == 1 && !yield(Ref{slot, e.gen}, &e.value) {
				return
			}
		}
	}
}

// Visit visits the entries in n slots after the first ones, of which there are [Slots]. It lets
// whoever visits all of them do so a few at a time; what changes between is visited or not.
func (t *table[K, V]) Visit(first, n int, visit func(Ref, *V)) {
	for i := first; i < min(first+n, t.Slots()); i++ {
		slot := slotOf(i)
		if e := t.slab.At(slot); e.gen&1 == 1 {
			visit(Ref{slot, e.gen}, &e.value)
		}
	}
}

// Line returns what an entry's keys have in common with others on their lines, which is
// all but the ports: that of its key, or of the forward one. It is nil if the entry was
// deleted, and must not be changed.
func (t *table[K, V]) Line(r Ref) *Key {
	e := t.at(r)
	if e == nil {
		return nil
	}
	return t.lines.keys.At(e.keys[Forward].line)
}

func (t *table[K, V]) at(r Ref) *entry[K, V] {
	if !r.Valid() || !t.slab.chunks.has(r.slot) {
		return nil
	}
	if e := t.slab.At(r.slot); e.gen == r.gen {
		return e
	}
	return nil
}
