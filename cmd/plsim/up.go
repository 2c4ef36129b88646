package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

type upFlags struct {
	name       string
	foreground bool
	mode       mode
	seed       seed
	scale      scale
	quiet      bool // whether what can be done with the lab is not said
}

func upCommand() *cobra.Command {
	f := upFlags{mode: emulated}
	cmd := &cobra.Command{
		Use:   "up FILE",
		Short: "Build a scenario's lab and leave it running",
		Long: `Up builds the lab of a scenario and returns when it is ready: every service listens,
every program that was to be waited for answers. The lab lives on until plsim down, or
until the host goes down. FILE is what it is for plsim run, without directories and
standard input. The steps of the file are not played.

Where the lab cannot be built, up says why and ends with the exit code of plsim run.
It needs what plsim run needs. A lab belongs to the user who started it; those of
several users may have the same name.`,
		Example:           "  sudo plsim up quickstart\n  sudo plsim up scenarios/quickstart.yaml --name second",
		Args:              oneScenario,
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = seed(rand.Uint64())
			}
			return f.up(cmd, args[0])
		},
	}
	cmd.Flags().StringVar(&f.name, "name", "", "name of the lab (default: the scenario's)")
	cmd.Flags().BoolVar(&f.foreground, "foreground", false, "stay until the lab has ended; ^C ends it")
	cmd.Flags().Var(&f.mode, "mode", "only emulate: nobody could do anything in a lab on virtual time")
	cmd.Flags().Var(&f.scale, "time-scale", "how many seconds pass in the lab while one passes on the wall (default: the scenario's, or 1)")
	cmd.Flags().Var(&f.seed, "seed", "seed of all random choices (default: a new one, printed)")
	return cmd
}

func (f *upFlags) up(cmd *cobra.Command, file string) error {
	if f.mode == simulated {
		return &codeError{exitUsage, errors.New("a lab on virtual time waits for nobody, so it cannot stay up: plsim run --mode simulate plays its story")}
	}
	if file == "-" {
		return &codeError{exitUsage, errors.New("plsim up reads a file, not standard input: what stays up should have a file to look at")}
	}
	var loaded *scenario.Loaded
	var claim *daemon.Claim // in the user's process only
	if !netns.Nested() {
		var err error
		if loaded, err = load(file); err != nil {
			return &codeError{exitUsage, err}
		}
		if f.name = cmp.Or(f.name, loaded.Scenario.Name); !scenario.IsName(f.name) {
			return &codeError{exitUsage, fmt.Errorf("--name %q is not a name: use 1 to 63 lower-case letters, digits and -, with no - at either end", f.name)}
		}
		if err := missingPrograms(loaded.Scenario.Requires); err != nil {
			return &codeError{exitHost, err}
		}
	}
	open := func() (err error) {
		claim, err = daemon.NewClaim(daemon.Info{
			Name: f.name, File: file, Seed: uint64(f.seed), TimeScale: cmp.Or(int(f.scale), loaded.Scenario.TimeScale, 1), PID: os.Getpid(),
		})
		var taken *daemon.NameError
		switch {
		case errors.As(err, &taken):
			return &codeError{exitUsage, err}
		case err != nil:
			return &codeError{exitHost, err}
		case claim.Revived:
			fmt.Fprintf(cmd.ErrOrStderr(), "plsim: a lab named %s had died; this one takes its place\n", f.name)
		}
		return nil
	}
	code, inside, err := f.enter(open, func() *daemon.Claim { return claim })
	if inside {
		return f.stay(cmd)
	}
	if lab, ierr := daemon.Inherit(netns.Inherited()); netns.Detached() && ierr == nil {
		err = errors.Join(err, lab.Remove())
	}
	var coded *codeError
	switch {
	case errors.As(err, &coded):
		return coded
	case err != nil:
		err = &codeError{exitHost, err}
	case code == 128+int(syscall.SIGTERM), code == 128+int(syscall.SIGHUP):
		err = silent(exitInterrupted) // so early that the lab had not begun to listen
	default:
		err = silent(code)
	}
	if claim == nil {
		return err
	}
	defer claim.Close()
	if err != nil && !f.foreground {
		_, _ = io.WriteString(cmd.ErrOrStderr(), claim.Printed())
	}
	if err != nil || f.foreground {
		return errors.Join(err, claim.Remove())
	}
	if !f.quiet {
		f.welcome(cmd.OutOrStdout(), loaded, file, uint64(f.seed))
	}
	return nil
}

// enter enters the lab's sandbox, detached or not. open makes the claim, outside.
func (f *upFlags) enter(open func() error, claim func() *daemon.Claim) (code int, inside bool, err error) {
	if f.foreground {
		return netns.EnterWith(func() ([]*os.File, error) {
			if err := open(); err != nil {
				return nil, err
			}
			return claim().Share()
		})
	}
	return netns.EnterDetached(func() (*netns.Daemon, error) {
		if err := open(); err != nil {
			return nil, err
		}
		c := claim()
		return &netns.Daemon{Files: c.Files(), Log: c.Log, Started: c.Started}, nil
	})
}

// stay is the life of the lab.
func (f *upFlags) stay(cmd *cobra.Command) (err error) {
	ctx, stop := interruptible(cmd)
	defer stop()
	lab, err := daemon.Inherit(netns.Inherited())
	if err != nil {
		return &codeError{exitFault, err}
	}
	file := lab.Info.File
	loaded, err := load(file)
	if err != nil {
		return &codeError{exitUsage, err}
	}
	w, err := emulate.Start(ctx, loaded.Lab, emulate.Options{
		Seed: lab.Info.Seed, TimeScale: lab.Info.TimeScale, ScenarioDir: scenarioDir(file),
	})
	if err == nil {
		err = lab.Ready()
	}
	if err == nil {
		if f.foreground {
			f.name = lab.Info.Name
			f.welcome(cmd.OutOrStdout(), loaded, file, lab.Info.Seed)
		}
		if err = netns.Ready(); err == nil {
			err = lab.Serve(ctx, loaded, w)
		}
	}
	err = errors.Join(err, w.Close())
	switch {
	case ctx.Err() != nil:
		return &codeError{exitInterrupted, errInterrupted}
	case err != nil:
		return &codeError{codeOf(err), err}
	}
	return nil
}

// welcome says what can be done with the lab.
func (f *upFlags) welcome(w io.Writer, l *scenario.Loaded, file string, seed uint64) {
	fmt.Fprintf(w, "lab %s is up (%s): %s, %s, seed %d\n", f.name, file,
		story.Count(len(l.Scenario.VPCs), "VPC"), story.Count(len(l.Lab.Hosts), "instance"), seed)
	if n := len(l.Scenario.Steps); n > 0 {
		fmt.Fprintf(w, "  %s of the file not played: plsim run does that\n", story.Count(n, "step"))
	}
	fmt.Fprintf(w, "  plsim ps %s   what is in it\n", f.name)
	if len(l.Lab.Hosts) > 0 {
		fmt.Fprintf(w, "  plsim exec --lab %s %s -- COMMAND   run something there\n", f.name, l.Lab.Hosts[0].Name)
	}
	fmt.Fprintf(w, "  plsim down %s   end it\n", f.name)
}

// scenarioDir returns where a scenario stands, as its programs know it; "" where it
// stands nowhere.
func scenarioDir(file string) string {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil || file == "-" {
		return ""
	}
	return dir
}
