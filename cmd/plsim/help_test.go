package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Whatever the help of a command says fits into 80 columns, or into those of COLUMNS
// except for what cannot be broken.
func TestHelpFits(t *testing.T) {
	for _, c := range []struct {
		columns string
		widest  int
	}{{"", 80}, {"none", 80}, {"200", 120}} {
		t.Setenv("COLUMNS", c.columns)
		everyCommand(rootCommand(), func(cmd *cobra.Command) {
			for line := range strings.Lines(help(cmd)) {
				if n := len([]rune(strings.TrimRight(line, "\n"))); n > c.widest && !strings.HasPrefix(line, "\t") {
					t.Errorf("%s --help with COLUMNS=%s: %d columns in\n%s", cmd.CommandPath(), c.columns, n, line)
				}
			}
		})
	}
	t.Setenv("COLUMNS", "50")
	text := help(rootCommand())
	for _, want := range []string{
		"Exit codes: 0 all that was expected held · 1 an\nexpectation failed · 2 the command line or the\n",
		"  explain     Explain the way of a packet hop by\n              hop, and what mends it\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("with 50 columns there is no %q in\n%s", want, text)
		}
	}
}

// Every verb says what it is for, where it belongs, and shows how it is used.
func TestHelpIsWhole(t *testing.T) {
	root := rootCommand()
	everyCommand(root, func(cmd *cobra.Command) {
		if cmd.Name() == "version" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return
		}
		text := help(cmd)
		for _, want := range []string{"\nUsage:\n  " + cmd.CommandPath(), "\nExamples:\n  "} {
			if !strings.Contains(text, want) {
				t.Errorf("%s --help has no %q:\n%s", cmd.CommandPath(), want, text)
			}
		}
		if cmd.Parent() == root && cmd.GroupID == "" {
			t.Errorf("plsim --help does not show %s", cmd.Name())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s is said to %q", cmd.CommandPath(), cmd.Short)
		}
	})
}

func everyCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, below := range c.Commands() {
		everyCommand(below, do)
	}
}

func help(c *cobra.Command) string {
	var b bytes.Buffer
	c.InitDefaultHelpFlag()
	c.SetOut(&b)
	printHelp(c, nil)
	return b.String()
}
