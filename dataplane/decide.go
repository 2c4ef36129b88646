package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/snat"
)

// decision is the first packet of a flow on its way through the lab. Its methods
// stand in the order in which a packet meets them; each returns why the packet
// goes no further, or drop.None.
type decision struct {
	w      *Walk
	now    clock.Time
	v      *packet.View
	trace  *Trace // may be nil
	commit bool   // leave state behind; a probe does not

	pair   snat.Pair  // of a new flow of a load balancer: the node and the target
	splice nlb.Splice // and its PROXY protocol header, if any

	at    packet.Tuple // the packet's addresses and ports at this point of its way
	names names
	// quote is what an ICMP error quotes, at this point of its way.
	quote      packet.Tuple
	quoteProto packet.Proto // 0: nothing that could be read
	path       path         // flow.Forward is the packet's own direction; made of
	recipe     recipe
	sides      [2]side
	trip       trip
	behind     behind
	// What a precedent is made of: the target and the listener that chose it, nil where there
	// is none; and on what grounds security groups let the packet pass, by hop.
	chosen  *Target
	by      *Listener
	grounds [maxHops]grounds
	// random is the random number for the source address and port, once it is drawn.
	random uint64
	drawn  bool
	// nameless: what the load balancer sends on does not count as its groups'.
	nameless bool
	// passing holds for this packet only: nothing answers it, its answer needs
	// no state, or the next one like it may fare better.
	passing bool
	// oneWay says that what answers the packet has no way back: it is decided by
	// itself when it comes. So is each packet of such a flow, for a path that sees
	// one direction only would not know how far the flow has come.
	oneWay bool
}

// decide finds the way of a packet for which no path serves, and leaves the path
// for those that follow, and for this one in the walk's decision. It returns why where
// the packet is not even one that the interface may send; sent says that it is a node
// that sends it on.
func (w *Walk) decide(now clock.Time, in InterfaceID, v *packet.View, stale flow.Ref, sent bool) drop.Reason {
	w.meter.Advance(now)
	w.retire(stale)
	d := &w.decision
	d.drawn = false
	if !sent && d.repeats(w, now, in, v) {
		return drop.None
	}
	d.begin(w, now, in, v, nil)
	d.commit = true
	if !sent {
		if why := d.sender(in); why != drop.None {
			return why
		}
	}
	if d.path.verdict = d.run(in); d.path.verdict != drop.None {
		d.path.arrival(flow.Reply).onward = w.sendsOn(in, v.Proto, d.path.seen(0).Reversed())
	}
	if d.path.verdict == drop.UnknownFlow {
		d.path.rejected = true // after the connection was closed (F4.6)
	}
	d.rejects(d.path.verdict)
	d.path.muted = d.muted(d.path.verdict)
	w.install(d)
	return drop.None
}

// begin readies d for a packet of an interface.
func (d *decision) begin(w *Walk, now clock.Time, in InterfaceID, v *packet.View, tr *Trace) {
	random, drawn := d.random, d.drawn
	*d = decision{}
	d.w, d.now, d.v, d.trace, d.at, d.random, d.drawn = w, now, v, tr, v.Tuple(), random, drawn
	d.path = path{&d.recipe, &d.trip, &d.behind, [2]*side{&d.sides[0], &d.sides[1]}}
	d.recipe = recipe{
		epoch: w.prog.Epoch, proto: v.Proto, opens: conntrack.Opens(v.Proto, v.Flags),
		mtu: int32(w.prog.Interfaces[in].MTU), front: in, end: in,
		place: metrics.Nowhere, bytes: bytesOf(v.Proto),
	}
	d.trip.last, d.behind.isn = now, v.Seq
	if w.prog.Interfaces[in].Kind == Node {
		d.path.place.Node = flow.Scope(in)
	}
	d.path.look(0, d.at)
	d.path.look(1, d.at)
	if isICMPError(v) {
		d.passing = true // each quotes another flow
		d.quote, d.quoteProto, _ = v.Quoted()
	}
}

// sender judges whether an interface may send the packet at all: only from its
// own addresses, and only to a unicast address by way of a neighbour that exists.
func (d *decision) sender(in InterfaceID) drop.Reason {
	nic := &d.w.prog.Interfaces[in]
	switch {
	case !slices.Contains(nic.Addrs, d.at.Src):
		return drop.SourceDestCheck
	case !d.at.Dst.IP().IsGlobalUnicast():
		return drop.BadAddress
	case slices.Contains(nic.Routers, d.at.Dst):
		return drop.RouterOnly
	case d.v.DstMAC == nic.RouterMAC:
		return drop.None
	}
	if mac, ok := d.w.neighbor(nic, d.at.Dst); (!ok || mac != d.v.DstMAC) && !d.bereaved(in) {
		return drop.DestinationMAC
	}
	return drop.None
}

// bereaved reports whether the packet belongs to a flow whose endpoint's interface
// has been deleted, of which a RST shall tell (F1.19).
func (d *decision) bereaved(in InterfaceID) bool {
	if !d.w.prog.ResetRevoked {
		return false
	}
	_, f, _ := d.w.flows.Find(d.name(in, d.at))
	return f != nil && f.Private && d.w.prog.Interfaces[f.Via].Kind == Absent
}

// run takes the packet from the interface that sent it to the one that gets it.
func (d *decision) run(in InterfaceID) drop.Reason {
	if why := d.stands(in); why != drop.None {
		d.hop(in)
		return why
	}
	call, why := d.behalf(in)
	if why != drop.None {
		return why
	}
	if ref, f, dir := d.balanced(in); f != nil {
		return d.resume(ref, f, dir)
	}
	if ref, f, dir := d.complains(in); f != nil {
		return d.relay(ref, f, dir)
	}
	to, route, lost := d.w.prog.find(in, d.at.Dst)
	if why := d.leave(in, to); why != drop.None {
		return why
	}
	d.trace.routed(in, to, route, lost)
	if lost != drop.None {
		return lost
	}
	if why := d.transit(in, to); why != drop.None {
		return why
	}
	d.expose(in, to)
	if call != nil {
		if call.as.Port != 0 {
			return d.impersonate(in, call)
		}
		d.nameless = d.w.nameless(&call.Flow)
	}
	switch kind := d.w.prog.Interfaces[to].Kind; {
	case kind == Endpoint:
		return d.enterEndpoint(in, to)
	case kind == Node && !d.called(to):
		return d.balance(in, NoInterface, to)
	case kind == NAT:
		return d.masquerade(in, to)
	default:
		if kind == Node {
			d.path.place.Node = flow.Scope(to)
		}
		if why := d.enter(to); why != drop.None {
			return why
		}
		d.deliver()
		return drop.None
	}
}

// stands judges whether the zone of an interface still stands. Of one that is lost
// nothing is heard: neighbours go on being answered, for the fabric does that.
func (d *decision) stands(at InterfaceID) drop.Reason { return d.w.prog.stands(at, d.trace) }

func (p *Program) stands(at InterfaceID, tr *Trace) drop.Reason {
	if !p.Interfaces[at].Lost {
		return drop.None
	}
	tr.lost(at)
	return drop.ZoneLost
}

// called reports whether the packet answers a connection that an interface began
// itself, as a node does to check its targets' health.
func (d *decision) called(at InterfaceID) bool {
	_, e := d.w.track.Find(d.now, d.name(at, d.at.Reversed()))
	return e != nil && e.Opened == flow.Egress
}

// hop adds an interface to the path, and returns the hop's number.
func (d *decision) hop(at InterfaceID) int {
	i := int(d.path.hopCount)
	d.path.sides[i/2].hops[i%2] = at
	d.path.hopCount++
	d.path.end = at
	return i
}
