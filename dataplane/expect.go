package dataplane

import (
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// An Arrival is a frame on its way to the walk, as [Walk.Expect] is told of it.
type Arrival struct {
	In       InterfaceID // whose device it comes from
	Ethernet []byte      // read, and not kept
}

// Expect tells the walk which frames it will soon be given, a few dozen at a time at
// best. It fetches what they will need of the tables into the processor's cache, for all
// of them at once: with a million flows a packet mostly waits for memory, and dozens of
// packets can wait for theirs together. Nothing else comes of it: frames that are
// expected need not come, and others may.
func (w *Walk) Expect(soon []Arrival) { expect(w.paths.Expect, &w.expected, soon) }

// expect tells a table which frames come, with room for their keys.
func expect(table func([]flow.Key), room *[flow.Ahead]flow.Key, soon []Arrival) {
	for len(soon) > 0 {
		n := min(len(soon), flow.Ahead)
		known := 0
		for i := range soon[:n] {
			if soon[i].key(&room[known]) { // else it is read when it comes
				known++
			}
		}
		table(room[:known])
		soon = soon[n:]
	}
}

// key finds out the key of what will come, as far as a glance shows it.
func (a *Arrival) key(k *flow.Key) (ok bool) {
	k.Scope = flow.Scope(a.In)
	k.SrcPort, k.DstPort, k.Proto, ok = packet.Glance(a.Ethernet, &k.Src, &k.Dst)
	return ok
}

// ExpectFlows is [Walk.Expect] for whoever knows of frames only whose they will be: the keys
// of their flows, each in its direction and within the scope of the interface.
func (w *Walk) ExpectFlows(keys []flow.Key) {
	for ; len(keys) > flow.Ahead; keys = keys[flow.Ahead:] {
		w.paths.Expect(keys)
	}
	w.paths.Expect(keys)
}
