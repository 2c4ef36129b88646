package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/course"
	"github.com/plsim/plsim/sim/scenario"
)

func labSolveCommand() *cobra.Command {
	var dir, to string
	cmd := &cobra.Command{
		Use:   "solve",
		Short: "See how it is done",
		Long: `Solve builds the lab anew with the reference solution of its checkpoints, all of them
or those up to --to, and shows what that is. Where it edits lab.yaml, yours is kept
beside it. The checkpoints count as solved, not as passed.`,
		Example: "  sudo plsim lab solve\n  sudo plsim lab solve --to reach-it",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWork(dir)
			if err != nil {
				return err
			}
			n := len(w.lab.Lesson.Checkpoints)
			if to != "" {
				at, err := w.lab.Checkpoint(to)
				if err != nil {
					return &codeError{exitUsage, fmt.Errorf("--to: %w", err)}
				}
				n = at + 1
			}
			return w.solve(cmd, n)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the last `CHECKPOINT` to solve, by name or number (default: all)")
	dirFlag(cmd, &dir)
	return cmd
}

// solve applies the reference solution of the first n checkpoints, and judges the last of
// them.
func (w *work) solve(cmd *cobra.Command, n int) error {
	first := min(w.Open(w.lab), n-1)
	if err := w.rebuild(cmd, n); err != nil {
		return err
	}
	for _, cp := range w.lab.Lesson.Checkpoints[first:n] {
		printSolution(cmd.OutOrStdout(), cp)
	}
	wrong, err := w.judgeOne(cmd, w.lab.Lesson.Checkpoints[n-1])
	if err != nil {
		return err
	}
	if !wrong.Passed {
		return &codeError{exitFault, fmt.Errorf("the reference solution of lab %s fails here: %s (%s)", w.lab.Name, wrong.Wrong, wrong.Seen)}
	}
	w.printCheckpoints(cmd.OutOrStdout(), nil)
	return nil
}

// rebuild puts the lab into the state that the reference solution of the first n
// checkpoints has.
func (w *work) rebuild(cmd *cobra.Command, n int) error {
	if l := w.running(); l != nil {
		if err := w.lower(l); err != nil {
			return err
		}
	}
	kept, err := w.SetSolved(w.lab, n, time.Now())
	if err == nil {
		err = w.save()
	}
	if err != nil {
		return &codeError{codeOr(exitHost, err), err}
	}
	if kept != "" {
		if err := handOver(filepath.Join(w.Dir, kept)); err != nil {
			return &codeError{exitHost, err}
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s is the lab's again; yours is kept as %s\n", course.FileName, kept)
	}
	if w.Mode == string(emulated) {
		_, err = w.raise(cmd)
	}
	return err
}

// judgeOne judges a checkpoint in the lab as it is.
func (w *work) judgeOne(cmd *cobra.Command, cp *scenario.Checkpoint) (j course.Judgement, err error) {
	if w.Mode == string(emulated) {
		l, err := w.mustRun()
		if err != nil {
			return j, err
		}
		j, err = course.Judge(cmd.Context(), liveStage{l, true}, cp)
		return j, labError(err)
	}
	err = w.play(cmd, func(st course.Stage) (err error) {
		j, err = course.Judge(cmd.Context(), st, cp)
		return err
	})
	return j, err
}

// printSolution shows a reference solution.
func printSolution(out io.Writer, cp *scenario.Checkpoint) {
	fmt.Fprintf(out, "%s: %s\n", cp.Name, oneLine(cp.Task))
	for _, e := range cp.Edit {
		fmt.Fprintf(out, "  in %s:\n", course.FileName)
		printLines(out, "    - ", e.Replace)
		printLines(out, "    + ", e.With)
	}
	for _, step := range cp.Solution {
		fmt.Fprintln(out, "  a step:")
		printLines(out, "      ", step.YAML())
	}
	fmt.Fprintf(out, "  %s\n", oneLine(cp.Explanation))
}

func printLines(out io.Writer, margin, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintln(out, margin+strings.TrimRight(line, "\n"))
	}
}

func labResetCommand() *cobra.Command {
	var dir, to string
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Go back to the beginning of a lab, or of a checkpoint",
		Long: `Reset builds the lab anew as it was in the beginning or, with --to, as it is when the
checkpoints before that one are solved. Where you have edited lab.yaml, yours is kept
beside it. What you have passed before the checkpoint stays passed.`,
		Example: "  sudo plsim lab reset\n  sudo plsim lab reset --to 2",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := findWork(dir)
			if err != nil {
				return err
			}
			n := 0
			if to != "" {
				if n, err = w.lab.Checkpoint(to); err != nil {
					return &codeError{exitUsage, fmt.Errorf("--to: %w", err)}
				}
			}
			if err := w.rebuild(cmd, n); err != nil {
				return err
			}
			w.printCheckpoints(cmd.OutOrStdout(), nil)
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the `CHECKPOINT` to begin again with, by name or number (default: the first)")
	dirFlag(cmd, &dir)
	return cmd
}
