package bench_test

import (
	"math/rand/v2"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// A crowd is a walk in which flows stand.
type crowd struct {
	memoryLab
	walk    *dataplane.Walk // nil: not yet
	opened  int             // flows that stand, or were opened since they do
	perFlow float64         // bytes of memory
}

// crowd prepares the lab's flows.
func (l memoryLab) crowd() *crowd { return &crowd{memoryLab: l} }

// stand opens the lab's flows, unless they stand.
func (c *crowd) stand(tb testing.TB) {
	tb.Helper()
	if c.walk != nil {
		return
	}
	if c.flows > 1e6 {
		if need, free := bytesOf(c.flows), available(tb); free < need {
			tb.Skipf("%d flows need %.1f GB of memory, and there are %.1f", c.flows, need/1e9, free/1e9)
		}
		forget(tb)
	}
	before := heap()
	c.walk = c.newWalk()
	c.open(tb)
	c.perFlow = float64(heap()-before) / float64(c.flows)
}

// open opens the flows, as client and target would: in random order, so that neighbours in
// memory are neighbours in nothing else.
func (c *crowd) open(tb testing.TB) {
	f, v := packet.NewFrame(), packet.View{}
	pass := func(in dataplane.InterfaceID, spec *packet.Spec) dataplane.InterfaceID {
		spec.Build(f)
		out, why := c.walk.Process(clock.Time(0), in, f)
		if why != drop.None {
			tb.Fatalf("a packet of interface %d is lost: %v", in, why)
		}
		return out
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(c.flows) {
		in, there := c.first(i, 80)
		out := pass(in, &there)
		v.Decode(f)
		back := c.answer(out, &v)
		pass(out, &back)
		pass(out, &back) // twice, so that a datagram's flow is a stream
		there.Flags, there.Seq = packet.ACK, there.Seq+1
		pass(in, &there)
		later(&there)
		pass(in, &there)
	}
	if c.opened = c.flows; c.walk.Flows() != c.flows {
		tb.Fatalf("%d flows, want %d", c.walk.Flows(), c.flows)
	}
}

// more makes first packets of flows that were not opened yet. When they would outnumber those
// that stand, it is time for a new walk.
func (c *crowd) more(tb testing.TB, port uint16) *generator {
	n := max(c.flows/4, 1000)
	if c.walk != nil && c.opened+n > max(2*c.flows, 64_000) || c.opened+n > c.most() {
		c.walk = nil
	}
	c.stand(tb)
	from := c.opened
	c.opened += n
	return c.generator(from, c.opened, port, unchanged)
}

// most is how many flows the clients' ports are enough for.
func (l *memoryLab) most() int { return l.pairs() * (1<<16 - firstPort) }
