package main

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

// load reads a scenario from a file or, where there is no such file, from those
// that come with plsim.
func load(file string) (*scenario.Loaded, error) {
	l, err := scenario.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		data, ferr := scenarios.FS.ReadFile(strings.TrimSuffix(file, ".yaml") + ".yaml")
		switch {
		case ferr == nil:
			l, err = scenario.LoadBytes(file, data)
		case !strings.Contains(file, "/"):
			err = fmt.Errorf("there is no file %s here, and no scenario of that name comes with plsim: those are %s",
				file, strings.Join(shipped(), ", "))
		}
	}
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	return l, nil
}

// shipped returns the names of the scenarios that come with plsim.
func shipped() []string {
	files, _ := fs.Glob(scenarios.FS, "*.yaml") // the pattern is well-formed
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".yaml")
	}
	return files
}

// oneScenario wants exactly one argument.
func oneScenario(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return fmt.Errorf("plsim %s needs a scenario: a file, - for standard input, or one of %s", cmd.Name(), strings.Join(shipped(), ", "))
	case 1:
		return nil
	default:
		return fmt.Errorf("plsim %s takes one scenario, not %d: %s", cmd.Name(), len(args), strings.Join(args, " "))
	}
}

// completeScenario offers the scenarios that come with plsim beside the files.
func completeScenario(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return shipped(), cobra.ShellCompDirectiveDefault
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
		Long: `Validate checks a scenario without building anything. It reports every mistake at
once, each with its line and column, and ends with exit code 2 if there is one.
FILE is what it is for plsim run. It needs no privilege.`,
		Example:           "  plsim validate scenarios/quickstart.yaml\n  plsim validate quickstart --print-full",
		Args:              oneScenario,
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := load(args[0])
			if err != nil {
				return err
			}
			if full {
				return scenario.Print(cmd.OutOrStdout(), l.Scenario)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %s, %s, %s\n", args[0],
				sim.Count(len(l.Lab.Networks), "VPC"), sim.Count(len(l.Lab.Hosts), "instance"), sim.Count(len(l.Scenario.Steps), "step"))
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
		Long: `Schema prints the JSON Schema of scenario files. Editors with a YAML language
server check and complete a file that names it in its first line:

  # yaml-language-server: $schema=scenario.schema.json`,
		Example: "  plsim schema > scenario.schema.json",
		Args:    cobra.NoArgs,
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
