package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/replay"
	"github.com/plsim/plsim/topology"
)

type replayFlags struct {
	at     []string
	accept []string
	filter string
	out    string
	output format
	seed   seed
}

func replayCommand() *cobra.Command {
	f := replayFlags{output: "text"}
	cmd := &cobra.Command{
		Use:   "replay [CAPTURE] FILE",
		Short: "Feed captured packets into a lab, and say what becomes of them",
		Long: `Replay feeds the packets that an interface sent in a capture into the lab of a
scenario, at their times, and says where they come out, or why not. CAPTURE is a
pcap or pcapng file, or - for standard input; FILE is what it is for plsim run. The
lab is built as FILE has it, with healthy targets; its story is not played. It needs
no privilege, and no time passes but the packets' own.

What the interface received is not fed but compared: answers come from a capture of
the other side, which --at INTERFACE=CAPTURE adds. All packets at all interfaces, with
the reasons of drops as comments, are written as pcapng.

Exit codes: 1 where addresses of the captures do not match the scenario.`,
		Example: `  plsim replay client.pcap --at consumer/app scenario.yaml
  plsim replay --at consumer/app=client.pcap \
      --at provider/web=server.pcap scenario.yaml
  plsim replay client.pcap --at consumer/app scenario.yaml --out - | tshark -r -`,
		Args:              takes(1, 2),
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = seed(rand.Uint64())
			}
			return runReplay(cmd, args, &f)
		},
	}
	cmd.Flags().StringArrayVar(&f.at, "at", nil, "`INTERFACE[=CAPTURE]` that the capture was taken at, an instance's name; may be given several times")
	cmd.Flags().StringArrayVar(&f.accept, "accept", nil, "accept this `ENDPOINT` before the first packet; may be given several times")
	cmd.Flags().StringVar(&f.filter, "filter", "", "replay only packets that this filter in tcpdump's language wants")
	cmd.Flags().StringVar(&f.out, "out", "", "write the packets to this `FILE`, - for standard output (default: CAPTURE.replay.pcapng in this directory)")
	cmd.Flags().VarP(&f.output, "output", "o", "how to print the result")
	cmd.Flags().Var(&f.seed, "seed", "seed of all random choices (default: a new one, printed)")
	_ = cmd.RegisterFlagCompletionFunc("at", completeInterface) // it fails for unknown flags only
	return cmd
}

func runReplay(cmd *cobra.Command, args []string, f *replayFlags) (err error) {
	scenarioArg, captureArg := args[len(args)-1], ""
	if len(args) == 2 {
		captureArg = args[0]
	}
	usage := func(err error) error { return &codeError{exitUsage, err} }
	if f.out == "-" && f.output == "json" {
		return usage(errors.New("--out - and -o json both want standard output: name a file for one"))
	}
	filter, err := capture.ParseFilter(f.filter)
	if err != nil {
		return usage(fmt.Errorf("--filter: %w", err))
	}
	fromStdin := func(at string) bool { return strings.HasSuffix(at, "=-") }
	if scenarioArg == "-" && (captureArg == "-" || slices.ContainsFunc(f.at, fromStdin)) {
		return usage(errors.New("standard input holds the scenario, or a capture, not both"))
	}
	all, err := loadAll([]string{scenarioArg})
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return usage(fmt.Errorf("plsim replay takes one scenario; %s has %d", scenarioArg, len(all)))
	}
	s := all[0]
	captures, err := replayed(s.Lab, captureArg, f.at)
	if err != nil {
		return usage(err)
	}
	for i := range captures {
		if captures[i].Name == "-" {
			captures[i].Name, captures[i].From = "standard input", cmd.InOrStdin()
			continue
		}
		file, err := os.Open(captures[i].Name)
		if err != nil {
			return usage(err)
		}
		defer file.Close()
		captures[i].From = file
	}
	out, err := f.open(cmd.OutOrStdout(), captures)
	if err != nil {
		return err
	}
	result, err := replay.Run(s.Lab, captures, replay.Options{Seed: uint64(f.seed), Accept: f.accept, Filter: filter, Out: out})
	if result == nil {
		return usage(errors.Join(err, out.discard()))
	}
	var broken *replay.CaptureError
	switch {
	case errors.As(err, &broken):
		err = usage(err)
		if len(result.CameOut)+len(result.Dropped) == 0 {
			return errors.Join(err, out.discard())
		}
	case err != nil:
		err = &codeError{exitHost, err}
	case !result.Fits():
		err = silent(exitFailed)
	}
	if werr := out.close(); werr != nil && err == nil {
		err = &codeError{exitHost, werr}
	}
	result.Scenario, result.File, result.Out = s.Scenario.Name, s.file, out.name
	to := cmd.OutOrStdout()
	if f.output == "json" {
		return errors.Join(err, replay.JSON(to, result))
	}
	if f.out == "-" {
		to = cmd.ErrOrStderr()
	}
	replay.Print(to, result)
	return err
}

// replayed says which captures were taken where: one that is named by itself at each
// interface that names none.
func replayed(lab *topology.Lab, alone string, at []string) ([]replay.Capture, error) {
	var all []replay.Capture
	if len(at) == 0 {
		return nil, fmt.Errorf("say at which interface the packets were captured, with --at INTERFACE: %s", strings.Join(senders(lab), ", "))
	}
	used := map[*topology.NIC]bool{}
	for _, a := range at {
		ref, name, own := strings.Cut(a, "=")
		if !own {
			name = alone
		}
		nic, err := lab.NetworkInterface(ref)
		switch {
		case err != nil:
			return nil, fmt.Errorf("--at %s: %w", a, err)
		case nic.Host == nil:
			return nil, fmt.Errorf("--at %s: nobody's packets begin at %s: name the interface of an instance, which are %s", a, nic.Label, strings.Join(senders(lab), ", "))
		case used[nic]:
			return nil, fmt.Errorf("--at %s: %s is named twice", a, nic.Label)
		case name == "":
			return nil, fmt.Errorf("--at %s: there is no capture: write plsim replay CAPTURE --at %s FILE, or --at %s=CAPTURE", a, ref, ref)
		}
		used[nic] = true
		i := slices.IndexFunc(all, func(c replay.Capture) bool { return c.Name == name })
		if i < 0 {
			i = len(all)
			all = append(all, replay.Capture{Name: name})
		}
		all[i].At = append(all[i].At, nic)
	}
	if alone != "" && !slices.ContainsFunc(all, func(c replay.Capture) bool { return c.Name == alone }) {
		return nil, fmt.Errorf("%s was captured at none of the interfaces: add --at INTERFACE", alone)
	}
	return all, nil
}

// senders are the interfaces at which captures can be replayed.
func senders(lab *topology.Lab) []string {
	var names []string
	for _, h := range lab.Hosts {
		names = append(names, h.Name)
	}
	return names
}

// replayOut is the file of packets that is written.
type replayOut struct {
	*bufio.Writer
	file *os.File // nil: standard output
	name string
}

// open makes the file, which must not be one of the captures.
func (f *replayFlags) open(stdout io.Writer, captures []replay.Capture) (*replayOut, error) {
	if f.out == "-" {
		return &replayOut{Writer: bufio.NewWriter(stdout)}, nil
	}
	name := f.out
	if name == "" {
		base := filepath.Base(captures[0].Name)
		name = strings.TrimSuffix(base, filepath.Ext(base)) + ".replay.pcapng"
	}
	there, err := os.Stat(name)
	for _, c := range captures {
		if from, isFile := c.From.(*os.File); isFile && err == nil {
			if info, err := from.Stat(); err == nil && os.SameFile(info, there) {
				return nil, &codeError{exitUsage, fmt.Errorf("--out %s would overwrite the capture that is replayed: name another file", name)}
			}
		}
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, &codeError{exitHost, err}
	}
	return &replayOut{bufio.NewWriter(file), file, name}, nil
}

func (o *replayOut) close() error {
	err := o.Flush()
	if o.file != nil {
		err = errors.Join(err, o.file.Close())
	}
	return err
}

// discard gives up a file in which nothing is worth keeping. What is no plain file is
// not ours to remove.
func (o *replayOut) discard() error {
	if o.file == nil {
		return nil
	}
	info, err := o.file.Stat()
	if err = errors.Join(err, o.file.Close()); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return os.Remove(o.name)
}

// completeInterface offers the interfaces of the scenario, where the command line has
// it already, and then the captures.
func completeInterface(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(typed, "=") || len(args) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	s, err := load(args[len(args)-1])
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return senders(s.Lab), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
