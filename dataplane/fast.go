package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// The short way. Nearly all packets are plain ones of flows that have come to rest, and
// for those the walk does little: another address here and there, and a count.

// hasten takes a frame the short way, if there is one for it.
func (w *Walk) hasten(now clock.Time, in InterfaceID, f *packet.Frame) (out InterfaceID, ok bool) {
	if w.links != nil {
		return NoInterface, false
	}
	var v packet.Plain
	if !v.Read(f) {
		return NoInterface, false
	}
	t, dir := w.paths.Likely(w.paths.Hash(flow.Scope(in), &v.Words))
	if t == nil {
		return NoInterface, false
	}
	return w.speed(now, in, &v, t, dir)
}

func (w *Walk) speed(now clock.Time, in InterfaceID, v *packet.Plain, t *trip, dir flow.Dir) (out InterfaceID, ok bool) {
	dir &= 1
	if t.recipe == 0 || !t.settled() || t.expired(now) || t.port(dir, dir) != v.Ports || w.watch != nil && w.watch.heeds(t) {
		return NoInterface, false
	}
	r, from, to := w.recipes.At(t.recipe), w.sides.At(t.sides[dir]), w.sides.At(t.sides[dir^1])
	if !r.plain || r.epoch != w.prog.Epoch || r.proto != v.Proto || from.out != in || !from.Show(&v.Words, uint8(dir)) || !v.From(&from.DstMAC) {
		return NoInterface, false
	}
	if v.Len > int(r.mtus[dir]) || v.TTL <= r.ttl || !v.Holds() {
		return NoInterface, false
	}
	t.last = now
	t.counts[dir].Add(now, 1, uint64(v.Len), 0)
	r.traffic.Add(now, 1, r.bytes, uint64(v.Len))
	back := -uint16(dir)
	v.Apply(&to.Ends, uint8(dir), packet.Change{
		Ports: t.port(dir^1, dir), TTL: r.ttl, NAT: r.nat,
		Delta: packet.Delta{Addr: t.delta.Addr ^ back, Port: t.delta.Port ^ back},
	})
	return to.out, true
}

// port returns the ports of packets in a direction on a side, source first.
func (t *trip) port(at, dir flow.Dir) uint32 {
	p := &t.ports[at&1]
	return uint32(p[dir&1])<<16 | uint32(p[dir&1^1])
}

// simple reports whether a path does to plain packets of settled flows what the short way does.
func (p *path) simple() bool {
	return p.verdict == drop.None && !p.spliced && !p.converts && (p.proto == packet.TCP || p.proto == packet.UDP) &&
		!p.sides[0].onward && !p.sides[1].onward
}

// heeds reports whether it looks at a path, or does not know.
func (w *watch) heeds(t *trip) bool { return t.watched || w.changed || t.last <= w.since }
