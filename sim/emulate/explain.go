package emulate

import (
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Explain implements [story.World]. Programs that are no more are named, since they
// answer no packet.
func (w *World) Explain(from *topology.Host, to story.Destination) ([]string, error) {
	lines, err := w.Way(from, to)
	for _, h := range w.lab.Hosts {
		if s := w.hosts[h.Name].obituary(); s != "" {
			lines = append(lines, s)
		}
	}
	return lines, err
}
