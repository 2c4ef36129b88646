package bench_test

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peak returns the most memory that this process has ever had, in bytes.
func peak(tb testing.TB) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			if err != nil {
				tb.Fatal(err)
			}
			return kilobytes * 1024
		}
	}
	tb.Fatal("the kernel does not say how much memory was used")
	return 0
}

// BenchmarkMillion opens a million connections, which stay open for more than a minute.
func BenchmarkMillion(b *testing.B) {
	const flows = 1_000_000
	for b.Loop() {
		s := busy.start(b)
		before := heap()
		c := &callers{}
		s.open(b, flows, echoPort, c)
		if len(c.conns) != flows || c.ended > 0 {
			b.Fatalf("%d connections of %d, %d ended", len(c.conns), flows, c.ended)
		}
		c.conns = nil
		s.wait(b, 70*time.Second)
		most := peak(b)
		b.ReportMetric(float64(heap()-before)/flows, "B/flow")
		b.ReportMetric(most/1e6, "peak-MB")
		if most > 1e9 {
			b.Errorf("a million flows took %.0f MB at their peak", most/1e6)
		}
		runtime.KeepAlive(s)
	}
}
