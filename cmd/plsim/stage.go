package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

// playing plays scenarios that have been loaded.
type playing func(context.Context, *runner, []source) error

// stage loads scenarios and plays them where the mode wants it. check may be nil; it is
// called before anything is built.
func (f *runFlags) stage(cmd *cobra.Command, args []string, check func([]source) error, play playing) error {
	load := func() ([]source, error) {
		all, err := loadAll(args)
		if err == nil {
			all, err = f.filter.choose(all)
		}
		if err == nil && check != nil {
			err = check(all)
		}
		return all, err
	}
	switch {
	case f.mode == simulated && f.keep:
		return &codeError{exitUsage, errors.New("--keep needs --mode emulate: a lab on virtual time waits for nobody")}
	case f.mode == simulated:
		return f.simulate(cmd, load, play)
	case f.skipReal:
		return &codeError{exitUsage, errors.New("--skip-real needs --mode simulate: real hosts run every program")}
	case f.keep:
		return f.keepFailed(cmd, args, load, play)
	}
	return f.inSandbox(cmd, args, load, play)
}

// simulate plays scenarios in this very process, without privilege.
func (f *runFlags) simulate(cmd *cobra.Command, load func() ([]source, error), play playing) error {
	switch {
	case f.listen != "":
		return &codeError{exitUsage, errors.New("--metrics-listen needs --mode emulate: a simulation is over before anybody could read its metrics twice; plsim metrics --mode simulate prints them at its end")}
	case f.workers > 1:
		return &codeError{exitUsage, errors.New("--workers needs --mode emulate: a simulation has one order of events, and one thread for them")}
	case f.scale != 0:
		return &codeError{exitUsage, errors.New("--time-scale needs --mode emulate: simulated time passes as fast as it can")}
	}
	all, err := load()
	if err != nil {
		return err
	}
	if !f.skipReal {
		for _, s := range all {
			if needs := s.Real(); len(needs) > 0 {
				return &codeError{exitUsage, realError(needs)}
			}
		}
	}
	if _, err := f.out.prepare(); err != nil {
		return &codeError{exitUsage, err}
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	defer watchMemory(cmd.ErrOrStderr())()
	return play(ctx, newRunner(*f, cmd.OutOrStdout(), cmd.ErrOrStderr()), all)
}

// realError says what of a scenario cannot be simulated.
type realError []scenario.Need

func (e realError) Error() string {
	return story.Count(len(e), "thing") + " of the scenario cannot be simulated: play it with --mode emulate, or with --skip-real to leave out the steps that need it"
}

// places returns the places of the scenario, a line each.
func (e realError) places() string {
	var b strings.Builder
	for _, n := range e {
		fmt.Fprintln(&b, n.Error())
	}
	return b.String()
}

// interruptible returns a context that a signal to end plsim ends.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// inSandbox plays scenarios in a sandbox of the kernel's.
func (f *runFlags) inSandbox(cmd *cobra.Command, args []string, load func() ([]source, error), play playing) error {
	// A wrong scenario is said to be wrong also where it could not run. Standard
	// input can be read only once, so it has to wait until the sandbox stands.
	if !netns.Nested() && !slices.Contains(args, "-") {
		if _, err := load(); err != nil {
			return err
		}
	}
	made := ""
	code, inside, err := netns.EnterWith(func() (files []*os.File, err error) {
		if made, err = f.out.prepare(); err != nil {
			return nil, &codeError{exitUsage, err}
		}
		return f.listen.listen(cmd.ErrOrStderr())
	})
	if !inside {
		err = errors.Join(err, handOver(made))
	}
	var usage *codeError
	switch {
	case errors.As(err, &usage):
		return usage
	case err != nil:
		return &codeError{exitHost, err}
	case !inside && (code == 128+int(syscall.SIGTERM) || code == 128+int(syscall.SIGHUP)):
		return silent(exitInterrupted) // so early that the lab had not begun to listen
	case !inside:
		return silent(code)
	}
	ctx, stop := interruptible(cmd)
	defer stop()

	all, err := load()
	if err != nil {
		return err
	}
	if err := outSeen(f.out.dir); err != nil {
		return &codeError{exitUsage, err}
	}
	r := newRunner(*f, cmd.OutOrStdout(), cmd.ErrOrStderr())
	stopServing, err := r.exporter.serve(netns.Inherited())
	if err != nil {
		return &codeError{exitFault, err}
	}
	defer stopServing()
	return play(ctx, r, all)
}
