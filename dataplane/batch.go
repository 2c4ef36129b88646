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

// ahead is what is known of the packets of a batch before their turn has come.
type ahead[V any] struct {
	read   [flow.Ahead]packet.Plain
	plain  [flow.Ahead]bool           // they are; else only the words are right, if at all
	hashes [flow.Ahead]uint32         // of their flows
	likely [flow.Ahead]flow.Likely[V] // what their flows have: paths
}

// ProcessBatch takes frames along the walk, one after the other as Process does, and notes
// in each passage what becomes of its frame.
//
// With many flows a packet mostly waits for memory: for the index of the table of paths, and
// then for what it leads to. So each step is taken for a few dozen packets before the next
// one is for any, and what they wait for comes at the same time.
func (w *Walk) ProcessBatch(now clock.Time, batch []Passage) {
	if w.links != nil {
		w.processLinked(now, batch)
		return
	}
	for len(batch) > 0 {
		n := min(len(batch), flow.Ahead)
		w.expect(batch[:n])
		a := &w.ahead
		for i := range batch[:n] {
			p := &batch[i]
			if t := a.likely[i]; t.Value != nil && a.plain[i] {
				var ok bool
				if p.Out, ok = w.followPlain(now, p.In, &a.read[i], t); ok {
					p.Why = drop.None
					continue
				}
			}
			p.Out, p.Why = w.process(now, p.In, p.Frame)
		}
		batch = batch[n:]
	}
}

// expect reads the frames of a batch, [flow.Ahead] of them at most, and fetches the paths that
// most likely are their own. While they are processed paths come and go: each must still be proven to
// be the right one, and to be there.
func (w *Walk) expect(batch []Passage) {
	a := &w.ahead
	for i := range batch {
		p := &batch[i]
		a.plain[i] = a.read[i].Read(p.Frame)
		a.hashes[i] = w.paths.Hash(flow.Scope(p.In), &a.read[i].Words)
	}
	w.paths.ExpectLikely(a.hashes[:len(batch)], a.likely[:])
	for i := range batch {
		if a.likely[i].Value == nil && a.read[i].Proto != 0 {
			w.flows.ExpectHash(a.hashes[i]) // it will be decided on,
			w.track.ExpectHash(a.hashes[i]) // by tables that share their hashes
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
