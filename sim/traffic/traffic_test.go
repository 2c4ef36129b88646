package traffic_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/traffic"
)

// arrivals returns all arrivals of a generator, and when it is over.
func arrivals(t *scenario.Traffic, seed uint64) (all []time.Duration, over time.Duration) {
	s := traffic.NewSchedule(t, seed)
	for {
		at, ok := s.Next()
		if !ok {
			return all, at
		}
		all = append(all, at)
	}
}

const ms = time.Millisecond

func TestConstantArrivals(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rate     float64
		count    int
		duration time.Duration
		want     []time.Duration
		over     time.Duration
	}{
		{"for a while", 10, 0, 300 * ms, []time.Duration{0, 100 * ms, 200 * ms}, 300 * ms},
		{"so many", 4, 3, 0, []time.Duration{0, 250 * ms, 500 * ms}, 750 * ms},
		{"so many, if there is time", 4, 3, 400 * ms, []time.Duration{0, 250 * ms}, 400 * ms},
		{"so many, and no longer than that takes", 4, 1, time.Hour, []time.Duration{0}, 250 * ms},
		{"fewer than one a second", 0.5, 2, 0, []time.Duration{0, 2 * time.Second}, 4 * time.Second},
		{"no whole number of nanoseconds", 3, 4, 0, []time.Duration{0, 333333333, 666666667, time.Second}, 1333333333},
	} {
		got, over := arrivals(&scenario.Traffic{Rate: tt.rate, Count: tt.count, Duration: scenario.Duration(tt.duration)}, 1)
		if !slices.Equal(got, tt.want) || over != tt.over {
			t.Errorf("%s: %v, over after %v; want %v, %v", tt.name, got, over, tt.want, tt.over)
		}
	}
	// What is rounded does not add up.
	if all, over := arrivals(&scenario.Traffic{Rate: 3, Count: 3_000_000}, 1); all[2_999_997] != 999_999*time.Second || over != 1_000_000*time.Second {
		t.Errorf("a million seconds later it is %v, and then %v", all[2_999_997], over)
	}
}

// Poisson arrivals have the rate that they are to have, gaps that are as variable as they
// are long, and are the same for the same seed.
func TestPoissonArrivals(t *testing.T) {
	plan := &scenario.Traffic{Rate: 200, Arrivals: scenario.PoissonArrivals, Count: 100_000}
	all, over := arrivals(plan, 7)
	if len(all) != plan.Count || over != all[len(all)-1] || !slices.IsSorted(all) {
		t.Fatalf("%d arrivals, over after %v", len(all), over)
	}
	var sum, squares float64
	for i, at := range all {
		gap := at.Seconds()
		if i > 0 {
			gap -= all[i-1].Seconds()
		}
		sum += gap
		squares += gap * gap
	}
	mean := sum / float64(len(all))
	deviation := math.Sqrt(squares/float64(len(all)) - mean*mean)
	if math.Abs(mean*200-1) > 0.02 || math.Abs(deviation*200-1) > 0.02 {
		t.Errorf("gaps of %v s on average, deviation %v s; want both 0.005", mean, deviation)
	}
	if again, _ := arrivals(plan, 7); !slices.Equal(all, again) {
		t.Error("the same seed gives other arrivals")
	}
	if other, _ := arrivals(plan, 8); slices.Equal(all, other) {
		t.Error("another seed gives the same arrivals")
	}
	plan.Duration, plan.Count = scenario.Duration(time.Second), 0
	if all, over := arrivals(plan, 7); over != time.Second || len(all) < 150 || len(all) > 250 || all[len(all)-1] >= over {
		t.Errorf("%d arrivals in %v, want about 200 in 1 s", len(all), over)
	}
}

// Quantiles are those of the sorted list, a 32nd too long at most.
func TestLatencies(t *testing.T) {
	var none traffic.Latencies
	if none.Quantile(0.5) != 0 || none.Mean() != 0 || none.Min() != 0 || none.Max() != 0 {
		t.Errorf("of none: %v", none)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 10, 10_000} {
		var l traffic.Latencies
		var sum time.Duration
		all := make([]time.Duration, n)
		for i := range all {
			all[i] = time.Duration(random.ExpFloat64() * math.Pow(10, float64(random.IntN(10))))
			l.Add(all[i])
			sum += all[i]
		}
		slices.Sort(all)
		for _, share := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
			want := all[max(int(math.Ceil(share*float64(n)))-1, 0)]
			if got := l.Quantile(share); got < want || got > want+want/32 {
				t.Errorf("%v of %d: %v, want %v", share, n, got, want)
			}
		}
		if l.Count() != uint64(n) || l.Min() != all[0] || l.Max() != all[n-1] || l.Mean() != sum/time.Duration(n) {
			t.Errorf("%d: min %v, max %v, mean %v", n, l.Min(), l.Max(), l.Mean())
		}
	}
	var l traffic.Latencies
	l.Add(-1)
	l.Add(math.MaxInt64)
	if l.Quantile(0.5) != 0 || l.Quantile(1) != math.MaxInt64 {
		t.Errorf("of the extremes: %v and %v", l.Quantile(0.5), l.Quantile(1))
	}
}

// An echo counts once and in time only; what is refused or late is not awaited.
func TestAwaited(t *testing.T) {
	a := traffic.NewAwaited(100 * ms)
	for i := range 5 {
		a.Send(uint64(i), time.Duration(i)*10*ms)
	}
	echo := func(number uint64, now time.Duration, want traffic.Echo, wantTook time.Duration) {
		t.Helper()
		if got, took := a.Echo(number, now); got != want || took != wantTook {
			t.Errorf("echo of %d at %v: %v after %v, want %v after %v", number, now, got, took, want, wantTook)
		}
	}
	echo(1, 50*ms, traffic.First, 40*ms)
	echo(1, 60*ms, traffic.Again, 0)
	echo(9, 60*ms, traffic.Stray, 0)
	if !a.Refused() || a.Waiting() != 3 { // 0, the oldest
		t.Errorf("%d wait", a.Waiting())
	}
	echo(2, 121*ms, traffic.Stray, 0)
	if at, ok := a.Late(); at != 120*ms+1 || !ok { // 2
		t.Errorf("the oldest is late at %v, %v", at, ok)
	}
	if n := a.Lost(121 * ms); n != 1 || a.Waiting() != 2 { // 2
		t.Errorf("%d are lost, %d wait", n, a.Waiting())
	}
	echo(1, 122*ms, traffic.Stray, 0)
	echo(3, 122*ms, traffic.First, 92*ms)
	if at, ok := a.Late(); at != 140*ms+1 || !ok { // 4
		t.Errorf("the oldest is late at %v, %v", at, ok)
	}
	if n := a.Lost(time.Hour); n != 1 || a.Waiting() != 0 || a.Refused() {
		t.Errorf("%d are lost, %d wait", n, a.Waiting())
	}
	if _, ok := a.Late(); ok {
		t.Error("none waits, and yet one will be late")
	}
}

func FuzzNumber(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Add(make([]byte, 64), uint64(1)<<63)
	f.Fuzz(func(t *testing.T, b []byte, number uint64) {
		if _, ok := traffic.Number(b); ok != (len(b) >= 8) {
			t.Fatalf("%d bytes have a number: %v", len(b), ok)
		} else if ok {
			traffic.Datagram(b, number)
			if got, _ := traffic.Number(b); got != number {
				t.Errorf("%d became %d", number, got)
			}
		}
	})
}

func TestPath(t *testing.T) {
	for _, tt := range []struct {
		path string
		size int
		want string
	}{{"/", 0, "/"}, {"/", 10, "/?bytes=10"}, {"/?delay=10ms", 10, "/?delay=10ms&bytes=10"}, {"/a?delay=1s", 0, "/a?delay=1s"}} {
		if got := traffic.Path(&scenario.Traffic{Path: tt.path, Size: tt.size}); got != tt.want {
			t.Errorf("%s with %d bytes: %s, want %s", tt.path, tt.size, got, tt.want)
		}
	}
	if got := traffic.DownPath(1000); got != "/?bytes=1000" {
		t.Errorf("a stream down asks for %s", got)
	}
}
