package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/story"
)

// candidates are how many of the flows that had a packet last are asked for: the busiest
// of them are shown.
const candidates = 500

type topFlags struct {
	lab   string
	every time.Duration
	count int
	once  bool
}

func topCommand() *cobra.Command {
	var f topFlags
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the targets, flows and drops of a lab that is up",
		Long: `Top shows what goes on in a lab, again and again: the targets of load balancers with
their health, connections and bytes per second; the busiest flows; and what is dropped,
for which reason. UP is from clients, DOWN to them; seconds are the lab's.

On a terminal it stays until q or ^C. Elsewhere, or with --count or --once, it prints
one snapshot after another.`,
		Example: "  sudo plsim top\n  sudo plsim top --every 5s\n  sudo plsim top --once",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.count < 0 || cmd.Flags().Changed("count") && f.count == 0:
				return &codeError{exitUsage, fmt.Errorf("--count %d shows nothing: give a number from 1 on", f.count)}
			case f.once && f.count > 1:
				return &codeError{exitUsage, errors.New("give either --once or --count")}
			case f.every < 100*time.Millisecond:
				return &codeError{exitUsage, fmt.Errorf("--every %s is too often: 100ms is the least", f.every)}
			}
			return f.show(cmd)
		},
	}
	labFlag(cmd, &f.lab)
	cmd.Flags().DurationVar(&f.every, "every", time.Second, "how often")
	cmd.Flags().IntVarP(&f.count, "count", "n", 0, "print so many snapshots (default: until q or ^C)")
	cmd.Flags().BoolVar(&f.once, "once", false, "print one snapshot")
	return cmd
}

func (f *topFlags) show(cmd *cobra.Command) error {
	l, err := findLab(f.lab)
	if err != nil {
		return err
	}
	var was *live.Activity
	take := func(ctx context.Context, lines int) (string, error) {
		now, err := l.Activity(candidates)
		if err == nil && was == nil && lines == 0 {
			// There are no rates without a while; on a terminal they come with the next.
			was = now
			select {
			case <-ctx.Done():
			case <-time.After(f.every):
			}
			now, err = l.Activity(candidates)
		}
		if err != nil {
			return "", err
		}
		t := newTop(was, now)
		was = now
		return t.text(l.Name, cmp.Or(lines, plainLines)), nil
	}
	w := watching{every: f.every, times: f.count, apart: true, take: take}
	switch {
	case f.once:
		w.times = 1
		return w.print(cmd)
	case f.count > 0:
		return w.print(cmd)
	}
	return w.show(cmd)
}

// top is what has come between two moments.
type top struct {
	was, now *live.Activity
	seconds  float64 // of the lab; 0: there was no moment before
}

func newTop(was, now *live.Activity) *top {
	t := &top{was: was, now: now}
	if was != nil {
		t.seconds = (now.At - was.At).Seconds()
	}
	return t
}

// rate writes how much has come a second.
func (t *top) rate(was, now uint64) string {
	if t.seconds <= 0 {
		return "-"
	}
	return number(uint64(t.per(was, now) + 0.5))
}

// per is how much has come a second. Sums of what changes meanwhile may run back a little.
func (t *top) per(was, now uint64) float64 {
	if now <= was || t.seconds <= 0 {
		return 0
	}
	return float64(now-was) / t.seconds
}

// text shows it in at most so many lines of 80 columns. Flows get the lines that nobody
// else needs.
func (t *top) text(lab string, lines int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "lab %s after %s: %s\n\n", lab, short(t.now.At.Seconds()), t.states())
	const frame = 2 + 1 + 2 + 2 // this, and what is above and between the tables
	left := max(lines-frame-1, 3)
	drops := t.drops(max(1, left/4))
	left -= len(drops)
	targets := t.targets(max(1, left*2/3))
	left -= len(targets)
	for i, table := range [][]string{targets, t.flows(max(1, left)), drops} {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, line := range table {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	return b.String()
}

// states sums up the flows.
func (t *top) states() string {
	n, each := 0, []string{}
	for _, state := range []string{"new", "established", "stream", "closing", "closed", "none", "dropped"} {
		if k := t.now.States[state]; k > 0 {
			n += k
			each = append(each, fmt.Sprintf("%d %s", k, state))
		}
	}
	if n == 0 {
		return "no flow"
	}
	return story.Count(n, "flow") + " (" + strings.Join(each, ", ") + ")"
}

// few keeps the first rows of a table below its head, and says how many there are more.
func few(head string, rows []string, room int) []string {
	if len(rows) > room {
		rows = append(rows[:max(0, room-1)], fmt.Sprintf("and %d more", len(rows)-max(0, room-1)))
	}
	return append([]string{head}, rows...)
}

func (t *top) targets(room int) []string {
	const columns = "%-15s %-20s %-18s %6s %8s %8s"
	type key struct{ group, target string }
	was := map[key]live.TargetActivity{}
	if t.was != nil {
		for _, a := range t.was.Targets {
			was[key{a.TargetGroup, a.Target}] = a
		}
	}
	var rows []string
	for _, a := range t.now.Targets {
		before := was[key{a.TargetGroup, a.Target}]
		rows = append(rows, fmt.Sprintf(columns, clip(a.TargetGroup, 15), clip(a.Target, 20), a.Health, number(uint64(a.Flows)),
			t.rate(before.FromClients.Bytes, a.FromClients.Bytes), t.rate(before.ToClients.Bytes, a.ToClients.Bytes)))
	}
	return few(fmt.Sprintf(columns, "TARGET GROUP", "TARGET", "HEALTH", "CONNS", "UP B/S", "DOWN B/S"), rows, room)
}

func (t *top) flows(room int) []string {
	const columns = "%-5s %-38s %-18s %7s %8s"
	type key struct{ protocol, client, source, destination string }
	of := func(f *live.Flow) key { return key{f.Protocol, f.Client, f.Sent.Source, f.Sent.Destination} }
	was := map[key]live.Flow{}
	if t.was != nil {
		for _, f := range t.was.Recent.Flows {
			was[of(&f)] = f
		}
	}
	// What is new here has either begun since, or slept.
	before := func(f *live.Flow) live.Flow {
		if w, ok := was[of(f)]; ok && w.FromClient.Packets <= f.FromClient.Packets && f.Age > w.Age {
			return w
		} else if f.Age > t.seconds {
			return *f
		}
		return live.Flow{}
	}
	busy := slices.Clone(t.now.Recent.Flows)
	speed := func(f *live.Flow) float64 {
		w := before(f)
		return t.per(w.FromClient.Bytes, f.FromClient.Bytes) + t.per(w.ToClient.Bytes, f.ToClient.Bytes)
	}
	slices.SortStableFunc(busy, func(a, b live.Flow) int { return cmp.Compare(speed(&b), speed(&a)) })
	rows := make([]string, 0, min(room, len(busy)))
	for i := range busy[:min(room, len(busy))] {
		f := &busy[i]
		w := before(f)
		to := f.Target
		if f.Drop != "" {
			to = "dropped"
		}
		rows = append(rows, fmt.Sprintf(columns, f.Protocol, clip(endsText(f.Sent), 38), clip(to, 18),
			t.rate(w.FromClient.Bytes, f.FromClient.Bytes), t.rate(w.ToClient.Bytes, f.ToClient.Bytes)))
	}
	return few(fmt.Sprintf(columns, "PROTO", "BUSIEST FLOWS", "TARGET", "UP B/S", "DOWN B/S"), rows, room)
}

func (t *top) drops(room int) []string {
	const columns = "%-32s %-29s %8s %8s"
	was := map[string]uint64{}
	if t.was != nil {
		for _, d := range t.was.Drops {
			was[d.Reason] = d.Packets
		}
	}
	var rows []string
	for _, d := range t.now.Drops {
		rows = append(rows, fmt.Sprintf(columns, clip(d.Reason, 32), clip(d.Interface, 29), number(d.Packets), t.rate(was[d.Reason], d.Packets)))
	}
	return few(fmt.Sprintf(columns, "DROPPED FOR", "MOSTLY AT", "PACKETS", "NOW/S"), rows, room)
}
