// Command plsim is AWS PrivateLink on one machine, with real packets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plsim/plsim/bench"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// The exit codes, part of the contract with users.
const (
	exitOK          = 0   // everything expected held
	exitFailed      = 1   // an expectation failed
	exitUsage       = 2   // the command line or the scenario is wrong
	exitHost        = 3   // this host cannot do it
	exitFault       = 4   // a fault of plsim
	exitInterrupted = 130 // interrupted, after cleaning up
)

const thisIsAFault = "This is a fault of plsim; please report it with the scenario."

func main() {
	bench.RunTraffic() // where plsim bench has started this process as an end of a path
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// codeError is an error that ends plsim with an exit code of its own. A nil err
// prints nothing: all has been said.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// run is plsim with its arguments and streams; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "plsim: internal error: %v\n%s\n", p, thisIsAFault)
			code = exitFault
		}
	}()
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.Background())
	var coded *codeError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		if coded.err != nil {
			complain(stderr, coded.err)
		}
		if coded.code == exitFault {
			fmt.Fprintln(stderr, thisIsAFault)
		}
		return coded.code
	default: // of cobra: the command line is wrong
		complain(stderr, err)
		fmt.Fprintln(stderr, "Try plsim --help.")
		return exitUsage
	}
}

// complain prints an error for people. The mistakes of a scenario begin with
// their place, so that editors and shells can jump there.
func complain(stderr io.Writer, err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range several.Unwrap() {
			complain(stderr, err)
		}
		return
	}
	var mistakes scenario.Mistakes
	if errors.As(err, &mistakes) {
		fmt.Fprintf(stderr, "%splsim: %s in the scenario\n", mistakes.Excerpt(), story.Count(len(mistakes), "mistake"))
		return
	}
	var needs realError
	if errors.As(err, &needs) {
		fmt.Fprint(stderr, needs.places())
	}
	fmt.Fprintf(stderr, "plsim: %v\n", err)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "plsim",
		Short: "AWS PrivateLink on one machine, with real packets",
		Long: `plsim builds consumer and provider VPCs from Linux network namespaces and puts a
userspace endpoint, load balancer and fabric between them, so that PrivateLink can
be tried, tested and taught without an account.

Exit codes: 0 all that was expected held · 1 an expectation failed · 2 the command
line or the scenario is wrong · 3 this host cannot do it · 4 a fault of plsim ·
130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(runCommand(), flowlogsCommand(), metricsCommand(), replayCommand(), graphCommand(), initCommand(), doctorCommand(), validateCommand(), schemaCommand(), versionCommand())
	root.SetFlagErrorFunc(meantFlag)
	root.AddCommand(upCommand(), psCommand(), execCommand(), captureCommand(), flowsCommand(), downCommand(), cleanupCommand())
	root.AddCommand(stepCommand(), serviceCommand(), targetCommand(), sgCommand(), failCommand(), healCommand())
	root.AddCommand(explainCommand(), benchCommand(), labCommand())
	completeValues(root)
	return root
}

// meantFlag adds to the error of an unknown flag which one was most likely meant.
func meantFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if s := topology.Suggest(unknown.GetSpecifiedName(), known); s != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, s)
	}
	return err
}
