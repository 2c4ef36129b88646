package story

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// player takes steps.
type player struct {
	lab   *topology.Lab
	world World

	number int       // of the step, from 1
	deeds  deeds     // what has changed the lab
	faults []trouble // that last

	generators map[string]*scenario.Traffic // in the background, by name
}

// pause is how long a step that may be repeated waits between two attempts.
const pause = 50 * time.Millisecond

// step takes one step, again and again while its expectation fails and time is left.
// The error is a fault of the run; what the step saw is in sr.
func (p *player) step(ctx context.Context, raw *scenario.Step, sr *StepResult) error {
	p.number = sr.Number
	began := p.world.Elapsed()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		sr.Attempts++
		step, err := raw.Expand(p.lab)
		var o outcome
		if err == nil {
			sr.Name = step.Title()
			at := p.world.Now()
			if o, err = p.act(ctx, step); o.changed && err == nil {
				p.deeds.add(Deed{at, raw})
			}
		}
		sr.Duration = p.world.Elapsed() - began // without explanations
		var no *refusedError
		switch {
		case errors.As(err, &no):
			// What AWS refuses will not be granted by asking again.
			sr.Verdict, sr.Seen = Fail, refused
			sr.Differences = []string{no.Error()}
			return nil
		case err != nil:
			return fmt.Errorf("step %d (%s): %w", sr.Number, sr.Name, err)
		}
		sr.Seen, sr.Shown, sr.Differences, sr.Traffic = o.seen, o.shown, o.differences, o.traffic
		if len(o.differences) == 0 {
			sr.Verdict = Pass
			return nil
		}
		if sr.Duration+pause < raw.Within.Duration() {
			if err := p.world.Pause(ctx, pause); err != nil {
				return err
			}
			continue
		}
		sr.Verdict = Fail
		if err := p.explain(ctx, o, sr); err != nil {
			return fmt.Errorf("explain step %d (%s): %w", sr.Number, sr.Name, err)
		}
		return nil
	}
}

// explain says of a step that failed which way its packet takes, and what has failed before.
func (p *player) explain(ctx context.Context, o outcome, sr *StepResult) error {
	if o.way != nil {
		way, err := p.world.Explain(ctx, o.from, *o.way, p.deeds.all())
		if err != nil {
			return err
		}
		sr.Explanation, sr.Why, sr.Changes = append(way.Lines, way.Notes...), way.Why, way.Changes
	}
	sr.Explanation = append(sr.Explanation, p.troubles()...)
	return nil
}

// outcome is what an action came to, held against its expectation.
type outcome struct {
	seen        string
	shown       []string
	differences []string
	from        *topology.Host // with way: what to explain
	way         *Destination
	traffic     *TrafficResult // may be nil
	changed     bool           // the lab, or what runs in it
}

// refusedError is an edit that AWS would refuse.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// act does what a step says and compares.
func (p *player) act(ctx context.Context, s *scenario.Step) (outcome, error) {
	e := s.Expect
	if e == nil {
		e = new(scenario.Expect)
	}
	switch {
	case s.Request != nil:
		return p.request(ctx, s.Request, e)
	case s.Connections != nil:
		return p.connections(ctx, s.Connections, e)
	case s.Resolve != nil:
		return p.resolve(ctx, s.Resolve, e)
	case s.Exchange != nil:
		return p.exchange(ctx, s.Exchange, e)
	case s.Ping != nil:
		return p.ping(ctx, s.Ping, e)
	case s.Traffic != nil:
		return p.traffic(ctx, s.Traffic, e)
	case s.TrafficResult != nil:
		return p.trafficResult(ctx, s.TrafficResult, e)
	case s.Received != nil:
		return p.received(ctx, s.Received, e)
	case s.Exec != nil:
		return p.exec(ctx, s.Exec, e)
	case s.Wait != nil:
		return outcome{seen: s.Wait.String() + " passed"}, p.world.Wait(ctx, s.Wait.Duration())
	case s.WaitUntil != nil:
		return p.waitUntil(ctx, s.WaitUntil)
	case s.Fail != nil:
		return p.fail(ctx, s)
	case s.Heal != nil:
		return p.heal(ctx, s)
	case s.ModifyLink != nil:
		return p.modifyLink(s, e)
	case s.RestartForwarder != nil:
		return outcome{seen: "restarted"}, p.world.Restart(s.RestartForwarder.KeepState)
	case s.Describe != nil:
		return p.describe(s.Describe, e)
	case s.TargetHealth != nil:
		return p.targetHealth(s.TargetHealth, e)
	case s.FlowLogs != nil:
		return p.flowLogs(s.FlowLogs, e)
	case s.Drops != nil:
		return p.drops(s.Drops, e)
	case s.Capture != nil:
		return p.capture(s.Capture)
	case s.StopCapture != nil:
		return outcome{seen: "ended"}, p.world.StopCapture(*s.StopCapture)
	case s.Captures != nil:
		return p.captures(s.Captures, e)
	case s.Metrics != nil:
		return p.metrics(s.Metrics, e)
	default:
		return p.edit(s, e)
	}
}

func (p *player) request(ctx context.Context, r *scenario.Request, e *scenario.Expect) (outcome, error) {
	res, err := p.world.Request(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	c.failure(res.Failure)
	if res.Kind == "" {
		c.note("%d", res.Status)
		c.match("status", e.Status, strconv.Itoa(res.Status))
		c.match("body", e.Body, res.Body)
		c.json(e.JSON, res.Body)
		for _, name := range sortedKeys(e.Headers) {
			c.match("header "+name, e.Headers[name], res.Headers.Get(name))
		}
	} else {
		c.missing(e.Status, "status")
		c.missing(e.Body, "body")
		for _, k := range sortedKeys(e.JSON) {
			c.missing(e.JSON[k], "json "+k)
		}
		for _, k := range sortedKeys(e.Headers) {
			c.missing(e.Headers[k], "header "+k)
		}
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return outcome{}, fmt.Errorf("url %q: %w", r.URL, err)
	}
	return p.withWay(c.outcome(), r.From, net.JoinHostPort(u.Hostname(), portOf(u)))
}

// portOf returns the port that a URL means.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// withWay notes which way to explain if the step fails: from an instance to
// HOST:PORT.
func (p *player) withWay(o outcome, from, to string) (outcome, error) {
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		return outcome{}, fmt.Errorf("to %q: %w", to, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if h, herr := p.lab.Instance(from); err == nil && herr == nil {
		o.from, o.way = h, &Destination{Host: host, Port: uint16(n)}
	}
	return o, nil
}

func (p *player) connections(ctx context.Context, r *scenario.Connections, e *scenario.Expect) (outcome, error) {
	res, err := p.world.Connect(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	c.noteCounts(res)
	if err := p.counts(c, res); err != nil {
		return outcome{}, err
	}
	return p.withWay(c.outcome(), r.From, r.To)
}

func (p *player) resolve(ctx context.Context, r *scenario.Resolve, e *scenario.Expect) (outcome, error) {
	res, err := p.world.Resolve(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	c.failure(res.Failure)
	if res.Kind == "" {
		var list []string
		for _, a := range res.Addresses {
			list = append(list, a.String())
		}
		c.note("%s", strings.Join(list, ", "))
		c.match("addresses", e.Addresses, strings.Join(list, ", "))
	} else {
		c.missing(e.Addresses, "addresses")
	}
	return c.outcome(), nil
}

func (p *player) exchange(ctx context.Context, x *scenario.Exchange, e *scenario.Expect) (outcome, error) {
	res, err := p.world.Exchange(ctx, x)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	c.failure(res.Failure)
	if res.Kind == "" {
		c.note("%q", shorten(res.Body, 60))
		c.match("body", e.Body, res.Body)
	} else {
		c.missing(e.Body, "body")
	}
	if x.From == "" {
		return c.outcome(), nil
	}
	o, err := p.withWay(c.outcome(), x.From, x.To)
	if o.way != nil {
		o.way.UDP = x.Protocol == "udp"
	}
	return o, err
}

func (p *player) ping(ctx context.Context, r *scenario.Ping, e *scenario.Expect) (outcome, error) {
	f, err := p.world.Ping(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	c.failure(f)
	if f.Kind == "" {
		c.note("answered")
	}
	return p.withWay(c.outcome(), r.From, net.JoinHostPort(r.To, "0"))
}

func (p *player) received(ctx context.Context, r *scenario.Received, e *scenario.Expect) (outcome, error) {
	res, err := p.world.Received(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	switch what := Count(int(res.Bytes), "byte"); {
	case res.Datagrams > 0:
		c.note("%s in %s", what, Count(int(res.Datagrams), "datagram"))
	default:
		c.note("%s over %s", what, Count(int(res.Connections), "connection"))
	}
	c.match("connections", e.Connections, strconv.FormatInt(res.Connections, 10))
	c.match("datagrams", e.Datagrams, strconv.FormatInt(res.Datagrams, 10))
	c.match("bytes", e.Bytes, strconv.FormatInt(res.Bytes, 10))
	return c.outcome(), nil
}

func (p *player) exec(ctx context.Context, x *scenario.Exec, e *scenario.Expect) (outcome, error) {
	exit, err := p.world.Exec(ctx, x)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	if exit.TimedOut {
		c.note("killed after %s", x.Timeout)
	} else {
		c.note("exit code %d", exit.Code)
	}
	want := e.ExitCode
	if want == nil {
		zero := "0"
		want = &scenario.Matcher{Equals: &zero}
	}
	c.match("exit code", want, strconv.Itoa(exit.Code))
	c.match("stdout", e.Stdout, exit.Stdout)
	c.match("stderr", e.Stderr, exit.Stderr)
	if len(c.differences) > 0 {
		c.printed("stdout", exit.Stdout)
		c.printed("stderr", exit.Stderr)
	}
	return c.outcome(), nil
}
