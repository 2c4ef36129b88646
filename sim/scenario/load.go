package scenario

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"

	"github.com/plsim/plsim/topology"
)

// Loaded is a scenario that is ready to be played.
type Loaded struct {
	Scenario *Scenario // with everything filled in
	Lab      *topology.Lab
	Source   *Source
}

// Load reads a scenario from a file, or from standard input where file is "-",
// fills in what AWS and plsim would, and checks all of it. Where the scenario is
// wrong the error is of type [Mistakes] and holds every mistake of the file.
func Load(file string) (*Loaded, error) {
	in := os.Stdin
	if file == "-" {
		file = "stdin"
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read the scenario: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	return LoadBytes(file, data)
}

// LoadBytes is Load for a scenario that is already in memory; file is its name in
// messages.
func LoadBytes(file string, data []byte) (*Loaded, error) {
	s, src, mistakes, broken := parse(file, data)
	if s == nil {
		return nil, mistakes.err()
	}
	onOff(s)
	lab, problems := newLab(s)
	for _, p := range problems {
		if !follows(p.Path, broken) {
			mistakes = append(mistakes, src.Mistake(p.Path, label(p.Path)+p.Msg))
		}
	}
	c := &checker{src: src, lab: rehearsal(file, data, lab), names: namesOf(&s.Spec), broken: broken, unmade: map[string]string{}}
	c.head(s)
	c.instances(s)
	c.steps("steps", s.Steps)
	c.lesson(s)
	mistakes = append(mistakes, c.mistakes...)
	if err := mistakes.err(); err != nil {
		return nil, err
	}
	for _, step := range s.Steps {
		step.fill()
	}
	lab.Locate(src.Place)
	return &Loaded{Scenario: s, Lab: lab, Source: src}, nil
}

// Again returns another copy of the scenario, in which nothing has been played, with
// a change of what its author wrote, which may be nil. The change must leave its steps
// alone. The error is of type [Mistakes] where the change does not fit.
func (l *Loaded) Again(change func(*topology.Spec) error) (*Loaded, error) {
	s, src, _, _ := parse(l.Source.File, l.Source.Text())
	onOff(s)
	if change != nil {
		if err := change(&s.Spec); err != nil {
			return nil, err
		}
	}
	lab, problems := newLab(s)
	if len(problems) > 0 {
		return nil, src.mistakes(problems).err()
	}
	for _, step := range s.Steps {
		step.fill()
	}
	lab.Locate(src.Place)
	return &Loaded{Scenario: s, Lab: lab, Source: src}, nil
}

// rehearsal returns another lab of the same file, in which the steps can be tried
// out; nil where there is none.
func rehearsal(file string, data []byte, lab *topology.Lab) *topology.Lab {
	if lab == nil {
		return nil
	}
	again, _, _, _ := parse(file, data)
	onOff(again)
	lab, _ = newLab(again)
	return lab
}

// onOff lets a scenario say true and false where AWS says on and off, which some
// YAML readers take for the same.
func onOff(s *Scenario) {
	words := map[string]string{"true": "on", "false": "off"}
	for _, lb := range s.LoadBalancers {
		if word, ok := words[lb.EnforceSG]; ok {
			lb.EnforceSG = word
		}
	}
}

// newLab builds the topology, whose own checks find the problems.
func newLab(s *Scenario) (*topology.Lab, topology.Problems) {
	lab, err := topology.New(s.Name, &s.Spec)
	var problems topology.Problems
	if err != nil && !errors.As(err, &problems) {
		problems = topology.Problems{{Msg: err.Error()}}
	}
	return lab, problems
}

// follows reports whether a problem at path only repeats a mistake that the
// decoder has reported: the value itself did not fit, one above or one directly
// below it.
func follows(path string, broken map[string]bool) bool {
	for p := path; p != ""; p = parent(p) {
		if broken[p] {
			return true
		}
	}
	for p := range broken {
		if path != "" && parent(p) == path {
			return true
		}
	}
	return false
}

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	programForm = regexp.MustCompile(`^[^\s/]+$`)
)

// IsName reports whether a text could be the name of a scenario.
func IsName(text string) bool { return nameForm.MatchString(text) }

// head checks what stands at the top of a scenario.
func (c *checker) head(s *Scenario) {
	if !nameForm.MatchString(s.Name) {
		c.wrong("name", "%q is not a name: use 1 to 63 lower-case letters, digits and -, with no - at either end", s.Name)
	}
	if c.src.Has("time_scale") {
		c.within("time_scale", s.TimeScale, 1, MaxTimeScale)
	}
	for i, program := range s.Requires {
		if !programForm.MatchString(program) {
			c.wrong(item("requires", i), "%q is not the name of a program, such as curl", program)
		}
	}
}

// instances checks the references in what the instances of the lab run.
func (c *checker) instances(s *Scenario) {
	for _, vpc := range slices.Sorted(maps.Keys(s.VPCs)) {
		for _, name := range slices.Sorted(maps.Keys(s.VPCs[vpc].Instances)) {
			path := join(join(join("vpcs", vpc), "instances"), name)
			c.references(path, reflect.ValueOf(s.VPCs[vpc].Instances[name]))
		}
	}
	for _, site := range slices.Sorted(maps.Keys(s.OnPremises)) {
		for _, name := range slices.Sorted(maps.Keys(s.OnPremises[site].Hosts)) {
			path := join(join(join("on_premises", site), "hosts"), name)
			c.references(path, reflect.ValueOf(s.OnPremises[site].Hosts[name]))
		}
	}
	if s.Internet != nil {
		for _, name := range slices.Sorted(maps.Keys(s.Internet.Hosts)) {
			c.references(join(join("internet", "hosts"), name), reflect.ValueOf(s.Internet.Hosts[name]))
		}
	}
}
