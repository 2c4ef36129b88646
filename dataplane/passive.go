package dataplane

import (
	"cmp"
	"slices"

	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// Load balancers also learn from how targets answer their clients (F2.53). AWS does
// not say what makes such a passive check fail; here it is a number of connections
// in a row that a target refuses or does not answer, which is a setting.

// Suspect is a target that has failed through a node as often as it may.
type Suspect struct {
	Node  InterfaceID
	Group uint16 // TargetGroup.Number
	Addr  packet.Addr
	Port  uint16
}

// Suspects returns the targets that have failed so often since it was called last.
func (w *Walk) Suspects() []Suspect {
	var all []Suspect
	for s, failures := range w.failures {
		if failures >= w.settings.PassiveChecks {
			all = append(all, s)
			delete(w.failures, s)
		}
	}
	slices.SortFunc(all, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Group, b.Group), a.Addr.IP().Compare(b.Addr.IP()), cmp.Compare(a.Port, b.Port))
	})
	return all
}

// replies notes what a target's SYN or RST says of the target, which follows a life.
func (w *Walk) replies(p *path, was conntrack.Machine, v *packet.View) {
	f := w.flows.At(p.balanced)
	switch {
	case f == nil || w.settings.PassiveChecks == 0:
	case v.Flags&packet.RST == 0:
		w.attempted(f, true)
	case was.State() <= conntrack.New:
		w.attempted(f, false)
	}
}

// attempted notes whether a target took a connection.
func (w *Walk) attempted(f *nlb.Flow, taken bool) {
	if w.settings.PassiveChecks == 0 || f.Proto != packet.TCP || f.Answers() || f.Masquerades() {
		return
	}
	pair := w.pairs.At(f.Pair)
	s := Suspect{InterfaceID(f.Node), f.Group, pair.Target, pair.TargetPort}
	if taken {
		delete(w.failures, s)
	} else {
		w.failures[s]++
	}
}
