package dataplane

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// unreachable reports whether an ICMP message is of type 3, destination
// unreachable, the only one that a load balancer passes on (F2.10); and whether it
// says that a packet was too big, which in ICMPv6 is a type of its own.
func unreachable(v *packet.View) (is, tooBig bool) {
	switch v.Proto {
	case packet.ICMP:
		return v.Type == 3, v.Type == 3 && v.Code == 4
	case packet.ICMPv6:
		return v.Type == 1 || v.Type == 2, v.Type == 2
	default:
		return false, false
	}
}

// complains finds the load balancer's flow that an ICMP error speaks of: its
// sender, a client or a target, got what it quotes from there.
func (d *decision) complains(in InterfaceID) (flow.Ref, *nlb.Flow, flow.Dir) {
	if is, _ := unreachable(d.v); !is || d.quoteProto == 0 || d.quote.Src != d.at.Dst || d.quote.Dst != d.at.Src {
		return flow.Ref{}, nil, flow.Forward
	}
	key := tupleKey(in, d.quoteProto, d.quote.Reversed())
	ref, f, dir := d.w.flows.Lookup(&key)
	if f == nil {
		return flow.Ref{}, nil, dir
	}
	d.w.catchUp(f.Owner)
	if f.Expired(d.now, &d.w.settings.Balancing) {
		return flow.Ref{}, nil, dir
	}
	return ref, f, dir
}

// relay takes an ICMP error along the way of the flow that it speaks of, to the
// other end: from whom that end believes to speak with, about the packet that it
// sent. Across PrivateLink nobody hears that a packet was too big (F1.31).
func (d *decision) relay(ref flow.Ref, f *nlb.Flow, dir flow.Dir) drop.Reason {
	p := &d.path
	way := d.join(ref, f, dir)
	there, back, _ := d.w.flows.Keys(ref)
	sent := keyTuple(&there)
	if dir == flow.Forward {
		sent = keyTuple(&back)
	}
	p.look(0, d.at)
	p.look(1, packet.Tuple{Src: sent.Dst, Dst: sent.Src})
	if _, tooBig := unreachable(d.v); tooBig && f.Private {
		p.end = InterfaceID(f.Node)
		return drop.LoadBalancerICMP
	}
	if p.growth() != 0 && !d.v.Convertible() {
		p.end = InterfaceID(f.Node)
		return drop.ICMPFamily
	}
	if why := d.traverse(f, dir, way[:], [2]packet.Tuple{d.quote, sent}); why != drop.None {
		return why
	}
	if d.commit {
		if dir == flow.Reply {
			d.v.ShiftQuoted(d.w.splice(f).Quoted) // F2.42
		}
		d.v.TranslateQuoted(sent)
	}
	d.deliver()
	return drop.None
}

// related reports whether an ICMP error speaks of a flow that is tracked at an
// interface: it quotes a packet that the interface had sent, or received.
func (d *decision) related(at InterfaceID) bool {
	if d.quoteProto == 0 {
		return false
	}
	for _, own := range []packet.Tuple{d.quote, d.quote.Reversed()} {
		key := tupleKey(at, d.quoteProto, own)
		if _, e := d.w.track.Lookup(d.now, &key); e != nil {
			return true
		}
	}
	return false
}

// isICMPError reports whether a packet is ICMP other than an echo: it belongs to
// another flow, or to none.
func isICMPError(v *packet.View) bool {
	switch v.Proto {
	case packet.ICMP:
		return v.Type != 0 && v.Type != 8
	case packet.ICMPv6:
		return v.Type != 128 && v.Type != 129
	default:
		return false
	}
}
