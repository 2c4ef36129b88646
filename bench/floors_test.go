package bench_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/bench"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/topology/netns"
)

var (
	floorsFlag = flag.Bool("floors", false, "measure everything that has a floor, and print how it stands")
	floorsOnly = flag.String("floors.only", "live,labs,simulated,memory", "measure these `parts`")
	floorsJSON = flag.String("floors.json", "", "also write that to this `file`")
	plsimFlag  = flag.String("plsim", "", "the plsim whose quickstart is measured")
)

// rounds is how many runs of a measure there are, each beside one of what it is compared
// with: their median counts.
const rounds = 5

// briefRounds is how many there are of a measure whose runs are over in a fifth of a second,
// too soon to be much like each other.
const briefRounds = 3 * rounds

// TestEveryFloor measures all that has a floor, for some minutes, and prints how it stands.
// It does so when it is told to: make bench-floors. What the tests of every day hold of it,
// with room for a loaded machine, docs/performance.md lists.
func TestEveryFloor(t *testing.T) {
	if !*floorsFlag {
		t.Skip("takes minutes on a machine that does nothing else: make bench-floors")
	}
	netns.RequireSandbox(t)
	var r report
	for _, part := range strings.Split(*floorsOnly, ",") {
		measure := map[string]func(*testing.T, *report){"live": live, "labs": labs, "simulated": simulated, "memory": inMemory}[part]
		if measure == nil {
			t.Fatalf("there is no part %q", part)
		}
		measure(t, &r)
		forget(t)
	}
	if err := r.writeTable(os.Stdout); err != nil {
		t.Error(err)
	}
	if *floorsJSON != "" {
		f, err := os.Create(*floorsJSON)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.writeJSON(f); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, f := range r.Findings {
		if f.Verdict == misses {
			t.Errorf("%s: %.3g %s", f.Measure, f.Value, f.Unit)
		}
	}
}

// live measures the path through a lab beside the kernel's own NAT, and beside haproxy.
func live(t *testing.T, r *report) {
	for _, c := range []struct {
		options bench.Options
		floors  map[string]floor
	}{
		{bench.Options{Rivals: []string{"nft"}, Measures: []string{"tcp1", "tcp4", "udp", "roundtrip"}, Pairs: rounds}, map[string]floor{
			"TCP, 1 stream":          {Floor: 0.75, Goal: 1},
			"TCP, 4 streams":         {Floor: 0.65, Goal: 1},
			"CPU per Gbit, 1 stream": {Floor: 1.6, Goal: 1, Lower: true},
			"UDP, best":              {Floor: 1.5, Goal: 2},
			"UDP, loss < 1 %":        {Floor: 1, Goal: 2},
			"round trip p50":         {Floor: 1.6, Goal: 1.1, Lower: true},
			"round trip p99":         {Floor: 2.2, Goal: 1.3, Lower: true},
		}},
		{bench.Options{Rivals: []string{"nft"}, Measures: []string{"connections"}, Pairs: briefRounds}, map[string]floor{
			"connections": {Floor: 0.9, Goal: 1.2},
		}},
		{bench.Options{Rivals: []string{"haproxy"}, Measures: []string{"tcp1"}, Pairs: rounds}, map[string]floor{
			"TCP, 1 stream": {Floor: 2, Goal: 3},
		}},
		{bench.Options{Rivals: []string{"haproxy"}, Measures: []string{"connections"}, Pairs: briefRounds}, map[string]floor{
			"connections": {Floor: 1.4, Goal: 2},
		}},
	} {
		res, err := bench.Compare(t.Context(), c.options)
		if err != nil {
			t.Fatal(err)
		}
		r.Missing = append(r.Missing, res.Missing...)
		for _, found := range res.Comparisons {
			f, ok := c.floors[found.Measure]
			if !ok {
				continue
			}
			f.Measure, f.Unit = found.Measure, "times "+found.Rival
			var ratios []float64
			for i := range found.Ours {
				ratios = append(ratios, found.Ours[i]/found.Theirs[i])
			}
			r.add(f, ratios...)
		}
	}
}

// labs measures how long labs take that come and go.
func labs(t *testing.T, r *report) {
	var built, ended, told []float64
	for range rounds {
		up, down := instances(100).raise(t)
		built, ended = append(built, up.Seconds()), append(ended, down.Seconds())
	}
	r.add(floor{Measure: "build a lab of 100 instances", Unit: "s", Lower: true, Floor: 5, Goal: 1.5}, built...)
	r.add(floor{Measure: "end it", Unit: "s", Lower: true, Floor: 2, Goal: 0.5}, ended...)
	if *plsimFlag == "" {
		r.miss("quickstart: -plsim does not say which one")
		return
	}
	for range rounds {
		began := time.Now()
		if out, err := exec.CommandContext(t.Context(), *plsimFlag, "run", "../scenarios/quickstart.yaml").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		told = append(told, time.Since(began).Seconds())
	}
	r.add(floor{Measure: "quickstart, from command to verdict", Unit: "s", Lower: true, Floor: 5, Goal: 2}, told...)
}

// simulated measures packets of a simulation.
func simulated(t *testing.T, r *report) {
	for _, flows := range []int{1, 1e4} {
		s := busy.start(t)
		s.callers(t, flows).begin(atOnce)
		var speed []float64
		for range rounds {
			speed = append(speed, 1/s.perPacket(t).Seconds())
		}
		r.add(floor{Measure: fmt.Sprintf("simulate mode, %d flows", flows), Unit: "packets/s", Floor: 500e3, Goal: 2e6}, speed...)
	}
}

// inMemory measures the walk. All of it takes turns, so that a machine that grows slower or
// faster favours nobody; and what the generator takes is not counted.
func inMemory(t *testing.T, r *report) {
	const packets, batch = 200_000, 32
	sizes := []struct {
		flows int
		floor
	}{
		{10_000_000, floor{Measure: "hit, 10 M flows", Floor: 110, Goal: 40}},
		{1_000_000, floor{Measure: "hit, 1 M flows", Floor: 90, Goal: 35}},
		{10_000, floor{Measure: "hit, 10 k flows", Floor: 40, Goal: 20}},
	}
	if free := available(t); free < bytesOf(sizes[0].flows) {
		r.miss("10 M flows: they need %.1f GB of memory, and there are %.1f", bytesOf(sizes[0].flows)/1e9, free/1e9)
		sizes = sizes[1:]
	}
	crowds, senders := make([]*crowd, len(sizes)), make([]*sender, len(sizes))
	for i, size := range sizes {
		c := shapes[0].lab(size.flows).crowd()
		c.stand(t)
		if size.flows == 10_000_000 {
			r.add(floor{Measure: "10 M flows, the whole process", Unit: "GB", Lower: true, Floor: 6, Goal: 2.5}, c.peak/1e9)
		}
		if size.flows == 1_000_000 {
			r.add(floor{Measure: "memory of a flow", Unit: "B", Lower: true, Floor: 512, Goal: 192}, c.perFlow)
		}
		crowds[i], senders[i] = c, c.sender(c.generator(0, c.flows, 80, later).shuffle(), batch)
	}
	for _, s := range senders {
		s.cost(t, packets) // the first run is the slowest, and does not count
	}
	few := crowds[len(sizes)-1]
	one, two := shapes[0].rig(t, few.flows, 1), shapes[0].rig(t, few.flows, 2)

	costs, loaded := make([][]float64, len(sizes)), make([][]float64, len(sizes))
	var first, firstLoaded, ratio, cores []float64
	for range briefRounds {
		var generator float64
		for i, s := range senders {
			generator = s.idle().cost(t, packets)
			cost := s.cost(t, packets) - generator
			costs[i], loaded[i] = append(costs[i], cost), append(loaded[i], cost/float64(loads.measure()))
		}
		if len(sizes) == 3 {
			ratio = append(ratio, senders[0].cost(t, packets)/senders[1].cost(t, packets))
		}
		cost := few.firsts(t, packets/10) - generator
		first, firstLoaded = append(first, cost), append(firstLoaded, cost/float64(loads.measure()))
		cores = append(cores, float64(one.forward(t, 5*packets))/float64(two.forward(t, 5*packets)))
	}
	for i, size := range sizes {
		size.Unit, size.Lower = "ns", true
		r.add(size.floor, costs[i]...).Loads = middle(loaded[i])
	}
	if ratio != nil {
		r.add(floor{Measure: "a hit of 10 M flows", Unit: "times one of 1 M", Lower: true, Floor: 3, Goal: 1.3}, ratio...)
	}
	r.add(floor{Measure: "first packet of a flow", Unit: "ns", Lower: true, Floor: 3000, Goal: 800}, first...).Loads = middle(firstLoaded)
	r.add(floor{Measure: "two workers", Unit: "times one", Floor: 1.6, Goal: 1.9}, cores...)
	r.add(floor{Measure: "allocations of an established packet", Lower: true}, testing.AllocsPerRun(10_000, func() { senders[len(sizes)-1].one() }))
}

// middle returns the median.
func middle(values []float64) float64 { return new(report).add(floor{}, values...).Value }

// cost sends so many packets and returns how long each takes, in nanoseconds.
func (s *sender) cost(tb testing.TB, packets int) float64 {
	began := time.Now()
	for range packets {
		if why := s.one(); why != drop.None {
			tb.Error(why)
			return 0
		}
	}
	return float64(time.Since(began)) / float64(packets)
}

// firsts sends first packets of flows and returns how long each takes.
func (c *crowd) firsts(tb testing.TB, packets int) float64 {
	var took []float64
	for sent := 0; sent < packets; {
		g := c.more(tb, 80) // which is not counted
		took = append(took, c.sender(g, 1).cost(tb, len(g.flows)))
		sent += len(g.flows)
	}
	return middle(took)
}
