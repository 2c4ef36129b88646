package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
)

// close forgets the flows that a load balancer closes, and ends the connections
// that its TLS listeners have to targets.
func (w *Walk) close(closures []Closure) {
	closed := func(f *nlb.Flow, listener uint16) bool {
		if f.Masquerades() {
			return false
		}
		balancer := w.prog.Interfaces[f.Node].Balancer
		return slices.ContainsFunc(closures, func(c Closure) bool {
			if c.Zone != 0 {
				return c.Balancer == balancer && (w.zone(f.Node) == c.Zone || w.zone(f.Target) == c.Zone && w.near(f))
			}
			pair := w.pairs.At(f.Pair)
			return c.Group == f.Group && (c.Port == 0 || c.Addr == pair.Target && c.Port == pair.TargetPort) &&
				(c.Listener == 0 || c.Balancer == balancer && c.Listener == listener)
		})
	}
	for ref, f := range w.flows.All() {
		if there, _, _ := w.flows.Keys(ref); closed(f, there.DstPort) {
			w.forget(ref)
		}
	}
	for _, c := range w.calls {
		c.over = c.over || closed(&c.Flow, c.listener)
	}
}

// zone returns where an interface is, or was.
func (w *Walk) zone(of flow.Scope) ZoneID {
	if int(of) >= len(w.prog.Interfaces) {
		return 0
	}
	return w.prog.Interfaces[of].Zone
}

// near reports whether a flow's target is in the load balancer's own VPC. One beyond it
// is not in the zone that its interface happens to be in (F2.22a).
func (w *Walk) near(f *nlb.Flow) bool {
	return int(f.Target) < len(w.prog.Interfaces) && w.prog.Interfaces[f.Target].VPC == w.prog.Interfaces[f.Node].VPC
}

// forget drops a load balancer's flow and gives back its source port.
func (w *Walk) forget(ref flow.Ref) {
	f := w.flows.At(ref)
	if f == nil {
		return
	}
	w.catchUp(f.Owner)
	there, back, _ := w.flows.Keys(ref)
	for _, k := range []*flow.Key{&there, &back} {
		path, t, _ := w.paths.Lookup(k)
		w.reconsider(path, t, ref)
	}
	w.ends(f)
	if f.State() == conntrack.New && !f.Answered() {
		w.attempted(f, false)
	}
	switch pair := *w.pairs.At(f.Pair); {
	case f.Port == 0: // the client's own
	case f.Lingers():
		w.ports.Rest(pair, f.Port, f.LastSeen.Add(w.settings.Balancing.Rest))
	default:
		w.ports.Release(pair, f.Port)
	}
	w.pairs.Release(f.Pair)
	w.dropSplice(f.Splice)
	w.flows.Delete(ref)
}
