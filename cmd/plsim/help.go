package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plsim/plsim/topology"
)

// What is printed fits into so many columns, or into as many as COLUMNS says.
const (
	usualColumns  = 80
	fewestColumns = 40
	mostColumns   = 120 // longer lines are hard to read
)

func columns() int {
	n, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil {
		return usualColumns
	}
	return min(max(n, fewestColumns), mostColumns)
}

// printHelp prints all there is to say about a command.
func printHelp(c *cobra.Command, _ []string) {
	w := c.OutOrStdout()
	for _, p := range paragraphs(cmp.Or(c.Long, c.Short)) {
		fmt.Fprintf(w, "%s\n\n", p.fill(columns()))
	}
	fmt.Fprintf(w, "Usage:\n  %s\n", usage(c))
	if c.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	groups := c.Groups()
	if len(groups) == 0 && c.HasAvailableSubCommands() {
		groups = []*cobra.Group{{Title: "Commands"}}
	}
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s:\n", g.Title)
		for _, below := range c.Commands() {
			if below.GroupID == g.ID && (below.IsAvailableCommand() || below.Name() == "help") {
				printHanging(w, "  "+below.Name(), 2+below.NamePadding()+1, below.Short)
			}
		}
	}
	if c.HasAvailableFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", c.Flags().FlagUsagesWrapped(columns()))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s COMMAND --help says more about a command.\n", c.CommandPath())
	}
}

// usage is how a command is written.
func usage(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND"
	}
	return c.UseLine()
}

// printHanging prints a word, and text beside it from a column on.
func printHanging(w io.Writer, word string, column int, text string) {
	for i, line := range strings.Split(paragraph{text: text}.fill(columns()-column), "\n") {
		if i > 0 {
			word = ""
		}
		fmt.Fprintf(w, "%-*s%s\n", column, word, line)
	}
}

// A paragraph is text that can be broken anew into lines, unless it is as it has to be.
type paragraph struct {
	text string
	asIs bool // it begins with a space
}

// paragraphs takes a text apart that has empty lines between its paragraphs.
func paragraphs(text string) (all []paragraph) {
	for p := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if p = strings.TrimRight(p, " \n\t"); p != "" {
			all = append(all, paragraph{p, strings.HasPrefix(p, " ") || strings.HasPrefix(p, "\t")})
		}
	}
	return all
}

// fill breaks the paragraph into lines of at most so many letters.
func (p paragraph) fill(width int) string {
	if p.asIs {
		return p.text
	}
	var b strings.Builder
	used := 0
	for _, word := range strings.Fields(p.text) {
		n := len([]rune(word))
		switch {
		case used == 0:
		case used+1+n > width:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}

// helpCommand is plsim help.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Say more about a command",
		Long:    "Help prints what --help does: what a command is for, how it is written, and its flags.",
		Example: "  plsim help run\n  plsim help service accept",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if about, rest, err := c.Root().Find(args); err == nil && len(rest) == 0 {
				for _, below := range about.Commands() {
					names = append(names, below.Name()+"\t"+below.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			switch {
			case err != nil:
				return err
			case len(rest) > 0:
				return noVerb(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			about.SetOut(c.OutOrStdout())
			return about.Help()
		},
	}
}

// noVerb is the error of a command that has no such verb below it.
func noVerb(c *cobra.Command, verb string) error {
	if _, err := os.Stat(verb); err == nil && !c.HasParent() {
		return fmt.Errorf("%q is no verb but a file: plsim run %s plays a scenario", verb, verb)
	}
	var names []string
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() {
			names = append(names, below.Name())
		}
		if slices.Contains(below.SuggestFor, verb) { // what other tools call it
			return fmt.Errorf("there is no %s %s; did you mean %s?", c.CommandPath(), verb, below.Name())
		}
		for _, further := range below.Commands() {
			if further.Name() == verb && below.Name() != "completion" {
				return fmt.Errorf("there is no %s %s; did you mean %s %s?", c.CommandPath(), verb, below.Name(), verb)
			}
		}
	}
	if meant := topology.Suggest(verb, names); meant != "" {
		return fmt.Errorf("there is no %s %s; did you mean %s?", c.CommandPath(), verb, meant)
	}
	if len(names) > 0 && c.HasParent() {
		return fmt.Errorf("there is no %s %s; choose from %s", c.CommandPath(), verb, strings.Join(names, ", "))
	}
	return fmt.Errorf("there is no %s %s", c.CommandPath(), verb)
}

// meantFlag adds to the error of an unknown flag which one was most likely meant.
func meantFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	if words := c.Flags().Args(); !c.HasParent() && len(words) > 0 { // it may be a flag of what was meant
		return noVerb(c, words[0])
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if s := topology.Suggest(unknown.GetSpecifiedName(), known); s != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, s)
	}
	return err
}

// takes wants from least to most arguments, as the command's Use names them.
func takes(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		_, what, _ := strings.Cut(c.Use, " ")
		given := "was given nothing"
		if len(args) > 0 {
			given = fmt.Sprintf("was given %d: %s", len(args), strings.Join(args, " "))
		}
		if most == 0 {
			what = "no arguments"
		}
		return fmt.Errorf("%s takes %s, and %s", c.CommandPath(), what, given)
	}
}
