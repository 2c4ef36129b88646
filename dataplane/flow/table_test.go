package flow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is what a Table must do, said with a Go map.
type model struct {
	table   *Table[int]
	byKey   map[Key]*want
	entries []*want
	gone    []Ref
}

type want struct {
	keys  []Key
	ref   Ref
	value *int
	n     int
}

func (m *model) insert(t *rapid.T, keys []Key, n int) {
	var old *want
	for _, k := range slices.Backward(keys) {
		if w := m.byKey[k]; w != nil {
			old = w
		}
	}
	var ref Ref
	var p *int
	var fresh bool
	if len(keys) == 1 {
		ref, p, fresh = m.table.Insert(keys[0], n)
	} else {
		ref, p, fresh = m.table.InsertPair(keys[0], keys[1], n)
	}
	if !ref.Valid() || p == nil {
		t.Fatalf("insert of %v returned nothing", keys)
	}
	if old != nil {
		if fresh || ref != old.ref || p != old.value {
			t.Fatalf("insert of %v did not return the existing entry", keys)
		}
		return
	}
	if !fresh || *p != n {
		t.Fatalf("insert of %v: value %d, new %t", keys, *p, fresh)
	}
	w := &want{keys: keys, ref: ref, value: p, n: n}
	m.entries = append(m.entries, w)
	for _, k := range keys {
		m.byKey[k] = w
	}
}

func (m *model) forget(w *want) {
	m.entries = slices.DeleteFunc(m.entries, func(x *want) bool { return x == w })
	for _, k := range w.keys {
		delete(m.byKey, k)
	}
	m.gone = append(m.gone, w.ref)
}

func (m *model) check(t *rapid.T, universe []Key) {
	if m.table.Len() != len(m.entries) {
		t.Fatalf("length is %d, want %d", m.table.Len(), len(m.entries))
	}
	for _, k := range universe {
		ref, p, dir := m.table.Lookup(&k)
		w := m.byKey[k]
		if w == nil {
			if p != nil || ref.Valid() {
				t.Fatalf("found %v, which is not there", k)
			}
			continue
		}
		if ref != w.ref || p != w.value || *p != w.n || w.keys[dir] != k {
			t.Fatalf("lookup of %v: %v %v %v, want %v", k, ref, p, dir, w)
		}
	}
	for _, w := range m.entries {
		forward, reply, ok := m.table.Keys(w.ref)
		if !ok || forward != w.keys[0] || len(w.keys) == 2 && reply != w.keys[1] || m.table.At(w.ref) != w.value {
			t.Fatalf("entry %v: keys %v %v %t", w, forward, reply, ok)
		}
	}
	for _, ref := range m.gone {
		if _, _, ok := m.table.Keys(ref); ok || m.table.At(ref) != nil || m.table.Delete(ref) {
			t.Fatalf("%v outlived its entry", ref)
		}
	}
	seen := 0
	for ref, p := range m.table.All() {
		if m.table.At(ref) != p {
			t.Fatalf("All yields %v, which is not an entry", ref)
		}
		seen++
	}
	if seen != len(m.entries) {
		t.Fatalf("All yields %d entries of %d", seen, len(m.entries))
	}
}

func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// A small universe, so that keys meet again; small tables wrap around.
		size := rapid.SampledFrom([]int{4, 11, 60, 300}).Draw(t, "universe")
		universe := make([]Key, size)
		for i := range universe {
			universe[i] = nthKey(i * 0x10001)
		}
		key := rapid.SampledFrom(universe)
		m := &model{table: NewTable[int](testSeed), byKey: make(map[Key]*want)}
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				n++
				m.insert(t, []Key{key.Draw(t, "key")}, n)
			},
			"insert pair": func(t *rapid.T) {
				n++
				a, b := key.Draw(t, "forward"), key.Draw(t, "reply")
				if a == b {
					t.Skip("one key")
				}
				m.insert(t, []Key{a, b}, n)
			},
			"delete": func(t *rapid.T) {
				if len(m.entries) == 0 {
					t.Skip("empty")
				}
				w := rapid.SampledFrom(m.entries).Draw(t, "entry")
				if !m.table.Delete(w.ref) {
					t.Fatalf("%v was not deleted", w)
				}
				m.forget(w)
			},
			"sweep": func(t *rapid.T) {
				odd := rapid.IntRange(0, 3).Draw(t, "residue")
				m.table.Sweep(rapid.IntRange(0, 2*size).Draw(t, "slots"), func(ref Ref, p *int) bool {
					i := slices.IndexFunc(m.entries, func(w *want) bool { return w.ref == ref })
					if i < 0 || m.entries[i].value != p {
						t.Fatalf("sweep visits %v, which is not an entry", ref)
					}
					if *p%4 != odd {
						return false
					}
					m.forget(m.entries[i])
					return true
				})
			},
			"": func(t *rapid.T) { m.check(t, universe) },
		})
	})
}

func TestInsertPairPrefersTheForwardKey(t *testing.T) {
	table := NewTable[string](testSeed)
	table.Insert(nthKey(1), "one")
	table.Insert(nthKey(2), "two")
	if _, v, fresh := table.InsertPair(nthKey(2), nthKey(1), "pair"); fresh || *v != "two" {
		t.Errorf("got %q, new %t", *v, fresh)
	}
	if _, v, fresh := table.InsertPair(nthKey(3), nthKey(1), "pair"); fresh || *v != "one" {
		t.Errorf("got %q, new %t", *v, fresh)
	}
	k := nthKey(3)
	if _, v, _ := table.Lookup(&k); v != nil {
		t.Errorf("a refused pair left a key behind: %q", *v)
	}
}

func TestInsertPairOfEqualKeys(t *testing.T) {
	table := NewTable[int](testSeed)
	k := nthKey(1)
	ref, _, fresh := table.InsertPair(k, k, 1)
	if _, v, dir := table.Lookup(&k); !fresh || v == nil || dir != Forward {
		t.Errorf("lookup: %v %v, new %t", v, dir, fresh)
	}
	table.Delete(ref)
	if _, v, _ := table.Lookup(&k); v != nil || table.Len() != 0 {
		t.Errorf("one deletion leaves %v, length %d", v, table.Len())
	}
}

func TestZeroRef(t *testing.T) {
	table := NewTable[int](testSeed)
	ref, _, _ := table.Insert(nthKey(1), 1)
	if !ref.Valid() || (Ref{}).Valid() || table.At(Ref{}) != nil || table.Delete(Ref{}) {
		t.Error("the zero Ref is not nothing")
	}
	if table.At(Ref{slot: 1 << 30, gen: 1}) != nil {
		t.Error("another table's Ref is not nothing")
	}
}

// Two keys may share all that a cell keeps of them.
func TestEqualHashes(t *testing.T) {
	table := NewTable[Key](testSeed)
	first := make(map[uint32]Key)
	for n := 0; ; n++ {
		b := nthKey(n * 3)
		a, met := first[table.lines.hash(&b)]
		if !met {
			first[table.lines.hash(&b)] = b
			continue
		}
		ref, _, _ := table.Insert(a, a)
		if _, v, _ := table.Lookup(&b); v != nil {
			t.Fatalf("%v found as %v", b, *v)
		}
		table.Insert(b, b)
		table.Delete(ref)
		_, v, _ := table.Lookup(&b)
		if _, gone, _ := table.Lookup(&a); v == nil || *v != b || gone != nil {
			t.Fatalf("deleting %v: it is %v, the other one %v", a, gone, v)
		}
		return
	}
}

// Values must stay where they are while the table grows: recipes point at them.
func TestValuesStay(t *testing.T) {
	table := NewTable[int](testSeed)
	var at []*int
	for n := range 5 << firstBits {
		_, p, _ := table.InsertPair(nthKey(2*n), nthKey(2*n+1), n)
		at = append(at, p)
	}
	for n, p := range at {
		k := nthKey(2*n + 1)
		if _, q, dir := table.Lookup(&k); p != q || *q != n || dir != Reply {
			t.Fatalf("value %d moved", n)
		}
	}
}

// Deletions close their gaps: after any churn a table that is empty again has
// not one cell left that a lookup would step over.
func TestChurnLeavesNothing(t *testing.T) {
	table := NewTable[int](testSeed)
	rnd := rand.New(rand.NewPCG(3, 4))
	var refs []Ref
	for n := range 50_000 {
		ref, _, _ := table.InsertPair(nthKey(2*n), nthKey(2*n+1), n)
		refs = append(refs, ref)
		if len(refs) == 500 {
			i := rnd.IntN(len(refs))
			table.Delete(refs[i])
			refs = slices.Delete(refs, i, i+1)
		}
	}
	if len(table.slab.chunks.all) != 1 || len(table.index.cells) > 2048 {
		t.Errorf("500 entries at a time took %d chunks, %d cells", len(table.slab.chunks.all), len(table.index.cells))
	}
	for _, ref := range refs {
		table.Delete(ref)
	}
	for i, c := range table.index.cells {
		if c != (cell{}) {
			t.Fatalf("cell %d is left over", i)
		}
	}
	for i, c := range table.lines.keys.index.cells {
		if c != (cell{}) {
			t.Fatalf("cell %d of the lines is left over", i)
		}
	}
	if table.index.used != 0 || table.lines.keys.Len() != 0 || table.Len() != 0 {
		t.Errorf("%d keys, %d lines, %d entries in an empty table", table.index.used, table.lines.keys.Len(), table.Len())
	}
}

// Connections between two hosts share all but their ports.
func TestKeysShareLines(t *testing.T) {
	table := NewSingle[int](testSeed)
	var refs []Ref
	for port := range uint16(1000) {
		k := nthKey(7)
		k.SrcPort, k.DstPort = port, port/10
		ref, _, _ := table.Insert(k, int(port))
		refs = append(refs, ref)
	}
	if n := table.lines.keys.Len(); n != 1 {
		t.Errorf("%d lines between two hosts", n)
	}
	for port, ref := range refs {
		if k, _, ok := table.Keys(ref); !ok || int(k.SrcPort) != port || k.Src != nthKey(7).Src {
			t.Fatalf("port %d: %v, %t", port, k, ok)
		}
		table.Delete(ref)
	}
	if n := table.lines.keys.Len(); n != 0 {
		t.Errorf("%d lines for no connection", n)
	}
}

// Deleted values must not be kept alive.
func TestDeleteDropsTheValue(t *testing.T) {
	table := NewTable[*int](testSeed)
	ref, p, _ := table.Insert(nthKey(1), new(int))
	table.Delete(ref)
	if *p != nil {
		t.Error("the slab still points to the value")
	}
}

func TestSweepGoesRound(t *testing.T) {
	table := NewTable[int](testSeed)
	for n := range 10 {
		table.Insert(nthKey(n), n)
	}
	var order []int
	visit := func(_ Ref, v *int) bool { order = append(order, *v); return false }
	for _, n := range []int{4, 4, 4, 100} {
		table.Sweep(n, visit)
	}
	want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1}
	if !slices.Equal(order, want) {
		t.Errorf("visited %v, want %v", order, want)
	}
}

func TestAllToleratesDeletion(t *testing.T) {
	table := NewTable[int](testSeed)
	for n := range 100 {
		table.Insert(nthKey(n), n)
	}
	n := 0
	for ref, v := range table.All() {
		if *v != n {
			t.Fatalf("visit %d is of %d", n, *v)
		}
		table.Delete(ref)
		if n++; n == 60 {
			break
		}
	}
	if table.Len() != 40 {
		t.Errorf("%d entries are left", table.Len())
	}
}

func TestNoAllocation(t *testing.T) {
	table := NewTable[[4]uint64](testSeed)
	for n := range 1000 {
		table.InsertPair(nthKey(2*n), nthKey(2*n+1), [4]uint64{})
	}
	hit, miss := nthKey(1001), nthKey(5000)
	for name, f := range map[string]func(){
		"hit":  func() { table.Lookup(&hit) },
		"miss": func() { table.Lookup(&miss) },
		"at": func() {
			ref, _, _ := table.Lookup(&hit)
			table.At(ref)
		},
		"churn": func() {
			ref, _, _ := table.Insert(miss, [4]uint64{})
			table.Delete(ref)
		},
		"sweep": func() { table.Sweep(10, func(Ref, *[4]uint64) bool { return false }) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %.0f times", name, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, flows := range []int{1e2, 1e4, 1e6} {
		b.Run(fmt.Sprintf("flows=%.0e", float64(flows)), func(b *testing.B) {
			table := NewTable[[8]uint64](testSeed)
			keys := make([]Key, flows)
			for n := range keys {
				keys[n] = nthKey(n)
				table.InsertPair(keys[n], keys[n].Reverse(), [8]uint64{})
			}
			rand.New(rand.NewPCG(1, 2)).Shuffle(flows, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i == flows {
					i = 0
				}
				if _, v, _ := table.Lookup(&keys[i]); v == nil {
					b.Fatal("a flow is missing")
				}
			}
		})
	}
}

func BenchmarkChurn(b *testing.B) {
	for _, flows := range []int{1e4} {
		b.Run(fmt.Sprintf("flows=%.0e", float64(flows)), func(b *testing.B) {
			table := NewTable[[8]uint64](testSeed)
			refs := make([]Ref, flows)
			for n := 0; b.Loop(); n++ {
				table.Delete(refs[n%flows])
				k := nthKey(n)
				refs[n%flows], _, _ = table.InsertPair(k, k.Reverse(), [8]uint64{})
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	k := nthKey(1)
	b.ReportAllocs()
	for b.Loop() {
		k.SrcPort = uint16(Hash(testSeed, &k))
	}
}
