package dataplane

import (
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// names are the keys by which tables know the packet that is decided on: what it is at the
// client's device, and what its answer is at an endpoint's and at the target's. Each table
// is asked for most of them, so they are hashed once.
type names struct {
	all  [4]flow.Name // the latest
	next int          // how many there were
}

// name returns the key of a packet with the given addresses at an interface's device. It is
// good until others were asked for.
func (d *decision) name(at InterfaceID, t packet.Tuple) *flow.Name {
	l := &d.names
	for i := range min(l.next, len(l.all)) {
		if n := &l.all[i]; n.Scope == flow.Scope(at) && n.SrcPort == t.SrcPort && n.DstPort == t.DstPort && n.Src == t.Src && n.Dst == t.Dst {
			return n
		}
	}
	n := &l.all[l.next%len(l.all)]
	l.next++
	key := tupleKey(at, ownProto(d.v), t)
	d.w.lines.Name(n, &key)
	return n
}

// stray is the protocol of packets that are of no flow of their own: nobody has it (IANA's
// protocol numbers).
const stray packet.Proto = 255

// ownProto is the protocol by which tables know a packet. They know no ICMP error, which has
// the addresses of an echo whose identifier is 0, and speaks of another flow.
func ownProto(v *packet.View) packet.Proto {
	if isICMPError(v) {
		return stray
	}
	return v.Proto
}

// tupleKey is the key of a packet with the given addresses at an interface's device.
func tupleKey(at InterfaceID, proto packet.Proto, t packet.Tuple) flow.Key {
	return flow.Key{
		Scope: flow.Scope(at), Proto: proto,
		Src: t.Src, Dst: t.Dst, SrcPort: t.SrcPort, DstPort: t.DstPort,
	}
}
