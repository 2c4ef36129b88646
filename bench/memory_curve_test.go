package bench_test

import (
	"fmt"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
)

// BenchmarkCurve is what a packet costs while ten thousand flows stand, against the size of
// all else, one thing at a time: the rules of every interface's groups, the targets of the
// load balancer, the endpoints that lead to it, and instances beside. BenchmarkWalk is the
// same against flows.
func BenchmarkCurve(b *testing.B) {
	for _, c := range []struct {
		of    string
		set   func(l *memoryLab, n int)
		sizes []int
	}{
		{"rules", func(l *memoryLab, n int) { l.rules = n }, []int{1, 10, 100, 1000}},
		{"targets", func(l *memoryLab, n int) { l.targets = n }, []int{1, 10, 100, 1000}},
		{"endpoints", func(l *memoryLab, n int) { l.endpoints = n }, []int{1, 10, 100, 1000}},
		{"instances", func(l *memoryLab, n int) { l.beside = n }, []int{1, 100, 1000, 10_000}},
	} {
		for _, n := range c.sizes {
			b.Run(fmt.Sprintf("%s=%d", c.of, n), func(b *testing.B) {
				l := shapes[0].lab(1e4)
				c.set(&l, n)
				crowd := l.crowd()
				b.Run("packet=hit", func(b *testing.B) { crowd.hit(b, 32) })
				b.Run("packet=miss", func(b *testing.B) { crowd.miss(b, 80, drop.None) })
			})
		}
	}
}
