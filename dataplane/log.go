package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// What flow logs have of the walk. Packets are counted by the paths, and nothing
// else happens while they flow; what a path has counted is entered in the log when
// it is retired, when a window of the log has ended, or when somebody asks.

// visit is an interface that packets pass on their way.
type visit struct {
	at     InterfaceID
	tuple  packet.Tuple // of Forward packets
	proto  packet.Proto
	way    flow.Way // of Forward packets
	side   int      // of the translation: 0 before it, as Forward has it
	hidden bool     // AWS logs nothing of it
	last   bool     // of those on the path
}

// maxVisits is how many interfaces packets can pass, with those that no log of
// AWS's has, between an endpoint and a load balancer's node, and those of two transit
// gateways.
const maxVisits = maxHops + 2 + 2*2

// visits returns the interfaces that packets of a direction pass, in the order of
// Forward. The leg between an endpoint's interface and a node is on no record (F4.18),
// nor are queries to the resolver (F4.21).
func (w *Walk) visits(p *path, dir flow.Dir, list *[maxVisits]visit) []visit {
	unseen := w.asksResolver(p)
	all := list[:0]
	hops := int(p.hopCount)
	add := func(at InterfaceID, i int, way flow.Way, hidden bool) {
		last := !hidden && i == hops-1
		hidden = hidden || unseen || w.prog.Interfaces[at].outside() || p.verdict == drop.ZoneLost && at == p.end
		all = append(all, visit{at, w.tuple(p, i), p.protoAt(i), way, i / 2, hidden, last})
	}
	for i := range hops {
		at := p.hop(i)
		if i == 2 && p.private {
			w.link(p, p.hop(1), at, add)
		}
		if j := i ^ 1; j < hops && p.hop(j) == at {
			continue // a node that answers itself does not leave for itself
		}
		add(at, i, wayOf(i), false)
		if i%2 == 0 {
			w.between(p, i, dir, func(at InterfaceID, way flow.Way) {
				all[len(all)-1].last = false
				add(at, i, way, false)
			})
		}
	}
	if p.private && hops == 2 && p.end != p.hop(1) && w.prog.Interfaces[p.hop(1)].Kind == Endpoint {
		w.link(p, p.hop(1), p.end, add) // it died at the node
	}
	return all
}

// between adds the interfaces of a transit gateway that packets of a direction pass
// after hop i, in the order and the way of Forward: up to the one where they die.
func (w *Walk) between(p *path, i int, dir flow.Dir, add func(at InterfaceID, way flow.Way)) {
	c, ok := w.crossed(p, i, dir)
	died := i == int(p.hopCount)-1
	switch {
	case !ok || died && p.end != c.in && p.end != c.out:
	case dir == flow.Reply:
		add(c.out, flow.Ingress)
		add(c.in, flow.Egress)
	default:
		add(c.in, flow.Ingress)
		if !died || p.end == c.out {
			add(c.out, flow.Egress)
		}
	}
}

// outside reports whether an interface is none of AWS's.
func (n *Interface) outside() bool { return n.Kind == OnPremises || n.Kind == Internet }

// link adds the leg between an endpoint's interface and a node, on which packets
// are as the client sees them.
func (w *Walk) link(p *path, from, to InterfaceID, add func(at InterfaceID, i int, way flow.Way, hidden bool)) {
	side := 1
	if p.turned {
		side = 2
	}
	add(from, side, flow.Egress, true)
	add(to, side, flow.Ingress, true)
}

// asksResolver reports whether a path leads to the Amazon DNS server, or from it:
// queries are on no record (F4.21).
func (w *Walk) asksResolver(p *path) bool {
	for i := range int(p.hopCount) {
		if w.prog.Interfaces[p.hop(i)].Kind == Resolver {
			return true
		}
	}
	return false
}

// enter makes an entry for each interface that packets passed in one direction of a
// path. Where they died at one of them the entries end there.
func (w *Walk) enter(p *path, dir flow.Dir, c flowlog.Counter, why drop.Reason) {
	if w.settings.Unlogged {
		return
	}
	var list [maxVisits]visit
	w.enterAt(w.visits(p, dir, &list), p, dir, c, why)
}

// enterAt is enter at the interfaces that packets visit.
func (w *Walk) enterAt(all []visit, p *path, dir flow.Dir, c flowlog.Counter, why drop.Reason) {
	id, inserted := w.identify(p), *w.inserted(p, dir)
	growth := int64(p.growth()) // each side sees its own family
	if dir == flow.Reply {
		growth = -growth
	}
	for n := range all {
		i := n
		if dir == flow.Reply {
			i = len(all) - 1 - n
		}
		v := &all[i]
		if v.hidden && !w.settings.LogHidden && why == drop.None {
			continue
		}
		e := flowlog.Entry{Counter: c}
		if v.side != int(dir) {
			e.Bytes += uint64(int64(c.Packets)*growth) + uint64(inserted.bytes)
			e.Packets += uint64(inserted.packets)
		}
		e.Hidden = v.hidden
		e.FlowID, e.Hop = id, p.fromClient(i, all)
		died := w.buries(p, v, why)
		if died {
			e.Why = why
		} else if p.verdict != drop.None && dir == flow.Forward { // back goes only what answers
			w.refused(p, v, &e)
		}
		w.entry(&e, v, dir)
		if died {
			return
		}
	}
}

// refused says of the last interface on a path that leads no further why that is,
// and whether AWS's record there says so, too.
func (w *Walk) refused(p *path, v *visit, e *flowlog.Entry) {
	switch {
	case v.last:
		e.Why = p.verdict
		if p.rejected {
			e.Action, e.Guard = flowlog.Reject, w.guard(v.at, p.verdict)
		}
	case v.hidden && v.at == p.end:
		e.Why = p.verdict
		if p.verdict == drop.LoadBalancerSecurityGroup {
			e.Action = flowlog.Reject
		}
	}
}

// guard names the network ACL that refused a packet at an interface.
func (w *Walk) guard(at InterfaceID, why drop.Reason) string {
	nic := &w.prog.Interfaces[at]
	switch {
	case why == drop.NetworkACLIngress && nic.ACLIngress != nil:
		return nic.ACLIngress.Label
	case why == drop.NetworkACLEgress && nic.ACLEgress != nil:
		return nic.ACLEgress.Label
	}
	return ""
}

// entry completes an entry with what packets look like at an interface, and adds it
// to the log.
func (w *Walk) entry(e *flowlog.Entry, v *visit, dir flow.Dir) {
	if e.Hidden && !w.settings.LogHidden {
		return
	}
	way, t := v.way, v.tuple
	if dir == flow.Reply {
		way, t = way^1, t.Reversed()
	}
	e.Flow, e.Way = tupleKey(v.at, v.proto, t), way
	if way == flow.Egress {
		e.Path = w.prog.way(v.at, t.Dst)
	}
	w.log.Add(e)
}

// lose enters a packet that died on a path which others go on.
func (w *Walk) lose(now clock.Time, p *path, dir flow.Dir, v *packet.View, why drop.Reason) {
	var c flowlog.Counter
	c.Add(now, uint64(v.Segments), uint64(v.WireLen), v.Flags)
	w.enter(p, dir, c, why)
}

// fromClient returns how many interfaces packets of the flow's client have passed
// before the visit i of the path.
func (p *path) fromClient(i int, seen []visit) uint8 {
	if !p.turned {
		return uint8(i)
	}
	all := 2
	switch {
	case p.private:
		all = maxHops + 2
	case p.balanced.Valid():
		all = maxHops
	}
	return uint8(max(all, len(seen)) - 1 - i)
}

// identify returns the ID of a path's flow, which is that of the flow's packets as its
// client knows them; 0 where nobody wants to know.
func (w *Walk) identify(p *path) uint64 {
	if !w.settings.LogHidden {
		return 0
	}
	key := w.clientKey(p)
	return flow.Hash(w.salt, &key) | 1
}

// clientKey returns the key of what the client of a path's flow sends, as it leaves the
// client.
func (w *Walk) clientKey(p *path) flow.Key {
	if f := w.flows.At(p.balanced); f != nil {
		there, _, _ := w.flows.Keys(p.balanced)
		return there
	}
	if p.turned {
		return tupleKey(p.lastHop(), p.proto, p.seen(1).Reversed())
	}
	return tupleKey(p.hop(0), p.proto, p.seen(0))
}

// counted reports whether a path has counted packets before a moment, and not
// entered them in the log; or so many that it cannot count many more.
func (t *trip) counted(before clock.Time) bool {
	for i := range t.counts {
		if c := &t.counts[i]; c.Packets > 0 && c.First < before || c.Full() {
			return true
		}
	}
	return false
}

// began returns when the window of the log began that holds now.
func (s *Settings) began(now clock.Time) clock.Time {
	if s.LogWindow <= 0 {
		return now
	}
	return now - now%clock.Time(s.LogWindow)
}

// LogSoFar enters in the log what all paths have counted up to now, and takes away
// what is in it.
func (w *Walk) LogSoFar() flowlog.Batch {
	w.reportAll()
	return w.log.Take()
}

func (w *Walk) reportAll() {
	var p path
	for ref, t := range w.paths.All() {
		w.whole(ref, t, &p)
		w.report(&p)
	}
}

// TakeLog takes away what is in the log. Paths that live on keep their counts until
// the window ends, which they notice as [Walk.Expire] comes by.
func (w *Walk) TakeLog() flowlog.Batch { return w.log.Take() }

// Slots returns how many slots [Walk.Expire] must look at to see every path.
func (w *Walk) Slots() int { return w.paths.Slots() }
