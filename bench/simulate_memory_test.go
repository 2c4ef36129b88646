package bench_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/plsim/plsim/sim/simulate/host"
)

// forget gives back what benchmarks before this one have left behind, and has the kernel
// forget their peak.
func forget(tb testing.TB) {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		tb.Fatal(err)
	}
}

// bytesOf returns how much memory so many flows of a walk take, with some to spare.
func bytesOf(flows int) float64 { return float64(flows) * 700 }

// available returns how much memory the machine has to spare, in bytes.
func available(tb testing.TB) float64 {
	tb.Helper()
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			return kilobytes(tb, rest)
		}
	}
	tb.Fatal("the kernel does not say how much memory there is")
	return 0
}

// kilobytes reads a quantity in /proc as bytes.
func kilobytes(tb testing.TB, s string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(s), " kB"), 64)
	if err != nil {
		tb.Fatal(err)
	}
	return n * 1024
}

// peak returns the most memory that this process has had since [forget], in bytes.
func peak(tb testing.TB) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return kilobytes(tb, rest)
		}
	}
	tb.Fatal("the kernel does not say how much memory was used")
	return 0
}

// BenchmarkMillion opens a million connections, which stay open for more than a minute
// before they speak, and holds what is promised of them: that a packet costs about the same
// as with few. What all of them take at their peak it reports; the benchmark of the same
// name in cmd/plsim, which plays them in a process of their own, holds that.
func BenchmarkMillion(b *testing.B) {
	const flows = 1_000_000
	for b.Loop() {
		forget(b)
		few := busy.start(b)
		few.callers(b, 10_000).begin(atOnce)
		cost := few.perPacket(b)

		before := heap()
		s := busy.start(b)
		c := s.callers(b, flows)
		s.wait(b, 70*time.Second)
		grown := heap() - before - int64(len(c.conns))*int64(unsafe.Sizeof(host.Conn{})) // which are the benchmark's own
		c.begin(atOnce)
		each := s.perPacket(b)
		b.ReportMetric(float64(grown)/flows, "B/flow")
		b.ReportMetric(peak(b)/1e6, "peak-MB")
		b.ReportMetric(float64(each.Nanoseconds()), "ns/packet")
		b.ReportMetric(1/each.Seconds(), "packets/s")
		b.ReportMetric(float64(each)/float64(cost), "times-10k")
		if each > flat*cost {
			b.Errorf("a packet costs %v with a million flows and %v with ten thousand", each, cost)
		}
		runtime.KeepAlive(s)
	}
}
