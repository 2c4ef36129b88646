package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

type runFlags struct {
	mode mode
	// skipReal leaves out the steps that need real hosts, where hosts are simulated.
	skipReal bool
	output   format
	seed     seed
	scale    scale
	workers  workers
	listen   address
	out      outFlags
	keep     bool
	offload  bool
	severalFlags
}

func runCommand() *cobra.Command {
	f := runFlags{mode: emulated, output: "text", out: outFlags{log: awsLog}, severalFlags: severalFlags{parallel: 1}}
	cmd := &cobra.Command{
		Use:   "run FILE...",
		Short: "Build a scenario's lab, play its story and check every line of it",
		Long: `Run builds the lab of a scenario, plays its steps and compares what is seen with
what is expected. FILE is a path, - for standard input, or the name of a scenario
that comes with plsim, such as quickstart; a directory stands for every scenario
below it. Several are played one after the other, or --parallel, and summed up.

With -o json, junit or tap the result is a document on standard output, and the
progress goes to standard error. plsim schema result describes the JSON.

It needs root, or a host that allows user namespaces and has /dev/net/tun open to
everyone. Nothing is left on the host, however the run ends; only with --keep the lab of
a scenario that fails stays up, as that of plsim up does, for plsim exec to look into
it, until plsim down.`,
		Example:           "  sudo plsim run scenarios/quickstart.yaml\n  sudo plsim run quickstart -o json\n  sudo plsim run shop.yaml --keep\n  sudo plsim run conformance\n  plsim run --mode simulate conformance --filter zones -o junit > report.xml",
		Args:              someScenarios,
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = seed(rand.Uint64())
			}
			return runScenarios(cmd, args, f)
		},
	}
	f.register(cmd)
	f.severalFlags.register(cmd)
	cmd.Flags().VarP((*reportFormat)(&f.output), "output", "o", "how to print the result on standard output")
	cmd.Flags().Var(&f.workers, "workers", workersUsage)
	cmd.Flags().BoolVar(&f.keep, "keep", false, "leave the lab of a scenario that fails up as it is, to look into it")
	f.out.register(cmd, "keep the result, the events, the flow logs and the captures in the directory `DIR`, which must be new or empty")
	return cmd
}

// register makes flags of f known to a command that plays scenarios.
func (f *runFlags) register(cmd *cobra.Command) {
	cmd.Flags().Var(&f.mode, "mode", "play it in namespaces with real programs, or simulated on virtual time, without privilege")
	cmd.Flags().BoolVar(&f.skipReal, "skip-real", false, "with --mode simulate, leave out the steps that need a real program or TLS")
	cmd.Flags().Var(&f.scale, "time-scale", "how many seconds pass in the lab while one passes on the wall (default: the scenario's, or 1)")
	cmd.Flags().Var(&f.listen, "metrics-listen", "serve CloudWatch's metrics to Prometheus there, on this host, while the lab runs")
	cmd.Flags().Var(&f.seed, "seed", "seed of all random choices (default: a new one, printed)")
	registerOffload(cmd, &f.offload)
}

// registerOffload makes --offload known to a command.
func registerOffload(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "offload", true, "let the kernel forward the packets of settled flows, where it can")
}

// mode is the value of --mode: how a lab is made real.
type mode string

// The modes.
const (
	emulated  mode = "emulate"
	simulated mode = "simulate"
)

func (m *mode) String() string { return string(*m) }
func (m *mode) Type() string   { return "emulate|simulate" }

func (m *mode) Set(s string) error {
	if s != string(emulated) && s != string(simulated) {
		return errors.New("want emulate, for namespaces with real programs, or simulate, for simulated hosts on virtual time, which needs no privilege")
	}
	*m = mode(s)
	return nil
}

// format is the value of --output.
type format string

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "text|json" }

func (f *format) Set(s string) error {
	if s != "text" && s != "json" {
		return errors.New("want text or json")
	}
	*f = format(s)
	return nil
}

// reportFormat is the value of --output where a result can be read by CI systems, too.
type reportFormat format

func (f *reportFormat) String() string { return string(*f) }
func (f *reportFormat) Type() string   { return "text|json|junit|tap" }

func (f *reportFormat) Set(s string) error {
	if !slices.Contains([]string{"text", "json", "junit", "tap"}, s) {
		return errors.New("want text, json, junit (XML) or tap (version 14)")
	}
	*f = reportFormat(s)
	return nil
}

// seed is the value of --seed. Help shows no default, for there is none.
type seed uint64

func (s *seed) String() string { return "" }
func (s *seed) Type() string   { return "number" }

func (s *seed) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("want a whole number from 0 to %d", uint64(math.MaxUint64))
	}
	*s = seed(n)
	return nil
}

// scale is the value of --time-scale; 0 where it is left to the scenario.
type scale int

func (s *scale) String() string { return "" }
func (s *scale) Type() string   { return "number" }

func (s *scale) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > scenario.MaxTimeScale {
		return fmt.Errorf("want a whole number from 1 to %d", scenario.MaxTimeScale)
	}
	*s = scale(n)
	return nil
}

// workers is the value of --workers; 0 stands for one.
type workers int

// maxWorkers is more than there are processors for.
const maxWorkers = 64

const workersUsage = "how many threads forward packets (default: 1, which on two processors is faster than two); with more than one the kernel forwards none"

func (w *workers) String() string { return "" }
func (w *workers) Type() string   { return "number" }

func (w *workers) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxWorkers {
		return fmt.Errorf("want a whole number from 1 to %d", maxWorkers)
	}
	*w = workers(n)
	return nil
}

func runScenarios(cmd *cobra.Command, args []string, f runFlags) error {
	if f.listen != "" && f.parallel > 1 {
		return &codeError{exitUsage, errors.New("--metrics-listen serves the metrics of one lab: it cannot go with --parallel")}
	}
	return f.stage(cmd, args, nil, func(ctx context.Context, r *runner, all []source) error {
		var summary story.Summary
		if len(all) > 1 {
			return errors.Join(r.runAll(ctx, all, &summary), r.report(&summary, true))
		}
		res, err := r.run(ctx, all[0], f.out.dir)
		summary.Add(res)
		return errors.Join(err, r.report(&summary, false))
	})
}

var errInterrupted = errors.New("interrupted; everything is cleaned up")

// silent ends plsim with a code, without a word.
func silent(code int) error {
	if code == exitOK {
		return nil
	}
	return &codeError{code: code}
}

// codeOf tells what kind of failure an error is.
func codeOf(err error) int {
	var coded *codeError
	var program *netns.ProgramError
	var start *emulate.StartError
	var delivery *live.DeliveryError
	var unsupported *netns.Unsupported
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &program), errors.As(err, &delivery), errors.As(err, &unsupported):
		return exitHost // the program is not installed here, the disk is full, or the lab is too large
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
