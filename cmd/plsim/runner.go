package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/plsim/plsim/sim/diagnose"
	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
)

// runner plays scenarios as the flags say.
type runner struct {
	flags          runFlags
	stdout, stderr io.Writer
	progress       io.Writer
	terminal       bool         // is progress
	text           *report.Text // to progress
	lab            string       // tells the lab from those that run beside it; "" of the only one
	exporter       *exporter
	staying        *staying // with --keep
	// atEnd, if not nil, is called in the lab when its story has been played.
	atEnd func(s source, w world) error
}

func newRunner(f runFlags, stdout, stderr io.Writer) *runner {
	r := &runner{flags: f, stdout: stdout, stderr: stderr, exporter: new(exporter)}
	if f.output == "text" {
		r.showProgress(stdout)
	} else {
		r.showProgress(stderr) // the result alone goes to standard output
	}
	return r
}

// showProgress says where to print what is played.
func (r *runner) showProgress(to io.Writer) {
	r.terminal = isTerminal(to)
	r.printTo(to)
}

// printTo prints to w what is meant for where the progress goes.
func (r *runner) printTo(w io.Writer) {
	r.progress, r.text = w, report.NewText(w, r.terminal, r.terminal && os.Getenv("NO_COLOR") == "")
}

// report prints the result on standard output, where the flags want a document.
func (r *runner) report(s *story.Summary, several bool) error {
	switch r.flags.output {
	case "json":
		if several {
			return report.JSON(r.stdout, s)
		}
		return report.JSON(r.stdout, s.Scenarios[0])
	case "junit":
		return report.JUnit(r.stdout, s)
	case "tap":
		return report.TAP(r.stdout, s)
	}
	return nil
}

// run builds a scenario's lab and plays its story; what it keeps goes to the directory
// dir, unless that is "". The result is there also beside an error, which has its exit
// code.
func (r *runner) run(ctx context.Context, s source, dir string) (*story.Result, error) {
	if r.flags.keep {
		return r.runStaying(ctx, s, dir)
	}
	k, err := openArchive(dir, s.Lab, r.flags.out.log)
	if err != nil {
		err = &live.DeliveryError{Err: err}
		res := r.result(s, story.Fail)
		res.Error = err.Error()
		return res, &codeError{exitHost, err}
	}
	res, err := r.play(ctx, s, k)
	res, err = r.judge(ctx, s, res, err)
	if kerr := errors.Join(k.close(), keepResult(dir, res)); kerr != nil {
		kerr = &live.DeliveryError{Err: kerr}
		err = errors.Join(err, &codeError{exitHost, kerr})
	}
	return res, err
}

// result returns the result of a scenario of which nothing was played.
func (r *runner) result(s source, v story.Verdict) *story.Result {
	res := &story.Result{SchemaVersion: story.ResultSchemaVersion, Scenario: s.Scenario.Name, Verdict: v, Steps: []story.StepResult{}}
	r.head(s, res)
	return res
}

// head fills in how a scenario is played.
func (r *runner) head(s source, res *story.Result) {
	res.File, res.Mode, res.Seed, res.TimeScale = s.file, string(r.flags.mode), uint64(r.flags.seed), r.scale(s)
}

// scale is how many seconds of the lab pass in one of the wall.
func (r *runner) scale(s source) int { return cmp.Or(int(r.flags.scale), s.Scenario.TimeScale, 1) }

// judge says what came of a story, and with which exit code.
func (r *runner) judge(ctx context.Context, s source, res *story.Result, err error) (*story.Result, error) {
	r.head(s, res)
	if ctx.Err() != nil {
		err = &codeError{exitInterrupted, errInterrupted}
	}
	if err != nil {
		res.Verdict, res.Error = story.Fail, err.Error()
		return res, &codeError{codeOf(err), err}
	}
	if res.Verdict != story.Pass {
		return res, silent(exitFailed)
	}
	return res, nil
}

func (r *runner) play(ctx context.Context, s source, k *archive) (*story.Result, error) {
	w, err := r.start(ctx, s, k)
	if err != nil {
		if w != nil {
			err = errors.Join(err, w.Close())
		}
		return r.result(s, story.Fail), err
	}
	r.exporter.lab.Store(measured{w})
	defer r.exporter.lab.Store(measured{})
	res, err := story.Play(ctx, s.Scenario, s.Lab, diagnose.Explained(w, s.Loaded, r.flags.mode == emulated, uint64(r.flags.seed)), r.leftOut(s), func(sr story.StepResult) {
		k.step(w, sr)
		r.text.Step(sr)
	})
	if err == nil && r.atEnd != nil {
		err = r.atEnd(s, w)
	}
	if err = errors.Join(err, w.Close()); err == nil {
		r.text.End(res)
	}
	return res, err
}

// world is a lab that runs, in either mode.
type world interface {
	diagnose.World
	// Began returns what moment 0 of the lab is called.
	Began() time.Time
	// Event returns an event of the present moment.
	Event(kind, of, is string) live.Event
	Close() error
}

// leftOut returns the steps that cannot be played, by their numbers, and why.
func (r *runner) leftOut(s source) map[int]string {
	if r.flags.mode != simulated {
		return nil
	}
	return scenario.LeftOut(s.Real())
}

// start builds a scenario's lab. The world is there also beside an error, if there is
// something to close.
func (r *runner) start(ctx context.Context, s source, k *archive) (world, error) {
	seed, scale := uint64(r.flags.seed), r.scale(s)
	if r.flags.mode == simulated {
		r.text.Begin(s.Scenario.Name, s.file, len(s.Scenario.Steps), seed, scale)
		opts := simulate.Options{Seed: seed, TimeScale: scale, Progress: func(p simulate.Progress) { r.text.Progress(time.Duration(p.Now), time.Duration(p.Until)) }}
		opts.Unlogged = k == nil && !s.Scenario.ReadsFlowLogs()
		if k != nil {
			opts.Logs, opts.CompleteLog, opts.Captures, opts.Events = k.logs, r.flags.out.log == fullLog, k.capture, k.event
		}
		return simulate.Start(ctx, s.Lab, opts)
	}
	if err := missingPrograms(s.Scenario.Requires); err != nil {
		return nil, &codeError{exitHost, err}
	}
	r.text.Begin(s.Scenario.Name, s.file, len(s.Scenario.Steps), seed, scale)
	opts := emulate.Options{
		Seed: seed, TimeScale: scale, Workers: int(r.flags.workers), NoOffload: !r.flags.offload, Name: r.lab, ScenarioDir: scenarioDir(s.file),
	}
	if k != nil {
		opts.Logs, opts.CompleteLog, opts.Captures, opts.Events = k.logs, r.flags.out.log == fullLog, k.capture, k.event
	}
	return emulate.Start(ctx, s.Lab, opts)
}
