package bench_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
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
// devices in memory that always have more: what it costs a device to make a frame is part
// of it. ratio is by how much two workers are faster than one, the median of pairs that
// are measured one beside the other.
func BenchmarkWorkers(b *testing.B) {
	for _, exponent := range []int{1, 4, 6} {
		s := shapes[0]
		b.Run(fmt.Sprintf("%v/flows=1e%d", s, exponent), func(b *testing.B) {
			flows := int(math.Pow10(exponent))
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
	pollers []*devices
	sources []*device
	sent    int
	busy    sync.WaitGroup // sources that have packets left
}

// rig returns an engine in which flows are established, and lent to the workers that
// have their packets.
func (s shape) rig(b testing.TB, flows, workers int) *rig {
	c := s.lab(flows).crowd()
	c.stand(b)
	g := c.generator(0, c.flows, 80, later).shuffle()
	r := &rig{}
	var pollers []engine.Poller
	for range workers {
		p := &devices{wake: make(chan struct{}, 1)}
		r.pollers, pollers = append(r.pollers, p), append(pollers, p)
	}
	begun := time.Now()
	now := func() clock.Time { return clock.Time(time.Since(begun)) }
	r.Engine = engine.New(c.walk, pollers, now, func(d time.Duration) time.Duration { return d }, nil)
	for id := range c.walk.Program().Interfaces {
		d := &device{generator: generator{pairs: g.pairs, offset: g.offset, sum: g.sum}, rig: r}
		for _, t := range g.flows {
			if g.pairs[t.pair].in == dataplane.InterfaceID(id) {
				d.flows = append(d.flows, t)
			}
		}
		if len(d.flows) > 0 {
			r.sources = append(r.sources, d)
		}
		if err := r.Attach(dataplane.InterfaceID(id), d); err != nil {
			b.Fatal(err)
		}
	}
	r.sent = r.packets(c.walk)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	if workers > 1 { // let the walk lend what it lends
		r.pass(b, func(d *device) int { return 20 * len(d.flows) })
	}
	return r
}

// forward lets so many packets pass, and returns how long that took.
func (r *rig) forward(b testing.TB, n int) time.Duration {
	return r.pass(b, func(*device) int { return (n + len(r.sources) - 1) / len(r.sources) })
}

// pass lets so many packets of each device pass, of which there is at least one. Whoever waits
// for them sleeps: the workers want all processors.
func (r *rig) pass(b testing.TB, packets func(*device) int) time.Duration {
	began := time.Now()
	r.busy.Add(len(r.sources))
	for _, d := range r.sources {
		n := packets(d)
		r.sent += n
		d.left.Store(int64(n))
	}
	for _, p := range r.pollers {
		p.Wake()
	}
	r.busy.Wait()
	if err := r.Do(func(*dataplane.Walk, clock.Time) {}); err != nil { // the last are sent
		b.Fatal(err)
	}
	return time.Since(began)
}

// check checks that all packets passed.
func (r *rig) check(b testing.TB) {
	if err := r.Do(func(w *dataplane.Walk, _ clock.Time) {
		if n := r.packets(w); n != r.sent {
			b.Errorf("%d of %d packets passed", n, r.sent)
		}
	}); err != nil {
		b.Fatal(err)
	}
}

// packets returns how many packets the load balancer has processed.
func (r *rig) packets(w *dataplane.Walk) (n int) {
	for _, s := range w.Metrics(0) {
		for i := range s.Slots {
			n += int(s.Slots[i].Sums[metrics.Packets])
		}
	}
	return n
}

// device sends packets of the same flows again and again, as long as there are some left to
// send, and takes whatever it gets.
type device struct {
	generator
	slot [frameSize]byte
	next int
	left atomic.Int64
	rig  *rig
}

func (d *device) Recv(f *packet.Frame) (bool, error) {
	if d.left.Load() <= 0 {
		return false, nil
	}
	f.SetEthernet(d.put(d.next, &d.slot).Ethernet)
	if d.next++; d.next == len(d.flows) {
		d.next = 0
	}
	if d.left.Add(-1) == 0 {
		d.rig.busy.Done()
	}
	return true, nil
}

func (d *device) Send(*packet.Frame) (bool, error) { return true, nil }
func (d *device) Close() error                     { return nil }

// devices waits for devices, which never takes long.
type devices struct {
	indexes []int
	all     []*device
	wake    chan struct{}
}

func (p *devices) Add(index int, port engine.Port) error {
	d, ok := port.(*device)
	if !ok {
		return errors.New("not a device in memory")
	}
	if len(d.flows) > 0 {
		p.indexes, p.all = append(p.indexes, index), append(p.all, d)
	}
	return nil
}

func (p *devices) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (p *devices) Wait(ready []int, d time.Duration) ([]int, error) {
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

func (p *devices) look(ready []int) []int {
	for i, d := range p.all {
		if d.left.Load() > 0 {
			ready = append(ready, p.indexes[i])
		}
	}
	return ready
}

func (p *devices) Close() error { return nil }
