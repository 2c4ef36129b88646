package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/scenario"
)

type applyFlags struct {
	lab    string
	dryRun bool
	output format
}

func applyCommand() *cobra.Command {
	f := applyFlags{output: "text"}
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Make a lab that is up what a changed file describes",
		Long: `Apply compares a scenario with the lab that is up, prints what differs, as terraform
plan would, and changes that. What does not differ lives on: instances, with what runs
in them, and connections. FILE is what it is for plsim run; the lab is that of the
scenario's name, unless --lab names another.

After it the lab is what the file says, whatever plsim sg and the like have changed
since; what has failed (plsim fail) has failed still. What only another one could be is
replaced, as by Terraform. Where something of the file cannot be applied, nothing is.
The steps of the file are not played.`,
		Example:           "  sudo plsim apply lab.yaml --dry-run\n  sudo plsim apply lab.yaml",
		Args:              oneScenario,
		ValidArgsFunction: completeScenario,
		RunE:              func(cmd *cobra.Command, args []string) error { return f.apply(cmd, args[0]) },
	}
	labFlag(cmd, &f.lab)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what differs, and change nothing")
	cmd.Flags().VarP(&f.output, "output", "o", "how to print it")
	return cmd
}

func (f *applyFlags) apply(cmd *cobra.Command, file string) error {
	loaded, err := load(file)
	if err != nil {
		return &codeError{exitUsage, err}
	}
	lab, err := f.find(file, loaded.Scenario)
	if err != nil {
		return err
	}
	if err := missingPrograms(loaded.Scenario.Requires); err != nil {
		return &codeError{exitHost, err}
	}
	changes, err := lab.Apply(&daemon.Edition{File: loaded.Source.File, Text: loaded.Source.Text(), DryRun: f.dryRun})
	if err != nil {
		return labError(err)
	}
	p := report.Plan{Lab: lab.Name, File: file, DryRun: f.dryRun, Changes: changes}
	out := cmd.OutOrStdout()
	if f.output == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(p)
	}
	p.Print(out, isTerminal(out) && os.Getenv("NO_COLOR") == "")
	return nil
}

// find finds the lab that a scenario is applied to.
func (f *applyFlags) find(file string, s *scenario.Scenario) (*daemon.Lab, error) {
	if f.lab != "" {
		return findLab(f.lab)
	}
	labs, err := daemon.List(daemon.Dir())
	if err == nil && !slices.ContainsFunc(labs, func(l daemon.Lab) bool { return l.Name == s.Name }) && len(labs) > 0 {
		var names []string
		for _, l := range labs {
			names = append(names, l.Name)
		}
		return nil, &codeError{exitUsage, fmt.Errorf("%s is about lab %s, and no lab of that name is up: --lab applies it to another (there is %s)", file, s.Name, strings.Join(names, ", "))}
	}
	return findLab(s.Name)
}
