package dataplane

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
)

// terminated reports whether the target of a flow, which came to a listener's
// port, turned unhealthy and its flows are therefore over (F2.55). A target that
// is no longer registered is not asked any more: its flows live on (F2.59).
func (w *Walk) terminated(f *nlb.Flow, port uint16) bool {
	if f.Masquerades() {
		return false
	}
	lb := &w.prog.Balancers[w.prog.Interfaces[f.Node].Balancer]
	l := lb.Listeners[ListenerKey{f.Proto, port}]
	if l == nil {
		return false
	}
	pair := w.pairs.At(f.Pair)
	for g := range l.groups {
		if g.Number == f.Group {
			return w.resets(g, pair.Target, pair.TargetPort, w.zone(f.Node))
		}
	}
	return false
}

// terminate ends a flow whose target turned unhealthy: its node answers the
// client's packet with a reset, and forgets the flow (F2.55). The target learns
// of it when it sends next.
func (d *decision) terminate(ref flow.Ref, f *nlb.Flow) drop.Reason {
	node, pair := InterfaceID(f.Node), d.w.pairs.At(f.Pair)
	d.trace.target(node, &Target{
		Interface: InterfaceID(f.Target), Addr: pair.Target, Port: pair.TargetPort,
	}, drop.TargetUnhealthy)
	d.path.end, d.path.balanced = node, flow.Ref{}
	if d.commit {
		d.w.forget(ref)
	}
	return drop.TargetUnhealthy
}
