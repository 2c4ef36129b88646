package dataplane

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/snat"
)

// translate makes the packet one from the node to the target, of the target's
// family: the node's address and a source port of its own, unless the client's is
// preserved (F2.24, F2.25). A client of the other family cannot be (F2.27).
func (d *decision) translate(f *nlb.Flow, t *Target, preserve bool) drop.Reason {
	at := InterfaceID(f.Node)
	preserve = preserve && d.at.Dst.Is4() == t.Addr.Is4()
	d.at.Dst, d.at.DstPort = t.Addr, t.Port
	d.pair = snat.Pair{Scope: f.Node, Target: t.Addr, TargetPort: t.Port, Proto: d.v.Proto}
	if preserve {
		why := d.w.prog.preserves(at, t)
		d.trace.translated(at, d.at, why)
		return why
	}
	own := d.w.prog.Interfaces[at].own(t.Addr)
	if !d.takePort(f, own) {
		d.at.Src = own[0]
		d.passing = true // there may be a port for the next one
		d.trace.translated(at, d.at, drop.PortAllocation)
		return drop.PortAllocation
	}
	d.at.Src, d.at.SrcPort = d.pair.Node, f.Port
	d.trace.translated(at, d.at, drop.None)
	return drop.None
}

// chance is the random number for the packet's source address and port, always the same.
func (d *decision) chance() uint64 {
	if !d.drawn {
		d.drawn, d.random = true, d.w.rnd.Uint64()
	}
	return d.random
}

// takePort finds a source port for the flow at one of the node's addresses, which
// are as likely as each other while all have ports left (F2.2).
func (d *decision) takePort(f *nlb.Flow, sources []packet.Addr) (ok bool) {
	take := d.w.ports.Next
	if d.commit {
		take = func(pair snat.Pair, chance uint64) (uint16, bool) { return d.w.ports.Take(d.now, pair, chance) }
	}
	first, chance := nlb.Select(d.chance(), len(sources))
	try := func() bool {
		for i := range sources {
			d.pair.Node = sources[(first+i)%len(sources)]
			if f.Port, ok = take(d.pair, chance); ok {
				return true
			}
		}
		return false
	}
	if try() {
		return true
	}
	d.w.reclaim(d.now)
	return try()
}

// remember enters the flow in the load balancer's table, under what the client
// sends and what the target answers.
func (d *decision) remember(f nlb.Flow, before packet.Tuple) {
	f.Pair = d.w.pairs.Use(&d.pair, hashPair(d.w.salt, &d.pair))
	there, back := d.name(InterfaceID(f.Client), before), d.name(InterfaceID(f.Target), d.at.Reversed())
	for _, n := range []*flow.Name{there, back} {
		if ref, _, _ := d.w.flows.Find(n); ref.Valid() {
			d.w.forget(ref)
		}
	}
	d.enroll(&f, there, back)
}

// enroll enters the flow under names that no other has.
func (d *decision) enroll(f *nlb.Flow, there, back *flow.Name) (entered *nlb.Flow) {
	f.LastSeen, f.ISN = d.now, d.v.Seq
	if d.splice.Size() > 0 {
		f.Splice = d.w.addSplice(d.splice)
	}
	d.path.balanced, entered = d.w.flows.AddPair(there, back, f)
	return entered
}

// hashPair returns the hash of a node and a target.
func hashPair(seed flow.Seed, p *snat.Pair) uint64 {
	return flow.Hash(seed, &flow.Key{Src: p.Node, Dst: p.Target, Scope: p.Scope, DstPort: p.TargetPort, Proto: p.Proto})
}

// preserves judges whether a target is one that a client's address can be preserved
// towards: not on premises (F2.24), nor behind another endpoint or load balancer (F2.28).
func (p *Program) preserves(node InterfaceID, t *Target) drop.Reason {
	if to := &p.Interfaces[p.home(node, t)]; to.outside() || to.balances() {
		return drop.PreservedAddress
	}
	return drop.None
}
