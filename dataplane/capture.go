package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Captures. Whether somebody looks at an interface on its way is noted in a path, so
// that packets which nobody looks at pay for a test of a bool. For the others
// [Walk.show] goes along the path with a copy of the packet, and does to it at each
// interface what is done there; the packet itself takes its usual way.

// Seen is a packet as it looked at an interface.
type Seen struct {
	Time  clock.Time
	At    InterfaceID
	Way   flow.Way    // Egress: it leaves the interface for the network
	Why   drop.Reason // that the interface dropped it; None: it went on
	Frame []byte      // Ethernet, as on the wire; a superframe is one packet
}

// Capture collects what is seen at the interfaces that it watches. While it does, it
// belongs to the owner of the walk.
type Capture struct {
	// Keep says which frames to keep; nil: all. It must not hold on to them.
	Keep func(frame []byte) bool
	// Room is how many bytes of memory the packets may take, and Shared what several
	// captures may take together beyond what they have; nil: no bound.
	Room   int
	Shared *int

	Packets []Seen // in their order; only ever appended to, until they are taken
	Missed  uint64 // how many more there was no room for
	used    int
}

// seenSize is about what a packet takes beside its bytes.
const seenSize = 64

// add keeps a copy of a packet, if it is wanted and there is room.
func (c *Capture) add(s Seen) {
	if c.Keep != nil && !c.Keep(s.Frame) {
		return
	}
	size := len(s.Frame) + seenSize
	if size > c.Room-c.used || c.Shared != nil && size > *c.Shared {
		c.Missed++
		return
	}
	if c.Shared != nil {
		*c.Shared -= size
	}
	c.used += size
	s.Frame = slices.Clone(s.Frame)
	c.Packets = append(c.Packets, s)
}

// Take takes the packets away, and makes room for others. What was missed stays counted.
func (c *Capture) Take() []Seen {
	taken := c.Packets
	if c.Shared != nil {
		*c.Shared += c.used
	}
	c.Packets, c.used = nil, 0
	return taken
}

// watch is what the walk needs to show packets: the captures, by interface, and a
// frame to draw each packet in, as it looks from place to place.
type watch struct {
	captures [][]*Capture // by InterfaceID
	changed  bool         // and no packet has come since
	since    clock.Time   // when the first one came after they changed
	easel    *packet.Frame
	wire     []byte
	// errorFrame and icmpError are the ICMP error at hand as it was sent: its way is found
	// with what it quotes already translated.
	errorFrame *packet.Frame
	icmpError  packet.View
}

// Watch makes a capture collect what is seen at some interfaces from now on.
func (w *Walk) Watch(c *Capture, at ...InterfaceID) {
	if w.watch == nil {
		w.watch = &watch{easel: packet.NewFrame(), errorFrame: packet.NewFrame()}
	}
	for _, id := range at {
		for int(id) >= len(w.watch.captures) {
			w.watch.captures = append(w.watch.captures, nil)
		}
		w.watch.captures[id] = append(w.watch.captures[id], c)
	}
	w.watch.changed = true
	w.suspend()
}

// Unwatch ends a capture.
func (w *Walk) Unwatch(c *Capture) {
	if w.watch == nil {
		return
	}
	is := func(o *Capture) bool { return o == c }
	others := func(all []*Capture) bool { return len(all) > 0 }
	for id := range w.watch.captures {
		w.watch.captures[id] = slices.DeleteFunc(w.watch.captures[id], is)
	}
	w.watch.changed = true
	if !slices.ContainsFunc(w.watch.captures, others) {
		w.watch = nil
	}
}

// look works out whether somebody looks at a path, if that is not known: if it has had no
// packet since captures began or ended.
func (w *Walk) look(now clock.Time, p *path) {
	if w.watch.changed {
		w.watch.since, w.watch.changed = now, false
	}
	if p.last <= w.watch.since {
		p.watched = w.watches(p)
	}
}

// watches reports whether somebody looks at an interface on a path.
func (w *Walk) watches(p *path) bool {
	if w.watch == nil {
		return false
	}
	for _, dir := range []flow.Dir{flow.Forward, flow.Reply} {
		var list [maxVisits]visit
		all := w.visits(p, dir, &list)
		if len(all) == 0 || slices.ContainsFunc(all, func(v visit) bool { return w.watch.at(v.at) != nil }) {
			return true
		}
	}
	return false
}

// at returns the captures that watch an interface.
func (w *watch) at(id InterfaceID) []*Capture {
	if int(id) >= len(w.captures) {
		return nil
	}
	return w.captures[id]
}

// see shows a packet at one interface to those who look there.
func (w *Walk) see(now clock.Time, at InterfaceID, way flow.Way, v *packet.View, why drop.Reason) {
	if w.watch == nil {
		return
	}
	all := w.watch.at(at)
	if all == nil {
		return
	}
	w.watch.wire = v.AppendWire(w.watch.wire[:0])
	for _, c := range all {
		c.add(Seen{now, at, way, why, w.watch.wire})
	}
}

// prepare keeps what the decision about a packet changes.
func (w *Walk) prepare(v *packet.View) {
	if w.watch != nil && isICMPError(v) {
		w.watch.icmpError = v.CopyTo(w.watch.errorFrame)
	}
}

// show shows a packet along its path, before the path is followed: at every interface
// as it looks there, up to the one that drops it if why says so.
func (w *Walk) show(in InterfaceID, p *path, dir flow.Dir, original *packet.View, why drop.Reason) {
	if w.watch == nil { // by now
		p.watched = false
		return
	}
	var list [maxVisits]visit
	all := w.visits(p, dir, &list)
	if len(all) == 0 {
		w.see(p.last, in, flow.Egress, original, why)
		return
	}
	if dir == flow.Reply {
		slices.Reverse(all)
	}
	end := w.lastSeen(p, dir, original, why, all)
	s := scene{w: w, p: *p, dir: dir, sent: original, view: original.CopyTo(w.watch.easel)}
	if isICMPError(original) {
		s.view = w.watch.icmpError.CopyTo(w.watch.easel)
	}
	if s.begins(all) {
		s.node()
	}
	for i := range all[:end+1] {
		at, way, reason := &all[i], all[i].way, drop.None
		if dir == flow.Reply {
			way ^= 1
		}
		if i > 0 {
			s.move(&all[i-1], at)
			s.address(all, i, way)
		}
		if i == end {
			reason = why
		}
		w.see(p.last, at.at, way, &s.view, reason)
	}
}

// lastSeen returns at which of the interfaces on its way a packet is seen last.
func (w *Walk) lastSeen(p *path, dir flow.Dir, v *packet.View, why drop.Reason, all []visit) int {
	end := len(all) - 1
	if i := slices.IndexFunc(all, func(at visit) bool { return w.buries(p, &at, why) }); i >= 0 {
		end = i
	}
	if p.growth() != 0 && !v.Convertible() {
		// It cannot become one of the other family, so nothing beyond sees it.
		end = min(end, max(0, slices.IndexFunc(all, func(at visit) bool { return at.side != all[0].side })-1))
	}
	return max(end, 0)
}

// showReset shows the answer to a packet that was dropped, which the load balancer
// makes for the side that the packet came from.
func (w *Walk) showReset(p *path, answer *packet.View) {
	var list [maxVisits]visit
	all := w.visits(p, flow.Reply, &list)
	beyond := func(at visit) bool { return at.side != all[0].side }
	if i := slices.IndexFunc(all, beyond); i > 0 {
		all = all[:i]
	}
	slices.Reverse(all)
	s := scene{w: w, p: *p, dir: flow.Reply}
	answer.CopyTo(w.watch.easel)
	if s.view.Decode(w.watch.easel) != drop.None {
		return
	}
	for i := range all {
		if i < len(all)-1 {
			s.address(all, i, all[i].way^1)
		} else {
			s.view = answer.CopyTo(w.watch.easel)
			_ = s.view.Decode(w.watch.easel)
		}
		w.see(p.last, all[i].at, all[i].way^1, &s.view, drop.None)
	}
}

// scene is a packet on its way from interface to interface.
type scene struct {
	w    *Walk
	p    path
	dir  flow.Dir
	sent *packet.View
	view packet.View // its TTL is what it is by now
}

// begins reports whether the packet comes from a node itself, which does to it what
// it does to others' before it leaves: it answers a client that it serves, or asks a
// target about its health.
func (s *scene) begins(all []visit) bool {
	passes := uint8(0)
	for i := 1; i < len(all); i++ {
		if all[i].at == all[i-1].at {
			passes++
		}
	}
	kind := s.w.prog.Interfaces[all[0].at].Kind
	return (kind == Node || kind == NAT) && s.p.ttl > passes
}

// move takes the packet from one interface to the next. Where that is the same one,
// the packet has been through the endpoint or the node behind it.
func (s *scene) move(from, to *visit) {
	switch {
	case from.at != to.at:
		s.cross(from, to)
	case s.p.private && to.at == s.p.front:
		s.apply(packet.Rewrite{MSS: s.p.clamp(s.view.V6)})
	default:
		s.node()
	}
}

// cross does to the packet what gateways do that are no hops: an internet gateway, and a
// transit gateway as the packet comes to it.
func (s *scene) cross(from, to *visit) {
	if from.tuple != to.tuple && from.side == to.side {
		r := s.rewrite(from.tuple, to.tuple)
		s.view.Apply(&r)
		s.view.TTL -= r.TTL
	}
	if s.w.prog.Interfaces[to.at].Kind == Transit && s.w.prog.Interfaces[from.at].Kind != Transit {
		r := packet.Rewrite{MSS: s.p.mss}
		if s.p.private {
			r.MSS = transitMSS(s.view.V6)
		}
		s.view.Apply(&r)
		s.view.MSS = min(s.view.MSS, r.MSS)
	}
}

// rewrite is what makes the packet, of Forward or of what answers it, look like another.
// An ICMP error is taken as it was sent, since what it quotes changes with it.
func (s *scene) rewrite(from, to packet.Tuple) packet.Rewrite {
	if s.dir == flow.Reply {
		from, to = from.Reversed(), to.Reversed()
	}
	if !isICMPError(s.sent) {
		return packet.NewRewrite(from, to)
	}
	ttl := s.view.TTL
	s.view = s.sent.CopyTo(s.w.watch.easel)
	r := packet.NewRewrite(s.sent.Tuple(), to)
	r.TTL = s.sent.TTL - ttl
	return r
}

// node does to the packet what a node does.
func (s *scene) node() {
	p := &s.p
	from, to := s.w.tuple(p, 1), s.w.tuple(p, 2)
	if s.dir == flow.Reply {
		from, to = to, from
	}
	r := s.rewrite(from, to)
	if !p.private {
		r.MSS = p.mss
	}
	s.apply(r)
	if s.view.Fragment && p.passesNode() {
		s.view.Renumber(s.w.piece)
	}
	if f := s.w.flows.At(p.balanced); p.spliced && f != nil {
		now := s.w.splice(f)
		was := *now
		s.w.insert(p, s.dir, &s.view)
		*now = was
	}
}

// apply rewrites the packet, which costs it one more from its time to live.
func (s *scene) apply(r packet.Rewrite) {
	r.TTL = min(s.view.TTL, r.TTL+1)
	s.view.Apply(&r)
	s.view.TTL -= r.TTL
	if r.MSS != 0 {
		s.view.MSS = min(s.view.MSS, r.MSS)
	}
}

// address gives the frame the MAC addresses that it has at an interface on its way.
func (s *scene) address(all []visit, i int, way flow.Way) {
	at := &s.w.prog.Interfaces[all[i].at]
	peer := i + 1
	if way == flow.Ingress {
		peer = i - 1
	}
	other := at.RouterMAC
	if peer >= 0 && peer < len(all) {
		if n := &s.w.prog.Interfaces[all[peer].at]; n.Subnet == at.Subnet && all[peer].at != all[i].at && n.Kind != NAT && n.Kind != Transit {
			other = n.MAC
		}
	}
	if way == flow.Ingress {
		s.view.SetMACs(other, at.MAC)
	} else {
		s.view.SetMACs(at.MAC, other)
	}
}
