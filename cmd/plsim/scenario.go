package main

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

// load reads a scenario from a file or, where there is no such file, from those
// that come with plsim.
func load(file string) (*scenario.Loaded, error) {
	l, err := scenario.Load(file)
	if errors.Is(err, fs.ErrNotExist) && !strings.Contains(file, "/") {
		if data, ferr := scenarios.FS.ReadFile(strings.TrimSuffix(file, ".yaml") + ".yaml"); ferr == nil {
			l, err = scenario.LoadBytes(file, data)
		}
	}
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	return l, nil
}

// missingPrograms names the programs that a scenario needs and this host lacks.
func missingPrograms(names []string) error {
	var missing []string
	for _, name := range names {
		if !netns.HasProgram(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the scenario needs %s, which this host lacks: install it and run again", strings.Join(missing, ", "))
}

func validateCommand() *cobra.Command {
	var full bool
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Check a scenario and report every mistake in it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := load(args[0])
			if err != nil {
				return err
			}
			if full {
				return scenario.Print(cmd.OutOrStdout(), l.Scenario)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %s, %s, %s\n", args[0],
				count(len(l.Lab.Networks), "VPC"), count(len(l.Lab.Hosts), "instance"), count(len(l.Scenario.Steps), "step"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&full, "print-full", false, "print the scenario with everything that plsim filled in")
	return cmd
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scenario files, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(scenario.Schema())
			return err
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
			}
			fmt.Fprintln(cmd.OutOrStdout(), "plsim", version)
		},
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
