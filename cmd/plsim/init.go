package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/topology"
)

// firstTemplate is what plsim init writes if not told otherwise.
const firstTemplate = "hello"

func initCommand() *cobra.Command {
	var list bool
	name := firstTemplate
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a commented scenario to start your own from",
		Long: `Init writes a scenario with comments to start your own from, and says what to do
next. It never overwrites a file. FILE is TEMPLATE.yaml in this directory if not
given, and - for standard output.`,
		Example: "  plsim init\n  plsim init shop.yaml --template two-consumers\n  plsim init --list",
		Args:    takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return listTemplates(cmd.OutOrStdout())
			}
			file := name + ".yaml"
			if len(args) > 0 {
				file = args[0]
			}
			return writeTemplate(cmd.OutOrStdout(), file, name)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the templates")
	cmd.Flags().StringVar(&name, "template", name, "begin with this `TEMPLATE`")
	_ = cmd.RegisterFlagCompletionFunc("template", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return templates(), cobra.ShellCompDirectiveNoFileComp
	}) // it fails for unknown flags only
	return cmd
}

// templates returns the names of the templates.
func templates() (names []string) {
	entries, _ := scenarios.FS.ReadDir("templates") // it is there
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	return names
}

func template(name string) ([]byte, error) {
	text, err := scenarios.FS.ReadFile(path.Join("templates", name+".yaml"))
	if err != nil {
		meant := "choose from " + strings.Join(templates(), ", ")
		if s := topology.Suggest(name, templates()); s != "" {
			meant = "did you mean " + s + "?"
		}
		return nil, fmt.Errorf("there is no template %q; %s", name, meant)
	}
	return text, nil
}

// aboutTemplate returns what a template is about: the last lines of the comment that it
// begins with.
func aboutTemplate(text []byte) string {
	head, _, _ := strings.Cut(string(text), "\nname: ")
	_, about, _ := strings.Cut(head, "\n#\n")
	return strings.Join(strings.Fields(strings.ReplaceAll(about, "#", "")), " ")
}

func listTemplates(w io.Writer) error {
	for _, name := range templates() {
		text, err := template(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-15s %s\n", name, aboutTemplate(text))
	}
	return nil
}

func writeTemplate(stdout io.Writer, file, name string) error {
	text, err := template(name)
	if err != nil {
		return &codeError{exitUsage, err}
	}
	if file == "-" {
		_, err := stdout.Write(text)
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return &codeError{exitUsage, fmt.Errorf("%s is there already, and plsim init overwrites nothing: name another file", file)}
	case err != nil:
		return &codeError{exitHost, err}
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return &codeError{exitHost, err}
	}
	fmt.Fprintf(stdout, `%s is written.

Play it without any privilege:  plsim run --mode simulate %[1]s
Play it with real packets:      sudo plsim run %[1]s
Find out whether that works:    plsim doctor
Draw it:                        plsim graph %[1]s -o svg --out %[2]s
Have your editor complete it:   plsim schema > %[3]s
`, file, strings.TrimSuffix(file, filepath.Ext(file))+".svg", filepath.Join(filepath.Dir(file), "scenario.schema.json"))
	return nil
}
