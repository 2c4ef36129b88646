package bench_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// pps reports packets per second of one core.
func pps(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pps") }

// BenchmarkCopy is what the others spend to make a packet and put it into the frame: the
// generator's share.
func BenchmarkCopy(b *testing.B) {
	for _, s := range shapes {
		if s.proxy {
			continue // the client's packets are the same
		}
		b.Run(s.String(), func(b *testing.B) {
			l := s.lab(1e4)
			g, f, slot := l.generator(0, 1e4, 80, later).shuffle(), packet.NewFrame(), new([frameSize]byte)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f.SetEthernet(g.put(i, slot).Ethernet)
			}
			pps(b)
		})
	}
}

// BenchmarkDecide decides on the first packet of a flow and installs nothing.
func BenchmarkDecide(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			l := s.lab(1e4)
			w, g := l.newWalk(), l.generator(0, 1e4, 80, unchanged)
			f, slot := packet.NewFrame(), new([frameSize]byte)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p := g.put(i, slot)
				f.SetEthernet(p.Ethernet)
				if _, why := w.Probe(clock.Time(1), p.In, f, nil); why != drop.None {
					b.Fatal(why)
				}
			}
			pps(b)
		})
	}
}

// BenchmarkWalk takes packets along the whole walk while so many flows stand:
//
//   - packet=hit: clients' packets of those flows, which take turns in random order. In
//     batches, the walk is told of so many packets before it gets the first of them.
//   - packet=miss: the first packets of more flows: all decisions, with both directions
//     installed.
//   - packet=drop: packets that die, by their checksum, or because security groups have
//     refused their flow (verdict=known) or do so now (verdict=new).
//
// loads/op is what a packet takes in loads from memory that wait for each other, measured
// beside it. Ten million flows stand for one shape only, and a million for those without PROXY
// protocol headers: it takes a minute, or seconds, until they do.
func BenchmarkWalk(b *testing.B) {
	for i, s := range shapes {
		for _, exponent := range []int{0, 4, 6, 7} {
			if exponent == 7 && i > 0 || exponent == 6 && s.proxy {
				continue
			}
			b.Run(fmt.Sprintf("%v/flows=1e%d", s, exponent), func(b *testing.B) {
				c := s.lab(int(math.Pow10(exponent))).crowd()
				for _, batch := range []int{1, 32} {
					b.Run(fmt.Sprintf("packet=hit/batch=%d", batch), func(b *testing.B) { c.hit(b, batch) })
				}
				refused := "packet=drop/reason=" + drop.SecurityGroupIngress.String()
				b.Run(refused+"/verdict=known", func(b *testing.B) { c.known(b, 443, drop.SecurityGroupIngress) })
				b.Run(refused+"/verdict=new", func(b *testing.B) { c.miss(b, 443, drop.SecurityGroupIngress) })
				b.Run("packet=drop/reason="+drop.BadTransportChecksum.String(), func(b *testing.B) { c.spoiled(b) })
				b.Run("packet=miss", func(b *testing.B) { c.miss(b, 80, drop.None) })
			})
		}
	}
}

// hit forwards packets of the flows that stand.
func (c *crowd) hit(b *testing.B, batch int) {
	c.stand(b)
	c.send(b, c.generator(0, c.flows, 80, later).shuffle(), batch, drop.None)
	if c.flows >= 1e6 { // with fewer, other things weigh more
		b.ReportMetric(c.perFlow, "B/flow")
	}
}

// spoiled drops packets of the flows that stand.
func (c *crowd) spoiled(b *testing.B) {
	c.stand(b)
	g := c.generator(0, c.flows, 80, later).shuffle()
	for i := range g.pairs {
		p := &g.pairs[i]
		p.frame[p.size-1] ^= 1
	}
	c.send(b, g, 1, drop.BadTransportChecksum)
}

// known drops packets of flows to a port, of which it is known that they are refused.
func (c *crowd) known(b *testing.B, port uint16, want drop.Reason) {
	c.stand(b)
	g, f, slot := c.generator(0, min(c.flows, 1e4), port, unchanged), packet.NewFrame(), new([frameSize]byte)
	for i := range g.flows {
		p := g.put(i, slot)
		f.SetEthernet(p.Ethernet)
		if _, why := c.walk.Process(clock.Time(0), p.In, f); why != want {
			b.Fatal(why)
		}
	}
	c.send(b, g.shuffle(), 1, want)
}

// send sends packets for as long as the benchmark lasts, one at a time or in batches.
func (c *crowd) send(b *testing.B, g *generator, batch int, want drop.Reason) {
	s := c.sender(g, batch)
	b.ReportAllocs()
	for b.Loop() {
		if why := s.one(); why != want {
			b.Fatal(why)
		}
	}
	pps(b)
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(loads.measure()), "loads/op")
}

// miss sends first packets of more flows to a port. Now and then it goes back to those that
// stood before.
func (c *crowd) miss(b *testing.B, port uint16, want drop.Reason) {
	f, slot := packet.NewFrame(), new([frameSize]byte)
	var g *generator
	at := 0
	b.ReportAllocs()
	for b.Loop() {
		if g == nil || at == len(g.flows) {
			b.StopTimer()
			g, at = c.more(b, port), 0
			b.StartTimer()
		}
		p := g.put(at, slot)
		at++
		f.SetEthernet(p.Ethernet)
		if _, why := c.walk.Process(clock.Time(1), p.In, f); why != want {
			b.Fatal(why)
		}
	}
	pps(b)
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(loads.measure()), "loads/op")
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
