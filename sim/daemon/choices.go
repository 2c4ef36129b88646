package daemon

import "github.com/plsim/plsim/topology"

// choices asks for the names of parts of the lab.
type choices struct {
	Kind topology.Kind `json:"kind"`
	Of   string        `json:"of,omitempty"`
}

// Choices returns the parts of the lab as it is, as [topology.Lab.Choices] does.
func (l *Lab) Choices(kind topology.Kind, of string) ([]topology.Choice, error) {
	r, err := l.ask(&request{Choices: &choices{kind, of}}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Choices, nil
}

func (s *server) choices(c *choices) *reply {
	r := new(reply)
	_ = s.world.Look(func(lab *topology.Lab) error { // it fails only if the function does
		r.Choices = lab.Choices(c.Kind, c.Of)
		return nil
	})
	return r
}
