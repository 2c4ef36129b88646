package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A comparison runs in pairs, turns about, leaves out the first, and takes the
// median of the ratios and not the ratio of the medians.
func TestCompareRunsPairs(t *testing.T) {
	values := map[string][]float64{ // of each path's runs
		"plsim": {99, 1, 40, 9},
		"nft":   {1, 2, 10, 10},
	}
	var order []string
	next := map[string]int{}
	m := measure{
		name: "m", values: []value{{name: "measure", unit: "1/s"}},
		run: func(_ context.Context, p *path, _ *Options) ([]float64, error) {
			order = append(order, p.name)
			v := values[p.name][next[p.name]]
			next[p.name]++
			return []float64{v}, nil
		},
	}
	o := Options{Pairs: 3}
	if err := o.fill(); err != nil {
		t.Fatal(err)
	}
	found, err := m.compare(t.Context(), unharmed("plsim"), unharmed("nft"), &o)
	if err != nil {
		t.Fatal(err)
	}
	c := found[0]
	if c.Ratio != 0.9 || c.Min != 0.5 || c.Max != 4 || c.Rival != "nft" {
		t.Errorf("ratio %v of %v to %v beside %s, want 0.9 of 0.5 to 4 beside nft", c.Ratio, c.Min, c.Max, c.Rival)
	}
	if want := strings.Fields("plsim nft nft plsim plsim nft nft plsim"); !slices.Equal(order, want) {
		t.Errorf("order of runs: %v, want %v", order, want)
	}
}

// counting is a path whose kernels count some segments as wrong, with wrong checksums, and
// as SYNs on connections.
func counting(name string, wrong, checksums, syns int) *path {
	return &path{name: name, exec: func(context.Context, side, string, ...string) (string, error) {
		return fmt.Sprintf("Ip: InHdrErrors\nIp: 0\nIcmp: InCsumErrors\nIcmp: 0\nTcp: InErrs InCsumErrors\nTcp: %d %d\nUdp: InCsumErrors\nUdp: 0\nTcpExt: TCPSYNChallenge\nTcpExt: %d\n", wrong, checksums, syns), nil
	}}
}

func unharmed(name string) *path { return counting(name, 2, 0, 2) }

// A path that spoils packets is not measured.
func TestCompareWantsPacketsUnharmed(t *testing.T) {
	m := measure{name: "m", values: make([]value, 1), run: func(context.Context, *path, *Options) ([]float64, error) {
		return []float64{1}, nil
	}}
	var o Options
	if err := o.fill(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		wrong, checksums, syns int
		want                   string
	}{
		{3, 3, 0, "Tcp.InCsumErrors is 3"},
		{3, 0, 2, "Tcp.InErrs is 1"},
	} {
		_, err := m.compare(t.Context(), unharmed("plsim"), counting("nft", tt.wrong, tt.checksums, tt.syns), &o)
		if want := "m: nft: the client has received spoiled packets: " + tt.want; err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

func TestCompareReportsFailures(t *testing.T) {
	broken := errors.New("broken")
	m := measure{name: "m", values: make([]value, 1), run: func(context.Context, *path, *Options) ([]float64, error) {
		return nil, broken
	}}
	var o Options
	if err := o.fill(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.compare(t.Context(), &path{}, &path{}, &o); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		options Options
		want    string
	}{
		{Options{Rivals: []string{"envoy"}}, `there is no rival "envoy": choose from forwarder, workers, nft, veth, splice, haproxy, nginx, socat`},
		{Options{Rivals: []string{"plsim"}}, `there is no rival "plsim": choose from forwarder, workers, nft, veth, splice, haproxy, nginx, socat`},
		{Options{Measures: []string{"sctp"}}, `there is no measure "sctp": choose from tcp1, tcp4, udp, connections, roundtrip`},
	} {
		if _, err := Compare(t.Context(), tt.options); err == nil || err.Error() != tt.want {
			t.Errorf("Compare says %v, want %s", err, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	c := Comparison{Measure: "TCP", Unit: "Gbit/s", Rival: "nft", Ours: []float64{8}, Theirs: []float64{10}}
	c.summarize()
	r := Result{Comparisons: []Comparison{c}, Missing: []string{"veth: ip is not installed"}, Pairs: 1, MTU: 9001, CPUs: 2, System: "linux/amd64"}
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"TCP", "0.80", "0.80-0.80", "higher", "10 Gbit/s", "left out: veth: ip is not installed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}
