package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

// stayingLab is a lab that plsim up starts, or plsim run --keep. Of its fields a copy of
// plsim has only what the flags say; the rest is in the lab's file.
type stayingLab struct {
	info       daemon.Info
	workers    workers
	offload    bool
	log        logKind
	foreground bool
	riddle     bool // as [daemon.Inherited] has it

	// prepare, which may be nil, makes outside of the lab what that needs, and returns
	// the host's files for it.
	prepare func() ([]*os.File, error)
	// claim is there in the user's process only, from the moment when the name is the lab's.
	claim *daemon.Claim
}

// start starts the lab. In the user's process it returns when the lab is ready or, in
// the foreground, when it has ended; the claim is then open still. In a copy it returns
// when the lab has ended. The error has its exit code.
func (s *stayingLab) start(cmd *cobra.Command) error {
	code, inside, err := s.enter()
	if inside {
		return s.live(cmd)
	}
	if lab, ierr := daemon.Inherit(netns.Inherited()); netns.Detached() && ierr == nil {
		err = errors.Join(err, lab.Remove(), handOver(lab.Info.Out))
	}
	var coded *codeError
	switch {
	case errors.As(err, &coded):
		return coded
	case err != nil:
		return &codeError{exitHost, err}
	case code == 128+int(syscall.SIGTERM), code == 128+int(syscall.SIGHUP):
		return silent(exitInterrupted) // so early that the lab had not begun to listen
	}
	return silent(code)
}

// enter enters the lab's sandbox, detached or not.
func (s *stayingLab) enter() (code int, inside bool, err error) {
	if s.foreground {
		return netns.EnterWith(func() ([]*os.File, error) {
			more, err := s.open()
			if err != nil {
				return nil, err
			}
			shared, err := s.claim.Share()
			return append(shared, more...), err
		})
	}
	return netns.EnterDetached(func() (*netns.Daemon, error) {
		more, err := s.open()
		if err != nil {
			return nil, err
		}
		return &netns.Daemon{Files: append(s.claim.Files(), more...), Log: s.claim.Log, Started: s.claim.Started}, nil
	})
}

// open claims the lab's name and prepares what it needs.
func (s *stayingLab) open() (more []*os.File, err error) {
	var taken *daemon.NameError
	switch s.claim, err = daemon.NewClaim(s.info); {
	case errors.As(err, &taken):
		return nil, &codeError{exitUsage, err}
	case err != nil:
		return nil, &codeError{exitHost, err}
	case s.prepare == nil:
		return nil, nil
	}
	return s.prepare()
}

// close lets go of the claim, in the user's process, and removes it unless the lab is up.
func (s *stayingLab) close(up bool) error {
	if s.claim == nil {
		return nil
	}
	defer s.claim.Close()
	if up {
		return nil
	}
	return s.claim.Remove()
}

// printed is what the lab's processes have printed.
func (s *stayingLab) printed() string {
	if s.claim == nil || s.foreground {
		return ""
	}
	return s.claim.Printed()
}

// live is the life of the lab, in its own process.
func (s *stayingLab) live(cmd *cobra.Command) (err error) {
	ctx, stop := interruptible(cmd)
	defer stop()
	lab, err := daemon.Inherit(netns.Inherited())
	if err != nil {
		return &codeError{exitFault, err}
	}
	loaded, err := load(lab.Info.File)
	if err != nil {
		return &codeError{exitUsage, err}
	}
	if err := outSeen(lab.Info.Out); err != nil {
		return &codeError{exitUsage, err}
	}
	k, err := openArchive(lab.Info.Out, loaded.Lab, s.log)
	if err != nil {
		return &codeError{exitHost, errors.Join(err, k.close())}
	}
	metrics := new(exporter)
	stopServing, err := metrics.serve(lab.More)
	if err != nil {
		return &codeError{exitFault, errors.Join(err, k.close())}
	}
	defer stopServing()
	opts := emulate.Options{
		Seed: lab.Info.Seed, TimeScale: lab.Info.TimeScale, Workers: int(s.workers), NoOffload: !s.offload, ScenarioDir: scenarioDir(lab.Info.File), Accounts: true,
	}
	if k != nil {
		k.prompt = true
		opts.Logs, opts.CompleteLog, opts.Captures, opts.Events = k.logs, s.log == fullLog, k.capture, k.event
	}
	w, err := emulate.Start(ctx, loaded.Lab, opts)
	if err == nil {
		err = lab.Ready()
	}
	if err == nil {
		metrics.lab.Store(measured{w})
		if s.foreground {
			welcome(cmd.OutOrStdout(), loaded, &lab.Info)
		}
		lab.Riddle = s.riddle
		lab.Taken = func(sr story.StepResult) { k.step(w, sr) }
		if err = netns.Ready(); err == nil {
			err = lab.Serve(ctx, loaded, w)
		}
	}
	metrics.lab.Store(measured{})
	err = errors.Join(err, w.Close())
	if kerr := k.close(); kerr != nil {
		err = errors.Join(err, &live.DeliveryError{Err: kerr})
	}
	switch {
	case ctx.Err() != nil:
		return &codeError{exitInterrupted, errInterrupted}
	case err != nil:
		return &codeError{codeOf(err), err}
	}
	return nil
}

// welcome says that a lab is up, and what can be done with it.
func welcome(w io.Writer, l *scenario.Loaded, lab *daemon.Info) {
	fmt.Fprintf(w, "lab %s is up (%s): %s, %s, seed %d\n", lab.Name, lab.File,
		story.Count(len(l.Scenario.VPCs), "VPC"), story.Count(len(l.Lab.Hosts), "instance"), lab.Seed)
	if n := len(l.Scenario.Steps); n > 0 {
		fmt.Fprintf(w, "  %s of the file not played: plsim run does that\n", story.Count(n, "step"))
	}
	printWays(w, l, lab.Name)
}

// printWays says what can be done with a lab that is up.
func printWays(w io.Writer, l *scenario.Loaded, lab string) {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "  plsim ps %s\twhat is in it\n", lab)
	if len(l.Lab.Hosts) > 0 {
		fmt.Fprintf(t, "  plsim exec --lab %s %s -- COMMAND\trun something there\n", lab, l.Lab.Hosts[0].Name)
	}
	fmt.Fprintf(t, "  plsim down %s\tend it\n", lab)
	_ = t.Flush() // as it is for what is printed at once: nobody asks
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
