package daemon

import "github.com/plsim/plsim/sim/live"

// Flows returns flows of the lab as they are now.
func (l *Lab) Flows(s *live.Sight) (*live.Flows, error) {
	r, err := l.ask(&request{Flows: s}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Flows, nil
}

func (s *server) flows(want *live.Sight) *reply {
	flows, err := s.world.Flows(want)
	if err != nil {
		return refuse("%v", err)
	}
	return &reply{Flows: flows}
}

// Activity returns what goes on in the lab, with some of the flows that had a packet last.
func (l *Lab) Activity(recent int) (*live.Activity, error) {
	r, err := l.ask(&request{Activity: recent}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Activity, nil
}

func (s *server) activity(recent int) *reply {
	a, err := s.world.Activity(recent)
	if err != nil {
		return &reply{Error: &Error{Text: err.Error()}}
	}
	return &reply{Activity: a}
}
