package main

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

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
		Use:   "validate FILE...",
		Short: "Check scenarios and report every mistake in them",
		Long: `Validate checks scenarios without building anything. It reports every mistake at
once, each with its line and column, and ends with exit code 2 if there is one.
FILE is what it is for plsim run. It needs no privilege.`,
		Example:           "  plsim validate scenarios/quickstart.yaml\n  plsim validate quickstart --print-full",
		Args:              someScenarios,
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := loadAll(args)
			if err != nil {
				return err
			}
			for i, l := range all {
				if full {
					if i > 0 {
						fmt.Fprintln(cmd.OutOrStdout(), "---")
					}
					if err := scenario.Print(cmd.OutOrStdout(), l.Scenario); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %s, %s, %s\n", l.file,
					story.Count(len(l.Scenario.VPCs), "VPC"), story.Count(len(l.Lab.Hosts), "instance"), story.Count(len(l.Scenario.Steps), "step"))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&full, "print-full", false, "print the scenarios with everything that plsim filled in")
	return cmd
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [scenario|result]",
		Short: "Print the JSON Schema of scenarios, for editors, or of results",
		Long: `Schema prints the JSON Schema of scenario files. Editors with a YAML language
server check and complete a file that names it in its first line:

  # yaml-language-server: $schema=scenario.schema.json

With the argument result it prints the one of what plsim run -o json prints, of one
scenario and of several.`,
		Example:   "  plsim schema > scenario.schema.json\n  plsim schema result > result.schema.json",
		Args:      cobra.MatchAll(takes(0, 1), onlyValid),
		ValidArgs: []string{"scenario", "result"},
		RunE: func(cmd *cobra.Command, args []string) error {
			schema := scenario.Schema()
			if slices.Contains(args, "result") {
				schema = report.ResultSchema()
			}
			_, err := cmd.OutOrStdout().Write(schema)
			return err
		},
	}
}

// onlyValid wants arguments to be among those that the command knows.
func onlyValid(cmd *cobra.Command, args []string) error {
	for _, arg := range args {
		if !slices.Contains(cmd.ValidArgs, arg) {
			return fmt.Errorf("plsim %s knows no %q: want %s", cmd.Name(), arg, strings.Join(cmd.ValidArgs, " or "))
		}
	}
	return nil
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  takes(0, 0),
		Run: func(cmd *cobra.Command, _ []string) {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
			}
			fmt.Fprintln(cmd.OutOrStdout(), "plsim", version)
		},
	}
}
