package story

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/traffic"
)

// TrafficResult is what became of a generator's traffic. Its JSON form is part of plsim's
// contract with users.
type TrafficResult struct {
	Succeeded     int              `json:"succeeded"`
	Failed        int              `json:"failed"`
	Missed        int              `json:"missed"` // could not begin, since too many were under way
	Duplicates    int              `json:"duplicates,omitempty"`
	Errors        map[string]int   `json:"errors,omitempty"`  // of Failed, by kind
	Targets       map[string]int   `json:"targets,omitempty"` // of Succeeded, by VPC/NAME
	BytesSent     int64            `json:"bytes_sent"`
	BytesReceived int64            `json:"bytes_received"`
	Duration      time.Duration    `json:"duration_ns"`     // of the lab
	Rate          float64          `json:"rate"`            // of Succeeded, in a second of the lab
	BitsPerSecond int64            `json:"bits_per_second"` // of all bytes, in a second of the lab
	Latency       map[string]int64 `json:"latency_ns,omitempty"`
}

// result sums up a tally.
func (t *Tally) result() *TrafficResult {
	r := &TrafficResult{
		Succeeded: t.Succeeded, Failed: t.Failed, Missed: t.Missed, Duplicates: t.Duplicates,
		Errors: t.Errors, Targets: t.Targets, BytesSent: t.BytesSent, BytesReceived: t.BytesReceived, Duration: t.Took,
	}
	if s := t.Took.Seconds(); s > 0 {
		r.Rate = float64(t.Succeeded) / s
		r.BitsPerSecond = int64(8 * float64(t.BytesSent+t.BytesReceived) / s)
	}
	if l := &t.Latencies; l.Count() > 0 {
		r.Latency = map[string]int64{}
		for name, d := range latencies(l) {
			r.Latency[name] = d.Nanoseconds()
		}
	}
	return r
}

// latencies returns what a scenario can expect of latencies, by its words.
func latencies(l *traffic.Latencies) map[string]time.Duration {
	return map[string]time.Duration{
		"min": l.Min(), "mean": l.Mean(), "p50": l.Quantile(0.5), "p90": l.Quantile(0.9), "p99": l.Quantile(0.99), "max": l.Max(),
	}
}

// traffic starts a generator, and waits for its end unless it is for the background.
func (p *player) traffic(ctx context.Context, t *scenario.Traffic, e *scenario.Expect) (outcome, error) {
	if err := p.world.StartTraffic(ctx, t); err != nil {
		return outcome{}, err
	}
	if t.Background {
		p.generators[t.Name] = t
		return outcome{seen: "begun"}, nil
	}
	return p.trafficOf(ctx, t, false, e)
}

// trafficResult waits for a generator in the background.
func (p *player) trafficResult(ctx context.Context, r *scenario.TrafficResult, e *scenario.Expect) (outcome, error) {
	t := p.generators[r.Traffic]
	if t == nil {
		return outcome{seen: "never begun", differences: []string{"the step that begins traffic " + r.Traffic + " could not be played"}}, nil
	}
	return p.trafficOf(ctx, t, r.Stop, e)
}

// trafficOf waits for a generator and compares.
func (p *player) trafficOf(ctx context.Context, t *scenario.Traffic, stop bool, e *scenario.Expect) (outcome, error) {
	tally, err := p.world.Traffic(ctx, t.Name, stop)
	if err != nil {
		return outcome{}, err
	}
	res := tally.result()
	c := newComparison(e)
	c.noteTraffic(t, tally, res)
	if err := p.counts(c, tally); err != nil {
		return outcome{}, err
	}
	c.match("missed", e.Missed, strconv.Itoa(res.Missed))
	c.match("duplicates", e.Duplicates, strconv.Itoa(res.Duplicates))
	c.match("bytes sent", e.BytesSent, strconv.FormatInt(res.BytesSent, 10))
	c.match("bytes received", e.BytesReceived, strconv.FormatInt(res.BytesReceived, 10))
	c.match("rate", e.Rate, strconv.FormatFloat(res.Rate, 'f', 3, 64))
	c.match("bits per second", e.BitsPerSecond, strconv.FormatInt(res.BitsPerSecond, 10))
	o := c.outcome()
	o.traffic = res
	o, err = p.withWay(o, t.From[0], t.To)
	if o.way != nil {
		o.way.UDP = t.Kind == scenario.UDPTraffic
	}
	return o, err
}

// counts compares what connections and traffic have in common.
func (p *player) counts(c *comparison, t *Tally) error {
	e := c.expect
	if e.Error != nil {
		c.failure(t.First)
	} else if t.First.Kind != "" {
		c.note("first failure: %s", t.First.Detail)
	}
	c.match("succeeded", e.Succeeded, strconv.Itoa(t.Succeeded))
	c.match("failed", e.Failed, strconv.Itoa(t.Failed))
	for _, kind := range sortedKeys(e.Errors) {
		c.match("failed by "+kind, e.Errors[kind], strconv.Itoa(t.Errors[kind]))
	}
	for _, name := range sortedKeys(e.Targets) {
		host, err := p.lab.Instance(name)
		if err != nil {
			return err
		}
		c.match("answers of "+name, e.Targets[name], strconv.Itoa(t.Targets[host.Name]))
	}
	seen := latencies(&t.Latencies)
	for _, name := range sortedKeys(e.Latency) {
		if t.Latencies.Count() == 0 {
			c.differ("latency %s: expected %s, saw none: nothing was answered", name, e.Latency[name])
		} else if ok, why := e.Latency[name].Match(seen[name]); !ok {
			c.differ("latency %s: %s", name, why)
		}
	}
	return nil
}

// noteCounts adds how many were answered, and by whom.
func (c *comparison) noteCounts(t *Tally) {
	c.note("%d answered, %d not", t.Succeeded, t.Failed)
	var targets []string
	for _, name := range sortedKeys(t.Targets) {
		targets = append(targets, fmt.Sprintf("%s %d", name, t.Targets[name]))
	}
	if len(targets) > 0 {
		c.note("%s", strings.Join(targets, ", "))
	}
	if t.Untried > 0 {
		c.note("%d of them not tried, after %d in a row had failed", t.Untried, t.Failed-t.Untried)
	}
	if len(t.Errors) > 1 {
		var kinds []string
		for _, kind := range sortedKeys(t.Errors) {
			kinds = append(kinds, fmt.Sprintf("%s %d", kind, t.Errors[kind]))
		}
		c.note("%s", strings.Join(kinds, ", "))
	}
}

// noteTraffic adds a few words about a generator's traffic.
func (c *comparison) noteTraffic(t *scenario.Traffic, tally *Tally, r *TrafficResult) {
	switch {
	case t.Kind == scenario.BulkTraffic:
		c.note("%s in %s, %s", amount(r.BytesSent+r.BytesReceived, "B"), short(r.Duration), amount(r.BitsPerSecond, "bit/s"))
		if r.Failed > 0 {
			c.noteCounts(tally)
		}
	case t.OneWay:
		c.note("%d sent, %s a second", r.Succeeded, rounded(r.Rate))
		if r.Failed > 0 {
			c.note("%d not", r.Failed)
		}
	default:
		c.noteCounts(tally)
		c.note("%s a second", rounded(r.Rate))
		if l := &tally.Latencies; l.Count() > 0 {
			c.note("half within %s, 99%% within %s", short(l.Quantile(0.5)), short(l.Quantile(0.99)))
		}
	}
	if r.Missed > 0 {
		c.note("%d missed, since %d were under way: raise concurrency, or ask for less", r.Missed, t.Concurrency)
	}
	if r.Duplicates > 0 {
		c.note("%s", Count(r.Duplicates, "duplicate"))
	}
}

// rounded is a number as precise as people want it.
func rounded(f float64) string {
	if f >= 100 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// short is a duration with three digits or so.
func short(d time.Duration) string {
	for unit := time.Nanosecond; unit < time.Second; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
	return d.Round(10 * time.Millisecond).String()
}

// amount is a number with a prefix of its unit: 1.2 MB.
func amount(n int64, unit string) string {
	f, prefix := float64(n), ""
	for _, p := range []string{"k", "M", "G"} {
		if f >= 1000 {
			f, prefix = f/1000, p
		}
	}
	if prefix == "" {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%.1f %s%s", f, prefix, unit)
}
