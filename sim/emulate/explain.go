package emulate

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Explain implements [story.World]. Programs that are no more are named, since they
// answer no packet.
func (w *World) Explain(_ context.Context, from *topology.Host, to story.Destination, _ []story.Deed) (story.Way, error) {
	way, err := w.Way(from, to)
	for _, h := range w.ordered() {
		if s := h.obituary(); s != "" {
			way.Notes = append(way.Notes, s)
		}
	}
	return way, err
}

// Listens reports whether anything in an instance listens on an address of it, with TCP or
// UDP: a built-in service, its command, or what somebody has started there. It may be
// called from any goroutine.
func (w *World) Listens(h *topology.Host, proto packet.Proto, at netip.AddrPort) (bool, error) {
	network := "tcp"
	if proto == packet.UDP {
		network = "udp"
	}
	w.guard.RLock()
	in := w.hosts[h.Name]
	w.guard.RUnlock()
	if in == nil {
		return false, fmt.Errorf("instance %s is gone", h.Name)
	}
	return in.ns.Listens(network, at)
}
