package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options say what [Compare] does.
type Options struct {
	Rivals   []string      // by name; default nft and veth
	Measures []string      // by name; default all
	Pairs    int           // of runs, one of each path, for each measure; default 5
	For      time.Duration // how long one run of a throughput takes; default 1 s
	MTU      int           // of both ends of every path; default 9001 (F1.31)
	// NoOffload measures the path on which the forwarder moves every packet itself.
	NoOffload bool
	// Progress is called after each run; nil: nobody is told.
	Progress func(rival, measure string, run, of int)
}

// Result is what a comparison found. Values are of this machine at this minute;
// what can be told to others are the ratios.
type Result struct {
	SchemaVersion int          `json:"schema_version"`
	System        string       `json:"system"`
	CPUs          int          `json:"cpus"`
	MTU           int          `json:"mtu"`
	Pairs         int          `json:"pairs"`
	Offload       bool         `json:"offload"` // whether the kernel forwarded packets of settled flows
	Comparisons   []Comparison `json:"comparisons"`
	// Missing are the paths that cannot be had here, and why.
	Missing []string `json:"missing,omitempty"`
}

// ResultSchemaVersion is raised when the JSON form of a Result changes its meaning.
const ResultSchemaVersion = 1

// Comparison is one measure of the forwarder beside one rival.
type Comparison struct {
	Measure string    `json:"measure"`
	Unit    string    `json:"unit"`
	Lower   bool      `json:"lower_is_better,omitempty"`
	Rival   string    `json:"rival"`
	Ours    []float64 `json:"plsim"` // a value for each pair
	Theirs  []float64 `json:"theirs"`
	// Ratio is the median of the pairs' ratios, ours to theirs.
	Ratio float64 `json:"ratio"`
	Min   float64 `json:"ratio_min"`
	Max   float64 `json:"ratio_max"`
}

// Check says what is wrong with the options.
func (o Options) Check() error { return o.fill() }

// fill fills in defaults.
func (o *Options) fill() error {
	if o.Rivals == nil {
		o.Rivals = []string{"nft", "veth"}
	}
	if o.Measures == nil {
		o.Measures = MeasureNames()
	}
	if err := known("rival", o.Rivals, RivalNames()); err != nil {
		return err
	}
	if err := known("measure", o.Measures, MeasureNames()); err != nil {
		return err
	}
	if o.Pairs < 0 || o.For < 0 {
		return errors.New("pairs of runs, and the time that a run takes, are more than none")
	}
	if o.MTU != 0 && (o.MTU < 576 || o.MTU > 9001) {
		return fmt.Errorf("an MTU of %d is none that instances have: choose from 576 to 9001 (F1.31)", o.MTU)
	}
	if o.Pairs == 0 {
		o.Pairs = 5
	}
	if o.For == 0 {
		o.For = time.Second
	}
	if o.MTU == 0 {
		o.MTU = 9001
	}
	if o.Progress == nil {
		o.Progress = func(string, string, int, int) {}
	}
	return nil
}

// known says which of some names is not one of those that there are.
func known(what string, names, all []string) error {
	for _, n := range names {
		if !slices.Contains(all, n) {
			return fmt.Errorf("there is no %s %q: choose from %s", what, n, strings.Join(all, ", "))
		}
	}
	return nil
}

// Compare measures the forwarder's live path beside its rivals', in adjacent
// pairs of runs. It must be called inside a sandbox, in a program that calls
// [RunTraffic] first. A rival that cannot be had here is named in the result; if
// that is the forwarder itself, it is an error.
func Compare(ctx context.Context, o Options) (res *Result, err error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	res = &Result{
		SchemaVersion: ResultSchemaVersion, System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		MTU: o.MTU, Pairs: o.Pairs,
	}
	name := "plsim"
	if o.NoOffload {
		name = withoutOffload
	}
	ours, err := open(ctx, name, o.MTU)
	if err != nil {
		return nil, err
	}
	res.Offload = ours.offloads
	defer func() { err = errors.Join(err, ours.close()) }()
	for _, rival := range o.Rivals {
		theirs, err := open(ctx, rival, o.MTU)
		var missing *Missing
		if errors.As(err, &missing) {
			res.Missing = append(res.Missing, missing.Error())
			continue
		}
		if err != nil {
			return res, err
		}
		for _, m := range measures {
			switch {
			case err != nil || !slices.Contains(o.Measures, m.name):
			case m.udp && theirs.tcpOnly:
				res.Missing = append(res.Missing, fmt.Sprintf("%s, %s: it forwards TCP only", rival, m.name))
			default:
				var found []Comparison
				found, err = m.compare(ctx, ours, theirs, &o)
				res.Comparisons = append(res.Comparisons, found...)
			}
		}
		if err := errors.Join(err, theirs.close()); err != nil {
			return res, err
		}
	}
	return res, nil
}

// compare runs pairs. Who goes first changes from pair to pair, so that a machine
// that grows slower or faster favours nobody. One run of each goes before and does
// not count: it learns the neighbours' addresses and warms the caches. After each run
// the path must be found to have harmed nothing.
func (m *measure) compare(ctx context.Context, ours, theirs *path, o *Options) ([]Comparison, error) {
	found := make([]Comparison, len(m.values))
	for i, v := range m.values {
		found[i] = Comparison{Measure: v.name, Unit: v.unit, Lower: v.lower, Rival: theirs.name}
	}
	for pair := range o.Pairs + 1 {
		var got [2][]float64
		for turn := range 2 {
			who := (pair + turn) % 2
			p := []*path{ours, theirs}[who]
			var err error
			got[who], err = m.run(ctx, p, o)
			if err == nil {
				err = p.intact(ctx)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			o.Progress(theirs.name, m.name, 2*pair+turn+1, 2*(o.Pairs+1))
		}
		if pair == 0 {
			continue
		}
		for i := range found {
			found[i].Ours = append(found[i].Ours, got[0][i])
			found[i].Theirs = append(found[i].Theirs, got[1][i])
		}
	}
	for i := range found {
		found[i].summarize()
	}
	return found, nil
}

// summarize fills in the ratios.
func (c *Comparison) summarize() {
	ratios := make([]float64, len(c.Ours))
	for i := range ratios {
		ratios[i] = c.Ours[i] / c.Theirs[i]
	}
	c.Ratio, c.Min, c.Max = median(ratios), slices.Min(ratios), slices.Max(ratios)
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
