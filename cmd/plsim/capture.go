package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// lastPackets is how long those who read of a capture have time for the last packets.
const lastPackets = time.Second

type captureFlags struct {
	lab   string
	write string
	daemon.Capture
}

func captureCommand() *cobra.Command {
	var f captureFlags
	cmd := &cobra.Command{
		Use:   "capture [INTERFACE...]",
		Short: "See the packets of a lab that is up, at any interface",
		Long: `Capture shows packets as they pass interfaces of a lab, in a line each as tcpdump does,
with the interface, the direction as that sees it, and where it drops the packet the
reason. With -w it writes pcapng for Wireshark and tcpdump, as packets come.

INTERFACE is an instance (VPC/NAME, or NAME where that is unique), an interface of an
endpoint (vpc_endpoint.NAME.ZONE), a load balancer's node (load_balancer.NAME.ZONE), a
VPC's resolver (vpc.NAME.resolver), or an ID (eni-…). Without one it is every interface
of the lab. A packet is seen at each of them as it looks there: before the translation
where it enters a node, behind it where it leaves.

^C ends it, and so does the lab's end.`,
		Example: `  sudo plsim capture
  sudo plsim capture app vpc_endpoint.api.us-east-1a --filter 'tcp port 80'
  sudo plsim capture -w - | wireshark -k -i -
  sudo plsim capture -w lab.pcapng -c 1000`,
		ValidArgsFunction: completeAll(topology.InterfaceKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Interfaces = args
			if cmd.Flags().Changed("count") && f.Count == 0 {
				return &codeError{exitUsage, errors.New("--count 0 captures nothing: leave it out for a capture without limit")}
			}
			return f.capture(cmd)
		},
	}
	labFlag(cmd, &f.lab)
	cmd.Flags().StringVarP(&f.write, "write", "w", "", "write pcapng to this file; - is standard output")
	cmd.Flags().StringVar(&f.Filter, "filter", "", "only packets that this filter of tcpdump's language takes")
	cmd.Flags().Uint64VarP(&f.Count, "count", "c", 0, "end after this many packets")
	return cmd
}

// capture captures until it ends.
func (f *captureFlags) capture(cmd *cobra.Command) error {
	if err := f.check(cmd.OutOrStdout()); err != nil {
		return &codeError{exitUsage, err}
	}
	l, err := findLab(f.lab)
	if err != nil {
		return err
	}
	packets, pipe, err := os.Pipe()
	if err != nil {
		return &codeError{exitHost, err}
	}
	defer packets.Close()
	ctx, stop := interruptible(cmd)
	defer stop()
	signals := make(chan os.Signal, 2)
	context.AfterFunc(ctx, func() {
		signals <- os.Interrupt
		time.Sleep(lastPackets)
		_ = packets.Close() // whoever reads of ours does not read, so nor do we
	})
	type outcome struct {
		*daemon.Captured
		err error
	}
	ended := make(chan outcome, 1)
	go func() {
		c, err := l.Capture(&f.Capture, pipe, signals)
		ended <- outcome{c, err}
	}()
	shown := make(chan error, 1)
	go func() {
		err := f.show(cmd, l.Name, packets)
		_ = packets.Close()     // so that nobody waits to write any more,
		signals <- os.Interrupt // nor for packets
		shown <- err
	}()
	end := <-ended
	if end.err != nil {
		return f.refused(end.err)
	}
	select {
	case err = <-shown:
	case <-time.After(lastPackets):
	}
	var wrong *fs.PathError
	switch {
	case errors.Is(err, syscall.EPIPE): // and nobody is there to be told
		return nil
	case errors.As(err, &wrong) && wrong.Op == "open":
		return &codeError{exitUsage, err}
	case err != nil:
		return &codeError{exitHost, err}
	}
	if end.Ended {
		fmt.Fprintf(cmd.ErrOrStderr(), "plsim: lab %s has ended\n", l.Name)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s captured, %d dropped by plsim\n", story.Count(int(end.Packets), "packet"), end.Missed)
	return nil
}

// check finds what is wrong before a lab is asked.
func (f *captureFlags) check(out io.Writer) error {
	if _, err := capture.ParseFilter(f.Filter); err != nil {
		return fmt.Errorf("--filter %q: %w", f.Filter, err)
	}
	if f.write == "-" && isTerminal(out) {
		return errors.New("standard output is a terminal, which packets would garble: pipe it into wireshark -k -i - or tcpdump -r -, or leave out -w")
	}
	return nil
}

// refused is the error of a capture that could not be, with what may have been meant.
func (f *captureFlags) refused(err error) error {
	var said *daemon.Error
	if !errors.As(err, &said) || !said.Usage {
		return labError(err)
	}
	for i := range f.Interfaces {
		rest := strings.Join(f.Interfaces[i:], " ")
		if _, wrong := capture.ParseFilter(rest); wrong == nil {
			return &codeError{exitUsage, fmt.Errorf("%w; a filter is given with --filter '%s'", err, rest)}
		}
	}
	return labError(err)
}

// show shows packets as they come, or writes them as they are.
func (f *captureFlags) show(cmd *cobra.Command, lab string, packets io.Reader) (err error) {
	from := bufio.NewReader(packets)
	if _, err := from.Peek(1); err != nil {
		return nil // nothing came: the lab says why
	}
	where := strings.Join(f.Interfaces, ", ")
	if where == "" {
		where = "every interface"
	}
	out := cmd.OutOrStdout()
	if f.write != "" && f.write != "-" {
		file, err := os.Create(f.write)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "plsim: capturing at %s of lab %s; ^C ends it\n", where, lab)
	if f.write != "" {
		_, err := io.Copy(out, from)
		return err
	}
	r, err := capture.NewReader(from)
	if err != nil {
		return err
	}
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		p := rec.Packet()
		if _, err := fmt.Fprintln(out, p.Line(rec.Time)); err != nil {
			return err
		}
	}
}
