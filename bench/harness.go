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
	Rivals   []string      // of nft and veth; default both
	Measures []string      // by name; default all
	Pairs    int           // of runs, one of each path, for each measure; default 5
	For      time.Duration // how long one run of a throughput takes; default 1 s
	MTU      int           // of both ends of every path; default 9001 (F1.31)
	// Progress is called after each run; nil: nobody is told.
	Progress func(measure, path string)
}

// Result is what a comparison found. Values are of this machine at this minute;
// what can be told to others are the ratios.
type Result struct {
	SchemaVersion int          `json:"schema_version"`
	System        string       `json:"system"`
	CPUs          int          `json:"cpus"`
	MTU           int          `json:"mtu"`
	Pairs         int          `json:"pairs"`
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

// A measure is one kind of run, which may yield several values.
type measure struct {
	name   string
	values []value
	run    func(context.Context, *path, *Options) ([]float64, error)
}

type value struct {
	name, unit string
	lower      bool
}

var measures = []measure{
	{"tcp1", []value{{"TCP, 1 stream", "Gbit/s", false}}, streams(1)},
	{"tcp4", []value{{"TCP, 4 streams", "Gbit/s", false}}, streams(4)},
	{"connections", []value{{"connections", "1/s", false}}, connections},
	{"roundtrip", []value{{"round trip p50", "us", true}, {"round trip p99", "us", true}}, roundTrips},
}

func streams(n int) func(context.Context, *path, *Options) ([]float64, error) {
	return func(ctx context.Context, p *path, o *Options) ([]float64, error) {
		a, err := p.ask(ctx, request{Streams: n, For: o.For})
		if err != nil {
			return nil, err
		}
		return []float64{float64(a.Bytes) * 8 / a.Elapsed.Seconds() / 1e9}, nil
	}
}

const (
	connectionsARun = 2000
	roundTripsARun  = 5000
)

func connections(ctx context.Context, p *path, _ *Options) ([]float64, error) {
	a, err := p.ask(ctx, request{Connections: connectionsARun})
	if err != nil {
		return nil, err
	}
	return []float64{connectionsARun / a.Elapsed.Seconds()}, nil
}

func roundTrips(ctx context.Context, p *path, _ *Options) ([]float64, error) {
	a, err := p.ask(ctx, request{RoundTrips: roundTripsARun})
	if err != nil {
		return nil, err
	}
	return []float64{micros(a.P50), micros(a.P99)}, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// MeasureNames are the names that [Options] may have.
func MeasureNames() []string {
	var names []string
	for _, m := range measures {
		names = append(names, m.name)
	}
	return names
}

func (o *Options) fill() error {
	if o.Rivals == nil {
		o.Rivals = []string{"nft", "veth"}
	}
	for _, r := range o.Rivals {
		if r == "plsim" || builders[r] == nil {
			return fmt.Errorf("there is no rival %q: choose from nft and veth", r)
		}
	}
	if o.Measures == nil {
		o.Measures = MeasureNames()
	}
	for _, m := range o.Measures {
		if !slices.Contains(MeasureNames(), m) {
			return fmt.Errorf("there is no measure %q: choose from %s", m, strings.Join(MeasureNames(), ", "))
		}
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
		o.Progress = func(string, string) {}
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
	ours, err := open(ctx, "plsim", o.MTU)
	if err != nil {
		return nil, err
	}
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
			if err == nil && slices.Contains(o.Measures, m.name) {
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
// not count: it learns the neighbours' addresses and warms the caches.
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
			if got[who], err = m.run(ctx, p, o); err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			o.Progress(m.name, p.name)
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
