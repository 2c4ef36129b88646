package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/topology"
)

// exitNotFound is what shells say of a program that cannot be started.
const exitNotFound = 127

// passedOn are the signals that plsim exec hands on to the program.
var passedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

type execFlags struct {
	lab             string
	terminal, stdin bool
}

func execCommand() *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:   "exec INSTANCE -- COMMAND [ARGUMENT...]",
		Short: "Run a program in an instance of a lab that is up",
		Long: `Exec runs a program of this host in an instance: in its network, with its names and
its environment. Standard input, output and error are the caller's own, signals such
as ^C are handed on, and the exit code is the program's; 127 is that of a program that
could not be started. The program ends with plsim exec, and with the lab.

INSTANCE is VPC/NAME, or NAME where that is unique.`,
		Example: "  sudo plsim exec consumer/app -- curl -s http://api.example.com\n  sudo plsim exec -it app -- bash",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || len(args) == 2 && args[1] == "--" {
				return errors.New("plsim exec needs an instance and a command: plsim exec consumer/app -- ip address")
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault // a program and its files
			}
			return completeNames(topology.InstanceKind)(cmd, args, typed)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			argv := args[1:]
			if argv[0] == "--" {
				argv = argv[1:]
			}
			return f.exec(args[0], argv)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the instance is the program's
	labFlag(cmd, &f.lab)
	cmd.Flags().BoolVarP(&f.terminal, "tty", "t", false, "give the program a terminal of its own, as an interactive shell wants")
	cmd.Flags().BoolVarP(&f.stdin, "interactive", "i", false, "pass on standard input; it always is, and -it is what fingers type")
	return cmd
}

func (f *execFlags) exec(instance string, argv []string) error {
	l, err := findLab(f.lab)
	if err != nil {
		return err
	}
	p := &daemon.Program{Instance: instance, Argv: argv, Env: environment()}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, slices.DeleteFunc(slices.Clone(passedOn), signal.Ignored)...)
	defer signal.Stop(signals)
	files := [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	var code int
	if f.terminal {
		code, err = inTerminal(l, p, signals)
	} else {
		code, err = l.Exec(p, files, signals)
	}
	var said *daemon.Error
	if errors.As(err, &said) && said.NotFound {
		return &codeError{exitNotFound, err}
	}
	if err != nil {
		return labError(err)
	}
	return silent(code)
}

// environment is what of the caller's environment is a matter of the terminal.
func environment() (env []string) {
	for _, name := range []string{"TERM", "COLORTERM", "NO_COLOR", "TZ", "LANG", "LC_ALL", "LC_CTYPE"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, fmt.Sprintf("%s=%s", name, v))
		}
	}
	return env
}
