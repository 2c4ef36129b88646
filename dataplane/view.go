package dataplane

import (
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// FlowView is a flow as it is now, for people to look at: from its client to whom it
// goes. Interfaces that it does not pass are NoInterface.
type FlowView struct {
	Key    flow.Key // of what the client sends, in the scope of its interface
	Client InterfaceID
	// Endpoint is the endpoint's interface that it comes by, Node the load balancer's node
	// or the NAT gateway that translates it, and Target the interface that gets it.
	Endpoint, Node, Target InterfaceID
	Of                     TargetID     // where Balanced
	Balanced               bool         // a load balancer, or a NAT gateway, has it in its table
	Masquerades            bool         // that is a NAT gateway
	Got                    packet.Tuple // what the target gets
	State                  conntrack.State
	Verdict                drop.Reason // why its packets are dropped; None: they are not
	At                     InterfaceID // that drops them
	// Began is when its first packet came, or, without an account, a moment since; Last
	// when the last one did.
	Began, Last clock.Time
	// Idle is after how long without a packet some state of it is forgotten.
	Idle time.Duration
	// Sums are what it has sent in all, from the client and to it. Recent is the part
	// that [Walk.Delivered] does not have yet.
	Sums, Recent [2]Sum
}

// ViewFlows shows the flows in the next n slots of the walk's tables, from one on, and
// returns the slot to go on with, or -1 after the last. It changes nothing. Whoever looks
// at all of them goes on from slot to slot with packets in between: a flow that comes,
// goes or changes meanwhile may be shown twice or not at all.
func (w *Walk) ViewFlows(now clock.Time, from, n int, show func(*FlowView)) (next int) {
	paths, all := w.paths.Slots(), w.paths.Slots()+w.flows.Slots()
	w.paths.Visit(from, n, func(ref flow.Ref, t *trip) {
		var p path
		w.whole(ref, t, &p)
		w.collect(&p)
		if v, ok := w.viewPath(now, &p); ok {
			show(&v)
		}
	})
	if from+n > paths {
		begin := max(from, paths)
		w.flows.Visit(begin-paths, from+n-begin, func(ref flow.Ref, f *nlb.Flow) {
			if !w.lives(f.Owner) && !f.Expired(now, &w.settings.Balancing) {
				v := w.viewBalanced(ref, f)
				w.viewAccount(&v)
				show(&v)
			}
		})
	}
	if from+n >= all {
		return -1
	}
	return from + n
}

// viewPath shows the flow of a path, unless that is over.
func (w *Walk) viewPath(now clock.Time, p *path) (v FlowView, ok bool) {
	f := w.flows.At(p.balanced)
	switch {
	case p.verdict != drop.None && (p.epoch != w.prog.Epoch || p.expired(now)):
		return v, false
	case f != nil:
		v = w.viewBalanced(p.balanced, f)
	default:
		v = w.viewDirect(p)
	}
	v.State, v.Last, v.Idle = p.life.State(), p.last, p.idle.duration()
	if p.expired(now) {
		if f == nil {
			return v, false
		}
		// Security groups have forgotten it, and the load balancer has not.
		v.Idle = w.settings.Balancing.For(v.State, p.proto, f.Idle)
		if now.Sub(v.Last) >= v.Idle {
			return v, false
		}
	}
	if p.verdict != drop.None {
		v.Verdict, v.At = p.verdict, p.end
	}
	w.viewAccount(&v)
	for dir := range p.counts {
		to := flow.Dir(dir)
		if p.turned {
			to = to.Flip()
		}
		c := &p.counts[dir]
		v.Recent[to] = Sum{uint64(c.Packets), c.Bytes}
		v.Sums[to].add(v.Recent[to])
	}
	return v, true
}

// viewBalanced shows what a load balancer knows of a flow.
func (w *Walk) viewBalanced(ref flow.Ref, f *nlb.Flow) FlowView {
	there, back, _ := w.flows.Keys(ref)
	v := FlowView{
		Key: there, Client: InterfaceID(f.Client), Endpoint: NoInterface, Node: InterfaceID(f.Node), Target: InterfaceID(f.Target),
		Of: w.targetOf(f), Balanced: true, Masquerades: f.Masquerades(), Got: keyTuple(&back).Reversed(), At: NoInterface,
		State: f.State(), Last: f.LastSeen, Began: f.LastSeen, Idle: w.settings.Balancing.For(f.State(), f.Proto, f.Idle),
	}
	if f.Private {
		v.Endpoint = InterfaceID(f.Via)
	}
	return v
}

// viewDirect shows the flow of a path that no load balancer has.
func (w *Walk) viewDirect(p *path) FlowView {
	v := FlowView{Key: w.clientKey(p), Endpoint: NoInterface, Node: NoInterface, Target: NoInterface, At: NoInterface, Began: p.last, Got: p.seen(1)}
	v.Client = InterfaceID(v.Key.Scope)
	if p.turned {
		v.Got = p.seen(0).Reversed()
	}
	for i := range int(p.hopCount) {
		switch at := p.hop(i); {
		case at == v.Client:
		case w.prog.Interfaces[at].Kind == Endpoint:
			v.Endpoint = at
		case w.prog.Interfaces[at].Kind == Node && p.private:
			v.Node = at
		case p.verdict == drop.None:
			v.Target = at
		}
	}
	return v
}

// viewAccount adds what the ledger knows of a flow.
func (w *Walk) viewAccount(v *FlowView) {
	if w.ledger == nil {
		return
	}
	if _, a, _ := w.ledger.flows.Lookup(&v.Key); a != nil {
		v.Began, v.Sums = a.began, a.sums
	}
}
