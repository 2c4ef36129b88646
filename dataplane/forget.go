package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/flow"
)

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

// forget drops a load balancer's flow and gives back its source port.
func (w *Walk) forget(ref flow.Ref) {
	f := w.flows.At(ref)
	if f == nil {
		return
	}
	if p := w.paths.At(f.Owner); p != nil {
		w.writeBack(p)
	}
	w.ends(f)
	switch {
	case f.Port == 0: // the client's own
	case f.Lingers():
		w.ports.Rest(f.Pair, f.Port, f.LastSeen.Add(w.settings.Balancing.Rest))
	default:
		w.ports.Release(f.Pair, f.Port)
	}
	w.flows.Delete(ref)
}
