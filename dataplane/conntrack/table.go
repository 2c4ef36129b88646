package conntrack

import (
	"iter"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
)

// Entry is a connection that the security groups of an interface remember.
type Entry struct {
	Machine
	Opened   flow.Way      // how its first packet crossed it
	Rule     filter.RuleID // what admitted it, perhaps gone since (F3.12)
	LastSeen clock.Time
	Owner    flow.Ref // the path that stands for it and knows it better, while it lives
}

// Table is the memory of the security groups of all interfaces that one worker
// serves. The scope of a key is the interface, its source the interface's own
// side and its destination the peer, so that both directions share one key. A
// table has one owner.
type Table struct {
	flows    *flow.Single[Entry]
	timeouts func(flow.Scope) *Timeouts
	limit    int
	count    []int      // by scope
	again    clock.Time // when a full table looks for room next
	owned    func(clock.Time, flow.Ref) bool
}

// A full table looks at so many slots before it refuses a connection; and not again for a
// while, so that a flood of connections that are refused costs little.
const (
	reclaim      = 256
	reclaimEvery = time.Millisecond
)

// NewTable returns an empty table, with lines that it may share, in which each interface has the timeouts that it
// is asked for whenever they matter (F3.14), and may have at most limit connections (F3.16); 0 or less means no limit. While owned reports that
// an entry's Owner lives, the entry does not expire: its owner takes in the
// packets, and writes them back when it ends, which may be when owned is asked. owned may
// be nil.
func NewTable(lines *flow.Lines, timeouts func(flow.Scope) *Timeouts, limit int, owned func(clock.Time, flow.Ref) bool) *Table {
	return &Table{
		owned:    owned,
		flows:    flow.NewSingleOn[Entry](lines),
		timeouts: timeouts,
		limit:    limit,
	}
}

// Len returns the number of connections, expired ones that nobody has met yet
// included.
func (t *Table) Len() int { return t.flows.Len() }

// Count returns the number of connections of one interface, counted like Len.
func (t *Table) Count(iface flow.Scope) int {
	if int(iface) >= len(t.count) {
		return 0
	}
	return t.count[iface]
}

// Lookup finds a connection. An expired one is forgotten instead, and nil returned.
func (t *Table) Lookup(now clock.Time, k *flow.Key) (flow.Ref, *Entry) {
	ref, e, _ := t.flows.Lookup(k)
	return t.known(now, ref, e)
}

// Find is Lookup of a key that is named already.
func (t *Table) Find(now clock.Time, n *flow.Name) (flow.Ref, *Entry) {
	ref, e, _ := t.flows.Find(n)
	return t.known(now, ref, e)
}

// ExpectName fetches what Find will need of a large table, and Add.
func (t *Table) ExpectName(n *flow.Name) { t.flows.ExpectName(n) }

// ExpectHash does so by the hash that [flow.Table.Hash] returns.
func (t *Table) ExpectHash(hash uint32) { t.flows.ExpectHash(hash) }

func (t *Table) known(now clock.Time, ref flow.Ref, e *Entry) (flow.Ref, *Entry) {
	if e == nil || t.forget(now, ref, e) {
		return flow.Ref{}, nil
	}
	return ref, e
}

// At returns the connection that ref refers to, or nil if it was forgotten or
// has expired.
func (t *Table) At(now clock.Time, ref flow.Ref) *Entry {
	e := t.flows.At(ref)
	if e == nil || t.forget(now, ref, e) {
		return nil
	}
	return e
}

// Insert remembers a connection that rule admitted and whose first packet
// crosses the interface now; the entry's Machine has not seen that packet yet. An
// old connection under the same key is replaced. Insert reports false if the
// interface has as many connections as it may have.
func (t *Table) Insert(now clock.Time, n *flow.Name, way flow.Way, rule filter.RuleID) (flow.Ref, *Entry, bool) {
	if ref, old, _ := t.flows.Find(n); old != nil {
		t.Delete(ref)
	}
	if t.Full(now, n.Scope) {
		return flow.Ref{}, nil, false
	}
	ref, e := t.Add(now, n, way, rule)
	return ref, e, true
}

// Add is Insert of a connection under a key that there is none of, at an interface that
// has room, both as the caller knows.
func (t *Table) Add(now clock.Time, n *flow.Name, way flow.Way, rule filter.RuleID) (flow.Ref, *Entry) {
	if more := int(n.Scope) + 1 - len(t.count); more > 0 {
		t.count = append(t.count, make([]int, more)...)
	}
	t.count[n.Scope]++
	return t.flows.Add(n, &Entry{Opened: way, Rule: rule, LastSeen: now})
}

// Room reports whether an interface may have n connections more, as far as is known
// without looking for some that have expired.
func (t *Table) Room(iface flow.Scope, n int) bool {
	return t.limit <= 0 || t.Count(iface)+n <= t.limit
}

// Delete forgets a connection.
func (t *Table) Delete(ref flow.Ref) {
	if line := t.flows.Line(ref); line != nil {
		t.count[line.Scope]--
		t.flows.Delete(ref)
	}
}

// Clear forgets all connections.
func (t *Table) Clear() {
	for ref := range t.flows.All() {
		t.Delete(ref)
	}
}

// Sweep looks at the next n slots of the table and forgets what has expired.
func (t *Table) Sweep(now clock.Time, n int) {
	t.flows.Sweep(n, func(ref flow.Ref, e *Entry) bool {
		if t.idle(now, ref, e) { // as far as is known without its owner
			t.forget(now, ref, e)
		}
		return false
	})
}

// Keys returns the key of a connection.
func (t *Table) Keys(ref flow.Ref) (flow.Key, bool) {
	k, _, ok := t.flows.Keys(ref)
	return k, ok
}

// All visits all connections in a stable order, expired ones that nobody has
// met yet included.
func (t *Table) All() iter.Seq2[flow.Ref, *Entry] { return t.flows.All() }

// Full reports whether an interface has as many connections as it may have, after
// it looked for some that have expired, if it did not just before.
func (t *Table) Full(now clock.Time, iface flow.Scope) bool {
	if !t.atLimit(iface) {
		return false
	}
	if now >= t.again {
		t.again = now.Add(reclaimEvery)
		t.Sweep(now, reclaim)
	}
	return t.atLimit(iface)
}

func (t *Table) atLimit(iface flow.Scope) bool {
	return !t.Room(iface, 1)
}

// forget deletes e if it has expired, and reports whether it had. Its owner is asked first:
// one that ends says by that how far the connection came, and when.
func (t *Table) forget(now clock.Time, ref flow.Ref, e *Entry) bool {
	if t.owned != nil && t.owned(now, e.Owner) || !t.idle(now, ref, e) {
		return false
	}
	t.Delete(ref)
	return true
}

// idle reports whether the last packet that e has seen was too long ago.
func (t *Table) idle(now clock.Time, ref flow.Ref, e *Entry) bool {
	line := t.flows.Line(ref)
	return now.Sub(e.LastSeen) >= t.timeouts(line.Scope).For(e.State(), line.Proto)
}
