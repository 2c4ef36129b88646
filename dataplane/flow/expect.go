package flow

import "github.com/plsim/plsim/dataplane/cache"

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
			cache.Lines(&t.slab.At(c.slot()).gen)
		}
	}
}
