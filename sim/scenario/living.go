package scenario

import (
	"reflect"
	"strings"

	"github.com/plsim/plsim/dataplane/clock"
)

// Living reads steps for a lab that runs, one at a time. It knows what earlier ones have
// begun, such as captures and faults.
type Living struct{ c *checker }

// NewLiving returns a reader of steps for the lab of a scenario, as it was loaded.
func NewLiving(l *Loaded) *Living {
	return &Living{&checker{lab: l.Lab, names: namesOf(&l.Scenario.Spec), unmade: map[string]string{}}}
}

// Played tells it of steps that the lab has taken, as they stand in the scenario.
func (l *Living) Played(steps []*Step) {
	c := *l.c
	c.src, c.broken = newSource(stepName, ""), map[string]bool{}
	for _, s := range steps {
		c.step("", s)
		if e := s.CreateVPCEndpoint; e != nil {
			c.names.endpoints = append(c.names.endpoints, e.Name)
		}
	}
	c.mistakes = nil // it is too late for them: the lab has other things by now than the steps began with
	l.c = &c
}

// stepName is what a step from the command line is called in messages.
const stepName = "step"

// Step reads a step as it stands in a scenario, fills in its defaults and checks it against
// the lab as it is: nobody changes that meanwhile. The error is of type [Mistakes].
// What AWS would refuse is for the lab to say.
func (l *Living) Step(text string, now clock.Time) (*Step, error) {
	text = strings.TrimSpace(text)
	src := newSource(stepName, text)
	root, wrong := readYAML(src, text)
	if wrong != nil {
		return nil, Mistakes{*wrong}
	}
	d := &decoder{src: src, broken: map[string]bool{}}
	if _, ok := pairs(root); !ok {
		d.wrong("", start(root), "expected a step such as { accept: ENDPOINT }, found %s", describe(root))
		return nil, d.mistakes.err()
	}
	s := new(Step)
	d.structure("", root, reflect.ValueOf(s).Elem())
	c := *l.c // what a wrong step begins is forgotten
	c.src, c.broken, c.mistakes, c.now = src, d.broken, d.mistakes, now
	if len(d.mistakes) == 0 {
		c.references("", reflect.ValueOf(s))
		c.step("", s)
	}
	if err := c.mistakes.err(); err != nil {
		return nil, err
	}
	if e := s.CreateVPCEndpoint; e != nil {
		c.names.endpoints = append(c.names.endpoints, e.Name)
	}
	l.c = &c
	s.fill()
	return s, nil
}

// Follow tells it that the lab has become that of another scenario.
func (l *Living) Follow(next *Loaded) {
	c := *l.c
	c.names = namesOf(&next.Scenario.Spec)
	l.c = &c
}
