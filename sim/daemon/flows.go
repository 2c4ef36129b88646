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
