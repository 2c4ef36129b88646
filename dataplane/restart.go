package dataplane

import (
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/snat"
)

// Restart has the walk begin anew with the next packet, as a forwarder does that is
// started again. What paths have counted goes to flow logs and metrics first, so nothing
// that was seen is lost, and captures go on.
//
// Where the state is kept, all that was decided is decided again with it. Where it is
// not, the walk knows no flow any more: neither what security groups track, nor to which
// targets load balancers sent what, nor which nodes endpoints are bound to. It hashes
// flows as before.
func (w *Walk) Restart(keepState bool) {
	for ref := range w.paths.All() {
		w.retire(ref)
	}
	w.precedents.forget()
	if keepState {
		return
	}
	for ref := range w.flows.All() {
		w.forget(ref)
	}
	w.track.Clear()
	w.ports = snat.NewPool(w.settings.SourcePorts)
	w.affinities = flow.NewSingle[affinity](w.salt)
	clear(w.bound)
	clear(w.calls)
	clear(w.failures)
	clear(w.fragments)
}
