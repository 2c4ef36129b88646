package bench

import (
	"context"
	"time"
)

// A measure is one kind of run, which may yield several values.
type measure struct {
	name   string
	values []value
	run    func(context.Context, *path, *Options) ([]float64, error)
	udp    bool
}

type value struct {
	name, unit string
	lower      bool
}

var measures = []measure{
	{name: "tcp1", run: streams(1), values: []value{
		{"TCP, 1 stream", "Gbit/s", false}, {"CPU per Gbit, 1 stream", "s", true},
	}},
	{name: "tcp4", run: streams(4), values: []value{
		{"TCP, 4 streams", "Gbit/s", false}, {"CPU per Gbit, 4 streams", "s", true},
	}},
	{name: "udp", run: datagrams, udp: true, values: []value{
		{"UDP, best", "packets/s", false}, {"UDP, loss < 1 %", "packets/s", false},
	}},
	{name: "connections", run: connections, values: []value{
		{"connections", "1/s", false},
	}},
	{name: "roundtrip", run: roundTrips, values: []value{
		{"round trip p50", "us", true}, {"round trip p99", "us", true},
	}},
}

// MeasureNames are the names of measures that [Options] may have.
func MeasureNames() []string {
	var names []string
	for _, m := range measures {
		names = append(names, m.name)
	}
	return names
}

// streams measures how much a number of connections carry, and how much time of all
// processors of the machine a gigabit takes: at the client, in the middle, at the
// server and in the kernel, and whatever else runs.
func streams(n int) func(context.Context, *path, *Options) ([]float64, error) {
	return func(ctx context.Context, p *path, o *Options) ([]float64, error) {
		a, err := p.ask(ctx, request{Streams: n, For: o.For})
		if err != nil {
			return nil, err
		}
		gigabits := float64(a.Bytes) * 8 / 1e9
		return []float64{gigabits / a.Elapsed.Seconds(), a.CPU.Seconds() / gigabits}, nil
	}
}

// datagrams measures how many datagrams of [datagramSize] bytes arrive in a second at
// best, and how many while fewer than one in a hundred is lost.
func datagrams(ctx context.Context, p *path, o *Options) ([]float64, error) {
	a, err := p.ask(ctx, request{Datagrams: true, For: o.For / 4})
	if err != nil {
		return nil, err
	}
	return []float64{a.Best, a.Lossless}, nil
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
