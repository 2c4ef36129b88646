package flowlog

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
)

// Key is what a record is about. Flow holds the packets' own addresses, source
// first; its scope is the interface.
type Key struct {
	Flow   flow.Key
	Way    flow.Way
	Action Action
	Path   Path // of egress
	// Hidden says that AWS has no such record: of the leg between an endpoint's
	// interface and a load balancer, of queries to the resolver, of what is not AWS's.
	Hidden bool
}

// Note is what the walk knows of a record and AWS does not tell.
type Note struct {
	Why    drop.Reason // why the packets came no further than here; None: they did
	Guard  string      // the network ACL that refused them
	FlowID uint64      // the same at every hop of a flow, in both directions; 0: not asked for
	Hop    uint8       // on the way from the flow's client, from 0
}

// Entry is what one interface saw, in a while, of one direction of a flow.
type Entry struct {
	Key
	Counter
	Note
}

// Buffer holds entries until somebody takes them away. It costs whoever adds no
// more than the memory, of which it never takes more than it may. It has one owner.
type Buffer struct {
	limit   int
	full    [][]Entry // each of chunkLen
	last    []Entry
	skipped map[flow.Scope]Skip
}

// Skip is what did not fit of an interface's traffic.
type Skip struct {
	Entries     uint64
	First, Last clock.Time
}

const chunkLen = 1 << 12

// NewBuffer returns a buffer for the given number of entries; 0 or less for
// [DefaultBuffer].
func NewBuffer(limit int) *Buffer {
	if limit <= 0 {
		limit = DefaultBuffer
	}
	return &Buffer{limit: limit}
}

// DefaultBuffer is how many entries a buffer holds: some 200 MB, and several
// seconds of a million flows a minute.
const DefaultBuffer = 1 << 20

// Len returns the number of entries.
func (b *Buffer) Len() int { return len(b.full)*chunkLen + len(b.last) }

// Add adds an entry, or counts it as skipped where there is no room (F4.8).
func (b *Buffer) Add(e *Entry) {
	switch {
	case e.Packets == 0:
		return
	case b.Len() >= b.limit:
		b.skip(e)
		return
	case len(b.last) == cap(b.last):
		if len(b.last) == chunkLen {
			b.full, b.last = append(b.full, b.last), nil
		}
		grown := make([]Entry, len(b.last), min(chunkLen, max(64, 4*len(b.last))))
		copy(grown, b.last)
		b.last = grown
	}
	b.last = append(b.last, *e)
}

func (b *Buffer) skip(e *Entry) {
	if e.Hidden {
		return
	}
	if b.skipped == nil {
		b.skipped = make(map[flow.Scope]Skip)
	}
	s := b.skipped[e.Flow.Scope]
	s.add(e)
	b.skipped[e.Flow.Scope] = s
}

func (s *Skip) add(e *Entry) {
	if s.Entries == 0 {
		s.First = e.First
	}
	s.Entries++
	s.First, s.Last = min(s.First, e.First), max(s.Last, e.Last)
}

// Batch is what was taken out of a buffer.
type Batch struct {
	chunks  [][]Entry
	skipped map[flow.Scope]Skip
}

// Take empties the buffer. What it returns is the caller's.
func (b *Buffer) Take() Batch {
	t := Batch{b.full, b.skipped}
	if len(b.last) > 0 {
		t.chunks = append(t.chunks, b.last)
	}
	b.full, b.last, b.skipped = nil, nil, nil
	return t
}
