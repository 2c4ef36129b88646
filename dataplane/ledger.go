package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// Paths forget what they have counted when they tell the flow logs, and are forgotten
// themselves. Where people may ask how a flow is ([Settings.Accounts]), a ledger has an
// account of each, beside them: packets that follow a path do not touch it.

// Sum is how much has gone one way.
type Sum struct {
	Packets, Bytes uint64 // Bytes counts whole IP packets
}

func (s *Sum) add(o Sum) {
	s.Packets += o.Packets
	s.Bytes += o.Bytes
}

// account is what a ledger knows of a flow: since when there is one, and what its paths
// have reported, from its client and to it.
type account struct {
	began clock.Time
	sums  [2]Sum
}

// TargetID names a target of a target group.
type TargetID struct {
	Group uint16 // TargetGroup.Number
	Addr  packet.Addr
	Port  uint16
}

// ledger has the accounts of flows by their keys as their clients know them, and what
// the flows of each target came to.
type ledger struct {
	flows   *flow.Single[account]
	targets map[TargetID]*[2]Sum
}

func newLedger(seed flow.Seed) *ledger {
	return &ledger{flow.NewSingle[account](seed), map[TargetID]*[2]Sum{}}
}

// open opens the account of a flow that has got a path: anew where the flow is new.
func (w *Walk) open(p *path) {
	key := w.clientKey(p)
	begins := p.verdict == drop.None && p.opens && p.life.State() == conntrack.None
	if _, a, known := w.ledger.flows.Insert(key, account{began: p.last}); !known && begins {
		*a = account{began: p.last}
	}
}

// book enters in the ledger what a path has counted in one direction.
func (w *Walk) book(p *path, dir flow.Dir, c *flowlog.Tally) {
	if p.turned {
		dir = dir.Flip()
	}
	sum := Sum{uint64(c.Packets), c.Bytes}
	key := w.clientKey(p)
	if _, a, _ := w.ledger.flows.Lookup(&key); a != nil {
		a.sums[dir].add(sum)
	}
	f := w.flows.At(p.balanced)
	if f == nil || p.verdict != drop.None {
		return
	}
	id := w.targetOf(f)
	if w.ledger.targets[id] == nil {
		w.ledger.targets[id] = new([2]Sum)
	}
	w.ledger.targets[id][dir].add(sum)
}

// targetOf names the target of a load balancer's flow.
func (w *Walk) targetOf(f *nlb.Flow) TargetID {
	pair := w.pairs.At(f.Pair)
	return TargetID{f.Group, pair.Target, pair.TargetPort}
}

// closeAccounts closes the accounts, among the next n, of flows that are over.
func (w *Walk) closeAccounts(n int) {
	w.ledger.flows.Sweep(n, func(ref flow.Ref, _ *account) bool {
		key, _, _ := w.ledger.flows.Keys(ref)
		_, t, _ := w.paths.Lookup(&key)
		_, f, _ := w.flows.Lookup(&key)
		return t == nil && f == nil
	})
}

// Delivered returns what the flows of each target came to as far as paths have reported
// it, from clients and to them. What they have not is in [Walk.ViewFlows].
func (w *Walk) Delivered() map[TargetID][2]Sum {
	all := map[TargetID][2]Sum{}
	if w.ledger != nil {
		for id, sums := range w.ledger.targets {
			all[id] = *sums
		}
	}
	return all
}
