package snat

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/clock"
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
// was given back comes again, but not while it rests (F2.34). Pairs do not know of
// each other, and what rests counts neither as used nor, in the end, as memory.
func TestPoolIsASetPerPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 2, 5, 30}).Draw(t, "limit")
		pool := NewPool(limit)
		used, resting := map[Pair]map[uint16]bool{}, map[Pair]map[uint16]clock.Time{}
		for n := range 3 {
			used[nthPair(n)], resting[nthPair(n)] = map[uint16]bool{}, map[uint16]clock.Time{}
		}
		var now clock.Time
		pair := rapid.Custom(func(t *rapid.T) Pair { return nthPair(rapid.IntRange(0, 2).Draw(t, "n")) })
		rnd := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, math.MaxUint64}))
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				p := pair.Draw(t, "pair")
				chance := rnd.Draw(t, "rnd")
				next, foretold := pool.Next(p, chance)
				port, ok := pool.Take(now, p, chance)
				if ok != (len(used[p]) < limit) {
					t.Fatalf("%d of %d in use, took one: %t", len(used[p]), limit, ok)
				}
				if ok != foretold || ok && port != next {
					t.Fatalf("took %d, %t; %d, %t was foretold", port, ok, next, foretold)
				}
				if !ok {
					return
				}
				if until, rests := resting[p][port]; rests && now < until {
					t.Fatalf("took %d, which rests until %v, at %v", port, until, now)
				}
				if port < FirstPort || used[p][port] {
					t.Fatalf("took %d, in use: %t", port, used[p][port])
				}
				used[p][port] = true
				delete(resting[p], port)
			},
			"pause": func(t *rapid.T) { now += clock.Time(rapid.IntRange(1, 60).Draw(t, "pause")) },
			"wake":  func(t *rapid.T) { pool.Wake(now, rapid.IntRange(0, 9).Draw(t, "steps")) },
			"release": func(t *rapid.T) {
				p := pair.Draw(t, "pair")
				ports := slices.Sorted(maps.Keys(used[p]))
				if len(ports) == 0 {
					t.Skip("none in use")
				}
				port := rapid.SampledFrom(ports).Draw(t, "port")
				delete(used[p], port)
				if rapid.Bool().Draw(t, "rest") {
					resting[p][port] = now + 60
					pool.Rest(p, port, now+60)
					return
				}
				pool.Release(p, port)
			},
			"release what is free": func(t *rapid.T) {
				p, port := pair.Draw(t, "pair"), rapid.Uint16().Draw(t, "port")
				if _, rests := resting[p][port]; !used[p][port] && !rests {
					pool.Release(p, port)
					pool.Rest(p, port, now+60)
				}
			},
			"": func(t *rapid.T) {
				for p, ports := range used {
					if n := pool.InUse(p); n != len(ports) {
						t.Fatalf("%d in use, want %d", n, len(ports))
					}
					if _, kept := pool.pairs[p]; !kept && len(ports) > 0 {
						t.Fatalf("%d in use, and nothing is known of them", len(ports))
					}
				}
			},
		})
		pool.Wake(now+60, 1<<20)
		for p, ports := range used {
			if _, kept := pool.pairs[p]; kept != (len(ports) > 0) {
				t.Fatalf("%d in use and none rests, but memory is kept: %t", len(ports), kept)
			}
		}
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
				port, ok := pool.Take(0, pair, rnd())
				if !ok || port < FirstPort || seen[port] {
					t.Fatalf("took %d, %t; before: %t", port, ok, seen[port])
				}
				seen[port] = true
			}
			if port, ok := pool.Take(0, pair, rnd()); ok {
				t.Fatalf("took %d from a full pool", port)
			}
			for port := LastPort; port >= FirstPort; port-- {
				pool.Release(pair, uint16(port))
				if got, ok := pool.Take(0, pair, rnd()); !ok || int(got) != port {
					t.Fatalf("the only free port is %d, took %d, %t", port, got, ok)
				}
			}
		})
	}
}

// F2.34: where nothing but resting ports is left they are used, in the order in
// which they came to rest; one that has rested long enough is as good as any.
func TestLongestRestFirst(t *testing.T) {
	pool, pair := NewPool(total), nthPair(0)
	rnd := rand.New(rand.NewPCG(3, 4))
	for range total {
		pool.Take(0, pair, rnd.Uint64())
	}
	rested := []uint16{4242, 1024, 64511, 2000}
	for i, port := range rested {
		pool.Rest(pair, port, clock.Time(60+i))
	}
	for _, want := range rested[:2] {
		if port, ok := pool.Take(10, pair, rnd.Uint64()); !ok || port != want {
			t.Errorf("took %d, %t; want %d", port, ok, want)
		}
	}
	pool.Release(pair, 3000)
	for _, want := range []uint16{3000, 64511} {
		if port, ok := pool.Take(20, pair, rnd.Uint64()); !ok || port != want {
			t.Errorf("took %d, %t; want %d", port, ok, want)
		}
	}
	if port, ok := pool.Take(100, pair, rnd.Uint64()); !ok || port != 2000 {
		t.Errorf("took %d, %t; want 2000, which rested until 63", port, ok)
	}
	if port, ok := pool.Take(100, pair, rnd.Uint64()); ok {
		t.Errorf("took %d, but all are in use", port)
	}
}

// F2.34: the limit is that of connections, however many ports rest: 55,000 close,
// and as many more open at once.
func TestRestIsNoUse(t *testing.T) {
	pool, pair := NewPool(0), nthPair(0)
	rnd := rand.New(rand.NewPCG(1, 2))
	var ports []uint16
	for n := range 3 {
		ports = ports[:0]
		for len(ports) < DefaultLimit {
			port, ok := pool.Take(clock.Time(n), pair, rnd.Uint64())
			if !ok {
				t.Fatalf("round %d: connection %d has no port", n, len(ports)+1)
			}
			ports = append(ports, port)
		}
		for _, port := range ports {
			pool.Rest(pair, port, 60)
		}
	}
}

// F2.30.
func TestDefaultLimit(t *testing.T) {
	pool, pair := NewPool(0), nthPair(0)
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 55000 {
		if _, ok := pool.Take(0, pair, rnd.Uint64()); !ok {
			t.Fatalf("connection %d has no port", n+1)
		}
	}
	if port, ok := pool.Take(0, pair, rnd.Uint64()); ok {
		t.Errorf("connection 55001 has port %d", port)
	}
	if _, ok := pool.Take(0, nthPair(1), rnd.Uint64()); !ok {
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
			port, _ := pool.Take(0, pair, rnd.Uint64())
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
			port, _ := pool.Take(0, pair, rnd.Uint64())
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
		x, _ := a.Take(0, nthPair(0), r)
		if y, _ := b.Take(0, nthPair(0), r); x != y {
			t.Fatalf("took %d and %d", x, y)
		}
	}
}

// Overlapping VPCs have equal addresses that are not the same node (D5).
func TestScopesAreApart(t *testing.T) {
	pool, here := NewPool(1), nthPair(0)
	there := here
	there.Scope = 9
	pool.Take(0, here, 0)
	if port, ok := pool.Take(0, there, 0); !ok || port != FirstPort {
		t.Errorf("took %d, %t", port, ok)
	}
}

// Memory follows use, and one connection after the other costs none.
func TestEmptyPairsAreDropped(t *testing.T) {
	pool := NewPool(0)
	var ports [100]uint16
	for n := range ports {
		ports[n], _ = pool.Take(0, nthPair(n), uint64(n))
	}
	for n, port := range ports {
		pool.Release(nthPair(n), port)
	}
	if len(pool.pairs) != 0 || len(pool.spare) > maxSpare {
		t.Errorf("%d pairs, %d spares are left", len(pool.pairs), len(pool.spare))
	}
	for _, u := range pool.spare {
		if u.inUse != 0 || u.resting != nil || u.listed || u.count != [numBlocks]uint16{} || u.words != [numBlocks][blockWords]uint64{} {
			t.Fatal("a spare is not clean")
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		port, _ := pool.Take(0, nthPair(1), 1<<63)
		pool.Release(nthPair(1), port)
	}); n != 0 {
		t.Errorf("a connection allocates %.0f times", n)
	}
}

func BenchmarkTakeAndRest(b *testing.B) {
	pool, pair := NewPool(0), nthPair(0)
	rnd := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for now := clock.Time(0); b.Loop(); now++ {
		port, _ := pool.Take(now, pair, rnd.Uint64())
		pool.Rest(pair, port, now+60000)
	}
}

func BenchmarkTake(b *testing.B) {
	for _, inUse := range []int{1, 50000} {
		b.Run(fmt.Sprintf("inuse=%d", inUse), func(b *testing.B) {
			pool, pair := NewPool(0), nthPair(0)
			rnd := rand.New(rand.NewPCG(1, 2))
			for range inUse {
				pool.Take(0, pair, rnd.Uint64())
			}
			b.ReportAllocs()
			for b.Loop() {
				port, _ := pool.Take(0, pair, rnd.Uint64())
				pool.Release(pair, port)
			}
		})
	}
}
