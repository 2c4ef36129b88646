package dataplane

import (
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
)

// What the walk lends. All that is decided, and all state, stays here: a borrower repeats
// what was decided, one direction of a path at a time, and what it has seen is collected
// before anybody looks at it. A packet that says more than that its flow goes on ends the
// loan and comes to the walk, and so do those after it, until that direction is lent again.

// A Borrower forwards packets of settled flows in the walk's stead, where they arrive. It
// goes by what the walk has lent it, and leaves to the walk all packets of other flows and
// those that are not plain: SYN, FIN and RST, fragments, what is longer than the loan's
// MTU, has no time to live left, or comes after the flow was idle for too long. A packet
// that it leaves to the walk should suspend the loan for those after it, so that none is
// overtaken, as far as it can see to that. Its methods are called by the walk's owner.
type Borrower interface {
	// Lend has packets with a key go the way of a loan; where there is one already, anew.
	// It reports false where that cannot be.
	Lend(k *flow.Key, l *Loan) bool
	// Collect returns what it has forwarded since it was asked last, and when the last one
	// of all was.
	Collect(k *flow.Key) (flowlog.Tally, clock.Time)
	// Return ends a loan, and returns what Collect would.
	Return(k *flow.Key) (flowlog.Tally, clock.Time)
	// Suspend has all loans serve no more until they are lent again.
	Suspend()
	// Settle hands over what has passed at places, since it was asked last.
	Settle(m *metrics.Meter)
	// Bury hands over what has died on its way out.
	Bury(died func(at InterfaceID, why drop.Reason, n uint64))
}

// Loan is what happens to packets of one direction of a path.
type Loan struct {
	Sender  packet.MAC // what they come from; others are for the walk
	Rewrite packet.Rewrite
	Out     InterfaceID // by whose device they leave
	MTU     int32       // bytes of IP packet
	Idle    time.Duration
	Last    clock.Time      // when the flow was seen last
	Place   metrics.Place   // where they count,
	Bytes   metrics.Counter // and as what; NumCounters: they do not
}

// Lender lends to a borrower. It belongs to the walk.
type Lender struct {
	walk   *Walk
	to     Borrower
	number uint8  // among the walk's lenders, from 1
	wanted []want // what could be lent
}

// want is a direction of a path that could be lent.
type want struct {
	path flow.Ref
	dir  flow.Dir
}

// lending is what of a path is lent, by flow.Dir.
type lending struct {
	by     [2]uint8   // numbers of lenders; 0: it is not lent
	window clock.Time // of the log, in which the counts were collected last
}

// lendAfter is how many packets of a direction come to the walk before it is lent: a
// short connection is over before that pays.
const lendAfter = 16

// LendTo returns a lender to a borrower.
func (w *Walk) LendTo(b Borrower) *Lender {
	l := &Lender{walk: w, to: b, number: uint8(len(w.lenders) + 1)}
	w.lenders = append(w.lenders, l)
	return l
}

// Consider notes that the flow of a frame which the walk will be given may be lent, in that
// direction. It reports whether any is noted.
func (l *Lender) Consider(a *Passage) bool {
	var v packet.Plain
	if !v.Read(a.Frame) && v.Proto == 0 {
		return len(l.wanted) > 0
	}
	w, key := l.walk, flow.KeyOfWords(flow.Scope(a.In), &v.Words)
	if ref, t, dir := w.paths.Lookup(&key); t != nil && t.counts[dir].Packets >= lendAfter {
		var p path
		w.whole(ref, t, &p)
		x := want{ref, dir}
		if n := len(l.wanted); (n == 0 || l.wanted[n-1] != x) && w.lendable(&p, dir) {
			l.wanted = append(l.wanted, x)
		}
	}
	return len(l.wanted) > 0
}

// Lend lends what was noted. All that the borrower has left to the walk must have been
// forwarded. If it leaves no more until Lend returns, no packet overtakes another of its
// flow; the kernel, which nobody halts, may have one overtaken that comes meanwhile.
func (l *Lender) Lend() {
	for _, x := range l.wanted {
		if t := l.walk.paths.At(x.path); t != nil {
			var p path
			l.walk.whole(x.path, t, &p)
			l.lend(&p, x.dir)
		}
	}
	l.wanted = l.wanted[:0]
}

// lendable reports whether all plain packets of a direction go the same way, and change
// nothing but counts and the time.
func (w *Walk) lendable(p *path, dir flow.Dir) bool {
	if w.watch != nil || w.links != nil || p.epoch != w.prog.Epoch || p.plain == 0 || p.arrival(dir).out == NoInterface {
		return false
	}
	if p.turned {
		dir = dir.Flip()
	}
	next := p.life
	switch next.Observe(dir, p.proto, packet.ACK) {
	case conntrack.Established:
		return p.proto == packet.TCP && next == p.life
	case conntrack.New, conntrack.Stream:
		return p.proto == packet.UDP && next == p.life
	}
	return false
}

// lend lends a direction of a path, anew if the borrower has it already.
func (l *Lender) lend(p *path, dir flow.Dir) {
	w := l.walk
	if !w.lendable(p, dir) {
		return
	}
	w.collect(p)
	if p.counts[dir].Full() {
		w.report(p)
	}
	if p.lent == 0 {
		p.lent = w.lent.Take() + 1
		*w.lent.At(p.lent - 1) = lending{}
	}
	by := &w.lent.At(p.lent - 1).by[dir]
	if *by != l.number { // it is not lent, or its device has changed hands
		w.takeBack(p, dir)
	}
	loan := Loan{
		Sender: w.prog.Interfaces[p.departs(dir)].MAC, Out: p.arrival(dir).out, MTU: p.mtus[dir],
		Idle: p.idle.duration(), Last: p.last, Place: metrics.Nowhere, Bytes: p.bytes,
	}
	p.rewrite(dir, &loan.Rewrite)
	if p.measured {
		loan.Place = p.place
	}
	if key := p.key(dir); l.to.Lend(&key, &loan) {
		*by = l.number
	}
}

// departs returns the interface by which packets of a direction come.
func (p *path) departs(dir flow.Dir) InterfaceID {
	if dir == flow.Reply {
		return p.lastHop()
	}
	return p.hop(0)
}

// key returns the key of a direction of a path.
func (p *path) key(dir flow.Dir) flow.Key {
	if dir == flow.Reply {
		return tupleKey(p.lastHop(), p.proto, p.seen(1).Reversed())
	}
	return tupleKey(p.hop(0), p.proto, p.seen(0))
}

// collect takes what borrowers have counted and seen of a path.
func (w *Walk) collect(p *path) {
	if p.lent == 0 {
		return
	}
	for dir, n := range w.lent.At(p.lent - 1).by {
		if n == 0 {
			continue
		}
		key := p.key(flow.Dir(dir))
		passed, last := w.lenders[n-1].to.Collect(&key)
		p.last = max(p.last, last)
		p.counts[dir].Merge(&passed)
	}
}

// recall takes a path back from borrowers.
func (w *Walk) recall(p *path) {
	if p.lent == 0 {
		return
	}
	w.takeBack(p, flow.Forward)
	w.takeBack(p, flow.Reply)
	w.lent.Free(p.lent - 1)
	p.lent = 0
}

// takeBack ends the loan of a direction, if there is one.
func (w *Walk) takeBack(p *path, dir flow.Dir) {
	by := &w.lent.At(p.lent - 1).by[dir]
	if *by != 0 {
		key := p.key(dir)
		passed, last := w.lenders[*by-1].to.Return(&key)
		p.last = max(p.last, last)
		p.counts[dir].Merge(&passed)
		*by = 0
	}
}

// suspend has borrowers leave to the walk all that comes from now on.
func (w *Walk) suspend() {
	for _, l := range w.lenders {
		l.to.Suspend()
	}
}

// collectDue collects what borrowers have of a path if the log wants it, for a window of
// the log has ended, or if the path seems to be too old.
func (w *Walk) collectDue(now, window clock.Time, p *path) {
	if p.lent == 0 {
		return
	}
	if at := w.lent.At(p.lent - 1); at.window < window || p.expired(now) {
		w.collect(p)
		at.window = window
	}
}

// PeriodEnd returns when [Walk.Expire] should come by at the latest, so that what borrowers
// have counted is counted in the period in which it passed.
func (w *Walk) PeriodEnd() clock.Time { return w.meter.End() }

// settle takes what borrowers have counted for the metrics.
func (w *Walk) settle() {
	for _, l := range w.lenders {
		l.to.Settle(w.meter)
	}
}

// bury takes what borrowers have lost.
func (w *Walk) bury() {
	for _, l := range w.lenders {
		l.to.Bury(func(at InterfaceID, why drop.Reason, n uint64) { w.drops[at][why] += n })
	}
}
