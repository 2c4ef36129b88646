package bench_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// perFlow returns how many bytes of memory a walk takes for each of n flows, with all
// that stands behind them: paths, tracking at three interfaces, the load balancer's flow
// and its source port, what is counted for the logs, and the room that tables keep free.
func (s shape) perFlow(tb testing.TB, n int) float64 {
	tb.Helper()
	f, v := packet.NewFrame(), packet.View{}
	pass := func(w *dataplane.Walk, in dataplane.InterfaceID, spec *packet.Spec) dataplane.InterfaceID {
		spec.Build(f)
		out, why := w.Process(clock.Time(0), in, f)
		if why != drop.None {
			tb.Fatalf("a packet of interface %d is lost: %v", in, why)
		}
		return out
	}
	before := heap()
	w := s.walk()
	for i := range n {
		in, there := s.first(i, 80)
		out := pass(w, in, &there)
		v.Decode(f)
		back := s.answer(out, &v)
		pass(w, out, &back)
	}
	if w.Flows() != n {
		tb.Fatalf("%d flows, want %d", w.Flows(), n)
	}
	size := float64(heap()-before) / float64(n)
	runtime.KeepAlive(w)
	return size
}

// TestMemoryPerFlow holds the floor of 512 bytes a flow, everything counted, whatever
// the family.
func TestMemoryPerFlow(t *testing.T) {
	for _, s := range shapes {
		if got := s.perFlow(t, 1<<16); got > 512 {
			t.Errorf("%v: %.0f bytes a flow", s, got)
		}
	}
}

// BenchmarkMemory reports the bytes of a flow among a million.
func BenchmarkMemory(b *testing.B) {
	for _, s := range shapes {
		for _, exponent := range []int{4, 6} {
			b.Run(fmt.Sprintf("%v/flows=1e%d", s, exponent), func(b *testing.B) {
				size := 0.0
				for b.Loop() {
					size = s.perFlow(b, int(math.Pow10(exponent)))
				}
				b.ReportMetric(size, "B/flow")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
