package dataplane

import (
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// ahead reads the packets of a batch before their turn comes, a few at a time, so that what
// they need of a table of flows is there by then: while some are on their way, the entries
// of the next ones come from memory, and what the index says of those after them.
//
// Nobody is kept to it: meanwhile entries come and go, so what is likely must still be
// proven to be right, and to be there.
type ahead[V any] struct {
	table guesser[V]
	lines *flow.Lines
	rest  []Passage // not read yet
	some  [3]some[V]
	turn  int // whose turn comes next
}

// guesser is a table of flows as far as one looks ahead in it.
type guesser[V any] interface {
	Lines() *flow.Lines
	ExpectHashes(hashes []uint32)
	ExpectLikely(hashes []uint32, found []flow.Likely[V]) (all bool)
}

// some are a few packets of a batch, and what is known of them.
type some[V any] struct {
	passages []Passage
	read     [flow.Few]glimpse
	hashes   [flow.Few]uint32         // of their flows
	likely   [flow.Few]flow.Likely[V] // what their flows have
	all      bool                     // each of those has something
}

// glimpse is what was read of a packet.
type glimpse struct {
	packet.Plain
	plain bool // it is one; else only the words are right, if at all
}

// begin begins a batch, and returns the packets that come first; nil: there are none.
func (a *ahead[V]) begin(table guesser[V], batch []Passage) *some[V] {
	a.table, a.lines, a.rest, a.turn = table, table.Lines(), batch, 0
	a.read(&a.some[0])
	a.read(&a.some[1])
	a.find(&a.some[0])
	return a.next()
}

// next returns the packets whose turn comes next; nil: there are no more.
func (a *ahead[V]) next() *some[V] {
	now, soon, later := &a.some[a.turn], &a.some[(a.turn+1)%3], &a.some[(a.turn+2)%3]
	a.turn = (a.turn + 1) % 3
	a.read(later)
	a.find(soon)
	if len(now.passages) == 0 {
		return nil
	}
	return now
}

// read reads the next packets, and fetches what the index says of their flows.
func (a *ahead[V]) read(s *some[V]) {
	n := min(len(a.rest), flow.Few)
	passages, read, hashes := a.rest[:n], s.read[:n], s.hashes[:n]
	s.passages, a.rest = passages, a.rest[n:]
	for i := range passages {
		p, g := &passages[i], &read[i]
		g.plain = g.Read(p.Frame)
		hashes[i] = a.lines.Hash(flow.Scope(p.In), &g.Words)
	}
	a.table.ExpectHashes(hashes)
}

// find looks the flows of some packets up in the index, and fetches what is likely theirs.
func (a *ahead[V]) find(s *some[V]) {
	n := len(s.passages)
	s.all = a.table.ExpectLikely(s.hashes[:n], s.likely[:n])
}
