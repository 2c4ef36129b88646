package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/course"
	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// printCheckpoints prints how far the student has come. wrong is what is wrong with the
// first open checkpoint, nil where nobody has looked.
func (w *work) printCheckpoints(out io.Writer, wrong *course.Judgement) {
	all, open := w.lab.Lesson.Checkpoints, w.Open(w.lab)
	width := 0
	for _, cp := range all {
		width = max(width, len(cp.Name))
	}
	for i, cp := range all {
		sign := " "
		switch {
		case i < open && w.Solved(cp.Name):
			sign = "~"
		case i < open:
			sign = "✓"
		case i == open:
			sign = ">"
		}
		fmt.Fprintf(out, "%s %d %-*s  %s\n", sign, i+1, width, cp.Name, oneLine(cp.Task))
		if i != open || wrong == nil {
			continue
		}
		fmt.Fprintf(out, "    %s\n", wrong.Wrong)
		if wrong.Seen != "" {
			fmt.Fprintf(out, "    seen: %s\n", wrong.Seen)
		}
		if wrong.Why != "" {
			fmt.Fprintf(out, "    why:  %s\n", wrong.Why)
		}
	}
	fmt.Fprintf(out, "%d of %s passed\n", open, story.Count(len(all), "checkpoint"))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// printHead says which lab it is, and whether it is up.
func (w *work) printHead(out io.Writer) {
	state := "simulated"
	if w.Mode == string(emulated) {
		state = "not up: plsim lab start goes on with it"
		if l := w.running(); l != nil {
			state = "up as " + l.Name
		}
	}
	fmt.Fprintf(out, "lab %s in %s, %s\n", w.lab.Name, w.where(), state)
}

func labStatusCommand() *cobra.Command {
	var dir string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far you have come in a lab",
		Long: `Status shows the checkpoints of a lab: ✓ passed, ~ passed by plsim lab solve, > the one
that is open, and those that follow. It judges nothing; plsim lab check does. With --watch
it goes on doing so, with the ways of the packets that were sent last: open it in a
second terminal while you work.`,
		Example: "  plsim lab status\n  sudo plsim lab status --watch",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWork(dir)
			if err != nil {
				return err
			}
			if watch {
				return w.watch(cmd)
			}
			w.printHead(cmd.OutOrStdout())
			w.printCheckpoints(cmd.OutOrStdout(), nil)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again, with the ways of packets, until q or ^C")
	dirFlag(cmd, &dir)
	return cmd
}

func labCheckCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find out which checkpoints you have passed, and what is still wrong",
		Long: `Check judges the checkpoints of a lab, from the first open one on, by what it sees:
requests, packets, flow logs. What it sends itself is in flow logs and captures, too.
Of the first that is still open it says what is wrong. What has been passed stays so.

The exit code is 0 when all are passed, and 1 while one is open.`,
		Example: "  sudo plsim lab check",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWork(dir)
			if err != nil {
				return err
			}
			return w.check(cmd)
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

func (w *work) check(cmd *cobra.Command) error {
	before := w.Open(w.lab)
	wrong, err := w.judge(cmd)
	if err == nil {
		err = w.save()
	}
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for _, cp := range w.lab.Lesson.Checkpoints[before:w.Open(w.lab)] {
		fmt.Fprintf(out, "%s: %s\n", cp.Name, oneLine(cp.Explanation))
	}
	w.printCheckpoints(out, &wrong)
	if !wrong.Passed {
		return silent(exitFailed)
	}
	return nil
}

// judge judges the open checkpoints.
func (w *work) judge(cmd *cobra.Command) (wrong course.Judgement, err error) {
	ctx, stop := interruptible(cmd)
	defer stop()
	if w.Mode == string(emulated) {
		l, err := w.mustRun()
		if err != nil {
			return wrong, err
		}
		if w.Actions, err = l.Journal(); err == nil {
			wrong, err = w.Check(ctx, w.lab, liveStage{l, true}, time.Now())
		}
		return wrong, labError(err)
	}
	err = w.play(cmd, func(st course.Stage) (err error) {
		wrong, err = w.Check(ctx, w.lab, st, time.Now())
		return err
	})
	return wrong, err
}

// play plays the student's scenario and steps on virtual time, and then does something.
func (w *work) play(cmd *cobra.Command, do func(course.Stage) error) error {
	failed, err := w.Play(cmd.Context(), onVirtualTime, do)
	for _, f := range failed {
		fmt.Fprintf(cmd.ErrOrStderr(), "plsim: step %d of %s fails (%s): %s\n", f.Number, course.FileName, f.Name, f.Seen)
	}
	var mistakes scenario.Mistakes
	if errors.As(err, &mistakes) {
		return &codeError{exitUsage, mistakes}
	}
	if err != nil {
		return &codeError{codeOf(err), err}
	}
	return nil
}

func labHintCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "hint",
		Short: "Get the next hint for the checkpoint that is open",
		Long: `Hint gives the next hint for the first open checkpoint, from a nudge to nearly all.
Your folder counts them, for your teacher.`,
		Example: "  plsim lab hint",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWork(dir)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			name, hint, n, total := w.Hint(w.lab)
			if name == "" {
				fmt.Fprintln(out, "all checkpoints are passed")
				return nil
			}
			fmt.Fprintf(out, "%s, hint %d of %d: %s\n", name, n, total, hint)
			if n == total {
				fmt.Fprintf(out, "That is the last one; plsim lab solve --to %s shows how it is done.\n", name)
			}
			return w.save()
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

func labStepCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "step STEP",
		Short: "Take a step of the scenario language in a lab, in either mode",
		Long: `Step takes a step in the lab of a folder: a request, an edit, a look at flow logs. In
emulate mode it is what plsim step is. In simulate mode plsim plays lab.yaml and the
steps that you have taken before, on virtual time, and then this one, and keeps it.`,
		Example: `  plsim lab step 'request: { from: app, url: "http://10.0.1.4/" }'`,
		Args:    takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := findWork(dir)
			if err != nil {
				return err
			}
			return w.step(cmd, args[0])
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

func (w *work) step(cmd *cobra.Command, text string) error {
	if w.Mode == string(emulated) {
		l, err := w.mustRun()
		if err != nil {
			return err
		}
		return (&stepFlags{lab: l.Name, output: "text"}).take(cmd, text)
	}
	var res *story.StepResult
	err := w.play(cmd, func(st course.Stage) (err error) {
		res, err = st.Take(cmd.Context(), text)
		var misfit *course.Misfit
		if errors.As(err, &misfit) {
			return &codeError{exitUsage, misfit}
		}
		return err
	})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	terminal := isTerminal(out)
	report.NewText(out, terminal, terminal && os.Getenv("NO_COLOR") == "").Step(*res)
	if res.Acted() {
		w.Actions = append(w.Actions, text)
		if err := w.save(); err != nil {
			return err
		}
	}
	if res.Verdict != story.Pass {
		return silent(exitFailed)
	}
	return nil
}
