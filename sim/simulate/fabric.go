package simulate

import (
	"math/bits"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
)

// latency is how long a packet is on its way from one interface to another, links
// apart. AWS publishes no figure; this one is of the order of what is measured within a zone.
const latency = 100 * time.Microsecond

// How often the walk's tables are searched for what is idle, and which part of them at a
// time, at least.
const (
	sweepEvery = time.Second
	sweepParts = 16
	sweepLeast = 1 << 12
)

// fabric moves frames between the hosts of a simulation. It owns the walk.
type fabric struct {
	queue *event.Queue
	walk  *dataplane.Walk
	hosts []*host.Host // by InterfaceID; nil where nobody stands behind an interface
	self  event.ActorID
	wire  event.Line // of frames that no link keeps longer

	packets uint64 // that were sent
	soon    []host.Arrival
	keys    []flow.Key

	stack   *host.Stack
	flights []flight
	free    [maxClass]uint32 // by class: the first free flight, plus 1; 0: none
}

// flight is a frame on its way. Its memory is used again for frames of the same class.
type flight struct {
	frame *packet.Frame
	to    dataplane.InterfaceID
	next  uint32 // while free: the next free one of its class, plus 1
	class uint8
}

// A class of memory has room for twice as much as the one below it.
const (
	leastClass = 7 // bits: 128 bytes
	maxClass   = 18
)

// What happens in a fabric.
const (
	arrives = iota // arg: which flight
	sweeps
)

func (f *fabric) init(q *event.Queue, walk *dataplane.Walk) {
	f.queue, f.walk, f.wire = q, walk, q.Line(latency)
	f.self = q.Register(f)
	q.After(sweepEvery, event.Event{Actor: f.self, Kind: sweeps})
}

// Do implements [live.Fabric]. Nothing is ever called while a packet takes its walk.
func (f *fabric) Do(do func(walk *dataplane.Walk, now clock.Time)) error {
	do(f.walk, f.queue.Now())
	return nil
}

// plug puts a host behind an interface.
func (f *fabric) plug(at dataplane.InterfaceID, h *host.Host) {
	for int(at) >= len(f.hosts) {
		f.hosts = append(f.hosts, nil)
	}
	f.hosts[at] = h
}

// unplug takes the host behind an interface away.
func (f *fabric) unplug(at dataplane.InterfaceID) { f.hosts[at] = nil }

// Transmit implements [host.Network].
func (f *fabric) Transmit(h *host.Host, frame *packet.Frame) {
	f.packets++
	frame.Vouch() // no host here is wrong about a checksum
	out, _ := f.walk.Process(f.queue.Now(), dataplane.InterfaceID(h.ID()), frame)
	if out == dataplane.NoInterface {
		return
	}
	fate := f.walk.Fate()
	if fate == nil { // the lab has no links
		f.fly(out, frame, f.queue.Now())
		return
	}
	at, n := fate.Arrivals()
	for _, t := range at[:n] {
		f.fly(out, frame, t)
	}
}

// fly sends a frame to where it arrives some time after a moment at which it has crossed
// the lab's links.
func (f *fabric) fly(to dataplane.InterfaceID, frame *packet.Frame, crossed clock.Time) {
	b := frame.Ethernet()
	n := f.take(len(b))
	fl := &f.flights[n]
	fl.to = to
	fl.frame.SetEthernet(b)
	fl.frame.Vouch() // nor is the walk
	e := event.Event{Actor: f.self, Kind: arrives, Arg: uint64(n)}
	if crossed == f.queue.Now() {
		f.queue.Join(f.wire, e)
		return
	}
	f.queue.At(crossed.Add(latency), e)
}

// take returns a flight with room for a frame.
func (f *fabric) take(size int) uint32 {
	class := max(bits.Len(uint(size-1)), leastClass) // a frame is never empty
	if next := f.free[class]; next != 0 {
		f.free[class] = f.flights[next-1].next
		return next - 1
	}
	f.flights = append(f.flights, flight{class: uint8(class), frame: packet.NewFrameOf(1 << class)})
	return uint32(len(f.flights) - 1)
}

// Happen implements [event.Actor].
func (f *fabric) Happen(kind uint32, arg uint64) {
	if kind == sweeps {
		f.walk.Expire(f.queue.Now(), max(f.walk.Slots()/sweepParts, sweepLeast))
		f.queue.After(sweepEvery, event.Event{Actor: f.self, Kind: sweeps})
		return
	}
	fl := f.flights[arg]
	if int(fl.to) >= len(f.hosts) || f.hosts[fl.to] == nil {
		f.walk.Dropped(fl.to, drop.PortDown)
	} else {
		f.hosts[fl.to].Receive(fl.frame)
	}
	f.flights[arg].next = f.free[fl.class]
	f.free[fl.class] = uint32(arg) + 1
}

// Foresee implements [event.Seer].
func (f *fabric) Foresee(soon []event.Event) {
	f.soon = f.soon[:0]
	for _, e := range soon {
		if e.Kind != arrives {
			continue
		}
		fl := &f.flights[e.Arg]
		if int(fl.to) < len(f.hosts) && f.hosts[fl.to] != nil {
			f.soon = append(f.soon, host.Arrival{To: f.hosts[fl.to], Ethernet: fl.frame.Ethernet()})
		}
	}
	f.stack.ExpectFrames(f.soon)
}

// Expect implements [host.Network].
func (f *fabric) Expect(soon []host.Sending) {
	f.keys = f.keys[:0]
	for _, s := range soon {
		t := &s.Tuple
		f.keys = append(f.keys, flow.Key{
			Scope: flow.Scope(s.From.ID()), Proto: packet.TCP,
			Src: t.Src, Dst: t.Dst, SrcPort: t.SrcPort, DstPort: t.DstPort,
		})
	}
	f.walk.ExpectFlows(f.keys)
}
