package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

type upFlags struct {
	name       string
	foreground bool
	mode       mode
	seed       seed
	scale      scale
	workers    workers
	listen     address
	out        outFlags
	offload    bool
	teaching   bool // whether it is a teaching lab, which says for itself what can be done with it
}

func upCommand() *cobra.Command {
	f := upFlags{mode: emulated, out: outFlags{log: awsLog}}
	cmd := &cobra.Command{
		Use:   "up FILE",
		Short: "Build a scenario's lab and leave it running",
		Long: `Up builds the lab of a scenario and returns when it is ready: every service listens,
every program that was to be waited for answers. The lab lives on until plsim down, or
until the host goes down. FILE is what it is for plsim run, without directories and
standard input. The steps of the file are not played.

Where the lab cannot be built, up says why and ends with the exit code of plsim run.
With --out it keeps events, flow logs and captures as plsim run does; they are complete
when the lab is down. It needs what plsim run needs. A lab belongs to the user who started it; those of
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
	cmd.Flags().StringVar(&f.name, "name", "", "`NAME` of the lab (default: the scenario's)")
	cmd.Flags().BoolVar(&f.foreground, "foreground", false, "stay until the lab has ended; ^C ends it")
	cmd.Flags().Var(&f.mode, "mode", "only emulate: nobody could do anything in a lab on virtual time")
	cmd.Flags().Var(&f.scale, "time-scale", "how many seconds pass in the lab while one passes on the wall (default: the scenario's, or 1)")
	cmd.Flags().Var(&f.seed, "seed", "seed of all random choices (default: a new one, printed)")
	cmd.Flags().Var(&f.listen, "metrics-listen", "serve CloudWatch's metrics to Prometheus there, on this host, while the lab is up")
	registerOffload(cmd, &f.offload)
	cmd.Flags().Var(&f.workers, "workers", workersUsage)
	f.out.register(cmd, "keep the events, the flow logs and the captures in the directory `DIR`, which must be new or empty; they are complete when the lab is down")
	return cmd
}

func (f *upFlags) up(cmd *cobra.Command, file string) error {
	s := &stayingLab{log: f.out.log, workers: f.workers, offload: f.offload, foreground: f.foreground, riddle: f.teaching}
	if netns.Nested() {
		return s.start(cmd)
	}
	wrong := func(err error) error { return &codeError{exitUsage, err} }
	switch {
	case f.mode == simulated:
		return wrong(errors.New("a lab on virtual time waits for nobody, so it cannot stay up: plsim run --mode simulate plays its story"))
	case file == "-":
		return wrong(errors.New("plsim up reads a file, not standard input: what stays up should have a file to look at"))
	}
	loaded, err := load(file)
	if err != nil {
		return wrong(err)
	}
	if f.name = cmp.Or(f.name, loaded.Scenario.Name); !scenario.IsName(f.name) {
		return wrong(fmt.Errorf("--name %q is not a name: use 1 to 63 lower-case letters, digits and -, with no - at either end", f.name))
	}
	if err := missingPrograms(loaded.Scenario.Requires); err != nil {
		return &codeError{exitHost, err}
	}
	s.info = daemon.Info{
		Name: f.name, File: file, Seed: uint64(f.seed), TimeScale: cmp.Or(int(f.scale), loaded.Scenario.TimeScale, 1), PID: os.Getpid(),
	}
	if s.info.Out, err = f.out.whole(); err != nil {
		return &codeError{exitHost, err}
	}
	made := ""
	s.prepare = func() (files []*os.File, err error) {
		if s.claim.Revived {
			fmt.Fprintf(cmd.ErrOrStderr(), "plsim: a lab named %s had died; this one takes its place\n", f.name)
		}
		if made, err = f.out.prepare(); err != nil {
			return nil, wrong(err)
		}
		return f.listen.listen(cmd.ErrOrStderr())
	}
	if err = s.start(cmd); err != nil {
		_, _ = io.WriteString(cmd.ErrOrStderr(), s.printed())
	}
	up := err == nil && !f.foreground
	if err = errors.Join(err, handOver(made), s.close(up)); up && !f.teaching {
		welcome(cmd.OutOrStdout(), loaded, &s.info)
	}
	return err
}
