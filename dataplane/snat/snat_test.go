package snat

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/packet"
)

func nthPair(n int) Pair {
	return Pair{
		Node:       packet.Addr{10: 0xff, 11: 0xff, 12: 10, 15: 5},
		Target:     packet.Addr{10: 0xff, 11: 0xff, 12: 10, 14: byte(n >> 8), 15: byte(n)},
		TargetPort: 80,
		Proto:      packet.TCP,
	}
}

// F2.30, F2.31: no port twice, none outside the range, the limit exact, and what
// was given back comes again. Pairs do not know of each other.
func TestPoolIsASetPerPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 2, 5, 30}).Draw(t, "limit")
		pool := NewPool(limit)
		used := map[Pair]map[uint16]bool{}
		for n := range 3 {
			used[nthPair(n)] = map[uint16]bool{}
		}
		pair := rapid.Custom(func(t *rapid.T) Pair { return nthPair(rapid.IntRange(0, 2).Draw(t, "n")) })
		rnd := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, math.MaxUint64}))
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				p := pair.Draw(t, "pair")
				port, ok := pool.Take(p, rnd.Draw(t, "rnd"))
				if ok != (len(used[p]) < limit) {
					t.Fatalf("%d of %d in use, took one: %t", len(used[p]), limit, ok)
				}
				if !ok {
					return
				}
				if port < FirstPort || used[p][port] {
					t.Fatalf("took %d, in use: %t", port, used[p][port])
				}
				used[p][port] = true
			},
			"release": func(t *rapid.T) {
				p := pair.Draw(t, "pair")
				ports := slices.Sorted(maps.Keys(used[p]))
				if len(ports) == 0 {
					t.Skip("none in use")
				}
				port := rapid.SampledFrom(ports).Draw(t, "port")
				pool.Release(p, port)
				delete(used[p], port)
			},
			"release what is free": func(t *rapid.T) {
				p, port := pair.Draw(t, "pair"), rapid.Uint16().Draw(t, "port")
				if !used[p][port] {
					pool.Release(p, port)
				}
			},
			"": func(t *rapid.T) {
				for p, ports := range used {
					if n := pool.InUse(p); n != len(ports) {
						t.Fatalf("%d in use, want %d", n, len(ports))
					}
					if _, kept := pool.pairs[p]; kept != (len(ports) > 0) {
						t.Fatalf("%d in use, but memory is kept: %t", len(ports), kept)
					}
				}
			},
		})
	})
}

// The whole range can be taken, each port once, in either extreme of chance.
func TestWholeRange(t *testing.T) {
	for name, rnd := range map[string]func() uint64{
		"lowest":  func() uint64 { return 0 },
		"highest": func() uint64 { return math.MaxUint64 },
		"random":  rand.New(rand.NewPCG(1, 2)).Uint64,
	} {
		t.Run(name, func(t *testing.T) {
			pool, pair := NewPool(1<<20), nthPair(0)
			if pool.Limit() != LastPort-FirstPort+1 {
				t.Fatalf("the limit is %d", pool.Limit())
			}
			var seen [LastPort + 1]bool
			for range pool.Limit() {
				port, ok := pool.Take(pair, rnd())
				if !ok || port < FirstPort || seen[port] {
					t.Fatalf("took %d, %t; before: %t", port, ok, seen[port])
				}
				seen[port] = true
			}
			if port, ok := pool.Take(pair, rnd()); ok {
				t.Fatalf("took %d from a full pool", port)
			}
			for port := LastPort; port >= FirstPort; port-- {
				pool.Release(pair, uint16(port))
				if got, ok := pool.Take(pair, rnd()); !ok || int(got) != port {
					t.Fatalf("the only free port is %d, took %d, %t", port, got, ok)
				}
			}
		})
	}
}

// F2.30.
func TestDefaultLimit(t *testing.T) {
	pool, pair := NewPool(0), nthPair(0)
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 55000 {
		if _, ok := pool.Take(pair, rnd.Uint64()); !ok {
			t.Fatalf("connection %d has no port", n+1)
		}
	}
	if port, ok := pool.Take(pair, rnd.Uint64()); ok {
		t.Errorf("connection 55001 has port %d", port)
	}
	if _, ok := pool.Take(nthPair(1), rnd.Uint64()); !ok {
		t.Error("another target has no ports left either")
	}
}

// F2.32: no order is visible. Free ports are equally likely, also when most are
// in use.
func TestPortsAreUniform(t *testing.T) {
	for _, inUse := range []int{0, 40000} {
		pool, pair := NewPool(total), nthPair(0)
		rnd := rand.New(rand.NewPCG(5, 6))
		taken := map[uint16]bool{}
		for range inUse {
			port, _ := pool.Take(pair, rnd.Uint64())
			taken[port] = true
		}
		const buckets, draws = 64, 64 * 500
		var free, got [buckets]float64
		for port := FirstPort; port <= LastPort; port++ {
			if !taken[uint16(port)] {
				free[(port-FirstPort)*buckets/total] += draws / float64(total-inUse)
			}
		}
		for range draws {
			port, _ := pool.Take(pair, rnd.Uint64())
			got[(int(port)-FirstPort)*buckets/total]++
			pool.Release(pair, port)
		}
		chi := 0.0
		for i := range got {
			chi += (got[i] - free[i]) * (got[i] - free[i]) / free[i]
		}
		// 63 degrees of freedom: mean 63, standard deviation 11.2.
		if chi > 63+5*11.2 {
			t.Errorf("with %d in use: chi-square is %.0f", inUse, chi)
		}
	}
}

func TestSameChanceSamePort(t *testing.T) {
	a, b := NewPool(100), NewPool(100)
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		r := rnd.Uint64()
		x, _ := a.Take(nthPair(0), r)
		if y, _ := b.Take(nthPair(0), r); x != y {
			t.Fatalf("took %d and %d", x, y)
		}
	}
}

// Overlapping VPCs have equal addresses that are not the same node (D5).
func TestScopesAreApart(t *testing.T) {
	pool, here := NewPool(1), nthPair(0)
	there := here
	there.Scope = 9
	pool.Take(here, 0)
	if port, ok := pool.Take(there, 0); !ok || port != FirstPort {
		t.Errorf("took %d, %t", port, ok)
	}
}

// Memory follows use, and one connection after the other costs none.
func TestEmptyPairsAreDropped(t *testing.T) {
	pool := NewPool(0)
	var ports [100]uint16
	for n := range ports {
		ports[n], _ = pool.Take(nthPair(n), uint64(n))
	}
	for n, port := range ports {
		pool.Release(nthPair(n), port)
	}
	if len(pool.pairs) != 0 || len(pool.spare) > maxSpare {
		t.Errorf("%d pairs, %d spares are left", len(pool.pairs), len(pool.spare))
	}
	for _, u := range pool.spare {
		if *u != (portSet{}) {
			t.Fatal("a spare is not clean")
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		port, _ := pool.Take(nthPair(1), 1<<63)
		pool.Release(nthPair(1), port)
	}); n != 0 {
		t.Errorf("a connection allocates %.0f times", n)
	}
}

func BenchmarkTake(b *testing.B) {
	for _, inUse := range []int{1, 50000} {
		b.Run(fmt.Sprintf("inuse=%d", inUse), func(b *testing.B) {
			pool, pair := NewPool(0), nthPair(0)
			rnd := rand.New(rand.NewPCG(1, 2))
			for range inUse {
				pool.Take(pair, rnd.Uint64())
			}
			b.ReportAllocs()
			for b.Loop() {
				port, _ := pool.Take(pair, rnd.Uint64())
				pool.Release(pair, port)
			}
		})
	}
}
