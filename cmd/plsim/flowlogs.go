package main

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/flowlogs"
)

func flowlogsCommand() *cobra.Command {
	output := format("text")
	var filter flowlogs.Filter
	var follow bool
	cmd := &cobra.Command{
		Use:   "flowlogs FILE|DIR...",
		Short: "Read flow logs and print them as a table",
		Long: `Flowlogs prints the records that plsim run --out kept, or AWS's own files: text,
compressed or not, and Parquet, also in the folders that S3 has them in. Of a
directory it reads all of them. For each record of plsim's own where packets went
no further it says why, and which rule was missing.`,
		Example: "  plsim flowlogs kept\n  plsim flowlogs kept --action REJECT --peer 10.0.1.0/24 --port 443\n  plsim flowlogs kept/flowlogs-full.txt --interface vpc_endpoint.api -o json",
		Args:    takes(1, math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			if follow {
				return followLogs(cmd, args, output, &filter)
			}
			var rows []flowlogs.Row
			for _, path := range args {
				err := flowlogs.Read(path, func(r flowlogs.Row) error {
					if filter.Takes(&r) {
						rows = append(rows, r)
					}
					return nil
				})
				if err != nil {
					return &codeError{exitUsage, err}
				}
			}
			if output == "json" {
				return flowlogs.JSON(cmd.OutOrStdout(), rows)
			}
			if len(rows) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "plsim: no record fits")
				return nil
			}
			flowlogs.Sort(rows)
			flowlogs.Print(cmd.OutOrStdout(), rows)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what a run writes to the file, until interrupted")
	cmd.Flags().VarP(&output, "output", "o", "how to print the records")
	cmd.Flags().StringVar(&filter.Interface, "interface", "", "only records of interfaces with this in their ID or name")
	cmd.Flags().Var((*action)(&filter.Action), "action", "only records of this action")
	cmd.Flags().Var((*peer)(&filter.Peer), "peer", "only records with this address, or one of this block")
	cmd.Flags().Var((*port)(&filter.Port), "port", "only records with this port at either end")
	cmd.Flags().StringVar(&filter.Flow, "flow", "", "only records of the flow with this ID, of a log with every hop")
	return cmd
}

// followLogs prints the records of a readable file, and those that come to it, a line
// each, until it is interrupted.
func followLogs(cmd *cobra.Command, args []string, output format, filter *flowlogs.Filter) error {
	if len(args) > 1 {
		return &codeError{exitUsage, errors.New("plsim flowlogs --follow takes one file, or the directory of one run")}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	lines := flowlogs.NewLines(cmd.OutOrStdout())
	err := flowlogs.Follow(ctx, args[0], func(r flowlogs.Row) error {
		switch {
		case !filter.Takes(&r):
			return nil
		case output == "json":
			return flowlogs.JSONLine(cmd.OutOrStdout(), &r)
		}
		return lines.Print(&r)
	})
	if err != nil {
		return &codeError{exitUsage, err}
	}
	return silent(exitInterrupted)
}

// action is the value of --action.
type action string

func (a *action) String() string { return string(*a) }
func (a *action) Type() string   { return "ACCEPT|REJECT" }

func (a *action) Set(s string) error {
	if s = strings.ToUpper(s); s != "ACCEPT" && s != "REJECT" {
		return errors.New("want ACCEPT or REJECT")
	}
	*a = action(s)
	return nil
}

// peer is the value of --peer.
type peer netip.Prefix

func (p *peer) String() string { return "" }
func (p *peer) Type() string   { return "address|block" }

func (p *peer) Set(s string) error {
	prefix, err := netip.ParsePrefix(s)
	if addr, aerr := netip.ParseAddr(s); aerr == nil {
		prefix, err = addr.Prefix(addr.BitLen())
	}
	if err != nil {
		return errors.New("want an address such as 10.0.1.9 or a block such as 10.0.1.0/24")
	}
	*p = peer(prefix.Masked())
	return nil
}

// port is the value of --port.
type port uint16

func (p *port) String() string { return "" }
func (p *port) Type() string   { return "number" }

func (p *port) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return errors.New("want a port from 1 to 65535")
	}
	*p = port(n)
	return nil
}
