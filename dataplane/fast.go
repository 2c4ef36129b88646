package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// The short way. Nearly all packets are plain ones of flows that have come to rest: for
// those the walk does little, other addresses and a count, and can know it at once. Whatever
// is unusual about a packet or its path, or wrong, sends the packet the long way
// ([Walk.pass]), with nothing done: what comes out is the same, and only takes longer.

// hasten takes a frame the short way. It reports false where there is none for it.
func (w *Walk) hasten(now clock.Time, in InterfaceID, f *packet.Frame) (out InterfaceID, ok bool) {
	if w.links != nil {
		return NoInterface, false
	}
	w.meter.Pass(now)
	var v packet.Plain
	if !v.Read(f) {
		return NoInterface, false
	}
	t := w.paths.Likely(w.lines.Hash(flow.Scope(in), &v.Words))
	if t.Value == nil {
		return NoInterface, false
	}
	return w.followPlain(now, in, &v, t)
}

// followPlain is [Walk.follow] of a plain packet along a path that is likely to be its own,
// if nothing speaks against it. The meter must know what time it is. A path that is gone
// meanwhile has not settled.
func (w *Walk) followPlain(now clock.Time, in InterfaceID, v *packet.Plain, likely flow.Likely[trip]) (out InterfaceID, ok bool) {
	t, dir := likely.Value, uint(likely.Dir&1)
	if !t.settled() || t.expired(now) || t.ports[dir] != v.Ports || w.watch != nil && w.watch.heeds(t) {
		return NoInterface, false
	}
	r, from, to := w.recipes.At(t.recipe), w.sides.At(t.sides[dir]), w.sides.At(t.sides[dir^1])
	if r.plain != v.Proto || r.epoch != w.prog.Epoch || from.out != in || !from.Show(&v.Words, dir) {
		return NoInterface, false // it is another flow's, or another lab's
	}
	if !v.From(&from.DstMAC) || v.Len > int(r.mtus[dir]) || v.TTL <= r.ttl {
		return NoInterface, false
	}
	t.last = now
	t.counts[dir].Add(now, 1, uint64(v.Len), 0)
	if !r.traffic.Count(r.bytes, uint64(v.Len)) {
		r.traffic.Add(now, 1, r.bytes, uint64(v.Len))
	}
	back := -uint16(dir) // all ones, which reverse a delta
	v.Apply(&to.Ends, dir, packet.Change{
		Ports: turned(t.ports[dir^1]), TTL: r.ttl, NAT: r.nat,
		Delta: packet.Delta{Addr: t.delta.Addr ^ back, Port: t.delta.Port ^ back},
	})
	v.Complete()
	return to.out, true
}

// plainProto returns the protocol of a path if plain packets of it, once its flow has settled,
// need no more than the short way does, and else 0.
func (p *path) plainProto() packet.Proto {
	if p.verdict == drop.None && (p.proto == packet.TCP || p.proto == packet.UDP) &&
		!p.spliced && !p.converts && !p.sides[0].onward && !p.sides[1].onward {
		return p.proto
	}
	return 0
}

// heeds reports whether packets on a path are shown to somebody, as far as is known.
func (w *watch) heeds(t *trip) bool { return t.watched || w.changed || t.last <= w.since }
