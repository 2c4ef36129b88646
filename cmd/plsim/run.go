package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim"
	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

type runFlags struct {
	output string
	seed   uint64
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Build a scenario's lab, play its story and check every line of it",
		Long: `Run builds the lab of a scenario, plays its steps and compares what is seen with
what is expected. FILE is a path, - for standard input, or the name of a scenario
that comes with plsim, such as quickstart.

It needs root, or a host that allows user namespaces and has /dev/net/tun open to
everyone. Nothing is left on the host, however the run ends.`,
		Example: "  sudo plsim run scenarios/quickstart.yaml\n  sudo plsim run quickstart -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.output != "text" && f.output != "json" {
				return fmt.Errorf("invalid value %q for --output: want text or json", f.output)
			}
			if !cmd.Flags().Changed("seed") {
				f.seed = rand.Uint64()
			}
			return runScenario(cmd, args[0], f)
		},
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "what to print on standard output: text or json")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of all random choices (default: a new one, printed)")
	return cmd
}

func runScenario(cmd *cobra.Command, file string, f runFlags) error {
	stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	// A wrong scenario is said to be wrong also where it could not run. Standard
	// input can be read only once, so it has to wait until the sandbox stands.
	if !netns.Inside() && file != "-" {
		if _, err := load(file); err != nil {
			return err
		}
	}
	code, inside, err := netns.Enter()
	switch {
	case err != nil:
		return &codeError{exitHost, err}
	case !inside:
		return silent(code)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()

	loaded, err := load(file)
	if err != nil {
		return err
	}
	if err := missingPrograms(loaded.Scenario.Requires); err != nil {
		return &codeError{exitHost, err}
	}
	res, err := play(ctx, loaded, file, f, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "plsim: interrupted; everything is cleaned up")
		return silent(exitInterrupted)
	case err != nil:
		return &codeError{codeOf(err), err}
	case res.Verdict != sim.Pass:
		return silent(exitFailed)
	}
	return nil
}

// silent ends plsim with a code, without a word.
func silent(code int) error {
	if code == exitOK {
		return nil
	}
	return &codeError{code: code}
}

// play builds the lab and plays the story.
func play(ctx context.Context, l *scenario.Loaded, file string, f runFlags, stdout, stderr io.Writer) (*sim.Result, error) {
	out := stdout
	if f.output == "json" {
		out = stderr // progress; the result alone goes to standard output
	}
	text := report.NewText(out, isTerminal(out) && os.Getenv("NO_COLOR") == "")
	text.Begin(l.Scenario.Name, file, len(l.Scenario.Steps), f.seed)

	opts := emulate.Options{Seed: f.seed}
	if dir, err := filepath.Abs(filepath.Dir(file)); err == nil && file != "-" {
		opts.ScenarioDir = dir
	}
	w, err := emulate.Start(ctx, l.Lab, opts)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	res, err := sim.Play(ctx, l.Scenario, l.Lab, w, text.Step)
	if err = errors.Join(err, w.Close()); err != nil {
		return res, err
	}
	res.File, res.Mode, res.Seed = file, "emulate", f.seed
	text.End(res)
	if f.output == "json" {
		return res, report.JSON(stdout, res)
	}
	return res, nil
}

// codeOf tells what kind of failure an error is.
func codeOf(err error) int {
	var program *netns.ProgramError
	var start *emulate.StartError
	switch {
	case errors.As(err, &program):
		return exitHost // the program is not installed here
	case errors.As(err, &start):
		return exitFailed // it ran, but not as the scenario expects
	default:
		return exitFault
	}
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
