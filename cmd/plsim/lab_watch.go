package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/course"
	"github.com/plsim/plsim/sim/live"
)

// watchedFlows is how many flows the page shows where the terminal does not say how long
// it is.
const watchedFlows = 8

// watch shows how far the student has come, and the ways of the packets that the lab has
// seen last, again and again.
func (w *work) watch(cmd *cobra.Command) error {
	if w.Mode == string(simulated) {
		return &codeError{exitUsage, errors.New("--watch shows packets on their way, and a simulated lab has none between two commands")}
	}
	l, err := w.mustRun()
	if err != nil {
		return err
	}
	page := watching{every: time.Second, apart: true, take: func(_ context.Context, lines int) (string, error) {
		f, err := course.OpenFolder(w.Dir) // which plsim lab check changes
		if err != nil {
			return "", &codeError{exitHost, err}
		}
		var b strings.Builder
		now := work{f, w.lab}
		now.printHead(&b)
		now.printCheckpoints(&b, nil)
		limit := watchedFlows
		if lines > 0 {
			limit = max(1, (lines-strings.Count(b.String(), "\n")-2)/2)
		}
		flows, err := l.Flows(&live.Sight{Limit: limit})
		if err != nil {
			return "", err
		}
		printTraces(&b, flows)
		return b.String(), nil
	}}
	return page.show(cmd)
}

// printTraces prints the way of each flow, in two lines: who and when, and through which
// doors.
func printTraces(out io.Writer, all *live.Flows) {
	fmt.Fprintln(out)
	if len(all.Flows) == 0 {
		fmt.Fprintln(out, "No packet is on its way. Send some.")
	}
	for i := range all.Flows {
		f := &all.Flows[i]
		fmt.Fprintf(out, "%s %s, %s, %s ago\n", f.Protocol, endsText(f.Sent), f.State, short(f.Idle))
		doors := []string{f.Client}
		for _, door := range []string{f.Endpoint, f.LoadBalancer, f.NATGateway, f.Target} {
			if door != "" {
				doors = append(doors, door)
			}
		}
		way := strings.Join(doors, " > ")
		if f.Drop != "" {
			way += fmt.Sprintf(" ✗ dropped at %s: %s", f.DropAt, f.Drop)
		}
		fmt.Fprintf(out, "  %s\n", way)
	}
}
