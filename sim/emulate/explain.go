package emulate

import (
	"context"
	"net/netip"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Explain implements [story.World]. Programs that are no more are named, since they
// answer no packet.
func (w *World) Explain(_ context.Context, from *topology.Host, to story.Destination, _ []story.Deed) (story.Way, error) {
	way, err := w.Way(from, to)
	for _, h := range w.lab.Hosts {
		if s := w.hosts[h.Name].obituary(); s != "" {
			way.Notes = append(way.Notes, s)
		}
	}
	return way, err
}

// Listens reports whether anything in an instance listens on an address of it, with TCP or
// UDP: a built-in service, its command, or what somebody has started there.
func (w *World) Listens(h *topology.Host, proto packet.Proto, at netip.AddrPort) (bool, error) {
	network := "tcp"
	if proto == packet.UDP {
		network = "udp"
	}
	return w.hosts[h.Name].ns.Listens(network, at)
}
