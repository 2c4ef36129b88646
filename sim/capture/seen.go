package capture

import (
	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
)

// Of returns a packet that the walk has shown, at an interface of a name. It shares the
// frame.
func Of(s *dataplane.Seen, at string) Packet {
	p := Packet{Time: s.Time, Interface: at, Out: s.Way == flow.Egress, Frame: s.Frame}
	if s.Why != drop.None {
		p.Drop = s.Why.String()
	}
	return p
}
