package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/topology"
)

// flowsSchemaVersion is raised when the JSON form of plsim flows changes its meaning.
const flowsSchemaVersion = 1

// flowList is the JSON form of plsim flows.
type flowList struct {
	SchemaVersion int    `json:"schema_version"`
	Lab           string `json:"lab"`
	*live.Flows
}

type flowsFlags struct {
	lab    string
	output format
	watch  bool
	every  time.Duration
	want   live.Sight
}

func flowsCommand() *cobra.Command {
	f := flowsFlags{output: "text"}
	cmd := &cobra.Command{
		Use:   "flows",
		Short: "List the flows of a lab that is up, from both sides",
		Long: `Flows lists what the forwarder knows of connections, and of datagrams that belong
together: what the client sends and what the target gets of it behind the translation,
by which endpoint and load balancer's node it goes, its state, since when it is, how
long it has been idle, when it is forgotten if it stays so, what it has sent and
received, and where its packets are dropped the reason.

Those that had a packet last come first. Health checks are left out, unless asked for.`,
		Example: `  sudo plsim flows
  sudo plsim flows --instance app --proto tcp
  sudo plsim flows --endpoint api --watch
  sudo plsim flows --dropped -o json`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.want.Limit < 0:
				return &codeError{exitUsage, errors.New("--limit is negative: give a number, or 0 for all")}
			case f.every < 100*time.Millisecond:
				return &codeError{exitUsage, fmt.Errorf("--every %s is too often: 100ms is the least", f.every)}
			}
			return f.show(cmd)
		},
	}
	labFlag(cmd, &f.lab)
	cmd.Flags().VarP(&f.output, "output", "o", "how to print them")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "show them again and again, until q or ^C")
	cmd.Flags().DurationVar(&f.every, "every", time.Second, "how often, with --watch")
	cmd.Flags().StringVar(&f.want.VPC, "vpc", "", "only flows that begin, end or pass an endpoint in this VPC")
	cmd.Flags().StringVar(&f.want.Instance, "instance", "", "only flows of which this instance is the client or the target")
	cmd.Flags().StringVar(&f.want.Endpoint, "endpoint", "", "only flows that come by this endpoint")
	cmd.Flags().StringVar(&f.want.Protocol, "proto", "", "only flows of this protocol: tcp, udp or icmp")
	cmd.Flags().BoolVar(&f.want.Dropped, "dropped", false, "only flows whose packets are dropped")
	cmd.Flags().BoolVar(&f.want.HealthChecks, "health-checks", false, "also load balancers' health checks")
	cmd.Flags().IntVar(&f.want.Limit, "limit", 100, "at most so many; 0: all")
	for flag, kind := range map[string]topology.Kind{"instance": topology.InstanceKind, "endpoint": topology.EndpointKind} {
		_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) { // it is there
			return namesOf(cmd, kind, ""), cobra.ShellCompDirectiveNoFileComp
		})
	}
	_ = cmd.RegisterFlagCompletionFunc("proto", cobra.FixedCompletions([]string{"tcp", "udp", "icmp"}, cobra.ShellCompDirectiveNoFileComp)) // likewise
	return cmd
}

// show shows the flows, once or until it is interrupted.
func (f *flowsFlags) show(cmd *cobra.Command) error {
	l, err := findLab(f.lab)
	if err != nil {
		return err
	}
	take := func(context.Context, int) (string, error) {
		flows, err := l.Flows(&f.want)
		if err != nil {
			return "", err
		}
		var b strings.Builder
		if f.output == "json" {
			enc := json.NewEncoder(&b)
			if !f.watch {
				enc.SetIndent("", "  ")
			}
			err := enc.Encode(flowList{flowsSchemaVersion, l.Name, flows})
			return b.String(), err
		}
		printFlows(&b, flows)
		return b.String(), nil
	}
	w := watching{every: f.every, apart: f.output == "text", take: take}
	if f.watch && f.output == "text" {
		return w.show(cmd)
	}
	if w.times = 1; f.watch {
		w.times = 0
	}
	return w.print(cmd)
}

// printFlows prints flows in blocks that fit into 80 columns, as far as names do.
func printFlows(w io.Writer, all *live.Flows) {
	const columns = "%-6s %-12s %6s %6s %6s  %-20s %s\n"
	fmt.Fprintf(w, columns, "PROTO", "STATE", "AGE", "IDLE", "LEFT", "FROM CLIENT", "TO CLIENT")
	for i := range all.Flows {
		f := &all.Flows[i]
		fmt.Fprintf(w, columns, f.Protocol, f.State, short(f.Age), short(f.Idle), short(f.Left), trafficText(f.FromClient), trafficText(f.ToClient))
		fmt.Fprintf(w, "  %s  %s\n", f.Client, endsText(f.Sent))
		var by []string
		for _, at := range []string{f.Endpoint, f.LoadBalancer, f.NATGateway} {
			if at != "" {
				by = append(by, at)
			}
		}
		if len(by) > 0 {
			fmt.Fprintf(w, "  by %s\n", strings.Join(by, ", "))
		}
		switch {
		case f.Drop != "":
			fmt.Fprintf(w, "  dropped at %s: %s\n", f.DropAt, f.Drop)
		case *f.Received != f.Sent:
			fmt.Fprintf(w, "  to %s  %s\n", f.Target, endsText(*f.Received))
		default:
			fmt.Fprintf(w, "  to %s\n", f.Target)
		}
	}
	switch n := len(all.Flows); {
	case all.More > 0:
		fmt.Fprintf(w, "and %d more: --limit 0 shows all\n", all.More)
	case n == 0:
		fmt.Fprintln(w, "no flow")
	}
}

func endsText(e live.Ends) string { return e.Source + " > " + e.Destination }

func trafficText(t live.Traffic) string {
	packets := "pkts"
	if t.Packets == 1 {
		packets = "pkt"
	}
	return fmt.Sprintf("%s %s, %sB", number(t.Packets), packets, number(t.Bytes))
}

// number writes a number in a few characters: 999, 1.2k, 34M.
func number(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprint(n)
	}
	x, unit := float64(n)/1000, 0
	for x >= 999.5 {
		x, unit = x/1000, unit+1
	}
	if x < 9.95 {
		return fmt.Sprintf("%.1f%c", x, units[unit])
	}
	return fmt.Sprintf("%.0f%c", x, units[unit])
}

// short writes seconds in a few characters: 3.2s, 48s, 5m48s, 2h03m, 5d00h.
func short(seconds float64) string {
	switch s := int64(seconds); {
	case seconds < 9.95:
		return fmt.Sprintf("%.1fs", seconds)
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
	}
}
