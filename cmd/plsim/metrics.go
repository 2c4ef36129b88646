package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/topology"
)

func metricsCommand() *cobra.Command {
	f := runFlags{mode: emulated, output: "text"}
	var filter topology.MetricFilter
	var balancer string
	dimensions := pairs{}
	cmd := &cobra.Command{
		Use:   "metrics FILE",
		Short: "Play a scenario and print what CloudWatch would say of it",
		Long: `Metrics plays a scenario as plsim run does, with the verdicts of its steps on
standard error, and prints at its end CloudWatch's metrics of load balancers,
endpoints and endpoint services: as tables, of all the time since the lab began,
or with -o json minute by minute. FILE and exit codes are those of plsim run.`,
		Example:           "  sudo plsim metrics quickstart\n  sudo plsim metrics quickstart --metric NewFlowCount -o json",
		Args:              oneScenario,
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = seed(rand.Uint64())
			}
			filter.Dimensions = dimensions
			if balancer != "" {
				filter.Dimensions["LoadBalancer"] = balancer
			}
			check := func(all []source) error {
				if _, err := filter.Apply(all[0].Lab.Metrics(0, nil)); err != nil {
					return &codeError{exitUsage, err}
				}
				return nil
			}
			return f.stage(cmd, args, check, func(ctx context.Context, r *runner, all []source) error {
				r.showProgress(r.stderr)
				r.atEnd = func(s source, w world) error { return r.printMetrics(s, w, &filter) }
				_, err := r.run(ctx, all[0], "")
				return err
			})
		},
	}
	f.register(cmd)
	cmd.Flags().VarP(&f.output, "output", "o", "how to print the metrics on standard output")
	cmd.Flags().StringVar(&filter.Namespace, "namespace", "", "only metrics of this namespace, such as AWS/NetworkELB")
	cmd.Flags().StringVar(&filter.MetricName, "metric", "", "only this metric, such as NewFlowCount")
	cmd.Flags().StringVar(&balancer, "load-balancer", "", "only metrics of this load balancer: short for --dimension LoadBalancer=NAME")
	cmd.Flags().Var(dimensions, "dimension", "only metrics with this dimension; may be given several times")
	return cmd
}

// printMetrics prints what is reported of a lab that runs.
func (r *runner) printMetrics(s source, w world, filter *topology.MetricFilter) error {
	all, err := w.Metrics()
	if err != nil {
		return err
	}
	if all, err = filter.Apply(all); err != nil {
		return err
	}
	if r.flags.output == "json" {
		return report.MetricsJSON(r.stdout, s.Scenario.Name, w.Began(), all)
	}
	report.MetricsTable(r.stdout, all)
	return nil
}

// pairs is the value of --dimension.
type pairs map[string]string

func (p pairs) String() string {
	var all []string
	for name, value := range p {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (p pairs) Type() string { return "NAME=VALUE" }

func (p pairs) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || value == "" {
		return errors.New("want NAME=VALUE, such as AvailabilityZone=us-east-1a")
	}
	if other, given := p[name]; given && other != value {
		return fmt.Errorf("%s is given twice: %s and %s", name, other, value)
	}
	p[name] = value
	return nil
}

// oneScenario wants exactly one scenario.
func oneScenario(cmd *cobra.Command, args []string) error {
	if err := someScenarios(cmd, args); err != nil {
		return err
	}
	if len(args) > 1 {
		return fmt.Errorf("plsim %s takes one scenario, not %d: %s", cmd.Name(), len(args), strings.Join(args, " "))
	}
	return nil
}
