package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/diagnose"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

type explainFlags struct {
	udp      bool
	after    int
	prove    bool
	minimal  bool
	detailed bool
	output   format
	seed     seed
	mode     mode
	lab      string
}

func explainCommand() *cobra.Command {
	f := explainFlags{output: "text", mode: simulated}
	cmd := &cobra.Command{
		Use:   "explain FROM TO[:PORT] [FILE]",
		Short: "Explain the way of a packet hop by hop, and what mends it",
		Long: `Explain says which way a first packet takes in a lab, and what answers it: hop by hop,
with the rule, route, target and translation that decided. Where it fails it says why,
by the names of plsim and of AWS's Reachability Analyzer, and which changes mend it: it
has made them in a copy of the lab and looked again.

FROM is an instance. TO is an address, a domain name, an instance, vpc_endpoint.NAME,
load_balancer.NAME, or any attribute of theirs such as
vpc_endpoint.api.zonal_dns_name.us-east-1a; without PORT it is a ping. FILE is what it
is for plsim run. The lab is simulated: it needs no privilege. With --mode emulate it
is built in namespaces, and --prove sends the packets of real hosts.

Without FILE it explains the lab that is up, with the edits, faults and health that it
has now. Changes are tried in copies of it; --prove sends packets from the instance.

Exit codes: 1 where the packet does not arrive, or is not answered, or where with
--prove packets do what was not foretold.`,
		Example: `  plsim explain consumer/app vpc_endpoint.api:80 quickstart
  plsim explain consumer/stranger vpc_endpoint.api:80 quickstart \
      --after 2 --detailed
  plsim explain app 10.0.1.4 shop.yaml --prove -o json
  sudo plsim explain app vpc_endpoint.api:80 --lab quickstart --prove`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || len(args) > 3 {
				return fmt.Errorf("plsim explain needs FROM and TO, and a FILE or a lab that is up, as in: plsim explain consumer/app vpc_endpoint.api:80 quickstart; these are %d words", len(args))
			}
			return nil
		},
		ValidArgsFunction: f.complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = seed(rand.Uint64())
			}
			return f.explain(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&f.udp, "udp", false, "ask about a datagram in place of a TCP connection")
	cmd.Flags().IntVar(&f.after, "after", 0, "play the story up to this `STEP` first, by its number from 1")
	cmd.Flags().BoolVar(&f.prove, "prove", false, "send the packets, and fail if they do what was not foretold")
	cmd.Flags().BoolVar(&f.minimal, "minimal", false, "print the verdict alone, and what mends it")
	cmd.Flags().BoolVar(&f.detailed, "detailed", false, "print also the checks in their order, who decided, and translations")
	cmd.Flags().VarP(&f.output, "output", "o", "how to print the explanation")
	cmd.Flags().Var(&f.seed, "seed", "seed of all random choices (default: a new one)")
	cmd.Flags().Var(&f.mode, "mode", "look at FILE's lab simulated, without privilege, or in namespaces")
	labFlag(cmd, &f.lab)
	cmd.MarkFlagsMutuallyExclusive("minimal", "detailed")
	return cmd
}

// explain looks at the lab that is meant, and prints what it sees.
func (f *explainFlags) explain(cmd *cobra.Command, args []string) error {
	ask := diagnose.Question{From: args[0], To: args[1], UDP: f.udp}
	switch {
	case len(args) == 2:
		for _, of := range []string{"after", "seed", "mode"} {
			if cmd.Flags().Changed(of) {
				return &codeError{exitUsage, fmt.Errorf("--%s is for a FILE: a lab that is up is as it is", of)}
			}
		}
		return f.explainLab(cmd, ask)
	case f.lab != "":
		return &codeError{exitUsage, errFileOrLab}
	case f.mode == emulated:
		return f.explainReal(cmd, args[2:], ask)
	}
	s, err := loadAll(args[2:])
	if err == nil {
		err = oneOf(s, args[2])
	}
	if err != nil {
		return err
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	e, err := diagnose.Explain(ctx, s[0].Loaded, ask, diagnose.Options{Seed: uint64(f.seed), After: f.after, Prove: f.prove, Step: tellFailed(cmd)})
	if err := explainError(ctx, err); err != nil {
		return err
	}
	return f.print(cmd, e)
}

// oneOf wants a file to have one scenario.
func oneOf(all []source, file string) error {
	if len(all) != 1 {
		return &codeError{exitUsage, fmt.Errorf("plsim explain takes one scenario; %s has %d", file, len(all))}
	}
	return nil
}

// tellFailed tells of steps on the way that have not passed.
func tellFailed(cmd *cobra.Command) func(story.StepResult) {
	return func(s story.StepResult) {
		if s.Verdict != story.Pass {
			fmt.Fprintf(cmd.ErrOrStderr(), "step %d (%s) of the story: %s\n", s.Number, s.Name, s.Verdict)
		}
	}
}

// explainError is the error of an explanation, with its exit code.
func explainError(ctx context.Context, err error) error {
	var question *diagnose.UsageError
	var mistakes scenario.Mistakes
	var coded *codeError
	switch {
	case errors.As(err, &question):
		return &codeError{exitUsage, question.Err}
	case errors.As(err, &mistakes):
		return &codeError{exitUsage, err}
	case ctx.Err() != nil:
		return &codeError{exitInterrupted, errors.New("interrupted")}
	case err == nil, errors.As(err, &coded):
		return err
	}
	return &codeError{codeOf(err), err}
}

// explainLab explains a lab that is up.
func (f *explainFlags) explainLab(cmd *cobra.Command, ask diagnose.Question) error {
	l, err := labOrFile(f.lab)
	if err != nil {
		return err
	}
	e, err := l.Explain(&daemon.Question{From: ask.From, To: ask.To, UDP: ask.UDP, Prove: f.prove})
	if err != nil {
		return labError(err)
	}
	return f.print(cmd, e)
}

// explainReal explains a scenario's lab that it builds in namespaces.
func (f *explainFlags) explainReal(cmd *cobra.Command, files []string, ask diagnose.Question) error {
	flags := runFlags{mode: emulated, seed: f.seed, output: "json"} // what it says goes to standard error
	one := func(all []source) error { return oneOf(all, files[0]) }
	return flags.stage(cmd, files, one, func(ctx context.Context, r *runner, all []source) error {
		r.printTo(io.Discard)
		e, err := f.inNamespaces(ctx, r, all[0], ask, tellFailed(cmd))
		if err := explainError(ctx, err); err != nil {
			return err
		}
		return f.print(cmd, e)
	})
}

// inNamespaces builds a lab, plays its story as far as is asked for, and explains.
func (f *explainFlags) inNamespaces(ctx context.Context, r *runner, s source, ask diagnose.Question, step func(story.StepResult)) (e *explain.Explanation, err error) {
	w, err := r.start(ctx, s, nil)
	if w != nil {
		defer func() { err = errors.Join(err, w.Close()) }()
	}
	if err != nil {
		return nil, err
	}
	lab := &diagnose.Running{World: w, Loaded: s.Loaded, Real: true, Seed: uint64(f.seed)}
	if err := lab.Play(ctx, f.after, step); err != nil {
		return nil, err
	}
	return lab.Explain(ctx, ask, diagnose.Options{After: f.after, Prove: f.prove})
}

// print prints an explanation. That the packet does not arrive is exit code 1.
func (f *explainFlags) print(cmd *cobra.Command, e *explain.Explanation) (err error) {
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

// complete offers scenarios for FILE. Before it is known it offers the names of the only
// scenario in this directory, or those of the lab that is up.
func (f *explainFlags) complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) >= 2 {
		if len(args) > 2 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completeScenario(nil, args, typed)
	}
	files, err := filepath.Glob("*.yaml")
	if f.lab != "" || err != nil || len(files) != 1 {
		names, directive := completeNames(topology.InstanceKind, topology.DestinationKind)(cmd, args, typed)
		if len(args) == 1 {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return names, directive
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
