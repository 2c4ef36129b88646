// Command plsim is AWS PrivateLink on one machine, with real packets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/bench"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
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
	netns.BackTables()
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
	cmd, err := root.ExecuteContextC(context.Background())
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
		fmt.Fprintf(stderr, "Try %s --help.\n", cmd.CommandPath())
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
		Example:       "  sudo plsim run quickstart\n  plsim run --mode simulate quickstart\n  plsim init shop.yaml",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noVerb(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cobra.EnableCommandSorting = false // they stand in the order in which they are met
	for _, g := range []struct {
		purpose string
		verbs   []*cobra.Command
	}{
		{"Play scenarios", []*cobra.Command{runCommand(), metricsCommand(), replayCommand()}},
		{"Learn", []*cobra.Command{labCommand()}},
		{"Write scenarios", []*cobra.Command{initCommand(), validateCommand(), schemaCommand(), graphCommand()}},
		{"Labs that stay", []*cobra.Command{upCommand(), applyCommand(), psCommand(), execCommand(), downCommand(), cleanupCommand()}},
		{"Change a lab that is up", []*cobra.Command{serviceCommand(), targetCommand(), sgCommand(), failCommand(), healCommand(), stepCommand()}},
		{"Find out why", []*cobra.Command{explainCommand(), captureCommand(), flowsCommand(), topCommand(), flowlogsCommand()}},
		{"About plsim", []*cobra.Command{doctorCommand(), benchCommand(), manCommand(), versionCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.purpose, Title: g.purpose})
		for _, verb := range g.verbs {
			verb.GroupID = g.purpose
			root.AddCommand(verb)
		}
	}
	root.SetHelpCommand(helpCommand())
	root.SetHelpCommandGroupID("About plsim")
	root.SetCompletionCommandGroupID("About plsim")
	root.InitDefaultCompletionCmd()
	shells, _, _ := root.Find([]string{"completion"}) // it is there now
	describeCompletion(shells)
	root.SetHelpFunc(printHelp)
	root.SetFlagErrorFunc(meantFlag)
	otherNames(root)
	completeValues(root)
	return root
}

// otherNames says what other tools call the verbs, for those who type that.
func otherNames(root *cobra.Command) {
	others := map[string][]string{
		"run": {"test", "play"}, "validate": {"check", "lint"}, "init": {"new", "create"},
		"up": {"deploy", "start", "apply"}, "ps": {"ls", "list", "inspect", "status"}, "down": {"destroy", "stop", "delete", "rm"},
		"exec": {"shell", "ssh", "attach"}, "explain": {"trace", "why", "analyze", "reachability"}, "graph": {"draw", "topology"},
		"flowlogs": {"logs"}, "capture": {"tcpdump", "sniff", "dump"},
	}
	for _, verb := range root.Commands() {
		verb.SuggestFor = others[verb.Name()]
	}
}
