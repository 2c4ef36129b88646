package bench_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// pps reports packets per second of one core.
func pps(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pps") }

// BenchmarkCopy is what the others spend to put a packet into the frame: the
// generator's share.
func BenchmarkCopy(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			f, p := packet.NewFrame(), s.firsts(1, 80)[0]
			b.ReportAllocs()
			for b.Loop() {
				f.SetEthernet(p.frame)
			}
			pps(b)
		})
	}
}

// BenchmarkDecode reads a packet and verifies its checksums.
func BenchmarkDecode(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			f, p := packet.NewFrame(), s.firsts(1, 80)[0]
			f.SetEthernet(p.frame)
			var v packet.View
			b.ReportAllocs()
			for b.Loop() {
				if why := v.Decode(f); why != drop.None {
					b.Fatal(why)
				}
			}
			pps(b)
		})
	}
}

// BenchmarkHit forwards packets of established flows: decode, look up, count,
// rewrite. The flows take turns in random order. In batches, the walk is told of so many
// packets before it gets the first of them. loads/op is what a packet takes in loads from
// memory that wait for each other, measured beside it.
func BenchmarkHit(b *testing.B) {
	for _, s := range shapes {
		for _, exponent := range []int{0, 4, 6} {
			b.Run(fmt.Sprintf("%v/flows=1e%d", s, exponent), func(b *testing.B) {
				flows := int(math.Pow10(exponent))
				before := heap()
				w := s.walk()
				packets := s.establish(b, w, flows)
				perFlow := float64(heap()-before)/float64(flows) - sentSize
				for _, batch := range []int{1, 32} {
					b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
						hit(b, w, packets, batch)
						if exponent == 6 { // with fewer, other things weigh more
							b.ReportMetric(perFlow, "B/flow")
						}
					})
				}
			})
		}
	}
}

func hit(b *testing.B, w *dataplane.Walk, packets []sent, batch int) {
	f, soon := packet.NewFrame(), make([]dataplane.Arrival, batch)
	i, told := 0, 0 // packets forwarded; and told of, modulo their number
	b.ReportAllocs()
	for b.Loop() {
		if batch > 1 && i%batch == 0 {
			for n := range soon {
				soon[n] = dataplane.Arrival{In: packets[told].in, Ethernet: packets[told].frame}
				told = (told + 1) % len(packets)
			}
			w.Expect(soon)
		}
		p := &packets[i%len(packets)]
		i++
		f.SetEthernet(p.frame)
		if _, why := w.Process(clock.Time(1), p.in, f); why != drop.None {
			b.Fatal(why)
		}
	}
	pps(b)
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(loads.measure()), "loads/op")
}

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

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkMiss forwards the first packets of flows: all decisions, with both
// directions installed. The tables begin empty and grow, time and again.
func BenchmarkMiss(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			packets := s.firsts(1<<16, 80)
			w, f, i := s.walk(), packet.NewFrame(), 0
			b.ReportAllocs()
			for b.Loop() {
				if i == len(packets) {
					b.StopTimer()
					w, i = s.walk(), 0
					b.StartTimer()
				}
				f.SetEthernet(packets[i].frame)
				if _, why := w.Process(clock.Time(1), packets[i].in, f); why != drop.None {
					b.Fatal(why)
				}
				i++
			}
			pps(b)
		})
	}
}

// BenchmarkDrop refuses packets: by their checksum, by the known verdict on their
// flow, and by a new one on each.
func BenchmarkDrop(b *testing.B) {
	for _, s := range shapes {
		for _, c := range []struct {
			name  string
			flows int
			port  uint16
			want  drop.Reason
		}{
			{"known", 1, 443, drop.SecurityGroupIngress},
			{"new", 1 << 16, 443, drop.SecurityGroupIngress},
		} {
			b.Run(fmt.Sprintf("%v/reason=%v/verdict=%s", s, c.want, c.name), func(b *testing.B) {
				packets := s.firsts(c.flows, c.port)
				drops(b, s, packets, c.want)
			})
		}
		b.Run(fmt.Sprintf("%v/reason=%v", s, drop.BadTransportChecksum), func(b *testing.B) {
			packets := s.firsts(1, 80)
			packets[0].frame[len(packets[0].frame)-1] ^= 1
			drops(b, s, packets, drop.BadTransportChecksum)
		})
	}
}

func drops(b *testing.B, s shape, packets []sent, want drop.Reason) {
	w, f, i := s.walk(), packet.NewFrame(), 0
	b.ReportAllocs()
	for b.Loop() {
		if i == len(packets) {
			if i = 0; len(packets) > 1 {
				b.StopTimer()
				w = s.walk() // which knows no verdict
				b.StartTimer()
			}
		}
		f.SetEthernet(packets[i].frame)
		if _, why := w.Process(clock.Time(1), packets[i].in, f); why != want {
			b.Fatal(why)
		}
		i++
	}
	pps(b)
}
