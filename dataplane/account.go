package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/nlb"
)

// report hands what a path has counted to the flow logs of the interfaces that
// it passes. Every one of them saw the same packets, up to the one that refused
// them; the leg between an endpoint's interface and a node is on no record (F4.18).
func (w *Walk) report(p *path) {
	w.measure(p)
	hops := p.hops[:p.hopCount]
	if w.asksResolver(p) {
		hops = nil
	}
	for dir := range p.legs {
		c := &p.legs[dir].count
		if c.Packets == 0 {
			continue
		}
		growth := int64(p.growth())
		if flow.Dir(dir) == flow.Reply {
			growth = -growth
		}
		for i, h := range hops {
			if j := i ^ 1; j < len(hops) && hops[j].at == h.at {
				continue // a node that answers itself does not leave for itself
			}
			if w.prog.Interfaces[h.at].Kind == OnPremises {
				continue // AWS logs nothing there
			}
			way, t := wayOf(i), p.tuple(i)
			if flow.Dir(dir) == flow.Reply {
				way, t = way^1, t.Reversed()
			}
			action := flowlog.Accept
			if p.rejected && i == len(hops)-1 {
				action = flowlog.Reject
			}
			k := flowlog.Key{Flow: tupleKey(h.at, p.protoAt(i), t), Way: way, Action: action}
			if way == flow.Egress {
				k.Path = w.prog.way(h.at, t.Dst)
			}
			seen := *c
			if i/2 != dir {
				seen.Bytes = uint64(int64(c.Bytes) + int64(c.Packets)*growth) // each side sees its own family
			}
			w.log.Add(k, seen)
		}
		*c = flowlog.Counter{}
		p.legs[dir].told = told{}
	}
}

// asksResolver reports whether a path leads to the Amazon DNS server, or from it:
// queries are on no record (F4.21).
func (w *Walk) asksResolver(p *path) bool {
	for _, h := range p.hops[:p.hopCount] {
		if w.prog.Interfaces[h.at].Kind == Resolver {
			return true
		}
	}
	return false
}

// Records returns the flow log records of everything that was forwarded or
// refused so far and has not been taken away by an earlier call of it with take
// set; describe says what is known of an interface.
func (w *Walk) Records(describe flowlog.Describe, take bool) []flowlog.Record {
	for _, p := range w.paths.All() {
		w.report(p)
	}
	if take {
		return w.log.Flush(describe)
	}
	return w.log.Snapshot(describe)
}

// Drops returns how many packets died at an interface, by reason.
func (w *Walk) Drops(at InterfaceID) [drop.NumReasons]uint64 { return w.drops[at] }

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
		w.measureAll()
	}
	w.meter.Advance(now)
	w.sweep(now, n)
	if end := w.log.End(w.logged); now >= end {
		w.logged = now
		for _, p := range w.paths.All() {
			w.report(p) // its count so far belongs to the window that ended
		}
	}
}

// reclaim is how many slots of each table are looked at before a packet dies for
// want of room.
const reclaim = 256

// sweep forgets what expired in the next n slots of every table.
func (w *Walk) sweep(now clock.Time, n int) {
	w.paths.Sweep(n, func(ref flow.Ref, p *path) bool {
		if p.epoch != w.prog.Epoch && p.verdict != drop.None || p.expired(now) {
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
	w.track.Sweep(now, n)
	w.ports.Wake(now, n)
	w.affinities.Sweep(n, func(_ flow.Ref, a *affinity) bool { return now >= a.until })
}
