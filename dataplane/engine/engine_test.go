package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/packet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The interfaces of the lab: three hosts of one subnet, of which c is the target
// of a load balancer whose node is d.
const (
	a dataplane.InterfaceID = iota
	b
	c
	d
)

func address(id dataplane.InterfaceID) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, 1, 10 + byte(id)})
}

func program() *dataplane.Program {
	p := &dataplane.Program{
		Epoch: 1,
		VPCs:  []dataplane.VPC{{Addrs: map[packet.Addr]dataplane.InterfaceID{}}},
		Balancers: []dataplane.LoadBalancer{{
			Listeners: map[dataplane.ListenerKey]*dataplane.Listener{{Proto: packet.UDP, Port: 53}: {
				IdleTimeout: 120 * time.Second,
				Forward: []dataplane.Forward{{Weight: 1, Group: &dataplane.TargetGroup{Targets: []dataplane.Target{
					{Interface: c, Addr: packet.AddrFrom(address(c)), Port: 53},
				}}}},
			}},
		}},
	}
	for id := a; id <= d; id++ {
		addr := packet.AddrFrom(address(id))
		p.VPCs[0].Addrs[addr] = id
		p.Interfaces = append(p.Interfaces, dataplane.Interface{
			Kind: dataplane.Instance, MTU: 9001,
			MAC: packet.MAC{2, 0, 0, 0, 0, byte(id)}, RouterMAC: packet.MAC{2, 0xff},
			Addrs: []packet.Addr{addr},
		})
	}
	p.Interfaces[d].Kind = dataplane.Node
	return p
}

// datagram is a frame from one interface to another; mark is its payload.
func datagram(from, to dataplane.InterfaceID, mark string) []byte {
	s := packet.Spec{
		SrcMAC: packet.MAC{2, 0, 0, 0, 0, byte(from)}, DstMAC: packet.MAC{2, 0, 0, 0, 0, byte(to)},
		Src: netip.AddrPortFrom(address(from), 4000), Dst: netip.AddrPortFrom(address(to), 53),
		Proto: packet.UDP, Payload: []byte(mark),
	}
	f := packet.NewFrame()
	s.Build(f)
	return bytes.Clone(f.Ethernet())
}

// question is an ARP request of a for b.
func question() []byte {
	src, dst := address(a).As4(), address(b).As4()
	return bytes.Join([][]byte{
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {2, 0, 0, 0, 0, 0}, {8, 6, 0, 1, 8, 0, 6, 4, 0, 1},
		{2, 0, 0, 0, 0, 0}, src[:], {0, 0, 0, 0, 0, 0}, dst[:],
	}, nil)
}

// asIs is how long a time of the lab lasts where that is the wall's.
func asIs(d time.Duration) time.Duration { return d }

// running is an engine at work on memory ports.
type running struct {
	*engine.Engine
	poller *memoryPoller
	ports  [d + 1]*memoryPort
	stop   context.CancelFunc
	ended  chan error
}

// everyNumber runs a test with one worker, with two, and with as many as ports.
func everyNumber(t *testing.T, test func(t *testing.T, workers int)) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("workers=%d", n), func(t *testing.T) { test(t, n) })
	}
}

// pollers returns a poller for each of some workers.
func pollers(workers int) (all []engine.Poller) {
	for range workers {
		all = append(all, newPoller())
	}
	return all
}

// start runs an engine whose ports have queues of 100 frames, until the test ends.
func start(t *testing.T, workers int) *running {
	t.Helper()
	begin := time.Now()
	r := &running{ended: make(chan error, 1)}
	walk := dataplane.New(program(), dataplane.DefaultSettings())
	all := pollers(workers)
	r.poller = all[0].(*memoryPoller)
	r.Engine = engine.New(walk, all, func() clock.Time { return clock.Time(time.Since(begin)) }, asIs, nil)
	for id := a; id <= d; id++ {
		r.ports[id] = newPort(100)
		if err := r.Attach(id, r.ports[id]); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

// end stops the engine and returns what Run said.
func (r *running) end() error {
	r.stop()
	err := <-r.ended
	r.ended <- err // for the cleanup
	return err
}

// drops returns how often packets died at an interface for a reason. What was
// given to the ports before is done by then only if await says so.
func (r *running) drops(t *testing.T, at dataplane.InterfaceID, why drop.Reason) (n uint64) {
	t.Helper()
	if err := r.Do(func(w *dataplane.Walk, _ clock.Time) { n = w.Drops(at)[why] }); err != nil {
		t.Fatal(err)
	}
	return n
}

// await calls f on until it holds.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !f(); {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// get returns the next frame that the engine sent to a port.
func (p *memoryPort) get(t *testing.T) []byte {
	t.Helper()
	select {
	case frame := <-p.out:
		return frame[packet.VnetLen:]
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came out")
		return nil
	}
}

func (p *memoryPort) want(t *testing.T, mark string) {
	t.Helper()
	if got := p.get(t); !bytes.HasSuffix(got, []byte(mark)) {
		t.Errorf("got %q, want …%q", got, mark)
	}
}

func TestFramesMove(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		r := start(t, workers)
		r.ports[a].give(datagram(a, b, "one"), datagram(a, b, "two"))
		r.ports[b].want(t, "one")
		r.ports[b].want(t, "two")
		r.ports[b].give(datagram(b, a, "three"))
		r.ports[a].want(t, "three")
		r.ports[a].give(question())
		if answer := r.ports[a].get(t); answer[21] != 2 {
			t.Errorf("want an ARP reply, got %x", answer)
		}
	})
}

// TestOrder: frames leave in the order in which they came, long or short, however many
// are read before the first is sent.
func TestOrder(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		r := start(t, workers)
		var frames [][]byte
		mark := func(i int) string { return fmt.Sprintf("mark %d", i) }
		for i := range 90 {
			frames = append(frames, datagram(a, b, strings.Repeat(".", i%7*1000)+mark(i)))
		}
		if err := r.Do(func(*dataplane.Walk, clock.Time) { r.ports[a].give(frames...) }); err != nil {
			t.Fatal(err)
		}
		for i := range frames {
			r.ports[b].want(t, mark(i))
		}
	})
}

// TestBusyPortStarvesNobody gives one port far more than a burst, then another
// one a single frame: it does not wait for all of the first.
func TestBusyPortStarvesNobody(t *testing.T) {
	r := start(t, 1)
	const many = 5000
	flood := make([][]byte, many)
	for i := range flood {
		flood[i] = datagram(a, c, "flood")
	}
	err := r.Do(func(*dataplane.Walk, clock.Time) { // while nothing moves
		r.ports[a].give(flood...)
		r.ports[b].give(datagram(b, a, "alone"))
	})
	if err != nil {
		t.Fatal(err)
	}
	r.ports[a].want(t, "alone")
	r.ports[a].mu.Lock()
	defer r.ports[a].mu.Unlock()
	if left := r.ports[a].waiting; left < many/2 {
		t.Errorf("the single frame came when only %d of the others were left", left)
	}
}

// TestDo runs functions on the worker while packets flow: under the race detector
// they prove to be alone with the walk.
func TestDo(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		r := start(t, workers)
		var group sync.WaitGroup
		counter := 0 // unguarded on purpose
		for range 8 {
			group.Go(func() {
				for range 50 {
					r.ports[a].give(datagram(a, b, "x"))
					if err := r.Do(func(w *dataplane.Walk, _ clock.Time) {
						counter++
						w.Load(w.Program())
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if counter != 400 {
			t.Errorf("%d of 400 calls ran", counter)
		}
	})
}

func TestDoBeforeRun(t *testing.T) {
	e := engine.New(dataplane.New(program(), dataplane.DefaultSettings()), pollers(1), func() clock.Time { return 7 }, asIs, nil)
	ctx, cancel := context.WithCancel(t.Context())
	did := make(chan error)
	go func() {
		did <- e.Do(func(_ *dataplane.Walk, now clock.Time) {
			if now != 7 {
				t.Errorf("the clock says %d", now)
			}
		})
	}()
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	if err := <-did; err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAttachWhileRunning(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		r := start(t, workers)
		late := newPort(10)
		err := r.Do(func(*dataplane.Walk, clock.Time) {
			if err := r.Attach(b, late); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		r.ports[a].give(datagram(a, b, "late"))
		late.want(t, "late")
		if err := r.Attach(c, nil); err == nil {
			t.Error("a port of another kind is taken")
		}
	})
}

// TestPortDown: a device that fails goes with its instance, which is a fact of
// the lab. Its packets are counted, and nobody else notices.
func TestPortDown(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		for _, tt := range []struct {
			name       string
			recv, send error
			frame      []byte // what a then sends
			at         dataplane.InterfaceID
			who        dataplane.InterfaceID // fails
		}{
			{"receiving", errGone, nil, datagram(a, b, "x"), b, b},
			{"sending", nil, errGone, datagram(a, b, "x"), b, b},
			{"while it is served", nil, errGone, question(), a, a},
		} {
			t.Run(tt.name, func(t *testing.T) {
				r := start(t, workers)
				r.ports[tt.who].fail(tt.recv, tt.send)
				if tt.recv != nil {
					await(t, "the device is closed", func() bool { return r.ports[tt.who].closedTimes() == 1 })
				}
				r.ports[a].give(tt.frame, tt.frame)
				await(t, "the packet is counted", func() bool { return r.drops(t, tt.at, drop.PortDown) > 0 })
				if n := r.ports[tt.who].closedTimes(); n != 1 {
					t.Errorf("the device was closed %d times", n)
				}
				r.ports[c].give(datagram(c, d, "y"), datagram(c, b, "y"))
				await(t, "others go on", func() bool { return r.drops(t, b, drop.PortDown)+r.drops(t, a, drop.PortDown) > 0 })
				if err := r.end(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestPortIsDown: what a device that is down does not take is counted; the device stays, and
// goes on when it is up again.
func TestPortIsDown(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		r := start(t, workers)
		r.ports[b].fail(nil, engine.ErrDown)
		r.ports[a].give(datagram(a, b, "x"), datagram(a, b, "x"))
		await(t, "the packets are counted", func() bool { return r.drops(t, b, drop.PortDown) == 2 })
		r.ports[b].fail(nil, nil)
		r.ports[a].give(datagram(a, b, "y"))
		r.ports[b].want(t, "y")
		if n := r.ports[b].closedTimes(); n != 0 {
			t.Errorf("the device was closed %d times", n)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestNoPort: behind an endpoint's interface, for one, there is no device.
func TestNoPort(t *testing.T) {
	walk := dataplane.New(program(), dataplane.DefaultSettings())
	e := engine.New(walk, pollers(1), func() clock.Time { return 0 }, asIs, nil)
	port := newPort(10)
	if err := e.Attach(a, port); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	port.give(datagram(a, c, "x"))
	await(t, "the packet is counted", func() bool {
		n := uint64(0)
		if err := e.Do(func(w *dataplane.Walk, _ clock.Time) { n = w.Drops(c)[drop.PortDown] }); err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestQueueFull(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		r := start(t, workers)
		for range 103 { // into a queue of 100
			r.ports[a].give(datagram(a, b, "x"))
		}
		await(t, "three are dropped", func() bool { return r.drops(t, b, drop.QueueFull) == 3 })
		for range 100 {
			r.ports[b].want(t, "x")
		}
		r.ports[a].give(datagram(a, b, "again"))
		r.ports[b].want(t, "again")
	})
}

// TestStop: an engine that ended refuses what comes after, and no call waits for
// ever, whenever it was made.
func TestStop(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		r := start(t, workers)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for {
					ran := false
					err := r.Do(func(*dataplane.Walk, clock.Time) { ran = true })
					if ran != (err == nil) {
						t.Errorf("it ran: %v, and Do says %v", ran, err)
					}
					if errors.Is(err, engine.ErrStopped) {
						return
					}
				}
			})
		}
		r.ports[a].give(datagram(a, b, "x"))
		r.ports[b].want(t, "x")
		if err := r.end(); err != nil {
			t.Errorf("Run: %v", err)
		}
		group.Wait()
		r.ports[a].give(datagram(a, b, "x"))
		if n := len(r.ports[b].out); n != 0 {
			t.Errorf("%d frames moved after the end", n)
		}
	})
}

func TestPollerFails(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		r := start(t, workers)
		broken := errors.New("out of descriptors")
		r.poller.fail(broken)
		err := <-r.ended
		r.ended <- err
		if !errors.Is(err, broken) {
			t.Errorf("Run: %v", err)
		}
		if err := r.Do(func(*dataplane.Walk, clock.Time) {}); !errors.Is(err, engine.ErrStopped) {
			t.Errorf("Do: %v", err)
		}
	})
}

// TestIdleEngineForgets lets time pass without a packet: flows expire (F2.44)
// although nobody asks.
func TestIdleEngineForgets(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, workers)
			flows := func() (n int) {
				if err := r.Do(func(w *dataplane.Walk, _ clock.Time) { n = w.Flows() }); err != nil {
					t.Fatal(err)
				}
				return n
			}
			r.ports[a].give(datagram(a, d, "x"))
			r.ports[c].want(t, "x")
			time.Sleep(119 * time.Second) // of the test's time
			if n := flows(); n != 1 {
				t.Errorf("%d flows, want 1", n)
			}
			time.Sleep(3 * time.Second)
			if n := flows(); n != 0 {
				t.Errorf("%d flows, want none", n)
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestWakes: neither a call nor the end waits for the worker's next tick.
func TestWakes(t *testing.T) {
	everyNumber(t, func(t *testing.T, workers int) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, workers)
			time.Sleep(1500 * time.Millisecond) // amid a tick of the test's time
			begin := time.Now()
			if err := r.Do(func(*dataplane.Walk, clock.Time) {}); err != nil {
				t.Error(err)
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
			if d := time.Since(begin); d != 0 {
				t.Errorf("the worker slept for another %v", d)
			}
		})
	})
}
