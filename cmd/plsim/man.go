package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plsim/plsim/sim/story"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man [DIR]",
		Short: "Write the man pages",
		Long: `Man writes plsim's man pages into a directory, which it makes if need be: plsim.1 and
one for each verb, such as plsim-run.1. Without DIR it prints plsim.1. What they say is
what --help says. make install puts them where man looks.`,
		Example: "  plsim man | man -l -\n  plsim man share/man/man1",
		Args:    takes(0, 1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := io.WriteString(cmd.OutOrStdout(), manPage(cmd.Root()))
				return err
			}
			n, err := writeManPages(cmd.Root(), args[0])
			if err != nil {
				return &codeError{exitHost, err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s written to %s\n", story.Count(n, "man page"), args[0])
			return nil
		},
	}
}

// writeManPages writes the page of a command and of all below it.
func writeManPages(c *cobra.Command, dir string) (pages int, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, manName(c)+".1"), []byte(manPage(c)), 0o644); err != nil {
		return 0, err
	}
	pages = 1
	for _, below := range manChildren(c) {
		n, err := writeManPages(below, dir)
		pages += n
		if err != nil {
			return pages, err
		}
	}
	return pages, nil
}

// manName is what a command's page is called: plsim-service-accept.
func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manChildren are the commands below one that have pages.
func manChildren(c *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(c.Commands()), func(below *cobra.Command) bool { return !below.IsAvailableCommand() })
}

// surroundings is what of plsim is no matter of one verb alone.
var surroundings = []struct{ title, name, text string }{
	{"EXIT STATUS", "0", "All that was expected held."},
	{"EXIT STATUS", "1", "An expectation failed."},
	{"EXIT STATUS", "2", "The command line or the scenario is wrong."},
	{"EXIT STATUS", "3", "This host cannot do it; plsim doctor says what would help."},
	{"EXIT STATUS", "4", "A fault of plsim."},
	{"EXIT STATUS", "130", "Interrupted, after cleaning up."},
	{"ENVIRONMENT", "NO_COLOR", "If not empty, nothing is coloured."},
	{"ENVIRONMENT", "COLUMNS", "How wide help is printed; 80 if not set."},
	{"ENVIRONMENT", "PLSIM_RUNTIME_DIR", "Where the caller's labs have their directories."},
	{"FILES", "/run/plsim", "The labs of root that are up."},
	{"FILES", "$XDG_RUNTIME_DIR/plsim", "Those of other users, or /tmp/plsim-UID where there is no such variable."},
}

// manPage returns the page of a command, in roff with the macros of man(7).
func manPage(c *cobra.Command) string {
	c.InitDefaultHelpFlag()
	b := new(strings.Builder)
	fmt.Fprintf(b, ".TH %s 1 \"\" %q \"plsim manual\"\n.nh\n.ad l\n", roff(strings.ToUpper(manName(c))), "plsim")
	fmt.Fprintf(b, ".SH NAME\n%s \\- %s\n", roff(manName(c)), roff(c.Short))
	fmt.Fprintf(b, ".SH SYNOPSIS\n.B %s\n.SH DESCRIPTION\n", roff(usage(c)))
	for i, p := range paragraphs(cmp.Or(c.Long, c.Short)) {
		switch {
		case p.asIs:
			manVerbatim(b, p.text)
		case i > 0:
			fmt.Fprintf(b, ".PP\n%s\n", roff(p.text))
		default:
			fmt.Fprintf(b, "%s\n", roff(p.text))
		}
	}
	manCommands(b, c)
	if c.HasAvailableFlags() {
		fmt.Fprint(b, ".SH OPTIONS\n")
		c.Flags().VisitAll(func(f *pflag.Flag) { manFlag(b, f) })
	}
	if c.HasExample() {
		fmt.Fprint(b, ".SH EXAMPLES\n")
		manVerbatim(b, c.Example)
	}
	if !c.HasParent() {
		title := ""
		for _, s := range surroundings {
			if s.title != title {
				title = s.title
				fmt.Fprintf(b, ".SH %s\n", title)
			}
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(s.name), roff(s.text))
		}
	}
	manSeeAlso(b, c)
	return b.String()
}

// manCommands lists what stands below a command, by purpose.
func manCommands(b *strings.Builder, c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	fmt.Fprint(b, ".SH COMMANDS\n")
	groups := c.Groups()
	for _, g := range groups {
		fmt.Fprintf(b, ".SS %s\n", roff(g.Title))
		for _, below := range manChildren(c) {
			if below.GroupID == g.ID {
				fmt.Fprintf(b, ".TP\n.BR %s (1)\n%s\n", roff(manName(below)), roff(below.Short))
			}
		}
	}
	if len(groups) == 0 {
		for _, below := range manChildren(c) {
			fmt.Fprintf(b, ".TP\n.BR %s (1)\n%s\n", roff(manName(below)), roff(below.Short))
		}
	}
}

func manFlag(b *strings.Builder, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	value, about := pflag.UnquoteUsage(f)
	fmt.Fprint(b, ".TP\n")
	if f.Shorthand != "" {
		fmt.Fprintf(b, "\\fB\\-%s\\fR, ", f.Shorthand)
	}
	fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", roff(f.Name))
	if value != "" {
		fmt.Fprintf(b, " \\fI%s\\fR", roff(value))
	}
	if !slices.Contains([]string{"", "false", "0", "[]"}, f.DefValue) {
		about += fmt.Sprintf(" (default %s)", f.DefValue)
	}
	fmt.Fprintf(b, "\n%s\n", roff(about))
}

// manSeeAlso names the page above and those below.
func manSeeAlso(b *strings.Builder, c *cobra.Command) {
	var others []*cobra.Command
	if c.HasParent() {
		others = append(others, c.Parent())
	}
	others = append(others, manChildren(c)...)
	fmt.Fprint(b, ".SH SEE ALSO\n")
	for i, other := range others {
		comma := ","
		if i == len(others)-1 {
			comma = ""
		}
		fmt.Fprintf(b, ".BR %s (1)%s\n", roff(manName(other)), comma)
	}
}

// manVerbatim writes lines that must not be broken anew.
func manVerbatim(b *strings.Builder, text string) {
	fmt.Fprintf(b, ".PP\n.EX\n%s\n.EE\n", roff(strings.TrimRight(text, "\n")))
}

// roff escapes what would mean something else to roff, or look otherwise.
func roff(text string) string {
	var b strings.Builder
	fresh := true // at the beginning of a line
	for _, r := range text {
		if fresh && (r == '.' || r == '\'') {
			b.WriteString(`\&`)
		}
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r == '"':
			b.WriteString(`\(dq`)
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
		fresh = r == '\n'
	}
	return b.String()
}
