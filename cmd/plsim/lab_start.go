package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/course"
	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

// labSeed is the seed of all teaching labs, so that those of a class behave alike.
const labSeed = 1

func labStartCommand() *cobra.Command {
	var m mode
	cmd := &cobra.Command{
		Use:   "start [LAB [FOLDER]]",
		Short: "Begin a lab, or go on with one",
		Long: `Start copies a lab into a folder of yours and starts it. LAB is a number or a name of
plsim lab list, or the folder of another lab. FOLDER is one with the lab's name if not
given; where it is the lab's already, start goes on with it: it builds the lab from
lab.yaml as you have edited it, and takes the steps again that you had taken.
Without LAB it goes on with the lab of this folder.

In emulate mode the lab stays up until plsim lab stop. In simulate mode, which start
chooses where this host cannot emulate, nothing runs between commands: edit lab.yaml,
or take steps with plsim lab step, and plsim lab check plays it all on virtual time.`,
		Example:           "  sudo plsim lab start 1\n  plsim lab start 3 my-lab --mode simulate\n  sudo plsim lab start",
		Args:              takes(0, 2),
		ValidArgsFunction: completeTeachingLab,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := beginWork(args, m)
			if err != nil {
				return err
			}
			return w.start(cmd)
		},
	}
	cmd.Flags().Var(&m, "mode", "in namespaces with real programs, or simulated without privilege (default: emulate where this host can)")
	return cmd
}

// beginWork returns the folder that start is to begin in or go on with.
func beginWork(args []string, m mode) (*work, error) {
	if len(args) == 0 {
		w, err := findWork("")
		if err == nil && m != "" && string(m) != w.Mode {
			return w, w.changeMode(m)
		}
		return w, err
	}
	lab, ref, err := teachingLab(args[0])
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	dir := lab.Name
	if len(args) == 2 {
		dir = args[1]
	}
	f, err := course.OpenFolder(dir)
	switch {
	case err == nil && f.Lab != ref:
		return nil, &codeError{exitUsage, fmt.Errorf("%s is of the lab %s: name another folder", dir, f.Lab)}
	case err == nil:
		w := &work{f, lab}
		if m != "" && string(m) != w.Mode {
			return w, w.changeMode(m)
		}
		return w, nil
	case !errors.Is(err, course.ErrNoFolder):
		return nil, &codeError{exitUsage, err}
	}
	if m, err = chooseMode(lab, m); err != nil {
		return nil, err
	}
	made := firstMissing(dir)
	if f, err = course.NewFolder(dir, lab, ref, string(m)); err != nil {
		return nil, &codeError{exitUsage, err}
	}
	if err := handOver(made); err != nil {
		return nil, &codeError{exitHost, err}
	}
	return &work{f, lab}, nil
}

// chooseMode returns in which mode a lab is to be done on this host, where m is "", or
// whether it can be done in mode m.
func chooseMode(lab *course.Lab, m mode) (mode, error) {
	if m == simulated && !lab.Simulates() {
		return "", &codeError{exitUsage, fmt.Errorf("lab %s needs real programs, so it cannot be simulated", lab.Name)}
	}
	if m == simulated {
		return m, nil
	}
	err := netns.Supported()
	switch {
	case err == nil:
		return emulated, nil
	case m == "" && lab.Simulates():
		return simulated, nil
	case m == "":
		err = fmt.Errorf("lab %s needs real programs, so it cannot be simulated; %w", lab.Name, err)
	}
	return "", &codeError{exitHost, err}
}

// changeMode goes on in another mode.
func (w *work) changeMode(m mode) error {
	m, err := chooseMode(w.lab, m)
	if err != nil {
		return err
	}
	if l := w.running(); l != nil {
		return &codeError{exitUsage, errors.New("the lab is up: end it with plsim lab stop before you go on in another mode")}
	}
	w.Mode = string(m)
	return w.save()
}

// start makes the lab ready to work on, and says how.
func (w *work) start(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	loaded, err := scenario.Load(w.File())
	if err != nil {
		return &codeError{exitUsage, err}
	}
	up := "simulated: plsim lab step takes steps in it, and check plays it"
	var running *daemon.Lab
	if w.Mode == string(emulated) {
		if running, err = w.raise(cmd); err != nil {
			return err
		}
		up = fmt.Sprintf("up as %s: plsim exec --lab %[1]s INSTANCE -- COMMAND", running.Name)
	}
	fmt.Fprintf(out, "lab %s: %s (%s, %d minutes)\n", w.lab.Name, w.lab.Lesson.Title, w.lab.Lesson.Level, w.lab.Lesson.Minutes)
	fmt.Fprintf(out, "  folder  %s, with README.md and lab.yaml, which is yours to edit\n", w.where())
	fmt.Fprintf(out, "  lab     %s, %s; %s\n", story.Count(len(loaded.Scenario.VPCs), "VPC"), story.Count(len(loaded.Lab.Hosts), "instance"), up)
	w.printCheckpoints(out, nil)
	if w.Open(w.lab) == 0 {
		fmt.Fprintf(out, "Read %s.\n", filepath.Join(w.Dir, course.ReadmeName))
	}
	return nil
}

// running returns the lab of the folder that is up, or nil.
func (w *work) running() *daemon.Lab {
	labs, err := daemon.List(daemon.Dir())
	if err != nil {
		return nil
	}
	for _, l := range labs {
		if l.State == daemon.Running && sameFile(l.File, w.File()) {
			return &l
		}
	}
	return nil
}

// mustRun returns the lab of the folder, which is to be up.
func (w *work) mustRun() (*daemon.Lab, error) {
	if l := w.running(); l != nil {
		return l, nil
	}
	return nil, &codeError{exitUsage, fmt.Errorf("the lab of %s is not up: plsim lab start goes on with it", w.where())}
}

// raise builds the lab of the folder anew and takes the student's steps in it.
func (w *work) raise(cmd *cobra.Command) (*daemon.Lab, error) {
	if l := w.running(); l != nil {
		if err := w.lower(l); err != nil {
			return nil, err
		}
	}
	file, err := filepath.Abs(w.File())
	if err != nil {
		return nil, err
	}
	if err := labUp().up(cmd, file); err != nil {
		return nil, err
	}
	l, err := w.mustRun()
	if err != nil {
		return nil, err
	}
	loaded, err := scenario.Load(file)
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	failed, err := course.Begin(cmd.Context(), liveStage{l, true}, loaded)
	for _, f := range failed {
		fmt.Fprintf(cmd.ErrOrStderr(), "plsim: step %d of %s fails (%s): %s\n", f.Number, course.FileName, f.Name, f.Seen)
	}
	if err != nil {
		return nil, labError(err)
	}
	lost, err := course.Replay(cmd.Context(), liveStage{l, false}, w.Actions)
	if lost > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "plsim: %s that you had taken fit no more\n", story.Count(lost, "step"))
	}
	return l, labError(err)
}

// labUp is plsim up as teaching labs have it.
func labUp() *upFlags {
	return &upFlags{mode: emulated, seed: labSeed, out: outFlags{log: awsLog}, teaching: true}
}

// lower ends the lab of the folder; what was done in it is kept.
func (w *work) lower(l *daemon.Lab) (err error) {
	if w.Actions, err = l.Journal(); err == nil {
		err = w.save()
	}
	if err = errors.Join(err, l.Down()); err != nil {
		return &codeError{exitHost, err}
	}
	return nil
}

// liveStage is a lab that is up.
type liveStage struct {
	lab   *daemon.Lab
	aside bool // whether the steps are not the student's
}

var stepPlace = regexp.MustCompile(`^step:\d+:\d+: `)

// Take implements course.Stage.
func (s liveStage) Take(_ context.Context, step string) (*story.StepResult, error) {
	take := s.lab.Take
	if s.aside {
		take = s.lab.Judge
	}
	res, err := take(step)
	var said *daemon.Error
	if errors.As(err, &said) && said.Usage {
		first, _, _ := strings.Cut(said.Text, "\n")
		return nil, &course.Misfit{Text: stepPlace.ReplaceAllString(first, "")}
	}
	return res, err
}

// onVirtualTime makes a lab real for a check, without a kernel.
func onVirtualTime(ctx context.Context, l *scenario.Loaded, _ string) (course.World, error) {
	if needs := l.Real(); len(needs) > 0 {
		return nil, &codeError{exitUsage, realError(needs)}
	}
	w, err := simulate.Start(ctx, l.Lab, simulate.Options{Seed: labSeed, TimeScale: l.Scenario.TimeScale})
	return virtualWorld{w}, err
}

// virtualWorld is a simulated lab in which students may try what needs real programs.
type virtualWorld struct{ *simulate.World }

// Exec says what to do instead.
func (virtualWorld) Exec(context.Context, *scenario.Exec) (story.Exit, error) {
	return story.Exit{}, &course.Misfit{Text: "a simulated instance runs no programs: take a step such as request or resolve instead"}
}

// inNamespaces makes a lab real in this process, which is inside a sandbox.
func inNamespaces(ctx context.Context, l *scenario.Loaded, dir string) (course.World, error) {
	if err := missingPrograms(l.Scenario.Requires); err != nil {
		return nil, &codeError{exitHost, err}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	w, err := emulate.Start(ctx, l.Lab, emulate.Options{Seed: labSeed, TimeScale: l.Scenario.TimeScale, ScenarioDir: dir, NoOffload: true})
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func labStopCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "End a lab; what you have done is kept",
		Long: `Stop ends the lab of a folder, with all that runs in it. The folder stays, with your
progress: plsim lab start goes on with it.`,
		Example: "  sudo plsim lab stop",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWork(dir)
			if err != nil {
				return err
			}
			l := w.running()
			if l == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "nothing of lab %s runs\n", w.lab.Name)
				return nil
			}
			if err := w.lower(l); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "lab %s is down; your work is in %s\n", w.lab.Name, w.where())
			return nil
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}
