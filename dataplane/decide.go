package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
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

	at packet.Tuple // the packet's addresses and ports at this point of its way
	// quote is what an ICMP error quotes, at this point of its way.
	quote      packet.Tuple
	quoteProto packet.Proto // 0: nothing that could be read
	path       path         // flow.Forward is the packet's own direction
	// nameless: what the load balancer sends on does not count as its groups'.
	nameless bool
	// passing holds for this packet only: nothing answers it, its answer needs
	// no state, or the next one like it may fare better.
	passing bool
}

// decide finds the way of a packet for which no path serves, and leaves the path
// for those that follow. It returns why where the packet is not even one that the
// interface may send.
func (w *Walk) decide(now clock.Time, in InterfaceID, v *packet.View, stale flow.Ref) (*path, drop.Reason) {
	w.retire(stale)
	d := &w.decision
	d.begin(w, now, in, v, nil)
	d.commit = true
	if why := d.sender(in); why != drop.None {
		return nil, why
	}
	d.path.verdict = d.run(in)
	return w.install(d), drop.None
}

// begin readies d for a packet of an interface.
func (d *decision) begin(w *Walk, now clock.Time, in InterfaceID, v *packet.View, tr *Trace) {
	*d = decision{w: w, now: now, v: v, trace: tr, at: v.Tuple()}
	d.path = path{
		epoch: w.prog.Epoch, proto: v.Proto, isn: v.Seq, last: now,
		mtu: int32(w.prog.Interfaces[in].MTU), front: in, end: in,
	}
	d.path.ends = [2]packet.Tuple{d.at, d.at}
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
	if mac, ok := d.w.neighbor(nic, d.at.Dst); !ok || mac != d.v.DstMAC {
		return drop.DestinationMAC
	}
	return drop.None
}

// run takes the packet from the interface that sent it to the one that gets it.
func (d *decision) run(in InterfaceID) drop.Reason {
	if ref, f, dir := d.balanced(in); f != nil {
		return d.resume(ref, f, dir)
	}
	if ref, f, dir := d.complains(in); f != nil {
		return d.relay(ref, f, dir)
	}
	if why := d.leave(in); why != drop.None {
		return why
	}
	to, why := d.route(in)
	if why != drop.None {
		return why
	}
	switch kind := d.w.prog.Interfaces[to].Kind; {
	case kind == Endpoint:
		return d.enterEndpoint(in, to)
	case kind == Node && !d.called(to):
		return d.balance(in, NoInterface, to)
	default:
		if why := d.enter(to); why != drop.None {
			return why
		}
		d.deliver()
		return drop.None
	}
}

// called reports whether the packet answers a connection that an interface began
// itself, as a node does to check its targets' health.
func (d *decision) called(at InterfaceID) bool {
	key := tupleKey(at, d.v.Proto, d.at.Reversed())
	_, e := d.w.track.Lookup(d.now, &key)
	return e != nil && e.Opened == flow.Egress
}

// leave passes the security groups of the interface that sends.
func (d *decision) leave(at InterfaceID) drop.Reason { return d.filter(d.hop(at), flow.Egress) }

// enter passes the security groups of an interface that receives.
func (d *decision) enter(at InterfaceID) drop.Reason { return d.filter(d.hop(at), flow.Ingress) }

// filter asks the security groups of an interface: a tracked flow passes whatever
// the rules say now (F3.4, F3.12), another one needs a rule and is tracked from
// then on.
func (d *decision) filter(h *hop, way flow.Way) drop.Reason {
	nic := &d.w.prog.Interfaces[h.at]
	if nic.Exempt {
		d.trace.filtered(h.at, way, Exempt, filter.NoRule, drop.None)
		return drop.None
	}
	own := d.at
	if way == flow.Ingress {
		own = d.at.Reversed()
	}
	key := tupleKey(h.at, d.v.Proto, own)
	if ref, e := d.w.track.Lookup(d.now, &key); e != nil && !e.Reopens(d.v.Proto, d.v.Flags) {
		h.track = ref
		d.path.life, d.path.turned = e.Machine, e.Opened != way
		d.trace.filtered(h.at, way, Tracked, e.Rule, drop.None)
		return drop.None
	}
	if isICMPError(d.v) && d.related(h.at) {
		d.trace.filtered(h.at, way, Related, filter.NoRule, drop.None)
		return drop.None
	}
	rule, why := filter.NoRule, drop.None
	if d.exempt(nic, own.Dst) {
		d.trace.filtered(h.at, way, Exempt, rule, why)
	} else {
		rule, why = d.ask(h.at, way)
	}
	if why != drop.None || isICMPError(d.v) {
		return why
	}
	if d.w.track.Full(d.now, key.Scope) {
		d.w.sweep(d.now, reclaim)
	}
	ok := !d.w.track.Full(d.now, key.Scope)
	if d.commit {
		h.track, _, ok = d.w.track.Insert(d.now, key, way, rule)
	}
	if !ok {
		d.passing = true // there may be room for the next one
		d.trace.filtered(h.at, way, TableFull, rule, drop.TrackingTable)
		return drop.TrackingTable // F3.16
	}
	return drop.None
}

// exempt reports whether what an instance exchanges with peer is never filtered:
// the instance's own groups let it reach the resolver, too (F3.5).
func (d *decision) exempt(nic *Interface, peer packet.Addr) bool {
	to, ok := d.w.prog.VPCs[nic.VPC].Addrs[peer]
	return ok && nic.Kind == Instance && d.w.prog.Interfaces[to].Exempt
}

// ask puts the packet to the rules of an interface's security groups.
func (d *decision) ask(at InterfaceID, way flow.Way) (filter.RuleID, drop.Reason) {
	nic := &d.w.prog.Interfaces[at]
	rules, peer, refused := nic.Ingress, d.at.Src, drop.SecurityGroupIngress
	if way == flow.Egress {
		rules, peer, refused = nic.Egress, d.at.Dst, drop.SecurityGroupEgress
	}
	rule, ok := rules.Match(filter.Query{
		Proto: d.v.Proto, Port: d.at.DstPort, Type: d.v.Type, Code: d.v.Code, Peer: peer,
		NoGroups: d.nameless,
	})
	switch {
	case !ok:
		d.path.rejected = true
		d.trace.filtered(at, way, NoRule, rule, refused)
		return rule, refused
	case rules == nil:
		d.trace.filtered(at, way, Exempt, rule, drop.None)
	default:
		d.trace.filtered(at, way, Allowed, rule, drop.None)
	}
	return rule, drop.None
}

// hop adds an interface to the path.
func (d *decision) hop(at InterfaceID) *hop {
	h := &d.path.hops[d.path.hopCount]
	*h = hop{at: at}
	d.path.hopCount++
	d.path.end = at
	return h
}

// route finds the interface that has the destination address.
func (d *decision) route(in InterfaceID) (InterfaceID, drop.Reason) {
	vpc := &d.w.prog.VPCs[d.w.prog.Interfaces[in].VPC]
	if to, ok := vpc.Addrs[d.at.Dst]; ok {
		d.trace.routed(in, to, drop.None)
		return to, drop.None
	}
	why := drop.NoRoute
	for _, p := range vpc.Prefixes {
		if p.Contains(d.at.Dst) {
			why = drop.NoSuchAddress
		}
	}
	d.trace.routed(in, NoInterface, why)
	return NoInterface, why
}

// enterEndpoint passes an endpoint's interface: its security groups, its state,
// and the node of the load balancer that stands behind it in its zone.
func (d *decision) enterEndpoint(client, at InterfaceID) drop.Reason {
	nic := &d.w.prog.Interfaces[at]
	d.path.private, d.path.front = true, at
	d.path.mtu = int32(nic.MTU)
	if why := d.enter(at); why != drop.None {
		return why
	}
	node, why := d.bind(at)
	switch {
	case d.v.Proto != packet.TCP && d.v.Proto != packet.UDP:
		why = drop.EndpointPing // F1.29, F1.35
	case !nic.Endpoint.Available:
		why = drop.EndpointNotAvailable
	}
	d.trace.endpoint(at, node, why)
	if why != drop.None {
		return why
	}
	return d.balance(client, at, node)
}

// bind returns the node that an endpoint's interface uses: at its first
// connection one of those in its zone, at random, and the same one ever after (F1.47).
func (d *decision) bind(at InterfaceID) (InterfaceID, drop.Reason) {
	nodes := d.w.prog.Interfaces[at].Endpoint.Nodes
	if node, ok := d.w.bound[at]; ok && slices.Contains(nodes, node) {
		return node, drop.None
	}
	if len(nodes) == 0 {
		return NoInterface, drop.EndpointNoZone
	}
	node := nodes[d.w.rnd.IntN(len(nodes))]
	if d.commit {
		d.w.bound[at] = node
	}
	return node, drop.None
}

// deliver completes the path of a packet that reaches its receiver, in both
// directions. What the two ends see as the other's is the hop next to them.
func (d *decision) deliver() {
	p := &d.path
	p.ends[1] = d.at
	first, last := p.hops[0].at, p.hops[p.hopCount-1].at
	there, back := &p.legs[flow.Forward], &p.legs[flow.Reply]
	there.out, there.rewrite = last, packet.NewRewrite(p.ends[0], p.ends[1])
	back.out, back.rewrite = first, packet.NewRewrite(p.ends[1].Reversed(), p.ends[0].Reversed())
	there.rewrite.SrcMAC, there.rewrite.DstMAC = d.seenFrom(p.hops[p.hopCount-2].at, last)
	back.rewrite.SrcMAC, back.rewrite.DstMAC = d.seenFrom(p.hops[1].at, first)
	ttl, mss := d.toll()
	for i := range p.legs {
		p.legs[i].rewrite.TTL, p.legs[i].rewrite.MSS = ttl, mss
	}
	d.trace.delivered(last, d.at)
}

// seenFrom returns the MAC addresses of a frame to an interface: a neighbour in
// its subnet sends as itself, all else comes from the router.
func (d *decision) seenFrom(from, to InterfaceID) (src, dst packet.MAC) {
	a, b := &d.w.prog.Interfaces[from], &d.w.prog.Interfaces[to]
	if a.Subnet == b.Subnet {
		return a.MAC, b.MAC
	}
	return b.RouterMAC, b.MAC
}

// What a packet pays on its way. Endpoint and node lower the time to live by one
// each, which captures show end to end as two (F1.38). The MSS is clamped to what
// captures show for IPv4 (F1.32); for IPv6 to the same packet length.
const (
	endpointTTL  = 2
	nodeTTL      = 1
	endpointMSS4 = 8365
	endpointMSS6 = endpointMSS4 - 20
	// What a node says of itself (F2.52).
	nodeMSS4 = 8361
	nodeMSS6 = nodeMSS4 - 20
)

func (d *decision) toll() (ttl uint8, mss uint16) {
	p := &d.path
	own := d.w.prog.Interfaces[p.hops[0].at].Kind == Node || d.w.prog.Interfaces[p.hops[p.hopCount-1].at].Kind == Node
	switch {
	case p.private && d.v.V6:
		return endpointTTL, endpointMSS6
	case p.private:
		return endpointTTL, endpointMSS4
	case p.balanced.Valid():
		return nodeTTL, 0
	case own && d.v.V6:
		return nodeTTL, nodeMSS6
	case own:
		return nodeTTL, nodeMSS4
	default:
		return 0, 0
	}
}

// install leaves the path for the packets that follow, unless it serves only
// this one.
func (w *Walk) install(d *decision) *path {
	p := &d.path
	w.refresh(p)
	if d.passing {
		return p
	}
	there := tupleKey(p.hops[0].at, p.proto, p.ends[0])
	var ref flow.Ref
	if p.verdict != drop.None {
		// What refuses one direction says nothing of the other.
		ref, p, _ = w.paths.Insert(there, *p)
	} else {
		back := tupleKey(p.hops[p.hopCount-1].at, p.proto, p.ends[1].Reversed())
		w.displace(&back)
		ref, p, _ = w.paths.InsertPair(there, back, *p)
	}
	for i := range p.hops[:p.hopCount] {
		if e := w.track.At(p.last, p.hops[i].track); e != nil {
			e.Owner = ref
		}
	}
	if f := w.flows.At(p.balanced); f != nil {
		f.Owner = ref
	}
	return p
}

// displace takes a key from the path that holds it: with client addresses
// preserved, two connections can look the same to a target, and the newer one
// has the answer.
func (w *Walk) displace(k *flow.Key) {
	if ref, p, _ := w.paths.Lookup(k); p != nil {
		w.retire(ref)
	}
}

// tupleKey is the key of a packet with the given addresses at an interface's device.
func tupleKey(at InterfaceID, proto packet.Proto, t packet.Tuple) flow.Key {
	return flow.Key{
		Scope: flow.Scope(at), Proto: proto,
		Src: t.Src, Dst: t.Dst, SrcPort: t.SrcPort, DstPort: t.DstPort,
	}
}
