// Package course is plsim as a teacher: labs with checkpoints, the folders in which
// students work on them, and the judgement of what they have brought about.
//
// A lab is a folder with a README.md and a lab.yaml, which is a scenario with a lesson.
// A student gets a folder of their own, with all of it but the lesson, and a file of
// their progress. What they have brought about is that scenario, as they have edited it,
// and the steps that they have taken in it: that is played again wherever it is needed.
// Whether it is right, steps of the scenario language find out, which see behaviour.
//
// The package knows neither namespaces nor virtual time: whoever calls it says how a
// lab is made real.
package course

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// The files of a lab that plsim knows; a lab may have others, for its programs.
const (
	FileName   = "lab.yaml"
	ReadmeName = "README.md"
)

// Lab is a teaching lab.
type Lab struct {
	Name   string // of its folder: 01-one-request
	Lesson *scenario.Lesson
	Start  string // the scenario that students begin with

	folder fs.FS
	loaded *scenario.Loaded
}

// Load reads the lab of a folder. The error is of type [scenario.Mistakes] where its
// lab.yaml is wrong; file is how that is called in messages.
func Load(folder fs.FS, name, file string) (*Lab, error) {
	data, err := fs.ReadFile(folder, FileName)
	if err != nil {
		return nil, fmt.Errorf("read the lab %s: %w", name, err)
	}
	l, err := scenario.LoadBytes(file, data)
	if err != nil {
		return nil, err
	}
	if l.Scenario.Lesson == nil {
		return nil, fmt.Errorf("%s has no lesson, so it is a scenario, and no teaching lab", file)
	}
	lab := &Lab{Name: name, Lesson: l.Scenario.Lesson, folder: folder, loaded: l}
	lab.Start = schemaLine.ReplaceAllString(l.Start(), "")
	return lab, nil
}

// schemaLine is where an editor finds the schema, as seen from the lab's own folder.
var schemaLine = regexp.MustCompile(`(?m)\A# yaml-language-server: .*\n`)

// All reads the labs of a folder of such, in the order of their names.
func All(labs fs.FS) ([]*Lab, error) {
	entries, err := fs.ReadDir(labs, ".")
	if err != nil {
		return nil, err
	}
	var all []*Lab
	var errs []error
	for _, e := range entries {
		folder, err := fs.Sub(labs, e.Name())
		if err == nil {
			var lab *Lab
			if lab, err = Load(folder, e.Name(), e.Name()+"/"+FileName); err == nil {
				all = append(all, lab)
			}
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// Number returns the number that the name begins with, 0 where it has none.
func (l *Lab) Number() int {
	digits, _, _ := strings.Cut(l.Name, "-")
	n, _ := strconv.Atoi(digits)
	return n
}

// Short returns the name without its number.
func (l *Lab) Short() string {
	if l.Number() == 0 {
		return l.Name
	}
	_, short, _ := strings.Cut(l.Name, "-")
	return short
}

// Find returns the lab that a student means: by its number, its name or both.
func Find(all []*Lab, meant string) (*Lab, error) {
	var names []string
	for _, l := range all {
		n, err := strconv.Atoi(meant)
		if meant == l.Name || meant == l.Short() || err == nil && n == l.Number() && n > 0 {
			return l, nil
		}
		names = append(names, l.Name, l.Short())
	}
	if near := topology.Suggest(meant, names); near != "" {
		return nil, fmt.Errorf("there is no lab %q; did you mean %s?", meant, near)
	}
	return nil, fmt.Errorf("there is no lab %q: plsim lab list shows what there is", meant)
}

// Simulates reports whether the lab needs no real program, so that it can be done
// without namespaces.
func (l *Lab) Simulates() bool {
	if len(l.loaded.Real()) > 0 {
		return false
	}
	text, _ := l.Solved(len(l.Lesson.Checkpoints))
	solved, err := scenario.LoadBytes(FileName, []byte(text))
	return err == nil && len(solved.Real()) == 0
}

// Solved returns the scenario and the steps of the reference solution of the first n
// checkpoints.
func (l *Lab) Solved(n int) (text string, actions []string) {
	text = l.Start
	for _, cp := range l.Lesson.Checkpoints[:n] {
		text, _ = cp.Apply(text) // it was tried when the lab was read
		for _, step := range cp.Solution {
			actions = append(actions, step.YAML())
		}
	}
	return text, actions
}

// Checkpoint returns the place of a checkpoint, by its name or its number from 1.
func (l *Lab) Checkpoint(meant string) (int, error) {
	var names []string
	for i, cp := range l.Lesson.Checkpoints {
		if meant == cp.Name || meant == strconv.Itoa(i+1) {
			return i, nil
		}
		names = append(names, cp.Name)
	}
	return 0, fmt.Errorf("the lab has no checkpoint %q: choose from %s", meant, strings.Join(names, ", "))
}
