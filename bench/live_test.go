package bench

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

func openPath(t *testing.T, name string) *path {
	t.Helper()
	netns.RequireSandbox(t)
	p, err := open(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// A file crosses the endpoint both ways unharmed: not a byte of it changes, no
// kernel sees a wrong checksum, and superframes arrive as they were sent, so that
// the sum of every segment that a card would cut from them was never computed.
func TestFileCrossesBothWays(t *testing.T) {
	const size, mtu = 256 << 20, 9001 // F1.31
	p := openPath(t, "plsim")
	for _, tt := range []struct {
		name     string
		ask      request
		from, to side
	}{
		{"client to target", request{Upload: size, Seed: 1}, clientSide, serverSide},
		{"target to client", request{Download: size, Seed: 2}, serverSide, clientSide},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := p.both(t)
			a, err := p.ask(t.Context(), tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			if a.Sent == "" || a.Sent != a.Received {
				t.Errorf("SHA-256 of what was sent: %s, and of what was received: %s", a.Sent, a.Received)
			}
			after := p.both(t)
			if err := p.intact(t.Context()); err != nil {
				t.Error(err)
			}
			// The devices count frames: one of 64 KiB is one.
			mean := func(s side, way string) uint64 {
				bytes := after[s]["eth0."+way+"_bytes"] - before[s]["eth0."+way+"_bytes"]
				frames := after[s]["eth0."+way+"_packets"] - before[s]["eth0."+way+"_packets"]
				if bytes < size || frames == 0 {
					t.Fatalf("side %d: %s of %d bytes in %d frames", s, way, bytes, frames)
				}
				return bytes / frames
			}
			if sent, received := mean(tt.from, "tx"), mean(tt.to, "rx"); sent < 2*mtu || received < 2*mtu {
				t.Errorf("frames of %d bytes on average leave the sender and of %d reach the receiver: these are no superframes", sent, received)
			}
		})
	}
}

// Each rival that is installed carries what its client sends, unharmed, or says why it
// cannot.
func TestRivals(t *testing.T) {
	netns.RequireSandbox(t)
	for _, rival := range RivalNames() {
		t.Run(rival, func(t *testing.T) {
			res, err := Compare(t.Context(), Options{
				Rivals: []string{rival}, Measures: []string{"tcp1", "udp", "roundtrip"}, Pairs: 1, For: 40 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Comparisons) == 0 {
				if os.Getenv("PLSIM_PRIVILEGED") == "require" && !slices.Contains([]string{"nginx", "socat"}, rival) {
					t.Fatal(res.Missing)
				}
				t.Skip(res.Missing)
			}
			udp := false
			for _, c := range res.Comparisons {
				udp = udp || strings.HasPrefix(c.Measure, "UDP")
				if !(c.Ratio > 0) || math.IsInf(c.Ratio, 0) {
					t.Errorf("%s is %v times that of %s", c.Measure, c.Ratio, rival)
				}
			}
			if !udp && !slices.Contains(res.Missing, rival+", udp: it forwards TCP only") {
				t.Errorf("UDP was not measured, and %q does not say why", res.Missing)
			}
		})
	}
}

// What could not be had is said, not left out in silence.
func TestMissingProgram(t *testing.T) {
	err := installed("ip-that-nobody-has")
	if err == nil || err.Error() != "ip-that-nobody-has is not installed" {
		t.Errorf("the error is %v", err)
	}
}

// both returns the counters of both sides.
func (p *path) both(t *testing.T) (all [2]map[string]uint64) {
	t.Helper()
	for s := range all {
		var err error
		if all[s], err = p.counters(t.Context(), side(s)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestFloors holds the path to what it must reach beside the kernel's own DNAT
// and SNAT. What else runs on the machine takes more from it than from the
// kernel, since the forwarder is one more that waits for a processor. So the best
// of a few rounds counts, each a median of five adjacent pairs, and where all fall
// short on a machine that others kept busy nothing has been shown.
func TestFloors(t *testing.T) {
	const floor, rounds = 0.6, 6
	if testing.Short() {
		t.Skip("measures for seconds")
	}
	netns.RequireSandbox(t)
	best, busiest := 0.0, busy(t)
	for range rounds {
		res, err := Compare(t.Context(), Options{Rivals: []string{"nft"}, Measures: []string{"tcp1"}, For: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Missing) > 0 {
			if os.Getenv("PLSIM_PRIVILEGED") == "require" {
				t.Fatal(res.Missing)
			}
			t.Skip(res.Missing)
		}
		c := res.Comparisons[0]
		busiest = max(busiest, busy(t))
		t.Logf("%s: %.2f of nft (%.2f to %.2f); others take %.0f %% of the machine", c.Measure, c.Ratio, c.Min, c.Max, 100*busiest)
		if best = max(best, c.Ratio); best >= floor {
			return
		}
	}
	if busiest > 0.2 {
		t.Skipf("%.2f of the kernel's own NAT, but others take %.0f %% of the machine", best, 100*busiest)
	}
	t.Errorf("TCP with one stream reaches %.2f of the kernel's own NAT in the best of %d rounds, and must reach %.2f", best, rounds, floor)
}

// busy returns the share of the machine's time that goes to others, which it
// sees by doing nothing for a moment.
func busy(t *testing.T) float64 {
	t.Helper()
	idle, total := times(t)
	<-time.After(200 * time.Millisecond)
	idle2, total2 := times(t)
	return 1 - float64(idle2-idle)/float64(total2-total)
}

func times(t *testing.T) (idle, total time.Duration) {
	t.Helper()
	idle, total, err := processorTimes()
	if err != nil {
		t.Fatal(err)
	}
	return idle, total
}
