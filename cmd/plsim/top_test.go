package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/plsim/plsim/sim/live"
)

// activity is that of a lab in which there is so much of everything.
func activity(n int, seconds, bytes uint64) *live.Activity {
	a := &live.Activity{At: time.Duration(seconds) * time.Second, States: map[string]int{"established": n}, Recent: new(live.Flows)}
	for i := range n {
		id := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 60))
		up, down := live.Traffic{Packets: 1, Bytes: bytes * uint64(i)}, live.Traffic{Packets: 2, Bytes: 10 * bytes * uint64(i)}
		a.Targets = append(a.Targets, live.TargetActivity{TargetGroup: id, Target: id, Health: "unhealthy.draining", Flows: 1234567, FromClients: up, ToClients: down})
		a.Drops = append(a.Drops, live.DropActivity{Reason: id, Interface: id, Packets: bytes * uint64(i)})
		a.Recent.Flows = append(a.Recent.Flows, live.Flow{
			Protocol: "tcp", Client: id, Target: id, Age: float64(seconds), FromClient: up, ToClient: down,
			Sent: live.Ends{Source: fmt.Sprintf("10.0.0.%d:40000", i), Destination: "10.0.1.1:80"},
		})
	}
	return a
}

// TestTopFits: whatever goes on fits into a terminal, of 80 columns and 24 lines if it
// does not say.
func TestTopFits(t *testing.T) {
	for _, n := range []int{0, 1, 3, 8, 100} {
		for _, lines := range []int{16, 24, 60} {
			text := newTop(activity(n, 10, 1000), activity(n, 12, 3000)).text("quickstart", lines)
			all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if len(all) > lines {
				t.Errorf("%d of everything take %d lines of %d:\n%s", n, len(all), lines, text)
			}
			for _, line := range all {
				if utf8.RuneCountInString(line) > 80 {
					t.Errorf("more than 80 columns: %q", line)
				}
			}
			for _, want := range []string{"TARGET GROUP", "BUSIEST FLOWS", "DROPPED FOR"} {
				if !strings.Contains(text, want) {
					t.Errorf("%d of everything: no %s in\n%s", n, want, text)
				}
			}
		}
	}
}

// TestTopRates: rates are those of the time between, the busiest flows come first, and a
// first look knows of none.
func TestTopRates(t *testing.T) {
	was, now := activity(3, 10, 1000), activity(3, 12, 3000)
	text := newTop(was, now).text("quickstart", 24)
	for _, want := range []string{
		"lab quickstart after 12s: 3 flows (3 established)",
		"unhealthy.draining   1.2M     2.0k      20k\n",
		"tcp   10.0.0.2:40000 > 10.0.1.1:80           2-xxxxxxxxxxxxxxxx    2.0k      20k\ntcp   10.0.0.1:40000 > ",
		"    6.0k     2.0k\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// One that has begun meanwhile is new with all that it has sent.
	fresh := was.Recent.Flows[2]
	fresh.Age, fresh.FromClient.Bytes = 1, 500
	now.Recent.Flows[2] = fresh
	if text := newTop(was, now).text("quickstart", 24); !strings.Contains(text, "2-xxxxxxxxxxxxxxxx     250      10k\n") {
		t.Error(text)
	}
	if text := newTop(nil, now).text("quickstart", 24); !strings.Contains(text, "unhealthy.draining   1.2M        -        -\n") {
		t.Error(text)
	}
}

func TestShortNumbers(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1.0k", 9949: "9.9k", 9951: "10k", 999499: "999k", 999500: "1.0M", 1 << 63: "9.2E"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %s, want %s", n, got, want)
		}
	}
	for s, want := range map[float64]string{0: "0.0s", 9.94: "9.9s", 9.96: "9s", 59.9: "59s", 61: "1m01s", 3661: "1h01m", 432000: "5d00h"} {
		if got := short(s); got != want {
			t.Errorf("short(%g) = %s, want %s", s, got, want)
		}
	}
}
