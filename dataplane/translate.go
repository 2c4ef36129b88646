package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/snat"
)

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
	d.at.Src = d.w.addrOf(at, t.Addr.Is4())
	f.Pair.Node = d.at.Src
	take, chance := d.w.ports.Take, d.w.rnd.Uint64()
	if !d.commit {
		take = d.w.ports.Next
	}
	port, ok := take(d.now, f.Pair, chance)
	if !ok {
		d.w.sweep(d.now, reclaim)
		port, ok = take(d.now, f.Pair, chance)
	}
	if !ok {
		d.passing = true // there may be a port for the next one
		d.trace.translated(at, d.at, drop.PortAllocation)
		return drop.PortAllocation
	}
	f.Port, d.at.SrcPort = port, port
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

// addrOf returns an interface's primary address of a family, which it must have.
func (w *Walk) addrOf(id InterfaceID, v4 bool) packet.Addr {
	addrs := w.prog.Interfaces[id].Addrs
	return addrs[max(slices.IndexFunc(addrs, func(a packet.Addr) bool { return a.Is4() == v4 }), 0)]
}
