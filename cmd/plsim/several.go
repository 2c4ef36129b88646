package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/story"
)

// severalFlags say how several scenarios are played.
type severalFlags struct {
	filter   filter
	parallel parallel
	failFast bool
}

func (f *severalFlags) register(cmd *cobra.Command) {
	cmd.Flags().Var(&f.filter, "filter", "play only scenarios whose name matches this regular expression")
	cmd.Flags().Var(&f.parallel, "parallel", "how many scenarios are played at a time; what each prints stays together, in order")
	cmd.Flags().BoolVar(&f.failFast, "fail-fast", false, "begin no other scenario when one has failed")
}

// filter is the value of --filter; the zero value matches every scenario.
type filter struct{ *regexp.Regexp }

func (f *filter) Type() string { return "REGEXP" }

func (f *filter) String() string {
	if f.Regexp == nil {
		return ""
	}
	return f.Regexp.String()
}

func (f *filter) Set(s string) (err error) {
	f.Regexp, err = regexp.Compile(s)
	return err
}

// choose returns the scenarios whose names match.
func (f *filter) choose(all []source) ([]source, error) {
	if f.Regexp == nil {
		return all, nil
	}
	var chosen []source
	var names []string
	for _, s := range all {
		if f.MatchString(s.Scenario.Name) {
			chosen = append(chosen, s)
		}
		names = append(names, s.Scenario.Name)
	}
	if len(chosen) == 0 {
		return nil, &codeError{exitUsage, fmt.Errorf("--filter %s matches no scenario; their names are %s", f, strings.Join(names, ", "))}
	}
	return chosen, nil
}

// parallel is the value of --parallel.
type parallel int

// maxParallel is about what one host can bear.
const maxParallel = 64

func (p *parallel) String() string { return strconv.Itoa(int(*p)) }
func (p *parallel) Type() string   { return "number" }

func (p *parallel) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxParallel {
		return fmt.Errorf("want a whole number from 1 to %d", maxParallel)
	}
	*p = parallel(n)
	return nil
}

// part is one of several scenarios, and what it has come to when done is closed.
type part struct {
	source
	turn turn
	res  *story.Result
	err  error
	done chan struct{}
}

// runAll plays several scenarios and sums up. One that cannot be played does not
// keep the others from it.
func (r *runner) runAll(ctx context.Context, all []source, summary *story.Summary) error {
	parts := make([]*part, len(all))
	for i, s := range all {
		parts[i] = &part{source: s, done: make(chan struct{})}
	}
	var begun atomic.Int64
	var stop atomic.Bool
	dirs := r.directories(all)
	for range min(int(r.flags.parallel), len(all)) {
		go func() {
			for i := int(begun.Add(1)) - 1; i < len(parts); i = int(begun.Add(1)) - 1 {
				p := parts[i]
				if ctx.Err() != nil || stop.Load() {
					p.res = r.result(p.source, story.Skipped)
				} else {
					r.runPart(ctx, p, strconv.Itoa(i+1), dirs[i])
				}
				if r.flags.failFast && p.res.Verdict == story.Fail {
					stop.Store(true)
				}
				close(p.done)
			}
		}()
	}
	var codes []int
	for i, p := range parts {
		p.turn.begin(r.progress, i > 0)
		<-p.done
		summary.Add(p.res)
		codes = append(codes, codeOf(p.err))
		if p.res.Error != "" {
			complain(r.stderr, fmt.Errorf("%s: %w", p.file, p.err))
		}
	}
	if ctx.Err() != nil { // be it between two
		codes = append(codes, exitInterrupted)
	}
	r.text.Summary(summary)
	if dir := r.flags.out.dir; dir != "" {
		if err := keepResult(dir, summary); err != nil {
			return &codeError{exitHost, err}
		}
	}
	for _, code := range []int{exitInterrupted, exitFault, exitFailed, exitHost, exitUsage} { // what matters most
		if slices.Contains(codes, code) {
			return silent(code)
		}
	}
	return nil
}

// runPart plays one of several scenarios. That plsim itself fails in it does not keep
// the others from being played.
func (r *runner) runPart(ctx context.Context, p *part, lab, dir string) {
	defer func() {
		if panicked := recover(); panicked != nil {
			p.err = &codeError{exitFault, fmt.Errorf("internal error: %v", panicked)}
			p.res = r.result(p.source, story.Fail)
			p.res.Error = p.err.Error()
		}
	}()
	own := *r
	own.lab = lab
	own.printTo(&p.turn)
	p.res, p.err = own.run(ctx, p.source, dir)
}

// directories returns where to keep the files of each scenario: below that of the run,
// by its name, of which there may be several. They are "" where nothing is to be kept.
func (r *runner) directories(all []source) []string {
	dirs := make([]string, len(all))
	if r.flags.out.dir == "" {
		return dirs
	}
	for i, s := range all {
		dir := filepath.Join(r.flags.out.dir, s.Scenario.Name)
		for n := 2; slices.Contains(dirs, dir); n++ {
			dir = filepath.Join(r.flags.out.dir, fmt.Sprintf("%s-%d", s.Scenario.Name, n))
		}
		dirs[i] = dir
	}
	return dirs
}

// turn holds what a scenario prints until those before it have printed all of theirs.
// From then on it prints at once. It may be used from any goroutine.
type turn struct {
	mu     sync.Mutex
	held   bytes.Buffer
	to     io.Writer // nil before its turn
	spaced bool      // an empty line comes first
}

func (t *turn) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to == nil {
		return t.held.Write(b)
	}
	return t.print(b)
}

// begin prints what was held, and lets the rest through.
func (t *turn) begin(to io.Writer, spaced bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to, t.spaced = to, spaced
	if t.held.Len() > 0 {
		_, _ = t.print(t.held.Bytes()) // as it is for what is printed at once: nobody asks
		t.held = bytes.Buffer{}
	}
}

func (t *turn) print(b []byte) (int, error) {
	if t.spaced {
		t.spaced = false
		if _, err := io.WriteString(t.to, "\n"); err != nil {
			return 0, err
		}
	}
	return t.to.Write(b)
}
