package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/story"
)

func downCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down [LAB]",
		Short: "End a lab that is up",
		Long: `Down ends a lab that plsim up has started, with all that runs in it, and waits until
nothing is left. LAB may be left out where only one is up. One that does not answer
is killed.`,
		Example:           "  sudo plsim down\n  sudo plsim down --all",
		Args:              takes(0, 1),
		ValidArgsFunction: completeLab,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return &codeError{exitUsage, errors.New("give either the name of a lab or --all")}
			case all:
				return downAll(cmd)
			}
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			l, err := findLab(name)
			if err != nil {
				return err
			}
			return down(cmd, l)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "end all of your labs")
	return cmd
}

func down(cmd *cobra.Command, l *daemon.Lab) error {
	if err := l.Down(); err != nil {
		return &codeError{exitHost, err}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "lab %s is down\n", l.Name)
	return nil
}

func downAll(cmd *cobra.Command) error {
	labs, err := daemon.List(daemon.Dir())
	if err != nil {
		return &codeError{exitHost, fmt.Errorf("list the labs: %w", err)}
	}
	var errs []error
	for _, l := range labs {
		if l.State != daemon.Dead {
			errs = append(errs, down(cmd, &l))
		}
	}
	return errors.Join(errs...)
}

func cleanupCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "List what dead labs have left behind, and remove it",
		Long: `Cleanup lists the files of labs that have died without an end of their own, such as by
kill -9; with --yes it removes them. Nothing else of a dead lab is on the host: its
namespaces, devices and programs the kernel has ended with it. Labs that are up, and
files without plsim's mark, are left alone.`,
		Example: "  sudo plsim cleanup\n  sudo plsim cleanup --yes",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			labs, err := daemon.List(daemon.Dir())
			if err != nil {
				return &codeError{exitHost, fmt.Errorf("list the labs: %w", err)}
			}
			out, dead := cmd.OutOrStdout(), 0
			var errs []error
			for _, l := range labs {
				if l.State != daemon.Dead {
					continue
				}
				dead++
				fmt.Fprintf(out, "%s: lab %s, dead\n", l.Dir(), l.Name)
				if yes {
					errs = append(errs, l.Remove())
				}
			}
			switch {
			case dead == 0:
				fmt.Fprintln(out, "there is nothing to clean up")
			case !yes:
				fmt.Fprintf(out, "%s; plsim cleanup --yes removes what is listed\n", story.Count(dead, "dead lab"))
			default:
				fmt.Fprintf(out, "%s removed\n", story.Count(dead-count(errs), "dead lab"))
			}
			if err := errors.Join(errs...); err != nil {
				return &codeError{exitHost, err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "remove what is listed")
	return cmd
}

// count returns how many errors there are.
func count(errs []error) (n int) {
	for _, err := range errs {
		if err != nil {
			n++
		}
	}
	return n
}
