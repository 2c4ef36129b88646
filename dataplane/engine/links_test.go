package engine_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/link"
)

// linked is the program of the other tests, with links of a and b.
func linked(specs ...link.Spec) *dataplane.Program {
	p := program()
	p.Links.All = make([]dataplane.Link, 1)
	for i, s := range specs {
		p.Links.All = append(p.Links.All, dataplane.Link{Spec: s})
		p.Interfaces[a+dataplane.InterfaceID(i)].Link = link.ID(i + 1)
	}
	return p
}

// follow makes a running engine follow another program.
func (r *running) follow(t *testing.T, p *dataplane.Program) {
	t.Helper()
	p.Epoch = 2
	if err := r.Do(func(w *dataplane.Walk, _ clock.Time) { w.Load(p) }); err != nil {
		t.Fatal(err)
	}
}

// TestDelays: a frame is sent when its time has come, to the nanosecond of the test's
// time, not with the worker's next tick; and others do not wait for it.
func TestDelays(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, workers)
			r.follow(t, linked(link.Spec{Delay: 1500 * time.Millisecond}, link.Spec{Delay: 250 * time.Microsecond}))
			began := time.Now()
			r.ports[a].give(datagram(a, c, "far"))
			r.ports[b].give(datagram(b, c, "near"))
			r.ports[c].want(t, "near")
			if d := time.Since(began); d != 250*time.Microsecond {
				t.Errorf("the near one took %v", d)
			}
			r.ports[c].want(t, "far")
			if d := time.Since(began); d != 1500*time.Millisecond {
				t.Errorf("the far one took %v", d)
			}
			r.ports[a].give(datagram(a, b, "both"))
			began = time.Now()
			r.ports[b].want(t, "both")
			if d := time.Since(began); d != 1500250*time.Microsecond {
				t.Errorf("over both links it took %v", d)
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestTimeScale: a delay is one of the lab's time, and a poller's wait one of the wall.
func TestTimeScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		now := func() clock.Time { return clock.Time(100 * time.Since(begin)) }
		wall := func(d time.Duration) time.Duration { return (d + 99) / 100 }
		e := engine.New(dataplane.New(linked(link.Spec{Delay: 50 * time.Second}), dataplane.DefaultSettings()), pollers(1), now, wall, nil)
		from, to := newPort(1), newPort(1)
		for id, p := range map[dataplane.InterfaceID]*memoryPort{a: from, b: to} {
			if err := e.Attach(id, p); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		from.give(datagram(a, b, "x"))
		to.want(t, "x")
		if d := time.Since(begin); d != 500*time.Millisecond {
			t.Errorf("50 s of the lab took %v", d)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestLinkOrder: what arrives at the same time does so in the order in which it was
// sent, copies come behind each other, and what has no link goes on at once.
func TestLinkOrder(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, workers)
			r.follow(t, linked(link.Spec{Delay: time.Millisecond, Duplicate: 1}))
			for i := range 20 {
				r.ports[a].give(datagram(a, b, "number "+strconv.Itoa(i)))
			}
			for i := range 20 {
				r.ports[b].want(t, "number "+strconv.Itoa(i))
				r.ports[b].want(t, "number "+strconv.Itoa(i))
			}
			began := time.Now()
			r.ports[b].give(datagram(b, c, "at once"))
			r.ports[c].want(t, "at once")
			if d := time.Since(began); d != 0 {
				t.Errorf("without a link it took %v", d)
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestLateForDevice: a frame whose receiver went while it was under way is counted.
func TestLateForDevice(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, workers)
			r.follow(t, linked(link.Spec{Delay: time.Second}))
			r.ports[a].give(datagram(a, b, "x"))
			time.Sleep(time.Millisecond) // of the test's time: it is under way
			if err := r.Do(func(*dataplane.Walk, clock.Time) { r.Detach(b) }); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if n := r.drops(t, b, drop.PortDown); n != 1 {
				t.Errorf("%d packets are counted", n)
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
	})
}
