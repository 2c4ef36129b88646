package course

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ProgressName is the file of a student's progress, in their folder.
const ProgressName = "progress.json"

// mark is in every file of progress. It is raised when its form changes.
const mark = 1

// Folder is where a student works on a lab.
type Folder struct {
	Dir string
	Progress
}

// Progress is what plsim keeps of a student's work, beside the scenario that they edit.
type Progress struct {
	Mark int    `json:"plsim_progress"`
	Lab  string `json:"lab"`  // its name or, of a teacher's own, its folder
	Mode string `json:"mode"` // emulate or simulate
	// Actions are the steps that have been taken in the lab since its start, in YAML.
	Actions []string `json:"actions,omitempty"`
	// Passed are the checkpoints that have been passed, in the order of the lab.
	Passed []Passed `json:"passed,omitempty"`
	// Hints are how many have been given, by checkpoint.
	Hints map[string]int `json:"hints,omitempty"`
}

// Passed is a checkpoint that has been passed.
type Passed struct {
	Checkpoint string    `json:"checkpoint"`
	At         time.Time `json:"at"`
	// After is how many of the actions had been taken.
	After int `json:"after"`
	// Solved is whether it was plsim's reference solution that did it.
	Solved bool `json:"solved,omitempty"`
}

// ErrNoFolder says that a folder is no student's.
var ErrNoFolder = errors.New("no lab has been started here")

// OpenFolder reads the folder of a student.
func OpenFolder(dir string) (*Folder, error) {
	b, err := os.ReadFile(filepath.Join(dir, ProgressName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoFolder
	case err != nil:
		return nil, err
	}
	f := &Folder{Dir: dir}
	if err := json.Unmarshal(b, &f.Progress); err != nil || f.Mark == 0 {
		return nil, fmt.Errorf("%s is not what plsim has written: put it back, or begin in another folder", filepath.Join(dir, ProgressName))
	}
	return f, nil
}

// NewFolder copies a lab out for a student, into a folder that is not there or empty.
// ref is how the lab is found again.
func NewFolder(dir string, l *Lab, ref, mode string) (*Folder, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s has other files in it: name a new folder", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	err := fs.WalkDir(l.folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		data, err := fs.ReadFile(l.folder, name)
		if err != nil {
			return err
		}
		if name == FileName {
			data = []byte(l.Start)
		}
		return os.WriteFile(to, data, 0o644)
	})
	if err != nil {
		return nil, fmt.Errorf("copy the lab: %w", err)
	}
	f := &Folder{Dir: dir, Progress: Progress{Mark: mark, Lab: ref, Mode: mode}}
	return f, f.Save()
}

// File returns the student's scenario.
func (f *Folder) File() string { return filepath.Join(f.Dir, FileName) }

// Save writes the progress, whole or not at all.
func (f *Folder) Save() error {
	b, err := json.MarshalIndent(f.Progress, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(f.Dir, ProgressName)
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("keep the progress: %w", err)
	}
	return os.Rename(name+".new", name)
}

// Open returns how many checkpoints have been passed, which is the place of the first
// open one.
func (f *Folder) Open(l *Lab) int {
	for i, cp := range l.Lesson.Checkpoints {
		if f.passed(cp.Name) == nil {
			return i
		}
	}
	return len(l.Lesson.Checkpoints)
}

func (f *Folder) passed(checkpoint string) *Passed {
	for i := range f.Passed {
		if f.Passed[i].Checkpoint == checkpoint {
			return &f.Passed[i]
		}
	}
	return nil
}

// Solved reports whether it was the reference solution that passed a checkpoint.
func (f *Folder) Solved(checkpoint string) bool {
	p := f.passed(checkpoint)
	return p != nil && p.Solved
}

// pass notes that a checkpoint has been passed.
func (f *Folder) pass(checkpoint string, at time.Time, solved bool) {
	f.Passed = append(f.Passed, Passed{checkpoint, at.UTC().Truncate(time.Second), len(f.Actions), solved})
}

// Hint returns the next hint of the first open checkpoint and counts it; the last one
// again, where all have been given. n is its number, of total.
func (f *Folder) Hint(l *Lab) (checkpoint, hint string, n, total int) {
	open := f.Open(l)
	if open == len(l.Lesson.Checkpoints) {
		return "", "", 0, 0
	}
	cp := l.Lesson.Checkpoints[open]
	if f.Hints == nil {
		f.Hints = map[string]int{}
	}
	n, total = min(max(f.Hints[cp.Name], 0)+1, len(cp.Hints)), len(cp.Hints)
	f.Hints[cp.Name] = n
	return cp.Name, sentence(cp.Hints[n-1]), n, total
}

// SetSolved puts the lab's scenario and steps in the student's place, as the reference
// solution of the first n checkpoints has them, and what was passed after those is open
// again. Where the student's file says something else, it is kept under the name that is
// returned.
func (f *Folder) SetSolved(l *Lab, n int, at time.Time) (kept string, err error) {
	text, actions := l.Solved(n)
	own, err := os.ReadFile(f.File())
	if err == nil && string(own) != text && string(own) != l.Start {
		if kept, err = f.freeName(); err != nil {
			return "", err
		}
		if err := os.Rename(f.File(), filepath.Join(f.Dir, kept)); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(f.File(), []byte(text), 0o644); err != nil {
		return kept, err
	}
	before := f.Passed
	f.Passed, f.Actions = nil, nil
	for i, cp := range l.Lesson.Checkpoints[:n] {
		_, done := l.Solved(i + 1)
		f.Actions = actions[:len(done)]
		f.pass(cp.Name, at, true)
		for _, p := range before {
			if p.Checkpoint == cp.Name {
				last := &f.Passed[len(f.Passed)-1]
				last.At, last.Solved = p.At, p.Solved // the student's own work stays that
			}
		}
	}
	f.Actions = actions
	return kept, f.Save()
}

// freeName returns a name for the file that the student has edited.
func (f *Folder) freeName() (string, error) {
	for i := 1; i < 1000; i++ {
		name := fmt.Sprintf("lab.mine-%d.yaml", i)
		if _, err := os.Lstat(filepath.Join(f.Dir, name)); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", errors.New("there are a thousand files lab.mine-….yaml: remove some")
}
