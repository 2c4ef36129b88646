package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// Edits of a lab that is up are steps of the scenario language: these verbs write such a
// step, plsim step takes any, and the lab plays it.

// stepFlags are those of every verb that has a lab take a step.
type stepFlags struct {
	lab    string
	output format
}

// stepVerb makes a command whose arguments come to a step.
func stepVerb(cmd *cobra.Command, step func(args []string) (string, error)) *cobra.Command {
	f := &stepFlags{output: "text"}
	labFlag(cmd, &f.lab)
	cmd.Flags().VarP(&f.output, "output", "o", "how to print what came of it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := step(args)
		if err != nil {
			return &codeError{exitUsage, err}
		}
		return f.take(cmd, text)
	}
	return cmd
}

// take has the lab take a step, and prints what came of it.
func (f *stepFlags) take(cmd *cobra.Command, step string) error {
	l, err := findLab(f.lab)
	if err != nil {
		return err
	}
	res, err := l.Take(step)
	if err != nil {
		return labError(err)
	}
	out := cmd.OutOrStdout()
	if f.output == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(res)
	} else {
		terminal := isTerminal(out)
		report.NewText(out, terminal, terminal && os.Getenv("NO_COLOR") == "").Step(*res)
	}
	if err == nil && res.Verdict != story.Pass {
		err = silent(exitFailed)
	}
	return err
}

// write returns a step in JSON, which is YAML.
func write(action string, what any) (string, error) {
	b, err := json.Marshal(map[string]any{action: what})
	return string(b), err
}

func stepCommand() *cobra.Command {
	return stepVerb(&cobra.Command{
		Use:   "step STEP",
		Short: "Take any step of the scenario language",
		Long: `Step has a lab that is up take one step, as it would stand under steps in a scenario:
a request, an edit, a look at flow logs, with what is expected of it. It prints what
plsim run would, and ends with exit code 1 where the expectation fails.`,
		Example: `  sudo plsim step 'request: { from: app, url: "http://10.0.1.6/" }'
  sudo plsim step 'target_health: { target_group_arn: web }'`,
		Args: takes(1, 1), ValidArgsFunction: cobra.NoFileCompletions,
	}, func(args []string) (string, error) {
		if strings.TrimSpace(args[0]) == "" {
			return "", errors.New("an empty step does nothing")
		}
		return args[0], nil
	})
}

// family makes a command that only has others below it.
func family(use, short, long string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noVerb(cmd, args[0])
		}
		var names []string
		for _, c := range below {
			names = append(names, c.Name())
		}
		return fmt.Errorf("plsim %s needs one of %s", use, strings.Join(names, ", "))
	}, RunE: func(*cobra.Command, []string) error { return nil }}
	var examples []string
	for _, c := range below {
		examples = append(examples, c.Example)
	}
	cmd.Example = strings.Join(examples, "\n")
	cmd.AddCommand(below...)
	return cmd
}

func serviceCommand() *cobra.Command {
	verb := func(action, short, example string) *cobra.Command {
		return stepVerb(&cobra.Command{
			Use: action + " ENDPOINT", Short: short, Example: "  " + example,
			Args: takes(1, 1), ValidArgsFunction: completeNames(topology.EndpointKind),
		}, func(args []string) (string, error) { return write(action, args[0]) })
	}
	return family("service", "Accept or reject an endpoint",
		"Service does what the provider of an endpoint service does about a consumer's endpoint.",
		verb("accept", "The provider accepts an endpoint", "sudo plsim service accept api"),
		verb("reject", "The provider rejects an endpoint, accepted or not", "sudo plsim service reject api"))
}

func targetCommand() *cobra.Command {
	verb := func(action, short, example string, targets topology.Kind) *cobra.Command {
		var target struct {
			TargetGroup      string `json:"target_group_arn"`
			TargetID         string `json:"target_id"`
			Port             int    `json:"port,omitempty"`
			AvailabilityZone string `json:"availability_zone,omitempty"`
		}
		cmd := stepVerb(&cobra.Command{
			Use: action + " TARGET-GROUP TARGET", Short: short, Example: "  " + example,
			Args: takes(2, 2), ValidArgsFunction: completeNames(topology.TargetGroupKind, targets),
		}, func(args []string) (string, error) {
			target.TargetGroup, target.TargetID = args[0], args[1]
			return write(action, target)
		})
		cmd.Flags().IntVar(&target.Port, "port", 0, "port of the target (default: the group's)")
		cmd.Flags().StringVar(&target.AvailabilityZone, "availability-zone", "", "of an address outside the group's VPC: all, or a zone")
		return cmd
	}
	return family("target", "Register or deregister a target",
		"Target adds a target, which is an instance or an address, to a target group, or removes it.",
		verb("register", "Add a target to a target group", "sudo plsim target register web web-3", topology.InstanceKind),
		verb("deregister", "Remove a target from a target group; it drains", "sudo plsim target deregister web web-3", topology.TargetKind))
}

func sgCommand() *cobra.Command {
	verb := func(action, short, example string) *cobra.Command {
		var ingress, egress string
		cmd := stepVerb(&cobra.Command{
			Use: action + " SECURITY-GROUP", Short: short, Example: "  " + example,
			Args: takes(1, 1), ValidArgsFunction: completeNames(topology.SecurityGroupKind),
		},
			func(args []string) (string, error) {
				group, err := json.Marshal(args[0])
				switch {
				case err != nil:
					return "", err
				case (ingress == "") == (egress == ""):
					return "", errors.New("give one rule, with --ingress or with --egress: --ingress '{ protocol: tcp, from_port: 80, to_port: 80, cidr_blocks: [10.0.0.0/16] }'")
				case ingress != "":
					return fmt.Sprintf("%s: { security_group_id: %s, ingress: %s }", action, group, ingress), nil
				}
				return fmt.Sprintf("%s: { security_group_id: %s, egress: %s }", action, group, egress), nil
			})
		cmd.Flags().StringVar(&ingress, "ingress", "", "the inbound rule, as in a scenario")
		cmd.Flags().StringVar(&egress, "egress", "", "the outbound rule, as in a scenario")
		return cmd
	}
	const rule = ` endpoint --ingress \
    '{ protocol: tcp, from_port: 80, to_port: 80, cidr_blocks: [10.0.0.0/16] }'`
	return family("sg", "Add or remove a rule of a security group",
		"Sg changes the rules of a security group. Flows that exist and are tracked live on.",
		verb("authorize", "Add a rule to a security group", "sudo plsim sg authorize"+rule),
		verb("revoke", "Remove a rule from a security group", "sudo plsim sg revoke"+rule))
}

// fault is what fails, and is healed.
type fault struct {
	Instance         string `json:"instance,omitempty"`
	Port             int    `json:"port,omitempty"`
	How              string `json:"how,omitempty"`
	Every            string `json:"every,omitempty"`
	AvailabilityZone string `json:"availability_zone,omitempty"`
	Link             string `json:"link,omitempty"`
}

func failCommand() *cobra.Command {
	var f fault
	target := targetFault("fail", &f, "What runs in an instance fails")
	target.Flags().StringVar(&f.How, "how", "", "dies (default), hangs, refuses or flaps")
	_ = target.RegisterFlagCompletionFunc("how", cobra.FixedCompletions([]string{"dies", "hangs", "refuses", "flaps"}, cobra.ShellCompDirectiveNoFileComp)) // it is there
	target.Flags().StringVar(&f.Every, "every", "", "of flaps: after how much of the lab's time it comes back, and dies again")
	return family("fail", "Let something fail",
		"Fail lets something go wrong that plsim heal mends: a zone, what runs in an instance, or a link.",
		zoneFault("fail", "An Availability Zone is lost"), target, linkFault("fail", "A link is cut"))
}

func healCommand() *cobra.Command {
	return family("heal", "Mend what has failed",
		"Heal mends what plsim fail, or a step, has let fail.",
		zoneFault("heal", "An Availability Zone is back"), targetFault("heal", new(fault), "What runs in an instance is as it was"), linkFault("heal", "A link is up again"))
}

func zoneFault(action, short string) *cobra.Command {
	return stepVerb(&cobra.Command{
		Use: "az ZONE", Short: short, Example: "  sudo plsim " + action + " az use1-az1",
		Args: takes(1, 1), ValidArgsFunction: completeNames(topology.AvailabilityZoneKind),
	}, func(args []string) (string, error) { return write(action, fault{AvailabilityZone: args[0]}) })
}

func targetFault(action string, f *fault, short string) *cobra.Command {
	cmd := stepVerb(&cobra.Command{
		Use: "target INSTANCE", Aliases: []string{"instance"}, Short: short,
		Example: "  sudo plsim " + action + " target provider/web-1", Args: takes(1, 1),
	}, func(args []string) (string, error) {
		f.Instance = args[0]
		return write(action, f)
	})
	cmd.ValidArgsFunction = completeNames(topology.InstanceKind)
	cmd.Flags().IntVar(&f.Port, "port", 0, "port of a built-in service (default: all of the instance's, and its command)")
	return cmd
}

func linkFault(action, short string) *cobra.Command {
	return stepVerb(&cobra.Command{
		Use: "link LINK", Short: short, Example: "  sudo plsim " + action + " link between-zones",
		Args: takes(1, 1), ValidArgsFunction: completeNames(topology.LinkKind),
	}, func(args []string) (string, error) { return write(action, fault{Link: args[0]}) })
}
