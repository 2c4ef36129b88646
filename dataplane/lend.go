package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
)

// What the walk lends to couriers. All that is decided, and all state, stays here: a
// courier repeats what was decided, and what it has seen is collected before anybody
// looks at it. A packet that says more than that its flow goes on (SYN, FIN, RST, a
// fragment, one that dies) ends the loan and comes to the walk, and so do those after
// it, until the walk lends that direction again.

// lending is what a path has lent, by flow.Dir.
type lending struct {
	loans  [2]flow.Ref // in the couriers' tables
	to     [2]uint8    // numbers of couriers; 0: it is not lent
	window clock.Time  // of the log, in which the counts were collected last
}

// want is a direction of a path that could be lent.
type want struct {
	path flow.Ref
	dir  flow.Dir
}

// lendAfter is how many packets of a direction come to the walk before it is lent: a
// short connection is over before that pays.
const lendAfter = 16

// Hire returns a courier for packets that come from some of the devices. The walk calls
// halt before it touches what the courier has; it must return when the courier is at
// rest, and keep it so until the walk has done what it was called for.
func (w *Walk) Hire(halt func()) *Courier {
	c := &Courier{
		halt: halt, number: uint8(len(w.couriers) + 1), prog: w.prog, term: 1, salt: w.salt,
		loans: flow.NewSingle[loan](w.salt), meter: metrics.NewMeter(), drops: make(map[death]uint64),
	}
	w.couriers = append(w.couriers, c)
	return c
}

// Consider notes that the flow of a frame which a courier hands over may be lent to it, in
// that direction. It reports whether any is noted.
func (w *Walk) Consider(c *Courier, a *Arrival) bool {
	var key flow.Key
	if !a.key(&key) {
		return len(c.wanted) > 0
	}
	if ref, t, dir := w.paths.Lookup(&key); t != nil && t.counts[dir].Packets >= lendAfter {
		var p path
		w.whole(ref, t, &p)
		if w.lendable(&p, dir) {
			c.wanted = append(c.wanted, want{ref, dir})
		}
	}
	return len(c.wanted) > 0
}

// Lend lends a courier what was noted for it. All that it has handed over must have been
// processed: then no packet overtakes another of its flow.
func (w *Walk) Lend(c *Courier) {
	c.halt()
	for _, x := range c.wanted {
		if t := w.paths.At(x.path); t != nil {
			var p path
			w.whole(x.path, t, &p)
			w.lend(c, x, &p)
		}
	}
	c.wanted = c.wanted[:0]
}

// lendable reports whether all plain packets of a direction go the same way, and change
// nothing but counts and the time.
func (w *Walk) lendable(p *path, dir flow.Dir) bool {
	to := p.arrival(dir)
	switch {
	case w.watch != nil || w.links != nil || p.epoch != w.prog.Epoch:
		return false
	case p.verdict != drop.None || p.spliced || p.converts || to.onward || to.out == NoInterface:
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

// lend lends a direction of a path, anew if the courier has it already.
func (w *Walk) lend(c *Courier, x want, p *path) {
	if !w.lendable(p, x.dir) {
		return
	}
	w.collect(p)
	if p.counts[x.dir].Full() {
		w.report(p)
	}
	if p.lent == 0 {
		p.lent = w.lent.Take() + 1
		*w.lent.At(p.lent - 1) = lending{}
	}
	at := w.lent.At(p.lent - 1)
	if at.to[x.dir] != c.number { // it has never been, or its device has changed hands
		w.takeBack(at, x.dir)
	}
	l := c.loans.At(at.loans[x.dir])
	if l == nil {
		at.loans[x.dir], l, _ = c.loans.Insert(w.keyOf(x), loan{way: c.use(p, x.dir)})
		at.to[x.dir] = c.number
		to, delta := p.seen(1), p.delta
		if x.dir == flow.Reply {
			to, delta = p.seen(0).Reversed(), delta.Reversed()
		}
		l.ports, l.delta = [2]uint16{to.SrcPort, to.DstPort}, delta
	}
	l.term, l.idle, l.last = c.term, p.idle, p.last
}

// keyOf returns the key of a direction of a path.
func (w *Walk) keyOf(x want) flow.Key {
	there, back, _ := w.paths.Keys(x.path)
	if x.dir == flow.Reply {
		return back
	}
	return there
}

// use returns the number under which a courier has the way of a direction.
func (c *Courier) use(p *path, dir flow.Dir) uint32 {
	to := p.arrival(dir)
	y := way{
		src: to.src, dst: to.dst, srcMAC: to.srcMAC, dstMAC: to.dstMAC, nat: p.nat, ttl: p.ttl,
		mtu: p.mtus[dir], out: to.out, bytes: p.bytes,
	}
	if dir == flow.Reply {
		y.src, y.dst = to.dst, to.src
	}
	if p.measured {
		y.traffic = c.meter.Traffic(p.place)
	}
	return c.ways.Use(&y, y.hash(c.salt))
}

// collect takes what couriers have counted and seen of a path.
func (w *Walk) collect(p *path) {
	if p.lent == 0 {
		return
	}
	at := w.lent.At(p.lent - 1)
	for dir, number := range at.to {
		if number == 0 {
			continue
		}
		c := w.couriers[number-1]
		c.halt()
		l := c.loans.At(at.loans[dir])
		p.last = max(p.last, l.last)
		p.counts[dir].Merge(&l.count)
		l.count = flowlog.Tally{}
	}
}

// recall takes a path back from couriers.
func (w *Walk) recall(p *path) {
	if p.lent == 0 {
		return
	}
	w.collect(p)
	at := w.lent.At(p.lent - 1)
	w.takeBack(at, flow.Forward)
	w.takeBack(at, flow.Reply)
	w.lent.Free(p.lent - 1)
	p.lent = 0
}

// takeBack ends the loan of a direction, if there is one.
func (w *Walk) takeBack(at *lending, dir flow.Dir) {
	if at.to[dir] == 0 {
		return
	}
	c := w.couriers[at.to[dir]-1]
	c.halt()
	c.ways.Release(c.loans.At(at.loans[dir]).way)
	c.loans.Delete(at.loans[dir])
	at.to[dir], at.loans[dir] = 0, flow.Ref{}
}

// recallAll has couriers hand over all that comes from now on.
func (w *Walk) recallAll() {
	for _, c := range w.couriers {
		c.halt()
		c.prog = w.prog
		c.term++
	}
}

// servesYet reports whether a path that seems to be too old serves a packet after all,
// since couriers have carried others.
func (w *Walk) servesYet(now clock.Time, p *path, v *packet.View) bool {
	if p.lent == 0 {
		return false
	}
	w.collect(p)
	return p.serves(now, w.prog.Epoch, v)
}

// collectDue collects what couriers have of a path if the log wants it, for a window of
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

// settle takes what couriers have counted apart from paths.
func (w *Walk) settle() {
	for _, c := range w.couriers {
		c.halt()
		w.meter.Absorb(c.meter)
		for at, n := range c.drops {
			w.drops[at.at][at.why] += n
		}
		clear(c.drops)
	}
}
