package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim/course"
	"github.com/plsim/plsim/sim/story"
)

// TestScenarios plays every scenario of the repository, as a user would.
func TestScenarios(t *testing.T) {
	t.Parallel()
	requirePrivilege(t)
	n := 0
	err := filepath.WalkDir("../../scenarios", func(file string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".yaml" {
			return err
		}
		n++
		name, err := filepath.Rel("../../scenarios", file)
		if err != nil || filepath.Base(file) == course.FileName {
			return err // TestLabs plays teaching labs
		}
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			t.Parallel()
			playScenario(t, file, name)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 10 {
		t.Errorf("only %d scenarios", n)
	}
}

func playScenario(t *testing.T, file, name string) {
	if _, err := scenarios.FS.ReadFile(name); err != nil {
		t.Errorf("it does not come with plsim: %v", err)
	}
	var stdout, stderr strings.Builder
	cmd := exec.Command("/proc/self/exe", "run", file, "-o", "json")
	cmd.Args[0], cmd.Stdout, cmd.Stderr = "plsim", &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == exitHost && os.Getenv("PLSIM_PRIVILEGED") != "require":
		t.Skip(stderr.String())
	case err != nil:
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var res story.Result
	if err := json.Unmarshal([]byte(stdout.String()), &res); err != nil {
		t.Fatal(err)
	}
	if res.Verdict != story.Pass || len(res.Steps) == 0 {
		t.Errorf("verdict %s of %d steps\n%s", res.Verdict, len(res.Steps), stderr.String())
	}
}
