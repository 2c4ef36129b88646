package flow

import (
	"github.com/plsim/plsim/dataplane/cache"
	"github.com/plsim/plsim/dataplane/packet"
)

// Ahead is how many keys [Table.Expect] takes at once: no processor waits for more
// memory than that at a time.
const Ahead = 32

// Expect fetches into the processor's cache what lookups of some keys will need, of the
// first [Ahead] keys. It changes nothing.
//
// A lookup goes from the index to an entry, and cannot know which before the index
// has come from memory. So each step is taken for all keys before the next one is for any,
// and they all come at the same time.
func (t *table[K, V]) Expect(keys []Key) {
	keys = keys[:min(len(keys), Ahead)]
	var hashes [Ahead]uint32
	mask := uint32(len(t.index.cells) - 1)
	for i := range keys {
		hashes[i] = t.lines.hash(&keys[i])
		cache.Line(&t.index.cells[hashes[i]&mask].hash)
	}
	for _, h := range hashes[:len(keys)] {
		if c := t.index.first(h); c.key != 0 {
			cache.Pair(&t.slab.At(c.slot()).gen)
		}
	}
}

// Hash returns the hash of the key of a packet's words within a scope, by which
// [Table.Likely] finds what has it.
func (t *table[K, V]) Hash(s Scope, w *packet.Words) uint32 {
	return uint32(HashWords(t.lines.seed, s, w) >> 32)
}

// ExpectHash fetches what Likely will need of the index.
func (t *table[K, V]) ExpectHash(hash uint32) {
	cells := t.index.cells
	cache.Line(&cells[hash&uint32(len(cells)-1)].hash)
}

// ExpectName fetches what Find will need of the index, and Add.
func (t *table[K, V]) ExpectName(n *Name) { t.ExpectHash(n.hash) }

// Likely returns the value of the entry that most likely has a key with a hash, as the key of
// a direction. It looks no further than at the first one whose key has the same hash, and not
// at the key: whoever asks must prove it.
func (t *table[K, V]) Likely(hash uint32) (*V, Dir) {
	e, dir := t.likely(hash)
	if e == nil {
		return nil, dir
	}
	return &e.value, dir
}

// ExpectLikely is Likely, and fetches the entry.
func (t *table[K, V]) ExpectLikely(hash uint32) (*V, Dir) {
	e, dir := t.likely(hash)
	if e == nil {
		return nil, dir
	}
	cache.Pair(&e.gen)
	return &e.value, dir
}

func (t *table[K, V]) likely(hash uint32) (*entry[K, V], Dir) {
	c := t.index.first(hash)
	if c.key == 0 {
		return nil, Forward
	}
	return t.slab.At(c.slot()), c.dir()
}
