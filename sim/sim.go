// Package sim plays scenarios in Go programs and tests: simulated, on virtual time,
// without privilege, and the same to the byte for the same seed.
//
//	lab, err := sim.Load("testdata/shop.yaml")
//	…
//	result, err := sim.Run(t.Context(), lab, sim.Options{Seed: 1})
//	…
//	if err := result.Err(); err != nil {
//		t.Error(err) // which steps failed, and the way of their packets
//	}
//
// What a scenario needs of real hosts, the command plsim run plays in namespaces.
package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/diagnose"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// Scenario is a scenario that can be played, any number of times, and by several
// goroutines at once.
type Scenario struct {
	file string
	data []byte
}

// Load reads a scenario from a file. Where it is wrong the error is of type
// [scenario.Mistakes] and holds every mistake with its place.
func Load(file string) (*Scenario, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	return Parse(file, data)
}

// Parse is Load for a scenario in memory; name is the file's in messages.
func Parse(name string, data []byte) (*Scenario, error) {
	if _, err := scenario.LoadBytes(name, data); err != nil {
		return nil, err
	}
	return &Scenario{name, slices.Clone(data)}, nil
}

// Options are what a run can choose. The zero value is good.
type Options struct {
	// Seed makes every random choice.
	Seed uint64
	// SkipReal leaves out the steps that need a real program or TLS. Without it a
	// scenario that has any is refused with a [*NeedsRealHosts].
	SkipReal bool
	// CompleteLog also makes flow log records of the hops of which AWS has none.
	CompleteLog bool
	// Step, which may be nil, is called after each step.
	Step func(Step)
}

// NeedsRealHosts says what of a scenario cannot be simulated.
type NeedsRealHosts struct{ Needs []scenario.Need }

func (e *NeedsRealHosts) Error() string {
	var b strings.Builder
	for _, n := range e.Needs {
		fmt.Fprintln(&b, n.Error())
	}
	return b.String() + story.Count(len(e.Needs), "thing") + " of the scenario cannot be simulated"
}

type (
	// Step is what became of one step.
	Step = story.StepResult
	// Record is a flow log record; Record.Field reads a field by AWS's name.
	Record = flowlog.Record
	// Packet is a captured packet.
	Packet = capture.Packet
	// Metric is a metric of CloudWatch with its points.
	Metric = cloudwatch.Series
)

// Result is what became of a scenario: the verdict of each step, and what the lab had
// seen in the end.
type Result struct {
	*story.Result
	// Records are those of every interface, summed as the flow logs that the scenario has do,
	// by flow log; "" stands for one that logs everything in windows of a minute.
	Records map[string][]Record
	// Captures are the packets of the story's captures, by name.
	Captures map[string][]Packet
	// Metrics are what CloudWatch would have.
	Metrics []Metric
}

// Err returns what failed, step by step and with the way of each step's packet, or nil.
func (r *Result) Err() error {
	if r.Verdict == story.Pass {
		return nil
	}
	var errs []error
	for _, s := range r.Steps {
		if s.Verdict != story.Fail {
			continue
		}
		lines := append([]string{fmt.Sprintf("step %d (%s): %s", s.Number, s.Name, s.Seen)}, s.Differences...)
		errs = append(errs, errors.New(strings.Join(append(lines, s.Explanation...), "\n\t")))
	}
	return errors.Join(errs...)
}

// Run plays a scenario. An error says that it could not be played to its end: the
// scenario needs real hosts, ctx has ended, or plsim is at fault. That a step failed is
// no error, but in the result.
func Run(ctx context.Context, s *Scenario, opts Options) (*Result, error) {
	l, err := scenario.LoadBytes(s.file, s.data) // a run changes its lab
	if err != nil {
		return nil, err
	}
	needs := l.Real()
	if len(needs) > 0 && !opts.SkipReal {
		return nil, &NeedsRealHosts{needs}
	}
	res := &Result{Records: map[string][]Record{}, Captures: map[string][]Packet{}}
	w, err := simulate.Start(ctx, l.Lab, simulate.Options{
		Seed: opts.Seed, TimeScale: l.Scenario.TimeScale, CompleteLog: opts.CompleteLog,
		Captures: func(r live.Recording) error {
			res.Captures[r.Name] = r.Packets
			return nil
		},
	})
	if err == nil {
		res.Result, err = story.Play(ctx, l.Scenario, l.Lab, diagnose.Explained(w, l, false, opts.Seed), scenario.LeftOut(needs), opts.Step)
	}
	if err == nil {
		err = res.collect(w, l.Lab)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	res.File, res.Mode, res.Seed, res.TimeScale = s.file, "simulate", opts.Seed, max(l.Scenario.TimeScale, 1)
	return res, nil
}

// collect reads what the lab has seen.
func (r *Result) collect(w *simulate.World, lab *topology.Lab) (err error) {
	if r.Records[""], err = w.Records(nil); err != nil {
		return err
	}
	for _, log := range lab.FlowLogs {
		all, err := w.Records(log)
		if err != nil {
			return err
		}
		r.Records[log.Name] = slices.DeleteFunc(all, func(rec Record) bool { return !log.Logs(&rec) })
	}
	r.Metrics, err = w.Metrics()
	return err
}
