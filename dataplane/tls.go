package dataplane

import (
	"net/netip"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// A TLS listener is the one place where a connection ends at the load balancer.
// The walk judges a client's packets as those to every listener, and delivers
// them to the node's own device. The node's server accepts the connection, and
// asks the walk with [Walk.Call] whom to connect to for it.

// answer delivers a client's packet to the node itself, as the listener's server
// sees it: from an address that no other connection has, since those of two
// consumers may be the same; with the client's port, to the listener's.
func (d *decision) answer(client, via, node InterfaceID, l *Listener) {
	f := nlb.Flow{
		Client: flow.Scope(client), Via: flow.Scope(via), Node: flow.Scope(node), Target: flow.Scope(node),
		Private: d.path.private, Idle: l.IdleTimeout, Group: nlb.NoGroup,
	}
	f.Proto, d.pair.Proto = d.v.Proto, d.v.Proto
	if f.Private {
		f.Idle = min(f.Idle, d.w.settings.Balancing.Endpoint) // F1.36
	}
	before := d.at
	nic := &d.w.prog.Interfaces[node]
	own := nic.own(d.at.Dst)
	if len(own) == 0 {
		own = nic.Addrs // the node speaks the other family only (F1.52)
	}
	d.at.Dst = own[0]
	d.at.Src = alias(d.w.callers, d.at.Dst.Is4())
	if d.commit {
		d.w.callers++
		d.remember(f, before)
	}
	d.begins(nil)
	d.path.bytes = bytesOfFlow(&f, d.path.bytes)
	d.trace.answered(node, d.at)
	d.path.listener = f.Idle
	d.hop(node) // it leaves the node translated, as at every listener,
	d.hop(node) // and enters the target, which is the node
	d.deliver()
}

// alias is the nth address for clients of TLS listeners: of 240.0.0.0/4, which
// RFC 1112 section 4 reserves, or 100::/64, which RFC 6666 does. No VPC has them.
func alias(n uint32, v4 bool) packet.Addr {
	if v4 {
		n %= 0x0fffffff // 255.255.255.255 is a broadcast
		return packet.AddrFrom(netip.AddrFrom4([4]byte{0xf0 | byte(n>>24), byte(n >> 16), byte(n >> 8), byte(n)}))
	}
	return packet.Addr{0: 1, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

// Call is a connection that the server of a TLS listener is to make for a client.
type Call struct {
	Source, Target netip.AddrPort
	TLS            bool   // it is spoken to in TLS (F2.9)
	Header         []byte // the PROXY protocol header that goes first; nil if none does (F2.35)
}

// call is a connection of a TLS listener to a target, as far as the walk knows
// it: a flow without a table of its own, for the node's kernel keeps its state.
type call struct {
	nlb.Flow
	listener uint16   // the listener's port
	over     bool     // the load balancer closes it
	as       struct { // the client, if the target sees its address
		Addr packet.Addr
		Port uint16
	}
}

// Call chooses a target for a client whose connection the server of a TLS
// listener at a node has accepted from one address to another, as every listener
// does it, and takes a source port. It returns drop.UnknownFlow where the client
// is gone, NoTarget, PreservedAddress or PortAllocation. Of what it returns, [Walk.HangUp] must follow.
func (w *Walk) Call(now clock.Time, node InterfaceID, from, to netip.AddrPort) (Call, drop.Reason) {
	ref, client := w.caller(now, node, from, to)
	l := w.prog.Balancers[w.prog.Interfaces[node].Balancer].Listeners[ListenerKey{packet.TCP, to.Port()}]
	if client == nil || l == nil {
		return Call{}, drop.UnknownFlow
	}
	there, _, _ := w.flows.Keys(ref)
	before := keyTuple(&there)
	d := &decision{w: w, now: now, v: &packet.View{Proto: packet.TCP, Seq: client.ISN, V6: !before.Src.Is4()}, at: before, commit: true}
	d.path.recipe = &recipe{place: placeOf(client)}
	w.meter.Advance(now)
	group, target, why := d.target(l, node, client.Private)
	if why != drop.None {
		d.rejects(why)
		return Call{}, why
	}
	c := &call{listener: to.Port(), Flow: nlb.Flow{
		Proto: packet.TCP, Client: client.Node, Via: client.Via, Node: client.Node, Target: flow.Scope(w.prog.home(node, target)),
		Group: group.Number, Private: client.Private, Idle: l.IdleTimeout,
	}}
	if group.PreserveClientIP && !client.Private && before.Src.Is4() == target.Addr.Is4() {
		if why := w.prog.preserves(node, target); why != drop.None {
			return Call{}, why
		}
		c.as.Addr, c.as.Port = before.Src, before.SrcPort
	}
	if why := d.translate(&c.Flow, target, false); why != drop.None {
		d.rejects(why)
		return Call{}, why
	}
	c.Pair = w.pairs.Use(&d.pair, hashPair(w.salt, &d.pair))
	w.calls[tupleKey(node, packet.TCP, d.at)] = c
	made := Call{
		Source: netip.AddrPortFrom(d.at.Src.IP(), d.at.SrcPort), Target: netip.AddrPortFrom(d.at.Dst.IP(), d.at.DstPort),
		TLS: group.TLS,
	}
	if s := d.introduce(&group.Proxy, InterfaceID(client.Via), before); s.Size() > 0 {
		made.Header = slices.Clone(w.proxyHeader(s.Size(), InterfaceID(client.Via), before))
	}
	return made, drop.None
}

// HangUp gives back the source port of a call that is over, to rest first: its
// target may be in TIME_WAIT.
func (w *Walk) HangUp(now clock.Time, node InterfaceID, c Call) {
	key := tupleKey(node, packet.TCP, tupleOf(c.Source, c.Target))
	if made := w.calls[key]; made != nil {
		w.ports.Rest(*w.pairs.At(made.Pair), made.Port, now.Add(w.settings.Balancing.Rest))
		w.pairs.Release(made.Pair)
		delete(w.calls, key)
	}
}

// Left returns for how long the load balancer will remember a client's connection to a
// TLS listener if nothing comes (F2.44); 0 if it has forgotten it. Every packet of the
// client and to it begins that time anew, keepalives included (F2.46).
func (w *Walk) Left(now clock.Time, node InterfaceID, from, to netip.AddrPort) time.Duration {
	_, f := w.caller(now, node, from, to)
	if f == nil {
		return 0
	}
	return w.settings.Balancing.For(f.State(), packet.TCP, f.Idle) - now.Sub(f.LastSeen)
}

// caller finds the flow of a client that a node's server knows by the addresses
// of an accepted connection; nil if the load balancer has forgotten it.
func (w *Walk) caller(now clock.Time, node InterfaceID, from, to netip.AddrPort) (flow.Ref, *nlb.Flow) {
	key := tupleKey(node, packet.TCP, tupleOf(to, from))
	ref, f, _ := w.flows.Lookup(&key)
	if f == nil {
		return ref, nil
	}
	w.catchUp(f.Owner)
	if f.Expired(now, &w.settings.Balancing) {
		return ref, nil
	}
	return ref, f
}

// tupleOf is the tuple of packets between two ends.
func tupleOf(src, dst netip.AddrPort) packet.Tuple {
	return packet.Tuple{
		Src: packet.AddrFrom(src.Addr()), SrcPort: src.Port(), Dst: packet.AddrFrom(dst.Addr()), DstPort: dst.Port(),
	}
}

// behalf finds the call that a node's packet belongs to, and judges whether the
// load balancer has ended it meanwhile (F2.11, F2.55). All else that a node sends
// is its own, as is what others send.
func (d *decision) behalf(node InterfaceID) (*call, drop.Reason) {
	if len(d.w.calls) == 0 {
		return nil, drop.None
	}
	c, why := d.w.calls[tupleKey(node, d.v.Proto, d.at)], drop.None
	switch {
	case c == nil:
	case c.over:
		why = drop.UnknownFlow
	case d.w.terminated(&c.Flow, c.listener):
		why = drop.TargetUnhealthy
	}
	if why != drop.None {
		d.hop(node)
		d.passing = true // the next connection with this port is another matter
	}
	return c, why
}

// impersonate sends a packet of a call on as the client's, whose address the
// target group preserves (F2.24).
func (d *decision) impersonate(node InterfaceID, c *call) drop.Reason {
	d.hop(node)
	before := d.at
	d.at.Src, d.at.SrcPort = c.as.Addr, c.as.Port
	f := c.Flow
	f.Port, d.pair = 0, *d.w.pairs.At(c.Pair) // the call keeps the port
	d.trace.translated(node, d.at, drop.None)
	if d.commit {
		d.remember(f, before)
	}
	d.path.bytes = noBytes
	return d.reach(&f, nil)
}
