package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
)

// affinity is the target group of a listener that a client keeps (F2.11).
type affinity struct {
	group uint16 // TargetGroup.Number
	until clock.Time
}

// group chooses the target group of a new flow by the weights, unless the listener
// is sticky and the client has come before: then it is the one that it got, as
// long as that has any weight. What is left of the hash is for the target.
func (d *decision) group(l *Listener, node InterfaceID, hash uint64) (*TargetGroup, uint64) {
	g, rest := l.choose(hash)
	if l.Sticky == 0 || g == nil {
		return g, rest
	}
	key := flow.Key{
		Scope: flow.Scope(d.w.prog.Interfaces[node].Balancer), Proto: d.v.Proto,
		Src: d.at.Src, DstPort: d.at.DstPort,
	}
	ref, a, _ := d.w.affinities.Lookup(&key)
	if a != nil && d.now < a.until {
		if kept := l.group(a.group); kept != nil {
			g = kept
		}
	}
	if d.commit {
		d.w.affinities.Delete(ref)
		d.w.affinities.Insert(key, affinity{g.Number, d.now.Add(l.Sticky)})
	}
	return g, rest
}

// group finds a target group that gets new flows, nil if it gets none.
func (l *Listener) group(number uint16) *TargetGroup {
	for _, f := range l.Forward {
		if f.Group.Number == number && f.Weight > 0 {
			return f.Group
		}
	}
	return nil
}
