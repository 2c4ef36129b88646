package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/sim/emulate"
)

// labsSchemaVersion is raised when the JSON form of plsim ps changes its meaning.
const labsSchemaVersion = 1

// labs is the JSON form of plsim ps.
type labs struct {
	SchemaVersion int          `json:"schema_version"`
	Labs          []labAndMore `json:"labs"`
}

type labAndMore struct {
	daemon.Lab
	Instances []emulate.Instance `json:"instances,omitempty"`
}

func psCommand() *cobra.Command {
	output, all := format("text"), false
	cmd := &cobra.Command{
		Use:   "ps [LAB]",
		Short: "List the labs that are up, or what is in one",
		Long: `Ps lists the labs that you have started with plsim up: running, starting, or dead,
which is one that was killed and has left files behind. With LAB it lists the
instances of that lab, with their addresses, built-in services and whether their
command runs.`,
		Example:           "  sudo plsim ps\n  sudo plsim ps quickstart -o json",
		Args:              takes(0, 1),
		ValidArgsFunction: completeLab,
		RunE: func(cmd *cobra.Command, args []string) error {
			var list labs
			var err error
			if len(args) == 1 {
				list.Labs, err = oneLab(args[0])
			} else {
				list.Labs, err = everyLab(all)
			}
			if err != nil {
				return err
			}
			switch out := cmd.OutOrStdout(); {
			case output == "json":
				list.SchemaVersion = labsSchemaVersion
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				return enc.Encode(list)
			case len(args) == 1:
				printInstances(out, list.Labs[0].Instances)
			case len(list.Labs) == 0:
				fmt.Fprintf(cmd.ErrOrStderr(), "no lab is up%s\n", ofOthers())
			default:
				printLabs(out, list.Labs, all)
			}
			return nil
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "how to print it")
	cmd.Flags().BoolVar(&all, "all", false, "labs of all users, as far as you may see them")
	return cmd
}

// oneLab returns a lab with its instances.
func oneLab(name string) ([]labAndMore, error) {
	l, err := findLab(name)
	if err != nil {
		return nil, err
	}
	instances, err := l.Instances()
	return []labAndMore{{*l, instances}}, labError(err)
}

// everyLab returns the caller's labs, or everybody's.
func everyLab(all bool) ([]labAndMore, error) {
	dirs := []string{daemon.Dir()}
	if all {
		dirs = daemon.Dirs()
	}
	found := []labAndMore{}
	for _, dir := range dirs {
		list, err := daemon.List(dir)
		if err != nil && !all { // others' are closed to all but root
			return nil, &codeError{exitHost, fmt.Errorf("list the labs: %w", err)}
		}
		for _, l := range list {
			found = append(found, labAndMore{Lab: l})
		}
	}
	return found, nil
}

func printLabs(w io.Writer, all []labAndMore, users bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "LAB\tSTATE\tPID\tSINCE\tFILE"
	if users {
		head = "UID\t" + head
	}
	fmt.Fprintln(t, head)
	for _, l := range all {
		if users {
			fmt.Fprintf(t, "%d\t", l.UID)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", l.Name, l.State, l.PID, l.Since.Local().Format(time.DateTime), l.File)
	}
	_ = t.Flush()
}

func printInstances(w io.Writer, all []emulate.Instance) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "INSTANCE\tADDRESSES\tSERVICES\tCOMMAND")
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	for _, i := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", i.Name, strings.Join(i.Addresses, " "), dash(strings.Join(i.Services, " ")), dash(i.Command))
	}
	_ = t.Flush()
}
