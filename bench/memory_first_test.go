package bench_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/snat"
)

// A firstLab is a lab for first packets of flows: all that their cost could depend on.
type firstLab struct {
	name string
	memoryLab
	edit  func(*dataplane.Listener) // nil: the listener stays as it is
	ports int                       // between a node and a target; 0: as many as on AWS
	held  int                       // flows that there are before the first one that counts,
	flows int                       // and all of them, until there is another walk; 0: firsts
}

// firstLabs are the lab as it mostly is, and others in each of which one thing is worse, by
// names of benchmarks. There are as many clients as flows in those that say so: then no flow
// has a precedent, and all that is decided is decided for it.
func firstLabs() []firstLab {
	few := memoryLab{shape: shapes[0], clients: 20, endpoints: 1, targets: 32}
	many := few
	many.clients = 20_000
	rules := func(l memoryLab) memoryLab { l.rules = 1000; return l }
	targets := func(l memoryLab) memoryLab { l.targets = 1000; return l }
	one := few
	one.targets = 1
	hosts := few
	hosts.clients = 200
	const ports, million = snat.LastPort - snat.FirstPort + 1, 1_000_000
	return []firstLab{
		{name: "clients=20/rules=1/targets=32", memoryLab: few},
		{name: "clients=20/rules=1000/targets=32", memoryLab: rules(few)},
		{name: "clients=20/rules=1/targets=1000", memoryLab: targets(few)},
		{name: "clients=20/rules=1/targets=32/ports=full", memoryLab: few, ports: 1},
		{name: "clients=20/rules=1/targets=1/ports=scarce", memoryLab: one, ports: ports, held: ports - firsts/4, flows: ports},
		{name: "clients=20000/rules=1/targets=32", memoryLab: many},
		{name: "clients=20000/rules=1000/targets=32", memoryLab: rules(many)},
		{name: "clients=20000/rules=1/targets=1000", memoryLab: targets(many)},
		{name: "clients=20000/rules=1/targets=1000/weighted", memoryLab: targets(many), edit: weigh},
		{name: "clients=20000/rules=1/targets=1000/sticky", memoryLab: targets(many), edit: stick},
		{name: "clients=20000/rules=1/targets=1000/failing", memoryLab: targets(many), edit: fail},
		{name: "clients=200/rules=1/targets=32/flows=1000000", memoryLab: hosts, held: million, flows: million + 5*firsts},
	}
}

// weigh divides a listener's targets between five target groups.
func weigh(l *dataplane.Listener) {
	all, size := l.Forward[0].Group.Targets, len(l.Forward[0].Group.Targets)/5
	l.Forward = nil
	for i := range 5 {
		g := &dataplane.TargetGroup{Number: uint16(i), Targets: all[i*size : (i+1)*size]}
		l.Forward = append(l.Forward, dataplane.Forward{Group: g, Weight: i + 1})
	}
}

// stick lets clients keep their target group and their target.
func stick(l *dataplane.Listener) {
	l.Sticky = time.Hour
	l.Forward[0].Group.Sticky = dataplane.StickyClient
}

// fail makes all targets unhealthy but each tenth one.
func fail(l *dataplane.Listener) {
	for i := range l.Forward[0].Group.Targets {
		l.Forward[0].Group.Targets[i].Avoid = i%10 > 0
	}
}

// most returns how many flows a walk sees.
func (l *firstLab) most() int { return cmp.Or(l.flows, firsts) }

// newWalk returns a new walk along the lab.
func (l *firstLab) newWalk() *dataplane.Walk {
	p, s := l.program(), dataplane.DefaultSettings()
	if l.edit != nil {
		l.edit(p.Balancers[0].Listeners[dataplane.ListenerKey{Proto: l.proto, Port: 80}])
	}
	s.SourcePorts = l.ports
	return dataplane.New(p, s)
}

// firsts is how many flows a walk sees mostly until there is another one.
const firsts = 20_000

// open sends the first packets of some flows.
func (l *firstLab) open(tb testing.TB, w *dataplane.Walk, g *generator, from, to int, f *packet.Frame, slot *[frameSize]byte) {
	for i := from; i < to; i++ {
		p := g.put(i, slot)
		f.SetEthernet(p.Ethernet)
		if _, why := w.Process(clock.Time(i), p.In, f); why != drop.None && (l.ports == 0 || why != drop.PortAllocation) {
			tb.Fatal(why)
		}
	}
}

// BenchmarkFirst opens flows, of which none ends.
func BenchmarkFirst(b *testing.B) {
	for _, l := range firstLabs() {
		b.Run(l.name, func(b *testing.B) {
			most := l.most()
			g, f, slot := l.generator(0, most, 80, unchanged), packet.NewFrame(), new([frameSize]byte)
			var w *dataplane.Walk
			at := most
			b.ReportAllocs()
			for b.Loop() {
				if at == most {
					b.StopTimer()
					w, at = l.newWalk(), l.held
					l.open(b, w, g, 0, at, f, slot)
					b.StartTimer()
				}
				l.open(b, w, g, at, at+1, f, slot)
				at++
			}
			pps(b)
		})
	}
}

// TestFirstPacketIsFlat: the first packet of a flow costs about the same however many rules
// security groups have and however many targets a load balancer, whether these are healthy or
// not and source ports are left, scarce or gone; and whether or not there is a precedent.
func TestFirstPacketIsFlat(t *testing.T) {
	labs := slices.DeleteFunc(firstLabs(), func(l firstLab) bool { return l.held > 10*firsts }) // a curve, which takes a second
	best := map[string]time.Duration{}
	f, slot := packet.NewFrame(), new([frameSize]byte)
	const most = 5
	for range 8 { // until the machine was at rest for each of them
		for _, l := range labs {
			w, g := l.newWalk(), l.generator(0, l.most(), 80, unchanged)
			l.open(t, w, g, 0, l.most()-firsts/2, f, slot)
			began := time.Now()
			l.open(t, w, g, l.most()-firsts/2, l.most(), f, slot)
			if took := time.Since(began); best[l.name] == 0 || took < best[l.name] {
				best[l.name] = took
			}
		}
		flat := true
		for _, l := range labs {
			flat = flat && best[l.name] < most*best["clients=20000/rules=1/targets=32"]
		}
		if flat {
			return
		}
	}
	t.Errorf("%d first packets took %v", firsts/2, best)
}
