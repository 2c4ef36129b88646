package simulate

import (
	"context"
	"net/netip"
	"slices"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Explain implements [story.World].
func (w *World) Explain(_ context.Context, from *topology.Host, to story.Destination, _ []story.Deed) (story.Way, error) {
	return w.Way(from, to)
}

// Listens reports whether a built-in service of an instance listens on an address of it,
// with TCP or UDP.
func (w *World) Listens(h *topology.Host, proto packet.Proto, at netip.AddrPort) (bool, error) {
	return slices.ContainsFunc(w.instances[h.Name].parts[int(at.Port())], func(p part) bool { return p.listens(proto) }), nil
}

// listens implements [part].
func (s *streams) listens(proto packet.Proto) bool {
	return proto == packet.TCP && s.Listener != nil && !s.refuses
}

// listens implements [part].
func (s *packets) listens(proto packet.Proto) bool { return proto == packet.UDP && s.socket != nil }
