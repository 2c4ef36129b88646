package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

func doctorCommand() *cobra.Command {
	output := format("text")
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host can do, what is missing, and what mends it",
		Long: `Doctor looks at what labs need of this host, and then builds a tiny one, in
namespaces and simulated, with one request in each. Each line is ok, warn, where some
scenarios will not run or not well, or missing; below it stands what mends it.

Exit codes: 0 where plsim run works · 3 where only plsim run --mode simulate does.`,
		Example: "  plsim doctor\n  sudo plsim doctor -o json",
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return examine(cmd, output)
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "how to print the findings")
	return cmd
}

// diagnosisSchemaVersion is the version of the JSON that plsim doctor prints.
const diagnosisSchemaVersion = 1

// diagnosis is what plsim doctor prints.
type diagnosis struct {
	SchemaVersion int             `json:"schema_version"`
	RunWorks      bool            `json:"run_works"`
	SimulateWorks bool            `json:"simulate_works"`
	Findings      []netns.Finding `json:"findings"`
}

// examine finds out and prints. What the lab in namespaces says, comes by a pipe: it is
// a copy of this program, in a sandbox.
func examine(cmd *cobra.Command, output format) error {
	var pipe, lab *os.File
	code, inside, err := netns.EnterWith(func() (files []*os.File, err error) {
		pipe, lab, err = os.Pipe()
		return []*os.File{lab}, err
	})
	ctx, stop := interruptible(cmd)
	defer stop()
	if inside {
		return json.NewEncoder(netns.Inherited()[0]).Encode(selfTest(ctx, emulated))
	}
	if pipe != nil {
		defer pipe.Close()
	}
	d := diagnosis{SchemaVersion: diagnosisSchemaVersion, Findings: netns.Survey()}
	inNamespaces := netns.Finding{Name: selfTestName(emulated), State: netns.FindingMissing}
	var unsupported *netns.Unsupported
	switch {
	case code >= 128:
		return silent(exitInterrupted)
	case errors.As(err, &unsupported):
		inNamespaces.Seen, inNamespaces.Cure = fmt.Sprintf("%s (%s)", unsupported.What, unsupported.Why), unsupported.Help
	case err != nil:
		inNamespaces.Seen, inNamespaces.Cure = err.Error(), reportCure
	default:
		if err := json.NewDecoder(pipe).Decode(&inNamespaces); err != nil {
			inNamespaces.Seen, inNamespaces.Cure = fmt.Sprintf("the lab ended with exit code %d and without a word", code), reportCure
		}
	}
	onPaper := selfTest(ctx, simulated)
	d.Findings = append(d.Findings, inNamespaces, onPaper)
	d.RunWorks, d.SimulateWorks = inNamespaces.State == netns.FindingOK, onPaper.State == netns.FindingOK
	if err := d.print(cmd.OutOrStdout(), output); err != nil {
		return err
	}
	switch {
	case !d.SimulateWorks:
		return silent(exitFault)
	case !d.RunWorks:
		return silent(exitHost)
	}
	return nil
}

const reportCure = "report it with this output: it is a fault of plsim"

func selfTestName(m mode) string {
	if m == simulated {
		return "self-test simulated"
	}
	return "self-test"
}

// selfTest plays the smallest scenario that there is.
func selfTest(ctx context.Context, m mode) netns.Finding {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	began := time.Now()
	f := netns.Finding{Name: selfTestName(m)}
	remark, err := playSelfTest(ctx, m)
	if err != nil {
		f.State, f.Seen, f.Cure = netns.FindingMissing, err.Error(), reportCure
		return f
	}
	f.State = netns.FindingOK
	f.Seen = fmt.Sprintf("a lab was built, and a request answered, in %s%s", max(time.Since(began).Round(time.Millisecond), time.Millisecond), remark)
	return f
}

func playSelfTest(ctx context.Context, m mode) (remark string, err error) {
	text, err := template(firstTemplate)
	if err != nil {
		return "", err
	}
	l, err := scenario.LoadBytes(firstTemplate, text)
	if err != nil {
		return "", err
	}
	var w world
	if m == simulated {
		w, err = simulate.Start(ctx, l.Lab, simulate.Options{Seed: 1})
	} else {
		var e *emulate.World
		e, err = emulate.Start(ctx, l.Lab, emulate.Options{Seed: 1})
		w, remark = e, onOffload(e.Offloads())
	}
	if err != nil {
		return "", errors.Join(err, w.Close())
	}
	res, err := story.Play(ctx, l.Scenario, l.Lab, w, nil, nil)
	if err = errors.Join(err, w.Close()); err != nil {
		return "", err
	}
	for _, s := range res.Steps {
		if s.Verdict == story.Fail {
			return "", fmt.Errorf("%s: %s", s.Name, s.Seen)
		}
	}
	return remark, nil
}

// onOffload says whether the kernel forwards packets of settled flows, or why it does not.
func onOffload(why error) string {
	if why != nil {
		return fmt.Sprintf("; the forwarder moves every packet, for the kernel cannot: %v", why)
	}
	return "; the kernel forwards packets of settled flows"
}

func (d *diagnosis) print(w io.Writer, output format) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	}
	var b strings.Builder
	for _, f := range d.Findings {
		fill(&b, fmt.Sprintf("%-8s %-20s", f.State, f.Name), f.Seen)
		if f.Cure != "" {
			fill(&b, strings.Repeat(" ", 27)+"->", f.Cure)
		}
	}
	switch {
	case d.RunWorks:
		b.WriteString("\nplsim run works on this host.\n")
	case d.SimulateWorks:
		b.WriteString("\nplsim run does not work on this host; plsim run --mode simulate does.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fill writes a text in lines of 80 columns, the further ones below the first.
func fill(b *strings.Builder, head, text string) {
	line := head
	for _, word := range strings.Fields(text) {
		if len([]rune(line))+1+len([]rune(word)) > 80 && strings.TrimSpace(line) != "" {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", len(head))
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
