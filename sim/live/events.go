package live

import (
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/topology"
)

// Event is something that has happened in the lab. Its JSON form is part of plsim's
// contract with users.
type Event struct {
	Time   time.Time  `json:"time"`
	At     clock.Time `json:"at_ns"`            // of the lab, since its start
	Event  string     `json:"event"`            // state, or step
	Of     string     `json:"of"`               // vpc_endpoint.api, or a step's name
	Was    string     `json:"was,omitempty"`    // of a state; "" of what has just come to be
	Is     string     `json:"is,omitempty"`     // a state, "" of what is no more; or a verdict
	Reason string     `json:"reason,omitempty"` // of a target's health
}

// The kinds of event.
const (
	StateEvent = "state"
	StepEvent  = "step"
)

// Event returns an event of the present moment.
func (l *Lab) Event(kind, of, is string) Event {
	at := l.now()
	return Event{Time: l.began.Add(time.Duration(at)), At: at, Event: kind, Of: of, Is: is}
}

// tell tells of every state that has changed since it was called last. The caller
// holds mu.
func (l *Lab) tell() {
	if l.events == nil {
		return
	}
	now := l.lab.Conditions()
	was := make(map[string]topology.Condition, len(l.told))
	for _, c := range l.told {
		was[c.Part] = c
	}
	for _, c := range now {
		before := was[c.Part]
		delete(was, c.Part)
		if before != c {
			e := l.Event(StateEvent, c.Part, c.State)
			e.Was, e.Reason = before.State, c.Reason
			l.events(e)
		}
	}
	for _, c := range l.told {
		if _, gone := was[c.Part]; gone {
			e := l.Event(StateEvent, c.Part, "")
			e.Was = c.State
			l.events(e)
		}
	}
	l.told = now
}
