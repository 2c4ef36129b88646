package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
)

// How paths end, and what the states behind them learn of that: whether a walk forgets its
// paths early, late or before each packet, nobody can tell.

// reconsider forgets a path, if there is one, by which a packet was refused: what it
// answers has come meanwhile, or its flow is over. Of a load balancer's flow that is over,
// if one is given, it forgets the way as well.
func (w *Walk) reconsider(ref flow.Ref, t *trip, over flow.Ref) {
	if t != nil && (w.recipes.At(t.recipe).verdict != drop.None || over.Valid() && w.behind.At(ref).balanced == over) {
		w.retire(ref)
	}
}

// lives reports whether a path still is: then the states behind it are older than
// what it knows.
func (w *Walk) lives(ref flow.Ref) bool { return w.paths.At(ref) != nil }

// upholds reports whether a path lives, and with it the states behind it. One that has been
// idle for too long is retired: each of them may be gone, as its own timer says.
func (w *Walk) upholds(now clock.Time, ref flow.Ref) bool {
	t := w.paths.At(ref)
	if t == nil {
		return false
	}
	if now <= t.last || !t.expired(now) {
		return true
	}
	var p path
	w.whole(ref, t, &p)
	w.collect(&p)
	if !t.expired(now) {
		return true
	}
	w.retire(ref)
	return false
}

// retire forgets a path, after its counts went to the flow logs and what it knew
// of the flow's life to the states behind it.
func (w *Walk) retire(ref flow.Ref) {
	t := w.paths.At(ref)
	if t == nil {
		return
	}
	var p path
	w.whole(ref, t, &p)
	w.recall(&p)
	w.report(&p)
	w.writeBack(&p)
	w.unshare(t)
	w.paths.Delete(ref)
}

// catchUp tells the states behind a path, if it lives, what it knows.
func (w *Walk) catchUp(owner flow.Ref) {
	if t := w.paths.At(owner); t != nil {
		var p path
		w.whole(owner, t, &p)
		w.writeBack(&p)
	}
}

// writeBack tells the states behind a path what it knows of the flow's life. A path that
// refuses knows no more of that than when it was decided: the flow may have gone on by
// another since.
func (w *Walk) writeBack(p *path) {
	if p.verdict == drop.None {
		w.collect(p)
		w.tell(p)
	}
}

// tell makes the life of the states behind a path that of the path.
func (w *Walk) tell(p *path) {
	for i, track := range p.tracks {
		if e := w.track.At(p.last, track); e != nil {
			e.LastSeen, e.Machine = max(e.LastSeen, p.last), p.life
			if began := e.Opened == wayOf(i); began == p.turned {
				e.Machine = p.life.Turned() // tracked since an answer only
			}
		}
	}
	if f := w.flows.At(p.balanced); f != nil {
		f.LastSeen, f.Machine = max(f.LastSeen, p.last), p.life
	}
}

// touch notes that a packet has passed the states on its way to where it was refused: the
// security groups that track its flow, and the load balancer's node, if it came by that.
func (w *Walk) touch(p *path) {
	for _, track := range p.tracks {
		if e := w.track.At(p.last, track); e != nil {
			e.LastSeen = max(e.LastSeen, p.last)
		}
	}
	if f := w.flows.At(p.balanced); f != nil && p.hopCount > maxHops/2 {
		f.LastSeen = max(f.LastSeen, p.last)
	}
}
