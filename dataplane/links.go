package dataplane

import (
	"math/rand/v2"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/link"
	"github.com/plsim/plsim/dataplane/packet"
)

// Links are the links that a lab declares, and where those stand that join more than
// one subnet to the rest ([Interface] has the others).
type Links struct {
	All []Link // by link.ID, of which 0 is none; nil: the lab declares none
	// Zones has the link between two zones, the lower one first, and with 0 as the
	// second that between a zone and all that is not in it.
	Zones map[[2]ZoneID]link.ID
	// Peerings has the link of the peering connection between two VPCs, the lower first.
	Peerings map[[2]VPCID]link.ID
}

// Link is a link of the lab.
type Link struct {
	Label string // what users call it
	Place string // what it is the link of: subnet consumer/a
	link.Spec
}

// The directions of a link: from the instance, subnet or zone that it is of into the
// rest of the lab, and back. Of one between two the first is that with the lower number.
const (
	outward link.Dir = iota
	inward
)

// span is a link on the way of a packet.
type span struct {
	id  link.ID
	dir link.Dir
}

// maxSpans is how many links can be between two interfaces.
const maxSpans = 8

// spans returns the links between two interfaces, in the order in which a packet
// crosses them.
func (p *Program) spans(from, to InterfaceID, list *[maxSpans]span) []span {
	a, b := &p.Interfaces[from], &p.Interfaces[to]
	all := list[:0]
	add := func(id link.ID, dir link.Dir) {
		if id != 0 {
			all = append(all, span{id, dir})
		}
	}
	add(a.Link, outward)
	if a.Subnet != b.Subnet {
		add(a.SubnetLink, outward)
	}
	// The VPC resolver is in every zone.
	if a.Zone != b.Zone && a.Kind != Resolver && b.Kind != Resolver {
		key, dir := [2]ZoneID{a.Zone, b.Zone}, outward
		if a.Zone > b.Zone {
			key, dir = [2]ZoneID{b.Zone, a.Zone}, inward
		}
		add(p.Links.Zones[[2]ZoneID{a.Zone}], outward)
		if key[0] != 0 {
			add(p.Links.Zones[key], dir)
		}
		add(p.Links.Zones[[2]ZoneID{b.Zone}], inward)
	}
	if a.VPC != b.VPC {
		key, dir := [2]VPCID{a.VPC, b.VPC}, outward
		if a.VPC > b.VPC {
			key, dir = [2]VPCID{b.VPC, a.VPC}, inward
		}
		add(p.Links.Peerings[key], dir)
	}
	if a.Subnet != b.Subnet {
		add(b.SubnetLink, inward)
	}
	add(b.Link, inward)
	return all
}

// links is what the walk keeps of a lab's links.
type links struct {
	*link.Links
	fate  link.Fate   // of the packet at hand
	fates []link.Fate // of those of a batch
	lost  int         // the hop of its path that it left last, where a link lost it
}

// loadLinks makes the links those of the program. A lab that has none never gets any.
func (w *Walk) loadLinks() {
	if len(w.prog.Links.All) == 0 {
		return
	}
	if w.links == nil {
		w.links = &links{Links: link.New(rand.New(rand.NewPCG(w.settings.Seed, accidents)))}
	}
	specs := make([]link.Spec, len(w.prog.Links.All))
	for i := range specs {
		specs[i] = w.prog.Links.All[i].Spec
	}
	w.links.Load(specs)
}

// Fate says when the frame that Process returned last arrives at the interface by
// which it leaves, and in how many copies. It is nil, and the frame there at once,
// where the lab has no links, and valid until the next frame.
func (w *Walk) Fate() *link.Fate {
	if w.links == nil {
		return nil
	}
	return &w.links.fate
}

// pairs is how many hops of a path have a way between them that links are on: all but
// the last of one that ends where it left. Between an endpoint and the node behind it,
// which AWS has in one zone, there is none.
func (p *path) pairs() int { return int(p.hopCount) &^ 1 }

// cross takes a packet over the links on its path, as far as it comes.
func (w *Walk) cross(p *path, dir flow.Dir, size link.Packet) drop.Reason {
	var list [maxSpans]span
	n := p.pairs()
	for i := 0; i < n; i += 2 {
		from, to := i, i+1
		if dir == flow.Reply {
			from, to = n-1-i, n-2-i
		}
		for _, c := range w.prog.spans(p.hop(from), p.hop(to), &list) {
			if why := w.links.Cross(&w.links.fate, c.id, c.dir, size); why != drop.None {
				w.links.lost = from
				return why
			}
		}
	}
	return drop.None
}

// answers takes the reset that answers a packet back over the links that the packet
// crossed, and reports whether it arrives.
func (w *Walk) answers(p *path, length int) bool {
	why := w.cross(p, flow.Reply, link.Packet{WireLen: length, MaxLen: length})
	if why != drop.None {
		w.discard(p.hop(w.links.lost), why)
	}
	return why == drop.None
}

// foresee notes the links on a packet's path, and returns why one of them would not
// carry it. What is left to chance is not foretold. Of links to where a packet is
// refused it notes only the one that keeps it from coming so far.
func (d *decision) foresee(refused bool) drop.Reason {
	if d.w.links == nil {
		return drop.None
	}
	if !refused {
		d.trace.goOn()
	}
	var list [maxSpans]span
	p, size := &d.path, sizeOf(d.v)
	for i := 0; i < p.pairs(); i += 2 {
		for _, c := range d.w.prog.spans(p.hop(i), p.hop(i+1), &list) {
			why := d.w.links.Refuses(c.id, size)
			if !refused || why != drop.None {
				d.trace.spanned(p.hop(i), p.hop(i+1), &d.w.prog.Links.All[c.id], why)
			}
			if why != drop.None {
				return why
			}
		}
	}
	return drop.None
}

// sizeOf is what links must know of a packet.
func sizeOf(v *packet.View) link.Packet { return link.Packet{WireLen: v.WireLen, MaxLen: v.MaxLen} }

// onLink reports whether it is a link that loses packets for a reason.
func onLink(why drop.Reason) bool {
	switch why {
	case drop.LinkDown, drop.LinkMTU, drop.LinkLoss, drop.LinkQueue:
		return true
	}
	return false
}

// grave is where a packet is counted that dies on a path which others go on: at the
// interface that it left last, if a link lost it, else at the path's front.
func (w *Walk) grave(p *path, why drop.Reason) InterfaceID {
	if onLink(why) {
		return p.hop(w.links.lost)
	}
	return p.front
}

// buries reports whether such a packet is seen last at one of its path's visits.
func (w *Walk) buries(p *path, v *visit, why drop.Reason) bool {
	if onLink(why) {
		hop := w.links.lost
		return v.at == p.hop(hop) && v.way == wayOf(hop) && v.side == hop/2
	}
	return p.verdict == drop.None && why != drop.None && v.at == p.front
}
