package daemon

import (
	"bytes"
	"context"
	"errors"

	"github.com/plsim/plsim/sim/diagnose"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/graph"
)

// Question is what somebody wants to know of a packet's way.
type Question struct {
	From string `json:"from"`
	To   string `json:"to"`
	UDP  bool   `json:"udp,omitempty"`
	// Prove has packets sent from the instance, too.
	Prove bool `json:"prove,omitempty"`
}

// Explain asks which way a first packet would take in the lab as it is now.
func (l *Lab) Explain(q *Question) (*explain.Explanation, error) {
	r, err := l.ask(&request{Explain: q}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Explanation, nil
}

// explain looks at the lab as it is. Only who sends packets plays in it.
func (s *server) explain(ctx context.Context, q *Question) *reply {
	if q.Prove {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	s.edition.RLock()
	loaded := *s.loaded
	s.edition.RUnlock()
	lab := &diagnose.Running{World: s.world, Loaded: &loaded, Deeds: s.player.Deeds(), Real: true, Seed: s.info.Seed, Name: s.info.Name}
	e, err := lab.Explain(ctx, diagnose.Question{From: q.From, To: q.To, UDP: q.UDP}, diagnose.Options{Prove: q.Prove})
	var question *diagnose.UsageError
	switch {
	case errors.As(err, &question):
		return refuse("%v", question.Err)
	case err != nil:
		return &reply{Error: &Error{Text: err.Error()}}
	}
	return &reply{Explanation: e}
}

// Graph returns a drawing of the lab as it is now: mermaid, dot or svg.
func (l *Lab) Graph(as string) (string, error) {
	r, err := l.ask(&request{Graph: as}, nil, nil)
	if err != nil {
		return "", err
	}
	return r.Drawing, nil
}

// graph draws the lab as it is.
func (s *server) graph(as string) *reply {
	draw := graph.In(as)
	if draw == nil {
		return refuse("this lab's plsim draws no %s", as)
	}
	var d *topology.Diagram
	err := s.world.Look(func(lab *topology.Lab) error {
		d = lab.Diagram()
		return nil
	})
	var b bytes.Buffer
	if err == nil {
		err = draw(&b, d)
	}
	if err != nil {
		return &reply{Error: &Error{Text: err.Error()}}
	}
	return &reply{Drawing: b.String()}
}
