package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
)

// runner plays scenarios, one after the other, as the flags say.
type runner struct {
	flags          runFlags
	stdout, stderr io.Writer
	progress       io.Writer
	text           *report.Text // to progress
	exporter       exporter
	several        bool // scenarios are played
	// atEnd, if not nil, is called in the lab when its story has been played.
	atEnd func(s source, w world) error
}

func newRunner(f runFlags, stdout, stderr io.Writer) *runner {
	progress := stdout
	if f.output == "json" {
		progress = stderr // the result alone goes to standard output
	}
	r := &runner{flags: f, stdout: stdout, stderr: stderr}
	r.showProgress(progress)
	return r
}

// showProgress says where to print what is played.
func (r *runner) showProgress(to io.Writer) {
	terminal := isTerminal(to)
	r.progress, r.text = to, report.NewText(to, terminal, terminal && os.Getenv("NO_COLOR") == "")
}

// run builds a scenario's lab and plays its story. The result is there also
// beside an error, which has its exit code.
func (r *runner) run(ctx context.Context, s source) (*story.Result, error) {
	scale := cmp.Or(int(r.flags.scale), s.Scenario.TimeScale, 1)
	k, err := r.keep(s)
	if err != nil {
		err = &live.DeliveryError{Err: err}
		return &story.Result{SchemaVersion: story.ResultSchemaVersion, Scenario: s.Scenario.Name, Verdict: story.Fail, Error: err.Error(), Steps: []story.StepResult{}}, &codeError{exitHost, err}
	}
	res, err := r.judge(ctx, s, scale, k)
	if kerr := k.close(res); kerr != nil {
		kerr = &live.DeliveryError{Err: kerr}
		err = errors.Join(err, &codeError{exitHost, kerr})
	}
	return res, err
}

// judge plays a scenario's story, and says what came of it.
func (r *runner) judge(ctx context.Context, s source, scale int, k *archive) (*story.Result, error) {
	res, err := r.play(ctx, s, scale, k)
	res.File, res.Mode, res.Seed, res.TimeScale = s.file, string(r.flags.mode), uint64(r.flags.seed), scale
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

func (r *runner) play(ctx context.Context, s source, scale int, k *archive) (*story.Result, error) {
	unplayed := &story.Result{SchemaVersion: story.ResultSchemaVersion, Scenario: s.Scenario.Name, Steps: []story.StepResult{}}
	w, err := r.start(ctx, s, scale, k)
	if err != nil {
		if w != nil {
			err = errors.Join(err, w.Close())
		}
		return unplayed, err
	}
	r.exporter.lab.Store(measured{w})
	defer r.exporter.lab.Store(measured{})
	res, err := story.Play(ctx, s.Scenario, s.Lab, w, r.leftOut(s), func(sr story.StepResult) {
		k.event(w.Event(live.StepEvent, fmt.Sprintf("%d %s", sr.Number, sr.Name), string(sr.Verdict)))
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
	story.World
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

// simulatedGC is how much garbage there may be beside what a simulation needs, in
// percent. Most of that are tables without pointers, which cost the collector nothing: so
// it may run often, and a million flows stay below a gigabyte.
const simulatedGC = 25

// start builds a scenario's lab. The world is there also beside an error, if there is
// something to close.
func (r *runner) start(ctx context.Context, s source, scale int, k *archive) (world, error) {
	seed := uint64(r.flags.seed)
	if r.flags.mode == simulated {
		r.text.Begin(s.Scenario.Name, s.file, len(s.Scenario.Steps), seed, scale)
		opts := simulate.Options{Seed: seed, TimeScale: scale, Progress: func(p simulate.Progress) { r.text.Progress(time.Duration(p.Now), time.Duration(p.Until)) }}
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(simulatedGC)
		}
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
	opts := emulate.Options{Seed: seed, TimeScale: scale}
	if k != nil {
		opts.Logs, opts.CompleteLog, opts.Captures, opts.Events = k.logs, r.flags.out.log == fullLog, k.capture, k.event
	}
	if dir, err := filepath.Abs(filepath.Dir(s.file)); err == nil && s.file != "-" {
		opts.ScenarioDir = dir
	}
	return emulate.Start(ctx, s.Lab, opts)
}

// runAll plays several scenarios and sums up. One that cannot be played does not
// keep the others from it.
func (r *runner) runAll(ctx context.Context, all []source) error {
	var summary story.Summary
	var codes []int
	for i, s := range all {
		if i > 0 {
			fmt.Fprintln(r.progress)
		}
		res, err := r.run(ctx, s)
		summary.Add(res)
		codes = append(codes, codeOf(err))
		if res.Error != "" {
			complain(r.stderr, fmt.Errorf("%s: %w", s.file, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	r.text.Summary(&summary)
	if dir := r.flags.out.dir; dir != "" {
		if err := keepResult(dir, &summary); err != nil {
			return &codeError{exitHost, err}
		}
	}
	if r.flags.output == "json" {
		if err := report.JSON(r.stdout, &summary); err != nil {
			return err
		}
	}
	for _, code := range []int{exitInterrupted, exitFault, exitFailed, exitHost} { // what matters most
		if slices.Contains(codes, code) {
			return silent(code)
		}
	}
	return nil
}
