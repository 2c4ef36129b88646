package flow

import (
	"testing"

	"pgregory.net/rapid"
)

// TestIndexGrowsInSteps puts and removes cells, of whose hashes many are alike, while
// the index grows: what is there is found, what is gone is not, and no step moves more
// than belongs together.
func TestIndexGrowsInSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newIndex()
		there := map[cell]bool{}
		var all []cell
		spread := rapid.SampledFrom([]uint32{7, 100, 1<<32 - 1}).Draw(t, "spread")
		for n := range uint32(rapid.IntRange(1, 600).Draw(t, "steps")) {
			if len(all) > 0 && rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x.remove(all[i])
				delete(there, all[i])
				all[i] = all[len(all)-1]
				all = all[:len(all)-1]
			} else {
				c := cell{hash: rapid.Uint32Max(spread).Draw(t, "hash"), key: n + 1}
				if c.hash%2 == 0 {
					c.hash = -c.hash // near the end, where cells go on at the beginning
				}
				x.put(c)
				there[c] = true
				all = append(all, c)
			}
			if x.used != len(there) {
				t.Fatalf("%d cells used of %d", x.used, len(there))
			}
			for c := range there {
				if first := x.first(c.hash); first.key == 0 || first.hash != c.hash {
					t.Fatalf("%v is not found", c)
				}
			}
			found := 0
			for _, in := range []cells{x.cells, x.former} {
				for _, c := range in {
					if c.key == 0 {
						continue
					}
					if !there[c] {
						t.Fatalf("%v is gone", c)
					}
					found++
				}
			}
			if found != len(there) {
				t.Fatalf("%d cells, want %d", found, len(there))
			}
		}
	})
}

// TestIndexNeverStalls: of a million keys none has to wait for all the others to move.
func TestIndexNeverStalls(t *testing.T) {
	x := newIndex()
	for i := range uint32(1 << 20) {
		before := x.left
		x.put(cell{hash: i * 0x9e3779b1, key: i + 1})
		if moved := before - x.left; before > 0 && moved > 1000 {
			t.Fatalf("key %d: %d cells were moved at once", i, moved)
		}
	}
}
