package daemon

import "github.com/plsim/plsim/sim/story"

// maxJournal is how many steps a lab writes down. A student's are a few dozen.
const maxJournal = 10_000

// Judge takes a step in the lab as Take does, but the lab does not write it down: whoever
// asks only looks.
func (l *Lab) Judge(step string) (*story.StepResult, error) {
	r, err := l.ask(&request{Step: step, Aside: true}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Step, nil
}

// Journal returns the steps that have been taken in the lab and did something, in YAML.
func (l *Lab) Journal() ([]string, error) {
	r, err := l.ask(&request{Journal: true}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Journal, nil
}

// note writes down a step that did something.
func (s *server) note(step string) {
	if len(s.journal) < maxJournal {
		s.journal = append(s.journal, step)
	}
}

// written returns what has been written down.
func (s *server) written() *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &reply{Journal: s.journal}
}
