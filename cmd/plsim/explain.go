package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/diagnose"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

type explainFlags struct {
	udp      bool
	after    int
	prove    bool
	minimal  bool
	detailed bool
	output   format
	seed     seed
}

func explainCommand() *cobra.Command {
	f := explainFlags{output: "text"}
	cmd := &cobra.Command{
		Use:   "explain FROM TO[:PORT] FILE",
		Short: "Explain the way of a packet hop by hop, and what mends it",
		Long: `Explain says which way a first packet takes in a scenario's lab, and what answers it:
hop by hop, with the rule, route, target and translation that decided. Where it fails
it says why, by the names of plsim and of AWS's Reachability Analyzer, and which
changes mend it: it has made them in a copy of the lab and looked again.

FROM is an instance. TO is an address, a domain name, an instance, vpc_endpoint.NAME,
load_balancer.NAME, or any attribute of theirs such as
vpc_endpoint.api.zonal_dns_name.us-east-1a; without PORT it is a ping. FILE is what it
is for plsim run. The lab is simulated: it needs no privilege.

Exit codes: 1 where the packet does not arrive, or is not answered, or where with
--prove packets do what was not foretold.`,
		Example: `  plsim explain consumer/app vpc_endpoint.api:80 quickstart
  plsim explain consumer/stranger vpc_endpoint.api:80 quickstart \
      --after 2 --detailed
  plsim explain app 10.0.1.4 shop.yaml --prove -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 3 {
				return fmt.Errorf("plsim explain needs three words, FROM TO FILE, as in: plsim explain consumer/app vpc_endpoint.api:80 quickstart; these are %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: completeExplain,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = seed(rand.Uint64())
			}
			return runExplain(cmd, args, &f)
		},
	}
	cmd.Flags().BoolVar(&f.udp, "udp", false, "ask about a datagram in place of a TCP connection")
	cmd.Flags().IntVar(&f.after, "after", 0, "play the story up to this `STEP` first, by its number from 1")
	cmd.Flags().BoolVar(&f.prove, "prove", false, "send the packets, and fail if they do what was not foretold")
	cmd.Flags().BoolVar(&f.minimal, "minimal", false, "print the verdict alone, and what mends it")
	cmd.Flags().BoolVar(&f.detailed, "detailed", false, "print also the checks in their order, who decided, and translations")
	cmd.Flags().VarP(&f.output, "output", "o", "how to print the explanation")
	cmd.Flags().Var(&f.seed, "seed", "seed of all random choices (default: a new one)")
	cmd.MarkFlagsMutuallyExclusive("minimal", "detailed")
	return cmd
}

func runExplain(cmd *cobra.Command, args []string, f *explainFlags) error {
	usage := func(err error) error { return &codeError{exitUsage, err} }
	all, err := loadAll(args[2:])
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return usage(fmt.Errorf("plsim explain takes one scenario; %s has %d", args[2], len(all)))
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	e, err := diagnose.Explain(ctx, all[0].Loaded, diagnose.Question{From: args[0], To: args[1], UDP: f.udp}, diagnose.Options{
		Seed: uint64(f.seed), After: f.after, Prove: f.prove,
		Step: func(s story.StepResult) {
			if s.Verdict != story.Pass {
				fmt.Fprintf(cmd.ErrOrStderr(), "step %d (%s) of the story: %s\n", s.Number, s.Name, s.Verdict)
			}
		},
	})
	var question *diagnose.UsageError
	var mistakes scenario.Mistakes
	switch {
	case errors.As(err, &question):
		return usage(question.Err)
	case errors.As(err, &mistakes):
		return usage(err)
	case ctx.Err() != nil:
		return &codeError{exitInterrupted, errors.New("interrupted")}
	case err != nil:
		return &codeError{exitFault, err}
	}
	if f.output == "json" {
		err = explain.JSON(cmd.OutOrStdout(), e)
	} else {
		level := explain.Summary
		switch {
		case f.minimal:
			level = explain.Minimal
		case f.detailed:
			level = explain.Detailed
		}
		explain.Print(cmd.OutOrStdout(), e, level)
	}
	if err == nil && (e.Verdict != explain.Reachable || e.Proof != nil && !e.Proof.Agrees) {
		err = silent(exitFailed)
	}
	return err
}

// completeExplain offers scenarios for FILE. Before it is known it offers the names of
// the only scenario in this directory.
func completeExplain(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) >= 2 {
		if len(args) > 2 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completeScenario(nil, args, typed)
	}
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, err := load(files[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if len(args) == 0 {
		return senders(s.Lab), cobra.ShellCompDirectiveNoFileComp
	}
	names := slices.DeleteFunc(s.Lab.Destinations(), func(n string) bool { return strings.HasSuffix(args[0], n) })
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
