package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim/course"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

func labNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new FOLDER",
		Short: "Begin a lab of your own",
		Long: `New writes a lab to begin your own from into a new folder: README.md and lab.yaml, with
comments. It passes plsim lab test as it stands. docs/teaching.md explains the format.`,
		Example: "  plsim lab new my-lab",
		Args:    takes(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return newLab(cmd.OutOrStdout(), args[0]) },
	}
}

func newLab(out io.Writer, dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return &codeError{exitHost, err}
	}
	name := filepath.Base(abs)
	if !scenario.IsName(name) {
		return &codeError{exitUsage, fmt.Errorf("%q is no name for a lab: use 1 to 63 lower-case letters, digits and -", name)}
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return &codeError{exitUsage, fmt.Errorf("%s is there already, and plsim lab new overwrites nothing: name another folder", dir)}
	}
	made := firstMissing(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &codeError{exitHost, err}
	}
	for _, file := range []string{course.FileName, course.ReadmeName} {
		text, err := scenarios.FS.ReadFile("templates/lab/" + file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), bytes.ReplaceAll(text, []byte("my-lab"), []byte(name)), 0o644)
		}
		if err != nil {
			return &codeError{exitHost, err}
		}
	}
	l, err := ownLab(dir)
	if err == nil {
		err = (&tried{l, dir}).readme(true) // whose IDs come from the name
	}
	if err == nil {
		err = handOver(made)
	}
	if err != nil {
		return &codeError{exitHost, err}
	}
	fmt.Fprintf(out, `%[1]s has %[2]s and %[3]s.

Try it as your students will:   plsim lab test %[1]s
Draw its picture anew:          plsim lab test %[1]s --update
Do it yourself:                 plsim lab start %[1]s work
`, dir, course.FileName, course.ReadmeName)
	return nil
}

type labTest struct {
	mode   mode
	update bool
}

func labTestCommand() *cobra.Command {
	var f labTest
	cmd := &cobra.Command{
		Use:   "test [FOLDER...]",
		Short: "Try labs as their students will",
		Long: `Test holds for each lab, in every mode that it allows and this host can do: every
checkpoint is open before its reference solution and passed after it, what a check
itself sends does not pass it, and reset and solve lead where they should. The facts
and the drawing in README.md are those of lab.yaml; --update writes them anew.
Without FOLDER it tries the labs that come with plsim.`,
		Example: "  plsim lab test my-lab\n  sudo plsim lab test",
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().Var(&f.mode, "mode", "only in this mode (default: both)")
	cmd.Flags().BoolVar(&f.update, "update", false, "write the facts and the drawing in README.md anew")
	return cmd
}

// tried is a lab with the folder of its files; "" where it comes with plsim.
type tried struct {
	*course.Lab
	dir string
}

func triedLabs(dirs []string) ([]tried, error) {
	var all []tried
	if len(dirs) == 0 {
		labs, err := shippedLabs()
		for _, l := range labs {
			all = append(all, tried{l, ""})
		}
		return all, err
	}
	var errs []error
	for _, dir := range dirs {
		l, err := ownLab(dir)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, tried{l, dir})
	}
	return all, errors.Join(errs...)
}

func (f *labTest) run(cmd *cobra.Command, dirs []string) error {
	all, err := triedLabs(dirs)
	if err != nil {
		return &codeError{exitUsage, err}
	}
	if f.update && len(dirs) == 0 {
		return &codeError{exitUsage, errors.New("--update needs the folder of a lab: those that come with plsim are within it")}
	}
	out := cmd.OutOrStdout()
	wrong := 0
	if !netns.Nested() {
		ctx, stop := interruptible(cmd)
		defer stop()
		for _, l := range all {
			n, err := l.outside(ctx, out, f)
			if wrong += n; err != nil {
				return err
			}
		}
		if f.mode == simulated {
			return verdictOf(out, wrong)
		}
		if err := netns.Supported(); err != nil && f.mode == "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "plsim: not tried in namespaces: %v\n", err)
			return verdictOf(out, wrong)
		}
	}
	err = inside(cmd, func(ctx context.Context) error {
		for _, l := range all {
			n, err := l.try(ctx, out, "in namespaces", inNamespaces)
			if wrong += n; err != nil {
				return err
			}
		}
		return verdictOf(out, wrong)
	})
	if err == nil && wrong > 0 {
		return silent(exitFailed)
	}
	return err
}

func verdictOf(out io.Writer, wrong int) error {
	if wrong == 0 {
		return nil
	}
	fmt.Fprintf(out, "%s found\n", story.Count(wrong, "problem"))
	return silent(exitFailed)
}

// inside does something in a sandbox of the kernel's.
func inside(cmd *cobra.Command, do func(context.Context) error) error {
	code, inside, err := netns.Enter()
	switch {
	case err != nil:
		return &codeError{exitHost, err}
	case !inside:
		return silent(code)
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	return do(ctx)
}

// outside tries what needs no privilege, and returns how much is wrong.
func (l *tried) outside(ctx context.Context, out io.Writer, f *labTest) (wrong int, err error) {
	if err := l.readme(f.update); err != nil {
		fmt.Fprintf(out, "%s: %v\n", l.Name, err)
		wrong++
	}
	if f.mode == emulated || !l.Simulates() {
		return wrong, nil
	}
	n, err := l.try(ctx, out, "simulated", onVirtualTime)
	if wrong += n; err != nil {
		return wrong, err
	}
	problems, err := l.TestResets(ctx, onVirtualTime, l.dir)
	for _, p := range problems {
		fmt.Fprintf(out, "%s: %s\n", l.Name, p)
	}
	return wrong + len(problems), playError(err)
}

// try tries the checkpoints in one mode.
func (l *tried) try(ctx context.Context, out io.Writer, how string, open course.Opener) (wrong int, err error) {
	problems, err := l.Test(ctx, open, l.dir)
	for _, p := range problems {
		fmt.Fprintf(out, "%s, %s: %s\n", l.Name, how, p)
	}
	if err == nil && len(problems) == 0 {
		fmt.Fprintf(out, "%s, %s: %s, each open before and passed after its solution\n", l.Name, how, story.Count(len(l.Lesson.Checkpoints), "checkpoint"))
	}
	return len(problems), playError(err)
}

func playError(err error) error {
	if err == nil {
		return nil
	}
	return &codeError{codeOf(err), err}
}

// readme compares the README with the lab, or brings it up to date.
func (l *tried) readme(update bool) error {
	file := "labs/" + l.Name + "/" + course.FileName
	read := func() ([]byte, error) { return fs.ReadFile(scenarios.FS, "labs/"+l.Name+"/"+course.ReadmeName) }
	name := filepath.Join(l.dir, course.ReadmeName)
	if l.dir != "" {
		file = filepath.Join(l.dir, course.FileName)
		read = func() ([]byte, error) { return os.ReadFile(name) }
	}
	text, err := read()
	if err != nil {
		return err
	}
	var picture strings.Builder
	if err := (&graphFlags{output: "mermaid"}).draw(&picture, []string{file}); err != nil {
		return err
	}
	current, err := l.Readme(string(text), picture.String())
	switch {
	case err != nil || current == string(text):
		return err
	case update:
		return os.WriteFile(name, []byte(current), 0o644)
	}
	return fmt.Errorf("the facts or the drawing in %s are not those of %s: plsim lab test --update writes them anew", course.ReadmeName, course.FileName)
}
