package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

// With --keep each lab is one that stays, as of plsim up: the user's process starts it,
// has it play its story, and ends it unless that failed.

// staying is what labs that stay have in common.
type staying struct {
	cmd *cobra.Command

	mu   sync.Mutex
	kept []*daemon.Lab
}

// keepFailed plays scenarios in labs that stay where they fail.
func (f *runFlags) keepFailed(cmd *cobra.Command, args []string, load func() ([]source, error), play playing) (err error) {
	if netns.Nested() {
		return (&stayingLab{log: f.out.log, workers: f.workers, offload: f.offload}).start(cmd)
	}
	wrong := func(err error) error { return &codeError{exitUsage, err} }
	if slices.Contains(args, "-") {
		return wrong(errors.New("--keep reads files, not standard input: what stays up should have a file to look at"))
	}
	all, err := load()
	switch {
	case err != nil:
		return err
	case f.listen != "" && len(all) > 1:
		return wrong(errors.New("--metrics-listen serves the metrics of one lab: with --keep give it one scenario"))
	}
	made, err := f.out.prepare()
	if err != nil {
		return wrong(err)
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	r := newRunner(*f, cmd.OutOrStdout(), cmd.ErrOrStderr())
	r.staying = &staying{cmd: cmd}
	err = play(ctx, r, all)
	if ctx.Err() != nil {
		for _, l := range r.staying.kept {
			err = errors.Join(err, l.Down())
		}
	}
	return errors.Join(err, handOver(made))
}

// runStaying is run with a lab that stays if it fails.
func (r *runner) runStaying(ctx context.Context, s source, dir string) (*story.Result, error) {
	lab, res, err := r.playStaying(ctx, s, dir)
	if err == nil {
		r.text.End(res)
	}
	res, err = r.judge(ctx, s, res, err)
	if lab != nil {
		switch {
		case res.Verdict == story.Pass, ctx.Err() != nil:
			err = errors.Join(err, lab.Down())
		case lab.Gone(0):
		default:
			r.staying.mu.Lock()
			r.staying.kept = append(r.staying.kept, lab)
			r.staying.mu.Unlock()
			fmt.Fprintf(r.progress, "lab %s is left up as it is:\n", lab.Name)
			printWays(r.progress, s.Loaded, lab.Name)
		}
	}
	if kerr := keepResult(dir, res); kerr != nil {
		err = errors.Join(err, &codeError{exitHost, kerr})
	}
	return res, err
}

// playStaying starts a lab and has it play its story. The lab is nil where it could not
// be started.
func (r *runner) playStaying(ctx context.Context, s source, dir string) (*daemon.Lab, *story.Result, error) {
	res := r.result(s, story.Fail)
	if err := missingPrograms(s.Scenario.Requires); err != nil {
		return nil, res, &codeError{exitHost, err}
	}
	r.text.Begin(s.Scenario.Name, s.file, len(s.Scenario.Steps), uint64(r.flags.seed), r.scale(s))
	whole, err := (&outFlags{dir: dir}).whole()
	if err == nil && dir != "" {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return nil, res, &codeError{exitHost, err}
	}
	info := daemon.Info{Name: s.Scenario.Name, File: s.file, Seed: uint64(r.flags.seed), TimeScale: r.scale(s), Out: whole, PID: os.Getpid()}
	start := &stayingLab{
		log: r.flags.out.log, workers: r.flags.workers, offload: r.flags.offload, info: info,
		prepare: func() ([]*os.File, error) { return r.flags.listen.listen(r.stderr) },
	}
	err = start.start(r.staying.cmd)
	for n := 2; ctx.Err() == nil; n++ {
		var taken *daemon.NameError
		if !errors.As(err, &taken) {
			break
		}
		start.info.Name = fmt.Sprintf("%.58s-%d", s.Scenario.Name, n) // a name has 63 letters at most
		err = start.start(r.staying.cmd)
	}
	if err != nil {
		var coded *codeError
		if said := strings.TrimSpace(start.printed()); said != "" && errors.As(err, &coded) {
			err = &codeError{coded.code, errors.New(strings.TrimPrefix(said, "plsim: "))}
		}
		return nil, res, errors.Join(err, start.close(false))
	}
	lab := start.claim.Lab()
	if err := start.close(true); err != nil {
		return lab, res, err
	}
	played, err := lab.Play(ctx, r.text.Step)
	if played == nil {
		played = res
	}
	var said *daemon.Error
	if errors.As(err, &said) && said.NotFound {
		err = &codeError{exitHost, err}
	}
	return lab, played, err
}
