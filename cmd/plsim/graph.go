package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/topology/graph"
)

type graphFlags struct {
	output picture
	out    string
	accept []string
	lab    string
}

func graphCommand() *cobra.Command {
	f := graphFlags{output: "mermaid"}
	cmd := &cobra.Command{
		Use:   "graph [FILE]",
		Short: "Draw a lab as Mermaid, DOT or SVG: a scenario's, or one that is up",
		Long: `Graph draws the lab of a scenario: accounts, VPCs, Availability Zones and subnets as
boxes in boxes, instances, endpoint interfaces, load balancers and gateways in them,
and the connections between them with their states. FILE is what it is for plsim run.
The lab is drawn as FILE has it, with healthy targets; its story is not played.

Without FILE it draws the lab that is up, as it is now: endpoints that wait, targets
that are unhealthy, zones that are lost.

Mermaid is what Markdown on GitHub and GitLab shows, DOT what Graphviz reads, and SVG
a picture that plsim lays out itself. The same file gives the same bytes.`,
		Example: `  plsim graph quickstart
  plsim graph scenarios/quickstart.yaml -o svg --out lab.svg
  plsim graph quickstart -o svg --accept api --out lab.svg
  plsim graph lab.yaml -o dot | dot -Tpng > lab.png
  sudo plsim graph --lab quickstart -o svg --out now.svg`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneScenario(cmd, args)
		},
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.draw(cmd.OutOrStdout(), args); err != nil {
				return &codeError{codeOr(exitUsage, err), err}
			}
			return nil
		},
	}
	cmd.Flags().VarP(&f.output, "output", "o", "how to draw it")
	cmd.Flags().StringVar(&f.out, "out", "", "write the drawing to this `FILE` (default: standard output)")
	cmd.Flags().StringArrayVar(&f.accept, "accept", nil, "accept this `ENDPOINT` first; may be given several times")
	labFlag(cmd, &f.lab)
	_ = cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"mermaid", "dot", "svg"}, cobra.ShellCompDirectiveNoFileComp
	})
	_ = cmd.RegisterFlagCompletionFunc("accept", completeEndpoint) // both fail for unknown flags only
	return cmd
}

// draw draws the scenario of a file, or the lab that is up. Without --out nothing is
// printed but the drawing.
func (f *graphFlags) draw(stdout io.Writer, args []string) (err error) {
	var drawn bytes.Buffer
	file := ""
	switch {
	case len(args) == 0 && len(f.accept) > 0:
		err = errors.New("--accept is for a scenario that is not up: plsim service accept does it in a lab that is")
	case len(args) == 0:
		err = f.drawLab(&drawn)
	case f.lab != "":
		err = errFileOrLab
	default:
		file = args[0]
		err = f.drawFile(&drawn, file)
	}
	switch {
	case err != nil:
		return err
	case f.out == "" || f.out == "-":
		_, err = stdout.Write(drawn.Bytes())
		return err
	case file != "" && sameFile(f.out, file):
		return fmt.Errorf("--out %s would overwrite the scenario: name another file", f.out)
	}
	if err := os.WriteFile(f.out, drawn.Bytes(), 0o644); err != nil {
		return &codeError{exitHost, err}
	}
	return nil
}

// drawLab draws a lab that is up.
func (f *graphFlags) drawLab(w io.Writer) error {
	l, err := labOrFile(f.lab)
	if err != nil {
		return err
	}
	drawn, err := l.Graph(string(f.output))
	if err == nil {
		_, err = io.WriteString(w, drawn)
	}
	return labError(err)
}

// drawFile draws the scenario of a file.
func (f *graphFlags) drawFile(w io.Writer, file string) error {
	all, err := loadAll([]string{file})
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("plsim graph takes one scenario; %s has %d", file, len(all))
	}
	lab := all[0].Lab
	for _, name := range f.accept {
		if err := lab.Accept(name); err != nil {
			return fmt.Errorf("--accept %s: %w", name, err)
		}
	}
	for _, c := range lab.Checks() {
		lab.Checked(c, true) // a new target needs one (F2.20)
	}
	return graph.In(string(f.output))(w, lab.Diagram())
}

// sameFile reports whether two names are of one file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// codeOr returns the exit code that an error has, or another.
func codeOr(code int, err error) int {
	var coded *codeError
	if errors.As(err, &coded) {
		return coded.code
	}
	return code
}

// picture is the value of --output of plsim graph.
type picture string

func (p *picture) String() string { return string(*p) }
func (p *picture) Type() string   { return "mermaid|dot|svg" }

func (p *picture) Set(s string) error {
	if graph.In(s) == nil {
		return errors.New("want mermaid, dot or svg")
	}
	*p = picture(s)
	return nil
}

// completeEndpoint offers the endpoints of the scenario, where the command line has it
// already.
func completeEndpoint(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) > 0 {
		if s, err := load(args[len(args)-1]); err == nil {
			for _, e := range s.Lab.Endpoints {
				names = append(names, e.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
