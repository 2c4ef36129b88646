package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/topology"
)

// completeLab offers the caller's labs.
func completeLab(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if labs, err := daemon.List(daemon.Dir()); err == nil && len(args) == 0 {
		for _, l := range labs {
			names = append(names, l.Name+"\t"+l.State)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeNames offers for each argument parts of the running lab that --lab names, as
// they are: of the first kind for the first argument, and so on. Targets are those of
// the target group before them.
func completeNames(kinds ...topology.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(kinds) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		of := ""
		if len(args) > 0 {
			of = args[len(args)-1]
		}
		return namesOf(cmd, kinds[len(args)], of), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeAll offers parts of one kind for every argument, but none twice.
func completeAll(kind topology.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		names := slices.DeleteFunc(namesOf(cmd, kind, ""), func(n string) bool {
			name, _, _ := strings.Cut(n, "\t")
			return slices.Contains(args, name)
		})
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// namesOf asks the running lab for the names of its parts, as cobra wants them. Where no
// lab answers, there is nothing to offer.
func namesOf(cmd *cobra.Command, kind topology.Kind, of string) (names []string) {
	lab, _ := cmd.Flags().GetString("lab") // "" where there is no such flag
	l, err := findLab(lab)
	if err != nil {
		return nil
	}
	choices, err := l.Choices(kind, of)
	if err != nil {
		return nil
	}
	for _, c := range choices {
		if c.About != "" {
			c.Name += "\t" + c.About
		}
		names = append(names, c.Name)
	}
	return names
}

// completeValues offers the values of flags that take one of a few, as their type says:
// text|json.
func completeValues(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if values := strings.Split(f.Value.Type(), "|"); len(values) > 1 {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // it is there
		}
	})
	for _, below := range cmd.Commands() {
		completeValues(below)
	}
}

// describeCompletion makes cobra's command for the scripts of shells one of ours.
func describeCompletion(c *cobra.Command) {
	c.Use, c.Short = "completion", "Print the completion script for a shell"
	c.Long = `Completion prints a script with which a shell completes plsim's verbs, flags, scenarios
and the parts of the lab that is up: endpoints, targets, zones, links and so on.
make install puts it where the shells look.`
	var shells []string
	for _, shell := range c.Commands() {
		shells = append(shells, shell.Name())
		shell.Short = "Print the completion script for " + shell.Name()
		shell.Args = takes(0, 0)
	}
	c.Example = "  source <(plsim completion bash)\n  plsim completion zsh > \"${fpath[1]}/_plsim\"\n  plsim completion fish > ~/.config/fish/completions/plsim.fish"
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noVerb(c, args[0])
		}
		return fmt.Errorf("plsim completion needs one of %s", strings.Join(shells, ", "))
	}
	c.RunE = func(*cobra.Command, []string) error { return nil }
}
