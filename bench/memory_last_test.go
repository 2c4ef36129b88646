package bench_test

import (
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// BenchmarkConnection opens connections, of which each is a SYN, its answer, and a reset by the
// target; and has them forgotten as the engine does, a few at a time, when
// their time has come. So it is with first and last packets that each costs.
func BenchmarkConnection(b *testing.B) {
	l := firstLabs()[0]
	w := l.newWalk()
	f, v := packet.NewFrame(), packet.View{}
	g, slot := l.generator(0, 200_000, 80, unchanged), new([frameSize]byte)
	now := clock.Time(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := i % len(g.flows)
		p := g.put(n, slot)
		f.SetEthernet(p.Ethernet)
		at, why := w.Process(now, p.In, f)
		if why != drop.None {
			b.Fatal(why)
		}
		if why := v.Decode(f); why != drop.None {
			b.Fatal(why)
		}
		answer := l.answer(at, &v)
		answer.Build(f)
		if _, why := w.Process(now, at, f); why != drop.None {
			b.Fatal(why)
		}
		answer.Flags = packet.RST
		answer.Build(f)
		if _, why := w.Process(now, at, f); why != drop.None {
			b.Fatal(why)
		}
		// Ten thousand a second of the lab's time.
		if now = now.Add(100 * time.Microsecond); i%100 == 0 {
			w.Expire(now, 4096)
		}
		if i%10_000 == 0 {
			w.TakeLog()
		}
	}
	pps(b)
}
