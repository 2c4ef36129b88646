package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim/course"
	"github.com/plsim/plsim/topology/netns"
)

func labCommand() *cobra.Command {
	return family("lab", "Teaching labs: a course that breaks on purpose and grades itself",
		`Lab is a course about PrivateLink. Each lab is a folder with a README.md, which tells
what to do, and a lab.yaml, which is yours to edit. Begin with plsim lab list and
plsim lab start 1; plsim lab check says what is still wrong, plsim lab hint helps on.

Teachers write labs of their own with plsim lab new and plsim lab test, and judge a
class with plsim lab grade: see docs/teaching.md.`,
		labListCommand(), living(labStartCommand()), labStatusCommand(), labCheckCommand(), labHintCommand(), labStepCommand(),
		living(labSolveCommand()), living(labResetCommand()), labStopCommand(), labNewCommand(), labTestCommand(), labGradeCommand())
}

// living makes a command one that may leave a lab running: that lives in a copy of this
// process, which has the same arguments.
func living(cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if netns.Nested() {
			return labUp().up(cmd, "")
		}
		return run(cmd, args)
	}
	return cmd
}

// shippedLabs returns the labs that come with plsim.
func shippedLabs() ([]*course.Lab, error) {
	folder, err := fs.Sub(scenarios.FS, "labs")
	if err != nil {
		return nil, err
	}
	return course.All(folder)
}

// teachingLab returns the lab that a student means: one that comes with plsim, or that of
// a folder. ref is how it is found again from anywhere.
func teachingLab(meant string) (l *course.Lab, ref string, err error) {
	all, err := shippedLabs()
	if err != nil {
		return nil, "", err
	}
	l, err = course.Find(all, meant)
	if err == nil {
		return l, l.Name, nil
	}
	if _, serr := os.Stat(filepath.Join(meant, course.FileName)); serr == nil {
		if l, err = ownLab(meant); err == nil {
			ref, err = filepath.Abs(meant)
		}
	} else if strings.ContainsRune(meant, filepath.Separator) {
		err = fmt.Errorf("%s has no %s: a lab is a folder with one", meant, course.FileName)
	}
	return l, ref, err
}

// ownLab reads the lab of a folder of a teacher's.
func ownLab(dir string) (*course.Lab, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return course.Load(os.DirFS(dir), filepath.Base(abs), filepath.Join(dir, course.FileName))
}

// dirFlag registers --dir, the student's folder.
func dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "the `FOLDER` that plsim lab start has made (default: this one, one above it, or the only one below it)")
	_ = cmd.MarkFlagDirname("dir") // it is there
}

// work is a student's folder, and the lab that it is of.
type work struct {
	*course.Folder
	lab *course.Lab
}

// where returns the folder as people call it from here.
func (w *work) where() string {
	here, err := os.Getwd()
	if err != nil {
		return w.Dir
	}
	abs, err := filepath.Abs(w.Dir)
	if err != nil {
		return w.Dir
	}
	rel, err := filepath.Rel(here, abs)
	switch {
	case rel == ".":
		return "this folder"
	case err != nil || len(rel) > len(abs):
		return abs
	}
	return rel
}

// findWork returns the student's work in a folder; "" is where plsim was called.
func findWork(dir string) (*work, error) {
	f, err := openWork(dir)
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	lab, _, err := teachingLab(f.Lab)
	if err != nil {
		return nil, &codeError{exitUsage, fmt.Errorf("the lab of %s: %w", f.Dir, err)}
	}
	return &work{f, lab}, nil
}

func openWork(dir string) (*course.Folder, error) {
	if dir != "" {
		f, err := course.OpenFolder(dir)
		if errors.Is(err, course.ErrNoFolder) {
			err = fmt.Errorf("%w: %s has no %s; plsim lab start begins a lab", err, dir, course.ProgressName)
		}
		return f, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for up := here; ; up = filepath.Dir(up) {
		if f, err := course.OpenFolder(up); !errors.Is(err, course.ErrNoFolder) {
			return f, err
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	below, _ := filepath.Glob(filepath.Join(escapeGlob(here), "*", course.ProgressName)) // the pattern is well-formed
	var names []string
	for _, b := range below {
		names = append(names, filepath.Base(filepath.Dir(b)))
	}
	switch len(names) {
	case 0:
		return nil, fmt.Errorf("%w: plsim lab list shows the labs, and plsim lab start 1 begins the first", course.ErrNoFolder)
	case 1:
		return course.OpenFolder(filepath.Dir(below[0]))
	}
	return nil, fmt.Errorf("which lab? Go into one of %s, or name it with --dir", strings.Join(names, ", "))
}

// escapeGlob returns a path as a pattern that only it fits.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// save keeps the progress, and gives what sudo has written to its user.
func (w *work) save() error {
	err := w.Save()
	for _, name := range []string{course.ProgressName, course.FileName} {
		if err == nil {
			err = handOver(filepath.Join(w.Dir, name))
		}
	}
	if err != nil {
		return &codeError{exitHost, err}
	}
	return nil
}

func labListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the labs that come with plsim",
		Long: `List shows the labs that come with plsim, and in which modes each runs: emulate, in
namespaces with real programs, or simulate, on virtual time and without privilege.`,
		Example: "  plsim lab list",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := shippedLabs()
			if err != nil {
				return &codeError{exitFault, err}
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "LAB\tNAME\tLEVEL\tMINUTES\tMODES\tABOUT")
			for _, l := range all {
				fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%s\n", l.Number(), l.Short(), l.Lesson.Level, l.Lesson.Minutes, strings.Join(l.Modes(), ", "), l.Lesson.Title)
			}
			return t.Flush()
		},
	}
}

// completeTeachingLab offers the labs that come with plsim.
func completeTeachingLab(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if all, err := shippedLabs(); err == nil && len(args) == 0 {
		for _, l := range all {
			names = append(names, l.Name)
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}
