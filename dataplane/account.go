package dataplane

import (
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// count takes in packets of a path that go one way.
func (p *path) count(dir flow.Dir, packets, bytes int, flags packet.Flags) {
	p.counts[dir].Add(p.last, uint32(packets), uint64(bytes), flags)
	p.traffic.Add(p.last, uint64(packets), p.bytes, uint64(bytes))
}

// report hands what a path has counted to the flow logs of the interfaces that
// it passes. Every one of them saw the same packets, up to the one that refused
// them.
func (w *Walk) report(p *path) {
	w.collect(p)
	var list [maxVisits]visit
	var all []visit
	for dir := range p.counts {
		if c := &p.counts[dir]; c.Packets > 0 {
			if !w.settings.Unlogged {
				if all == nil || w.nearTransit(p) { // else they are the same both ways
					all = w.visits(p, flow.Dir(dir), &list)
				}
				w.enterAt(all, p, flow.Dir(dir), c.Counter(), drop.None)
			}
			if w.ledger != nil {
				w.book(p, flow.Dir(dir), c)
			}
			*c, *w.inserted(p, flow.Dir(dir)) = flowlog.Tally{}, added{}
		}
	}
}

// Drops returns how many packets died at an interface, by reason.
func (w *Walk) Drops(at InterfaceID) [drop.NumReasons]uint64 {
	w.bury()
	return w.drops[at]
}

// Dropped counts a packet that died at an interface outside the walk.
func (w *Walk) Dropped(at InterfaceID, why drop.Reason) { w.drops[at][why]++ }

// Flows returns how many flows the load balancers have.
func (w *Walk) Flows() int { return w.flows.Len() }

// Expire looks at the next n slots of every table for what has been idle too
// long, so that forgetting costs a little all the time and never much at once.
// Correctness does not depend on it: whoever finds an expired state treats it as
// gone.
func (w *Walk) Expire(now clock.Time, n int) {
	if now >= w.meter.End() {
		w.measureDrops()
	}
	w.meter.Advance(now)
	w.sweep(now, n)
}

// Before a packet dies for want of room, so many slots of each table are looked at; and not
// again for a while, so that a flood of such packets costs little.
const (
	reclaim      = 256
	reclaimEvery = time.Millisecond
)

func (w *Walk) reclaim(now clock.Time) {
	if now >= w.reclaims {
		w.reclaims = now.Add(reclaimEvery)
		w.sweep(now, reclaim)
	}
}

// sweep forgets what expired in the next n slots of every table.
func (w *Walk) sweep(now clock.Time, n int) {
	window := w.settings.began(now)
	var p path
	w.paths.Sweep(n, func(ref flow.Ref, t *trip) bool {
		if len(w.lenders) > 0 {
			w.whole(ref, t, &p)
			w.collectDue(now, window, &p)
		}
		if t.counted(window) {
			w.whole(ref, t, &p)
			w.report(&p) // its count so far belongs to a window that has ended
		}
		if r := w.recipes.At(t.recipe); r.epoch != w.prog.Epoch && r.verdict != drop.None || t.expired(now) {
			w.retire(ref)
		}
		return false
	})
	w.flows.Sweep(n, func(ref flow.Ref, f *nlb.Flow) bool {
		if !w.lives(f.Owner) && f.Expired(now, &w.settings.Balancing) {
			w.forget(ref)
		}
		return false
	})
	if w.ledger != nil {
		w.closeAccounts(n)
	}
	w.track.Sweep(now, n)
	w.ports.Wake(now, n)
	w.affinities.Sweep(n, func(_ flow.Ref, a *affinity) bool { return now >= a.until })
}
