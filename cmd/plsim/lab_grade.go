package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/course"
	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
)

// gradesSchemaVersion is raised when the JSON form of plsim lab grade changes its meaning.
const gradesSchemaVersion = 1

// grades is the JSON form of plsim lab grade.
type grades struct {
	SchemaVersion int             `json:"schema_version"`
	Students      []*course.Grade `json:"students"`
}

type labGrade struct {
	mode   mode
	output gradeFormat
	lab    string
}

// gradeFormat is the value of --output of plsim lab grade.
type gradeFormat string

func (f *gradeFormat) String() string { return string(*f) }
func (f *gradeFormat) Type() string   { return "text|json|junit" }

func (f *gradeFormat) Set(s string) error {
	if !slices.Contains([]string{"text", "json", "junit"}, s) {
		return errors.New("want text, json or junit (XML)")
	}
	*f = gradeFormat(s)
	return nil
}

func labGradeCommand() *cobra.Command {
	f := labGrade{mode: simulated, output: "text"}
	cmd := &cobra.Command{
		Use:   "grade FOLDER",
		Short: "Judge the labs of a class",
		Long: `Grade judges the folders of students below FOLDER, or FOLDER if it is a student's: it
plays each student's lab.yaml and the steps that they have taken, and judges every
checkpoint anew.

  passed  it passes
  noted   it does not pass when played again, but the student's own
          plsim lab check has passed it, by what their programs sent: their
          progress.json says so
  solved  plsim lab solve has passed it
  open    it is not passed

It simulates, so that nothing of a student's runs on your host. With --mode emulate it
builds their labs in namespaces: the programs in their files run there, as the user
that you are. The exit code is 1 where a checkpoint is open or solved.`,
		Example: "  plsim lab grade class\n  plsim lab grade class -o junit > grades.xml",
		Args:    takes(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().Var(&f.mode, "mode", "how to play the students' labs")
	cmd.Flags().VarP(&f.output, "output", "o", "how to print the grades")
	cmd.Flags().StringVar(&f.lab, "lab", "", "judge every folder by this `LAB` (default: the one that its progress.json names)")
	return cmd
}

func (f *labGrade) run(cmd *cobra.Command, dir string) error {
	folders, err := f.folders(dir)
	if err != nil {
		return &codeError{exitUsage, err}
	}
	if f.mode == simulated {
		ctx, stop := interruptible(cmd)
		defer stop()
		return f.grade(ctx, cmd.OutOrStdout(), folders, onVirtualTime)
	}
	return inside(cmd, func(ctx context.Context) error {
		return f.grade(ctx, cmd.OutOrStdout(), folders, inNamespaces)
	})
}

// handedIn is what a student has handed in.
type handedIn struct {
	student string
	dir     string
}

// folders finds the students' folders: those with a progress.json or, by --lab, with a
// lab.yaml, one or two levels down, or dir itself.
func (f *labGrade) folders(dir string) (all []handedIn, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if rel == "." {
			if !f.isWork(name) {
				return nil
			}
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			all = append(all, handedIn{filepath.Base(abs), name})
			return filepath.SkipAll
		}
		if f.isWork(name) {
			all = append(all, handedIn{filepath.ToSlash(rel), name})
			return filepath.SkipDir
		}
		if strings.Count(rel, string(filepath.Separator)) >= 1 {
			return filepath.SkipDir
		}
		return nil
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s has no student's folder: one has a %s, or a %s and --lab says of which lab it is", dir, course.ProgressName, course.FileName)
	}
	return all, err
}

func (f *labGrade) isWork(dir string) bool {
	wanted := course.ProgressName
	if f.lab != "" {
		wanted = course.FileName
	}
	_, err := os.Stat(filepath.Join(dir, wanted))
	return err == nil
}

// grade judges the folders and prints the grades.
func (f *labGrade) grade(ctx context.Context, out io.Writer, folders []handedIn, open course.Opener) error {
	all := grades{SchemaVersion: gradesSchemaVersion}
	for _, h := range folders {
		g, err := f.one(ctx, h, open)
		if err != nil {
			return &codeError{exitInterrupted, errInterrupted}
		}
		g.Student = h.student
		all.Students = append(all.Students, g)
	}
	var err error
	switch f.output {
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(all)
	case "junit":
		err = report.JUnit(out, all.summary(f.mode))
	default:
		all.print(out)
	}
	if err != nil {
		return &codeError{exitHost, err}
	}
	for _, g := range all.Students {
		if g.Passed < g.Of || g.Error != "" {
			return silent(exitFailed)
		}
	}
	return nil
}

// one judges a folder. What is wrong with it is in the grade.
func (f *labGrade) one(ctx context.Context, h handedIn, open course.Opener) (*course.Grade, error) {
	folder, lab, err := f.read(h.dir)
	if err == nil {
		return folder.Grade(ctx, lab, open)
	}
	g := &course.Grade{Error: err.Error(), Checkpoints: []course.Mark{}}
	return g, ctx.Err()
}

// read reads a student's folder, and the lab by which it is judged.
func (f *labGrade) read(dir string) (*course.Folder, *course.Lab, error) {
	folder, err := course.OpenFolder(dir)
	if errors.Is(err, course.ErrNoFolder) && f.lab != "" {
		folder, err = &course.Folder{Dir: dir}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	lab, _, err := teachingLab(cmp.Or(f.lab, folder.Lab))
	if err != nil {
		err = fmt.Errorf("%w; --lab names another", err)
	}
	return folder, lab, err
}

// print prints the grades as a table, and below it what is wrong.
func (g *grades) print(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STUDENT\tLAB\tPASSED\tHINTS\tCHECKPOINTS")
	for _, s := range g.Students {
		var marks []string
		for _, m := range s.Checkpoints {
			marks = append(marks, m.Checkpoint+": "+string(m.Status))
		}
		fmt.Fprintf(t, "%s\t%s\t%d of %d\t%d\t%s\n", s.Student, s.Lab, s.Passed, s.Of, s.Hints, strings.Join(marks, ", "))
	}
	_ = t.Flush()
	for _, s := range g.Students {
		if s.Error != "" {
			fmt.Fprintf(out, "%s: %s\n", s.Student, s.Error)
		}
		for _, m := range s.Checkpoints {
			if m.Status == course.Missing && m.Wrong != "" {
				fmt.Fprintf(out, "%s, %s: %s (seen: %s)\n", s.Student, m.Checkpoint, m.Wrong, m.Seen)
			}
		}
	}
}

// summary returns the grades as CI systems know them: a suite a student, and a test case
// a checkpoint.
func (g *grades) summary(m mode) *story.Summary {
	all := &story.Summary{SchemaVersion: story.ResultSchemaVersion, Verdict: story.Pass}
	for _, s := range g.Students {
		r := &story.Result{SchemaVersion: story.ResultSchemaVersion, Scenario: s.Student, File: s.Student, Mode: string(m), Seed: labSeed, Verdict: story.Pass, TimeScale: 1, Error: s.Error}
		for i, m := range s.Checkpoints {
			step := story.StepResult{Number: i + 1, Name: m.Checkpoint + ": " + m.Task, Action: s.Lab, Verdict: story.Pass, Seen: string(m.Status)}
			if m.Status == course.Missing || m.Status == course.Shown {
				step.Verdict, r.Verdict = story.Fail, story.Fail
				step.Differences = []string{strings.TrimSpace(fmt.Sprintf("%s. %s %s", m.Status, m.Wrong, m.Seen))}
			}
			r.Steps = append(r.Steps, step)
		}
		if s.Error != "" {
			r.Verdict = story.Fail
		}
		all.Add(r)
	}
	return all
}
