package flow

import (
	"github.com/plsim/plsim/dataplane/cache"
	"github.com/plsim/plsim/dataplane/packet"
)

// Ahead is how many keys [Table.Expect] takes at once: no processor waits for more
// memory than that at a time.
const Ahead = 32

// Few is how many keys are at one step of their way through a table at a time. With those
// that are behind, each waits for three lines of memory, and no processor waits for many more
// than two dozen at once.
const Few = 8

// Expect fetches into the processor's cache what lookups of some keys will need, of the
// first [Ahead] keys. It changes nothing.
func (t *table[K, V]) Expect(keys []Key) {
	keys = keys[:min(len(keys), Ahead)]
	var hashes [Ahead]uint32
	for i := range keys {
		hashes[i] = t.lines.hash(&keys[i])
	}
	t.ExpectHashes(hashes[:len(keys)])
	var likely [Few]Likely[V]
	for left := hashes[:len(keys)]; len(left) > 0; left = left[min(len(left), Few):] {
		t.ExpectLikely(left[:min(len(left), Few)], likely[:])
	}
}

// Lines returns the lines of the table's keys.
func (t *table[K, V]) Lines() *Lines { return t.lines }

// Hash returns the hash of the key of a packet's words within a scope.
func (l *Lines) Hash(s Scope, w *packet.Words) uint32 {
	return uint32(l.lanes.words(s, w) >> 32)
}

// Likely is the value of the entry that most likely has a key, as the key of a direction;
// a nil one is that of none. Whoever asks must prove it.
type Likely[V any] struct {
	Value *V
	Dir   Dir
}

// Likely finds the value that most likely has a key with a hash. It looks no further than at
// the first one whose key has the same hash, and not at the key.
func (t *table[K, V]) Likely(hash uint32) Likely[V] {
	c := t.index.first(hash)
	if c.key == 0 {
		return Likely[V]{}
	}
	return Likely[V]{&t.slab.At(c.slot()).value, c.dir()}
}

// ExpectHashes fetches what Likely will need of the index for some hashes.
//
// The way goes from the index to an entry, and nobody knows which before the index has come
// from memory. So whoever has several at hand asks for what the index says of all, then for
// the entries of all, with something to do in between at best.
func (t *table[K, V]) ExpectHashes(hashes []uint32) {
	cells := t.index.cells
	cache.Cells(&cells[0].hash, uint32(len(cells)-1), hashes)
}

// ExpectLikely is Likely of some hashes, [Few] of them at most, and fetches what it finds
// into the processor's cache. It reports whether it has found one for each.
func (t *table[K, V]) ExpectLikely(hashes []uint32, found []Likely[V]) (all bool) {
	hashes = hashes[:min(len(hashes), Few)]
	found = found[:len(hashes)]
	var at [Few]*uint32
	n := 0
	for i, h := range hashes {
		c := t.index.cells.first(h) // in line, as index.first is a call
		if c.key == 0 {
			if c = t.index.first(h); c.key == 0 {
				found[i] = Likely[V]{}
				continue
			}
		}
		e := t.slab.At(c.slot())
		at[n&(Few-1)], found[i] = &e.gen, Likely[V]{&e.value, c.dir()}
		n++
	}
	cache.Pairs(at[:min(n, Few)])
	return n == len(hashes)
}

// ExpectHash fetches what Likely will need of the index.
func (t *table[K, V]) ExpectHash(hash uint32) {
	cells := t.index.cells
	cache.Line(&cells[hash&uint32(len(cells)-1)].hash)
}

// ExpectName fetches what Find will need of the index, and Add.
func (t *table[K, V]) ExpectName(n *Name) {
	t.ExpectHash(n.hash)
}
