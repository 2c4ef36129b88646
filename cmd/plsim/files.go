package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim/scenario"
)

// source is a scenario and the file that it was read from, as the user called it.
type source struct {
	*scenario.Loaded
	file string
}

// loadAll reads every scenario that the arguments name: files, directories with
// all that is below them, - for standard input, or what comes with plsim. The
// error holds the mistakes of all of them.
func loadAll(args []string) ([]source, error) {
	files, err := scenarioFiles(args)
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	var all []source
	var errs []error
	for _, file := range files {
		l, err := load(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, source{l, file})
	}
	if len(errs) > 0 {
		return nil, &codeError{exitUsage, errors.Join(errs...)}
	}
	return all, nil
}

// scenarioFiles replaces the directories among the arguments by the scenarios in
// them, in the order of their names.
func scenarioFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		below, err := scenariosBelow(arg)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
	}
	if slices.Contains(files, "-") && len(files) > 1 {
		return nil, errors.New("standard input holds one scenario, which must be the only one")
	}
	return files, nil
}

// scenariosBelow returns the scenarios in a directory, or what is no directory as it is.
func scenariosBelow(arg string) ([]string, error) {
	var files []string
	visit := func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains([]string{".yaml", ".yml"}, path.Ext(name)) {
			files = append(files, name)
		}
		return err
	}
	var err error
	if info, serr := os.Stat(arg); serr == nil {
		if !info.IsDir() {
			return []string{arg}, nil
		}
		err = filepath.WalkDir(arg, visit)
	} else if info, ferr := fs.Stat(scenarios.FS, path.Clean(arg)); ferr == nil && info.IsDir() {
		err = fs.WalkDir(scenarios.FS, path.Clean(arg), visit)
	} else {
		return []string{arg}, nil
	}
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no scenario in %s: their names end with .yaml", arg)
	}
	return files, err
}

// load reads a scenario from a file or, where there is no such file, from those
// that come with plsim.
func load(file string) (*scenario.Loaded, error) {
	l, err := scenario.Load(file)
	if errors.Is(err, syscall.EISDIR) {
		return nil, fmt.Errorf("%s is a directory: name the file in it", file)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return l, err
	}
	if data, err := scenarios.FS.ReadFile(strings.TrimSuffix(file, ".yaml") + ".yaml"); err == nil {
		return scenario.LoadBytes(file, data)
	}
	if strings.Contains(file, "/") {
		return nil, err
	}
	return nil, fmt.Errorf("there is no file %s here, and no scenario of that name comes with plsim: those are %s",
		file, strings.Join(shipped(), ", "))
}

// shipped returns the names of the scenarios that come with plsim, and of the
// directories of such.
func shipped() []string {
	entries, _ := scenarios.FS.ReadDir(".") // it is there
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// someScenarios wants at least one argument.
func someScenarios(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("plsim %s needs a scenario: a file, a directory, - for standard input, or one of %s", cmd.Name(), strings.Join(shipped(), ", "))
	}
	return nil
}

// completeScenario offers the scenarios that come with plsim beside the files.
func completeScenario(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return shipped(), cobra.ShellCompDirectiveDefault
}
