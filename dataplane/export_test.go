package dataplane

import (
	"fmt"
	"math/rand/v2"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/link"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/snat"
)

// Tables is how much state a walk holds. It remembers the pairs that ever had a
// source port, so that one that stays taken is found.
type Tables struct {
	Paths, Tracked, Flows int
	Ports                 int // source ports in use
	Resting               int // and those that rest (F2.34)
	Affinities            int // of clients to target groups (F2.11)
	Shared                int // what some of these have in common, or few of them have

	pairs map[snat.Pair]bool
}

func (t *Tables) String() string {
	resting := ""
	if t.Resting > 0 {
		resting = fmt.Sprintf(" resting=%d", t.Resting)
	}
	return fmt.Sprintf("paths=%d tracked=%d flows=%d ports=%d%s", t.Paths, t.Tracked, t.Flows, t.Ports, resting)
}

// Empty reports whether the walk has forgotten everything.
func (t *Tables) Empty() bool {
	return t.Paths+t.Tracked+t.Flows+t.Ports+t.Resting+t.Affinities+t.Shared == 0
}

// Count counts the state of w. It fails where a source port does not belong to
// exactly one flow.
func (t *Tables) Count(w *Walk) error {
	if t.pairs == nil {
		t.pairs = map[snat.Pair]bool{}
	}
	t.Paths, t.Tracked, t.Flows = w.paths.Len(), w.track.Len(), w.flows.Len()
	t.Ports, t.Resting, t.Affinities = 0, 0, w.affinities.Len()
	t.Shared = w.recipes.Len() + w.sides.Len() + w.pairs.Len() + w.splices.Len()
	type held struct {
		pair snat.Pair
		port uint16
	}
	owned := map[held]bool{}
	flows := map[snat.Pair]int{}
	var all []*nlb.Flow
	for _, f := range w.flows.All() {
		all = append(all, f)
	}
	for _, c := range w.calls {
		all = append(all, &c.Flow)
	}
	for _, f := range all {
		if f.Port == 0 {
			continue // the client's own
		}
		pair := *w.pairs.At(f.Pair)
		h := held{pair, f.Port}
		if owned[h] || f.Port < snat.FirstPort {
			return fmt.Errorf("a second flow, or none (F2.31), may hold port %d of %v", f.Port, pair)
		}
		owned[h], t.pairs[pair] = true, true
		flows[pair]++
	}
	for pair := range t.pairs {
		n := w.ports.InUse(pair)
		t.Ports += n
		t.Resting += w.ports.Resting(pair)
		if n != flows[pair] {
			return fmt.Errorf("%d ports in use of %v, and %d flows hold one", n, pair, flows[pair])
		}
	}
	return nil
}

// ForgetPrecedents makes the walk decide on the next flow by itself.
func (w *Walk) ForgetPrecedents() { w.precedents.forget() }

// TakeLongWay makes w take no packet the short way, as links would, of which there are none.
func (w *Walk) TakeLongWay() { w.links = &links{Links: link.New(rand.New(rand.NewPCG(0, 0)))} }

// Hasten takes a frame the short way, and reports false where there is none for it.
func (w *Walk) Hasten(now clock.Time, in InterfaceID, f *packet.Frame) (InterfaceID, bool) {
	return w.hasten(now, in, f)
}

// Serves reports whether what an interface sends from an address and port is a load
// balancer's target's, or was.
func (w *Walk) Serves(lb *LoadBalancer, at InterfaceID, addr packet.Addr, port uint16) bool {
	return w.serves(lb, at, addr, port)
}

// Resets reports whether a group ends the flows by way of a zone's nodes to a target.
func (w *Walk) Resets(g *TargetGroup, addr packet.Addr, port uint16, zone ZoneID) bool {
	return w.resets(g, addr, port, zone)
}
