package daemon

import (
	"regexp"
	"slices"

	"github.com/plsim/plsim/sim/story"
)

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

// entry is a step that did something.
type entry struct{ action, text string }

// note writes down a step that did something.
func (s *server) note(action, text string) {
	if len(s.journal) < maxJournal {
		s.journal = append(s.journal, entry{action, text})
	}
}

// takenBack matches the edits that plsim apply takes back, since a file says what they
// change. The acceptance of an endpoint, faults and links stay as they are.
var takenBack = regexp.MustCompile(`^(authorize|revoke|register|deregister|delete|((create|replace|delete|modify|set|change)_.*))$`)

// forget strikes out what plsim apply has taken back.
func (s *server) forget() {
	s.journal = slices.DeleteFunc(s.journal, func(e entry) bool {
		return takenBack.MatchString(e.action) && e.action != "modify_link"
	})
}

// written returns what has been written down.
func (s *server) written() *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := new(reply)
	for _, e := range s.journal {
		r.Journal = append(r.Journal, e.text)
	}
	return r
}
