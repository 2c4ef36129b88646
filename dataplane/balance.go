package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/snat"
)

// balance passes a load balancer's node with a new flow: security groups,
// listener, target, translation, and on to the target's interface. via is the
// endpoint's interface that the packet came by, or NoInterface.
func (d *decision) balance(client, via, node InterfaceID) drop.Reason {
	nic := &d.w.prog.Interfaces[node]
	lb := &d.w.prog.Balancers[nic.Balancer]
	private := via != NoInterface
	d.path.end = node
	if !private {
		d.hop(node)
	}
	if d.midway() && lb.serves(client, d.at.Src, d.at.SrcPort) {
		d.passing = true
		return drop.UnknownFlow // of a flow that is forgotten: both sides are told (F2.45)
	}
	if !private || lb.EnforceSG {
		// The address compared is the client's own, even across PrivateLink (F2.65).
		if _, why := d.ask(node, flow.Ingress); why != drop.None {
			d.path.rejected = !private // F4.18: what comes by an endpoint is not logged here
			return drop.LoadBalancerSecurityGroup
		}
	} else {
		d.trace.filtered(node, flow.Ingress, NotEnforced, filter.NoRule, drop.None)
	}
	listener, why := d.listener(lb)
	d.trace.listener(node, d.v.Proto, d.at, why)
	if why != drop.None {
		return why
	}
	group, target, why := d.target(listener, node, private)
	d.trace.target(node, target, why)
	if why != drop.None {
		return why
	}
	f := nlb.Flow{
		Client: flow.Scope(client), Node: flow.Scope(node), Target: flow.Scope(target.Interface),
		Group: group.Number,
		Via:   flow.Scope(via), Private: private, Idle: listener.IdleTimeout,
	}
	if private {
		f.Idle = min(f.Idle, d.w.settings.Balancing.Endpoint) // F1.36
	}
	before := d.at
	if why := d.translate(&f, target, group.PreserveClientIP && !private); why != drop.None {
		return why
	}
	f.Splice = d.introduce(&group.Proxy, via, before)
	if d.commit {
		d.remember(f, before)
	}
	return d.reach(&f)
}

// listener finds the listener for the packet and judges whether the packet may
// open a flow there.
func (d *decision) listener(lb *LoadBalancer) (*Listener, drop.Reason) {
	if d.v.Proto != packet.TCP && d.v.Proto != packet.UDP {
		return nil, drop.LoadBalancerICMP
	}
	l := lb.Listeners[ListenerKey{d.v.Proto, d.at.DstPort}]
	switch {
	case l == nil:
		return nil, drop.NoListener
	case d.midway():
		d.passing = true // a SYN on the same ports is a new matter
		return nil, drop.UnknownFlow
	}
	return l, drop.None
}

// midway reports whether the packet is a TCP segment that opens nothing.
func (d *decision) midway() bool { return !conntrack.Opens(d.v.Proto, d.v.Flags) }

// serves reports whether what an interface sends from an address and port is a
// target's, or was.
func (lb *LoadBalancer) serves(at InterfaceID, addr packet.Addr, port uint16) bool {
	for _, l := range lb.Listeners {
		is := func(t Target) bool { return t.is(at, addr, port) }
		for _, f := range l.Forward {
			if slices.ContainsFunc(f.Group.Targets, is) || slices.ContainsFunc(f.Group.Former, is) {
				return true
			}
		}
	}
	return false
}

// is reports whether t is what an interface serves at an address and port.
func (t *Target) is(at InterfaceID, addr packet.Addr, port uint16) bool {
	return t.Interface == at && t.Addr == addr && t.Port == port
}

// target chooses a target group for the flow by the listener's weights, and in it
// a target among those that the node may use.
func (d *decision) target(l *Listener, node InterfaceID, private bool) (*TargetGroup, *Target, drop.Reason) {
	key := tupleKey(node, d.v.Proto, d.at)
	g, hash := l.choose(nlb.Hash(d.w.salt, &key, d.v.Seq))
	if g == nil {
		return nil, nil, drop.NoTarget
	}
	switch {
	case g.Sticky == StickyEndpoint && private:
		hash = nlb.SourceHash(d.w.salt, d.v.Proto, d.at.Dst)
	case g.Sticky != NotSticky:
		hash = nlb.SourceHash(d.w.salt, d.v.Proto, d.at.Src)
	}
	zone := d.w.prog.Interfaces[node].Zone
	n := 0
	for i := range g.Targets {
		if g.reaches(&g.Targets[i], zone, d.v.V6) {
			n++
		}
	}
	k, _ := nlb.Select(hash, n)
	for i := range g.Targets {
		t := &g.Targets[i]
		if !g.reaches(t, zone, d.v.V6) {
			continue
		}
		if k == 0 {
			return g, t, drop.None
		}
		k--
	}
	return nil, nil, drop.NoTarget
}

// choose picks the target group of a new flow, each as often as its weight says
// (F2.11); nil where all weights are 0. What is left of the hash is for the target.
func (l *Listener) choose(hash uint64) (*TargetGroup, uint64) {
	total := 0
	for _, f := range l.Forward {
		total += f.Weight
	}
	if total == 0 {
		return nil, 0
	}
	k, rest := nlb.Select(hash, total)
	i := 0
	for ; k >= l.Forward[i].Weight; i++ {
		k -= l.Forward[i].Weight
	}
	return l.Forward[i].Group, rest
}

// reaches reports whether a node in a zone sends new flows of a family to a target
// (F2.19).
func (g *TargetGroup) reaches(t *Target, zone ZoneID, v6 bool) bool {
	return !t.Avoid && t.Interface != NoInterface && t.Addr.Is4() != v6 && (g.CrossZone || t.Zone == zone)
}

// translate makes the packet one from the node to the target: the node's
// address and a source port of its own, unless the client's is preserved (F2.24, F2.25).
func (d *decision) translate(f *nlb.Flow, t *Target, preserve bool) drop.Reason {
	at := InterfaceID(f.Node)
	d.at.Dst, d.at.DstPort = t.Addr, t.Port
	f.Pair = snat.Pair{Scope: f.Node, Target: t.Addr, TargetPort: t.Port, Proto: d.v.Proto}
	if preserve {
		d.trace.translated(at, d.at, drop.None)
		return drop.None
	}
	for _, a := range d.w.prog.Interfaces[at].Addrs {
		if a.Is4() == t.Addr.Is4() {
			d.at.Src = a
			break
		}
	}
	f.Pair.Node = d.at.Src
	chance := d.w.rnd.Uint64()
	port, ok := d.w.ports.Take(f.Pair, chance)
	if !ok {
		d.w.sweep(d.now, reclaim)
		port, ok = d.w.ports.Take(f.Pair, chance)
	}
	if !ok {
		d.passing = true // there may be a port for the next one
		d.trace.translated(at, d.at, drop.PortAllocation)
		return drop.PortAllocation
	}
	if d.commit {
		f.Port = port
	} else {
		d.w.ports.Release(f.Pair, port)
	}
	d.at.SrcPort = port
	d.trace.translated(at, d.at, drop.None)
	return drop.None
}

// remember enters the flow in the load balancer's table, under what the client
// sends and what the target answers.
func (d *decision) remember(f nlb.Flow, before packet.Tuple) {
	f.LastSeen, f.ISN = d.now, d.v.Seq
	there := tupleKey(InterfaceID(f.Client), d.v.Proto, before)
	back := tupleKey(InterfaceID(f.Target), d.v.Proto, d.at.Reversed())
	for _, k := range []*flow.Key{&there, &back} {
		if ref, _, _ := d.w.flows.Lookup(k); ref.Valid() {
			d.w.forget(ref)
		}
	}
	d.path.balanced, _, _ = d.w.flows.InsertPair(there, back, f)
}

// reach takes a translated packet out of the node and into the target's interface.
func (d *decision) reach(f *nlb.Flow) drop.Reason {
	d.path.listener, d.path.spliced = f.Idle, f.Splice.Shifts()
	d.hop(InterfaceID(f.Node))
	d.path.ends[1] = d.at
	if _, why := d.ask(InterfaceID(f.Node), flow.Egress); why != drop.None {
		d.w.forget(d.path.balanced) // the node has no flow that it may not send
		d.path.balanced = flow.Ref{}
		return why
	}
	d.nameless = d.w.nameless(f)
	if why := d.enter(InterfaceID(f.Target)); why != drop.None {
		return why
	}
	// Whatever the security groups remember of these ports, the flow is new (D5).
	d.path.life, d.path.turned = conntrack.Machine{}, false
	d.deliver()
	return drop.None
}

// balanced finds the load balancer's flow that a packet belongs to. One that is
// over is forgotten instead: the packet belongs to no flow, or opens a new one.
func (d *decision) balanced(in InterfaceID) (flow.Ref, *nlb.Flow, flow.Dir) {
	key := tupleKey(in, d.v.Proto, d.at)
	ref, f, dir := d.w.flows.Lookup(&key)
	if f == nil {
		return ref, nil, dir
	}
	reopens := d.v.Proto == packet.TCP && conntrack.Opens(d.v.Proto, d.v.Flags) &&
		f.State() != conntrack.Established && d.v.Seq != f.ISN
	late := dir == flow.Reply && f.TooLate(d.now, &d.w.settings.Balancing) // F2.48
	moves := dir == flow.Forward && !d.midway() && d.w.terminated(f, d.at.DstPort)
	if !reopens && !late && !moves && !f.Expired(d.now, &d.w.settings.Balancing) {
		return ref, f, dir
	}
	if d.commit {
		d.w.forget(ref)
	}
	return flow.Ref{}, nil, dir
}

// resume finds the way of a packet of a flow that the load balancer knows,
// whatever became of its target, its listener and its rules since (F2.14, F2.59,
// F3.13): the way is the flow's own, in the packet's direction.
func (d *decision) resume(ref flow.Ref, f *nlb.Flow, dir flow.Dir) drop.Reason {
	p := &d.path
	way := d.join(ref, f, dir)
	p.listener, p.isn, p.spliced = f.Idle, f.ISN, f.Splice.Shifts()
	there, back, _ := d.w.flows.Keys(ref)
	p.ends = [2]packet.Tuple{keyTuple(&there), keyTuple(&back).Reversed()}
	if dir == flow.Reply {
		p.ends = [2]packet.Tuple{keyTuple(&back), keyTuple(&there).Reversed()}
	}
	over := d.w.terminated(f, there.DstPort)
	d.passing = d.passing || over // what the target says is no precedent for the client
	reaches := way[:]
	if over && dir == flow.Forward {
		reaches = way[:2]
	}
	if why := d.traverse(f, dir, reaches, [2]packet.Tuple{}); why != drop.None {
		return why
	}
	if len(reaches) < len(way) {
		return d.terminate(ref, f)
	}
	p.life, p.turned = f.Machine, dir == flow.Reply
	d.deliver()
	return drop.None
}

// join makes the path one of a flow that the load balancer knows, and returns its
// interfaces in the packet's direction.
func (d *decision) join(ref flow.Ref, f *nlb.Flow, dir flow.Dir) [maxHops]flow.Scope {
	p := &d.path
	p.balanced, p.private = ref, f.Private
	front := f.Node
	if f.Private {
		front = f.Via
		p.mtu, p.front = int32(d.w.prog.Interfaces[f.Via].MTU), InterfaceID(f.Via)
	}
	if dir == flow.Reply {
		return [maxHops]flow.Scope{f.Target, f.Node, front, f.Client}
	}
	return [maxHops]flow.Scope{f.Client, front, f.Node, f.Target}
}

// traverse passes the first interfaces, or all, on the way of a flow that the load
// balancer knows. quotes is what an ICMP error quotes before and after the
// translation.
func (d *decision) traverse(f *nlb.Flow, dir flow.Dir, way []flow.Scope, quotes [2]packet.Tuple) drop.Reason {
	for i, id := range way {
		d.at, d.quote = d.path.tuple(i), quotes[i/2]
		h := d.hop(InterfaceID(id))
		nic := &d.w.prog.Interfaces[h.at]
		switch {
		case nic.Kind == Absent, nic.Kind == Endpoint && !nic.Endpoint.Available:
			d.trace.endpoint(h.at, NoInterface, drop.EndpointNotAvailable)
			return drop.EndpointNotAvailable // F1.17; silence is our choice in F1.19
		case nic.Kind == Node: // its groups were asked when the flow began (F3.11)
		default:
			d.nameless = i == maxHops-1 && dir == flow.Forward && d.w.nameless(f)
			if why := d.filter(h, wayOf(i)); why != drop.None {
				return why
			}
		}
	}
	return drop.None
}

// nameless reports whether a target's rules that name the load balancer's groups
// do not apply to a flow: those of PrivateLink, while inbound rules are not
// enforced on it (F2.67). The target's rules must name the node's addresses then.
func (w *Walk) nameless(f *nlb.Flow) bool {
	return f.Private && !w.prog.Balancers[w.prog.Interfaces[f.Node].Balancer].EnforceSG
}

// close forgets the flows that a load balancer closes.
func (w *Walk) close(closures []Closure) {
	for ref, f := range w.flows.All() {
		there, _, _ := w.flows.Keys(ref)
		balancer := w.prog.Interfaces[f.Node].Balancer
		closed := func(c Closure) bool {
			return c.Group == f.Group && (c.Port == 0 || c.Addr == f.Pair.Target && c.Port == f.Pair.TargetPort) &&
				(c.Listener == 0 || c.Balancer == balancer && c.Listener == there.DstPort)
		}
		if slices.ContainsFunc(closures, closed) {
			w.forget(ref)
		}
	}
}

// forget drops a load balancer's flow and frees its source port.
func (w *Walk) forget(ref flow.Ref) {
	if f := w.flows.At(ref); f != nil && f.Port != 0 {
		w.ports.Release(f.Pair, f.Port)
	}
	w.flows.Delete(ref)
}

// keyTuple returns the addresses and ports of a key.
func keyTuple(k *flow.Key) packet.Tuple {
	return packet.Tuple{Src: k.Src, Dst: k.Dst, SrcPort: k.SrcPort, DstPort: k.DstPort}
}
