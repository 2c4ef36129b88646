package bench_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
)

// BenchmarkWorkers forwards packets of established flows through the engine, between
// devices in memory that always have more: what it costs a device to copy a frame is part
// of it. ratio is by how much more workers are faster than one, the median of pairs that
// are measured one beside the other.
func BenchmarkWorkers(b *testing.B) {
	for _, exponent := range []int{0, 4, 6} {
		s := shape{4, packet.TCP}
		b.Run(fmt.Sprintf("%v/flows=1e%d", s, exponent), func(b *testing.B) {
			flows := max(clients, int(math.Pow10(exponent))) // each device has one
			one, two := s.rig(b, flows, 1), s.rig(b, flows, 2)
			b.Run("workers=1", func(b *testing.B) {
				one.forward(b, b.N)
				pps(b)
			})
			b.Run("workers=2", func(b *testing.B) {
				const pairs = 7
				var ratios []float64
				for range pairs {
					b.StopTimer()
					alone := one.forward(b, b.N/pairs+1)
					b.StartTimer()
					ratios = append(ratios, float64(alone)/float64(two.forward(b, b.N/pairs+1)))
				}
				slices.Sort(ratios)
				pps(b)
				b.ReportMetric(ratios[pairs/2], "ratio")
			})
			one.check(b)
			two.check(b)
		})
	}
}

// rig is an engine between generators and sinks.
type rig struct {
	*engine.Engine
	pollers []*generatorPoller
	sources []*generator
	sent    int
}

// rig returns an engine in which flows are established, and lent to the workers that
// have their packets.
func (s shape) rig(b *testing.B, flows, workers int) *rig {
	w := s.walk()
	packets := s.establish(b, w, flows)
	r := &rig{}
	begun := time.Now()
	var pollers []engine.Poller
	for range workers {
		p := &generatorPoller{wake: make(chan struct{}, 1)}
		r.pollers, pollers = append(r.pollers, p), append(pollers, p)
	}
	r.Engine = engine.New(w, pollers, func() clock.Time { return clock.Time(time.Since(begun)) }, func(d time.Duration) time.Duration { return d }, nil)
	for id := range dataplane.InterfaceID(total) {
		g := &generator{}
		for i := range packets {
			if packets[i].in == id {
				g.frames = append(g.frames, packets[i].frame)
			}
		}
		if id < clients {
			r.sources = append(r.sources, g)
		}
		if err := r.Attach(id, g); err != nil {
			b.Fatal(err)
		}
	}
	r.sent = r.packets(b, w)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	if workers > 1 {
		r.forward(b, 20*flows) // until the walk has lent what it lends
	}
	return r
}

// forward lets so many packets pass, and returns how long that took.
func (r *rig) forward(b *testing.B, n int) time.Duration {
	each := (n + len(r.sources) - 1) / len(r.sources)
	r.sent += each * len(r.sources)
	began := time.Now()
	for _, g := range r.sources {
		g.left.Store(int64(each))
	}
	for _, p := range r.pollers {
		p.Wake()
	}
	for _, g := range r.sources {
		for g.left.Load() > 0 {
			time.Sleep(20 * time.Microsecond)
		}
	}
	if err := r.Do(func(*dataplane.Walk, clock.Time) {}); err != nil { // the last are sent
		b.Fatal(err)
	}
	return time.Since(began)
}

// check checks that all packets passed.
func (r *rig) check(b *testing.B) {
	if err := r.Do(func(w *dataplane.Walk, _ clock.Time) {
		if n := r.packets(b, w); n != r.sent {
			b.Errorf("%d of %d packets passed", n, r.sent)
		}
	}); err != nil {
		b.Fatal(err)
	}
}

// packets returns how many packets the load balancer has processed.
func (r *rig) packets(b *testing.B, w *dataplane.Walk) (n int) {
	for _, s := range w.Metrics(0) {
		for i := range s.Slots {
			n += int(s.Slots[i].Sums[metrics.Packets])
		}
	}
	return n
}

// generator is a device that sends the same frames again and again, as long as there are
// some left to send, and takes whatever it gets.
type generator struct {
	frames [][]byte
	next   int
	left   atomic.Int64 // only its worker takes from it
}

func (g *generator) Recv(f *packet.Frame) (bool, error) {
	if g.left.Load() <= 0 {
		return false, nil
	}
	f.SetEthernet(g.frames[g.next])
	if g.next++; g.next == len(g.frames) {
		g.next = 0
	}
	g.left.Add(-1)
	return true, nil
}

func (g *generator) Send(*packet.Frame) (bool, error) { return true, nil }
func (g *generator) Close() error                     { return nil }

// generatorPoller waits for generators, which never wait long.
type generatorPoller struct {
	indexes    []int
	generators []*generator
	wake       chan struct{}
}

func (p *generatorPoller) Add(index int, port engine.Port) error {
	g, ok := port.(*generator)
	if !ok {
		return errors.New("not a generator")
	}
	if len(g.frames) > 0 {
		p.indexes, p.generators = append(p.indexes, index), append(p.generators, g)
	}
	return nil
}

func (p *generatorPoller) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (p *generatorPoller) Wait(ready []int, d time.Duration) ([]int, error) {
	ready = p.look(ready)
	if len(ready) > 0 || d == 0 {
		return ready, nil
	}
	var passed <-chan time.Time
	if d > 0 {
		passed = time.After(d)
	}
	select {
	case <-p.wake:
	case <-passed:
	}
	return p.look(ready), nil
}

func (p *generatorPoller) look(ready []int) []int {
	for i, g := range p.generators {
		if g.left.Load() > 0 {
			ready = append(ready, p.indexes[i])
		}
	}
	return ready
}

func (p *generatorPoller) Close() error { return nil }
