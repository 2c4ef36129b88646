package bench_test

import (
	"math/rand/v2"
	"time"
)

// chain is 128 MiB in which each line of the processor's cache leads to another, in one
// random circle through all of them.
type chain struct{ lines [][16]uint32 }

var loads chain

// measure returns how long a load takes that had to wait for the one before.
func (c *chain) measure() time.Duration {
	if c.lines == nil {
		c.lines = make([][16]uint32, 128<<20/64)
		order := rand.New(rand.NewPCG(5, 6)).Perm(len(c.lines))
		for i, line := range order {
			c.lines[line][0] = uint32(order[(i+1)%len(order)])
		}
	}
	const n = 100_000
	at, start := uint32(0), time.Now()
	for range n {
		at = c.lines[at][0]
	}
	elapsed := time.Since(start)
	if at >= uint32(len(c.lines)) {
		panic("the chain leads nowhere") // so that the loads are needed
	}
	return max(1, elapsed/n)
}
