package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/link"
	"github.com/plsim/plsim/dataplane/packet"
)

// Passage is a frame on its way through the walk: where it comes from, and what becomes
// of it.
type Passage struct {
	In    InterfaceID // from whose device it comes
	Frame *packet.Frame

	Out  InterfaceID // by whose device it leaves; NoInterface: it does not
	Why  drop.Reason // why the packet goes no further
	Fate *link.Fate  // when it arrives, as [Walk.Fate] says; valid until the next batch
}

// ProcessBatch takes frames along the walk, one after the other as Process does, and notes
// in each passage what becomes of its frame.
//
// With many flows a packet mostly waits for memory: for the index of the table of paths, and
// then for what it leads to. In a batch that comes while other packets have their turn.
func (w *Walk) ProcessBatch(now clock.Time, batch []Passage) {
	if w.links != nil {
		w.processLinked(now, batch)
		return
	}
	w.meter.Pass(now)
	for some := w.ahead.begin(w.paths, batch); some != nil; some = w.ahead.next() {
		if !some.all {
			w.expectFirst(some)
		}
		passages := some.passages
		read, likely := some.read[:len(passages)], some.likely[:len(passages)]
		for i := range passages {
			p, g, t := &passages[i], &read[i], likely[i]
			if t.Value != nil && g.plain {
				if out, ok := w.followPlain(now, p.In, &g.Plain, t); ok {
					p.Out, p.Why = out, drop.None
					continue
				}
			}
			p.Out, p.Why = w.process(now, p.In, p.Frame)
		}
	}
}

// expectFirst fetches what the first packets of flows will need of the other tables.
func (w *Walk) expectFirst(s *some[trip]) {
	for i := range s.passages {
		if s.likely[i].Value == nil && s.read[i].Proto != 0 {
			w.flows.ExpectHash(s.hashes[i]) // it will be decided on,
			w.track.ExpectHash(s.hashes[i]) // by tables that share their hashes
		}
	}
}

// processLinked is ProcessBatch where the lab has links.
func (w *Walk) processLinked(now clock.Time, batch []Passage) {
	w.links.fates = slices.Grow(w.links.fates[:0], len(batch))[:len(batch)]
	for i := range batch {
		p := &batch[i]
		p.Out, p.Why = w.Process(now, p.In, p.Frame)
		w.links.fates[i] = w.links.fate
		p.Fate = &w.links.fates[i]
	}
}

// ExpectFlows tells the walk whose frames will soon come, a few dozen at a time at best: the
// keys of their flows, each in its direction and within the scope of the interface. It
// fetches their paths as a batch does. Nothing else comes of it: frames that are expected
// need not come, and others may.
func (w *Walk) ExpectFlows(keys []flow.Key) {
	for ; len(keys) > flow.Ahead; keys = keys[flow.Ahead:] {
		w.paths.Expect(keys)
	}
	w.paths.Expect(keys)
}
