package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/bench"
	"github.com/plsim/plsim/topology/netns"
)

type benchFlags struct {
	options bench.Options
	offload bool
	output  format
}

func benchCommand() *cobra.Command {
	f := benchFlags{output: "text"}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the forwarding path beside the kernel's NAT and proxies",
		Long: `Bench sends the same traffic through plsim's endpoint and load balancer and through
what else could stand there, each in namespaces of its own, and prints how the two
compare: the median of the ratios of adjacent pairs of runs, and their spread. Single
values are of this machine at this minute, and say nothing elsewhere.

Rivals: nft, the kernel's own DNAT and SNAT; veth, no middle at all; splice, a proxy
in Go that copies within the kernel; haproxy, nginx and socat; and, where they are
asked for, forwarder, plsim whose forwarder moves every packet itself, and workers, the
same with two of them. What is not installed is named and left out. Measures: ` + strings.Join(bench.MeasureNames(), ", ") + `.

Every run checks that no kernel has received a spoiled packet, and every path first
carries some megabytes both ways whose hashes must agree. Bench needs what plsim run
needs; all rivals and measures take some minutes.`,
		Example: "  sudo plsim bench\n  sudo plsim bench --rival nft --rival haproxy \\\n      --measure connections -o json",
		Args:    takes(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.bench(cmd) },
	}
	cmd.Flags().StringSliceVar(&f.options.Rivals, "rival", bench.StrangerNames(), "measure beside these rivals")
	cmd.Flags().StringSliceVar(&f.options.Measures, "measure", bench.MeasureNames(), "measure this")
	cmd.Flags().IntVar(&f.options.Pairs, "pairs", 5, "pairs of runs of each measure and rival; the more, the surer")
	cmd.Flags().DurationVar(&f.options.For, "for", time.Second, "how long a run of a throughput takes")
	cmd.Flags().IntVar(&f.options.MTU, "mtu", 9001, "MTU of both ends of every path")
	registerOffload(cmd, &f.offload)
	cmd.Flags().VarP(&f.output, "output", "o", "how to print the result")
	for flag, names := range map[string]func() []string{"rival": bench.RivalNames, "measure": bench.MeasureNames} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(names(), cobra.ShellCompDirectiveNoFileComp)) // it is there
	}
	return cmd
}

func (f *benchFlags) bench(cmd *cobra.Command) error {
	f.options.NoOffload = !f.offload
	if f.options.Pairs == 0 || f.options.For == 0 || f.options.MTU == 0 { // which to Options is the default
		return &codeError{exitUsage, errors.New("--pairs, --for and --mtu are more than 0")}
	}
	if err := f.options.Check(); err != nil {
		return &codeError{exitUsage, err}
	}
	code, inside, err := netns.Enter()
	switch {
	case err != nil:
		return &codeError{exitHost, err}
	case !inside && (code == 128+int(syscall.SIGTERM) || code == 128+int(syscall.SIGHUP)):
		return silent(exitInterrupted)
	case !inside:
		return silent(code)
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	progress := cmd.ErrOrStderr()
	if isTerminal(progress) {
		f.options.Progress = func(rival, measure string, run, of int) {
			fmt.Fprintf(progress, "\r%-40s", fmt.Sprintf("%s: %s, run %d of %d", rival, measure, run, of))
		}
		defer fmt.Fprintf(progress, "\r%40s\r", "")
	}
	res, err := bench.Compare(ctx, f.options)
	switch {
	case ctx.Err() != nil:
		return &codeError{exitInterrupted, errors.New("interrupted")}
	case err != nil:
		return &codeError{exitHost, err}
	case f.output == "json":
		return res.WriteJSON(cmd.OutOrStdout())
	}
	return res.WriteTable(cmd.OutOrStdout())
}
