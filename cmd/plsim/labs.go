package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/daemon"
)

// findLab returns the caller's lab of a name, or the only one where name is "".
func findLab(name string) (*daemon.Lab, error) {
	labs, err := daemon.List(daemon.Dir())
	if err != nil {
		return nil, &codeError{exitHost, fmt.Errorf("list the labs: %w", err)}
	}
	var names []string
	var found []daemon.Lab
	for _, l := range labs {
		if name == "" && l.State != daemon.Dead || l.Name == name {
			found = append(found, l)
		}
		names = append(names, l.Name)
	}
	wrong := func(format string, args ...any) (*daemon.Lab, error) {
		return nil, &codeError{exitUsage, fmt.Errorf(format, args...)}
	}
	switch {
	case len(labs) == 0:
		return wrong("no lab is up%s: start one with plsim up FILE", ofOthers())
	case len(found) == 0 && name == "":
		return wrong("no lab is up%s; what dead ones have left behind, plsim cleanup removes", ofOthers())
	case len(found) == 0:
		for _, l := range labs {
			if l.File == name {
				return wrong("%s is the file of lab %s, not its name: say %s", name, l.Name, l.Name)
			}
		}
		return wrong("no lab is named %s; there is %s", name, strings.Join(names, ", "))
	case len(found) > 1:
		return wrong("which lab? There is %s", strings.Join(names, ", "))
	case found[0].State == daemon.Dead:
		return wrong("lab %s has died: plsim cleanup removes what it has left behind, and plsim up starts it anew", name)
	case found[0].State == daemon.Starting:
		return wrong("lab %s is not ready yet", found[0].Name)
	}
	return &found[0], nil
}

// ofOthers says whose labs are not seen.
func ofOthers() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return " that is yours (those of sudo are root's)"
}

// labError is the error of a request to a lab, with its exit code.
func labError(err error) error {
	var said *daemon.Error
	var coded *codeError
	switch {
	case err == nil, errors.As(err, &coded):
		return err
	case errors.As(err, &said) && said.Usage:
		return &codeError{exitUsage, err}
	case errors.As(err, &said) && said.Start:
		return &codeError{exitFailed, err} // it ran, but not as the scenario expects
	case errors.As(err, &said) && said.NotFound:
		return &codeError{exitHost, err}
	case errors.As(err, &said):
		return &codeError{exitFault, err}
	}
	return &codeError{exitHost, err}
}

// errFileOrLab is about two answers to the question which lab is meant.
var errFileOrLab = errors.New("give either FILE or --lab, which is of a lab that is up")

// labOrFile is findLab for a verb that takes the file of a scenario as well.
func labOrFile(name string) (*daemon.Lab, error) {
	l, err := findLab(name)
	var wrong *codeError
	if errors.As(err, &wrong) && wrong.code == exitUsage && name == "" {
		err = &codeError{exitUsage, fmt.Errorf("no FILE is given, and %w", wrong.err)}
	}
	return l, err
}

// labFlag registers --lab.
func labFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "lab", "", "the `LAB`, where several are up")
	_ = cmd.RegisterFlagCompletionFunc("lab", completeLab) // it is there
}
