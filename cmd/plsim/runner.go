package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/plsim/plsim/sim"
	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/report"
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
	atEnd func(s source, w *emulate.World) error
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
	colour := isTerminal(to) && os.Getenv("NO_COLOR") == ""
	r.progress, r.text = to, report.NewText(to, colour)
}

// run builds a scenario's lab and plays its story. The result is there also
// beside an error, which has its exit code.
func (r *runner) run(ctx context.Context, s source) (*sim.Result, error) {
	scale := cmp.Or(int(r.flags.scale), s.Scenario.TimeScale, 1)
	k, err := r.keep(s)
	if err != nil {
		err = &live.DeliveryError{Err: err}
		return &sim.Result{SchemaVersion: sim.ResultSchemaVersion, Scenario: s.Scenario.Name, Verdict: sim.Fail, Error: err.Error(), Steps: []sim.StepResult{}}, &codeError{exitHost, err}
	}
	res, err := r.judge(ctx, s, scale, k)
	if kerr := k.close(res); kerr != nil {
		kerr = &live.DeliveryError{Err: kerr}
		err = errors.Join(err, &codeError{exitHost, kerr})
	}
	return res, err
}

// judge plays a scenario's story, and says what came of it.
func (r *runner) judge(ctx context.Context, s source, scale int, k *archive) (*sim.Result, error) {
	res, err := r.play(ctx, s, scale, k)
	res.File, res.Mode, res.Seed, res.TimeScale = s.file, "emulate", uint64(r.flags.seed), scale
	if ctx.Err() != nil {
		err = &codeError{exitInterrupted, errInterrupted}
	}
	if err != nil {
		res.Verdict, res.Error = sim.Fail, err.Error()
		return res, &codeError{codeOf(err), err}
	}
	if res.Verdict != sim.Pass {
		return res, silent(exitFailed)
	}
	return res, nil
}

func (r *runner) play(ctx context.Context, s source, scale int, k *archive) (*sim.Result, error) {
	unplayed := &sim.Result{SchemaVersion: sim.ResultSchemaVersion, Scenario: s.Scenario.Name, Steps: []sim.StepResult{}}
	if err := missingPrograms(s.Scenario.Requires); err != nil {
		return unplayed, &codeError{exitHost, err}
	}
	seed := uint64(r.flags.seed)
	r.text.Begin(s.Scenario.Name, s.file, len(s.Scenario.Steps), seed, scale)
	opts := emulate.Options{Seed: seed, TimeScale: scale}
	if k != nil {
		opts.Logs, opts.CompleteLog = k.logs, r.flags.out.log == fullLog
		opts.Captures = k.capture
	}
	if dir, err := filepath.Abs(filepath.Dir(s.file)); err == nil && s.file != "-" {
		opts.ScenarioDir = dir
	}
	w, err := emulate.Start(ctx, s.Lab, opts)
	if err != nil {
		return unplayed, errors.Join(err, w.Close())
	}
	r.exporter.lab.Store(w)
	defer r.exporter.lab.Store(nil)
	res, err := sim.Play(ctx, s.Scenario, s.Lab, w, r.text.Step)
	if err == nil && r.atEnd != nil {
		err = r.atEnd(s, w)
	}
	if err = errors.Join(err, w.Close()); err == nil {
		r.text.End(res)
	}
	return res, err
}

// runAll plays several scenarios and sums up. One that cannot be played does not
// keep the others from it.
func (r *runner) runAll(ctx context.Context, all []source) error {
	var summary sim.Summary
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
