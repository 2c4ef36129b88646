package capture

import (
	"strings"

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

// Packet returns a record of a file that plsim wrote as what it is of: a packet that was
// seen at an interface. The packet has no time of the lab, and shares the data.
func (r *Record) Packet() Packet {
	p := Packet{Interface: r.Interface, Out: r.Out, Frame: r.Data}
	if drop, ok := strings.CutPrefix(r.Comment, droppedAs); ok {
		p.Drop = drop
	}
	return p
}
