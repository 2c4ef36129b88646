package dataplane

import (
	"encoding/binary"

	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// What paths share. Of a million flows each has a trip; their recipes and sides are as
// few as there are kinds of them, and clients and targets.

// whole puts the path of a trip together.
func (w *Walk) whole(ref flow.Ref, t *trip, p *path) {
	w.assemble(p, t, w.behind.At(ref))
}

func (w *Walk) assemble(p *path, t *trip, b *behind) {
	p.trip, p.behind, p.recipe = t, b, w.recipes.At(t.recipe)
	p.sides[0], p.sides[1] = w.sides.At(t.sides[0]), w.sides.At(t.sides[1])
}

// share enters a path under the keys of both directions, which may be the same one and
// which no path has. From then on p is the one that was entered.
func (w *Walk) share(p *path, there, back *flow.Name) flow.Ref {
	p.trip.recipe = w.recipes.Use(p.recipe, p.recipe.hash(w.salt))
	for i, s := range p.sides {
		p.trip.sides[i] = w.sides.Use(s, s.hash(w.salt))
	}
	return w.establish(p, there, back)
}

// establish is share of a path whose recipe and sides are shared already.
func (w *Walk) establish(p *path, there, back *flow.Name) flow.Ref {
	ref, kept := w.paths.AddPair(there, back, p.trip)
	*w.behind.At(ref) = *p.behind
	w.whole(ref, kept, p)
	return ref
}

// unshare says that a trip no longer needs what its path shares with others.
func (w *Walk) unshare(t *trip) {
	w.recipes.Release(t.recipe)
	for _, n := range t.sides {
		w.sides.Release(n)
	}
}

// hash returns a hash of what tells recipes apart in the main.
func (r *recipe) hash(seed flow.Seed) uint64 {
	k := flow.Key{Scope: r.place.Node, SrcPort: uint16(r.verdict), Proto: r.proto}
	binary.LittleEndian.PutUint32(k.Src[:], uint32(r.place.Endpoint))
	binary.LittleEndian.PutUint32(k.Src[4:], uint32(r.front))
	binary.LittleEndian.PutUint32(k.Src[8:], uint32(r.end))
	binary.LittleEndian.PutUint32(k.Src[12:], r.epoch)
	return flow.Hash(seed, &k)
}

// hash returns a hash of what tells sides apart in the main.
func (s *side) hash(seed flow.Seed) uint64 {
	return flow.Hash(seed, &flow.Key{
		Src: s.Addrs[0], Dst: s.Addrs[1], Scope: flow.Scope(s.hops[0]), SrcPort: uint16(s.hops[1]), DstPort: uint16(s.out),
		Proto: packet.Proto(s.hops[1] >> 16),
	})
}
