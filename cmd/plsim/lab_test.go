package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/course"
)

// classroom is a host with plsim and a student: their folders have names that are long and
// German.
type classroom struct {
	*testing.T
	dir string // where the student works
	env []string
}

func newClassroom(t *testing.T) *classroom {
	t.Helper()
	base := t.TempDir()
	runtimeDir := filepath.Join(base, "run")
	if len(runtimeDir) > 70 { // a socket's path must be short
		t.Fatalf("%s is too long for the sockets of labs: set TMPDIR", runtimeDir)
	}
	dir := filepath.Join(base, "Übung für Größere", strings.Repeat("lang", 40))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(base, "bin")
	self, err := os.Executable()
	if err == nil {
		err = os.Mkdir(bin, 0o755)
	}
	if err == nil {
		err = os.Symlink(self, filepath.Join(bin, "plsim"))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(bin, "sudo"), []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &classroom{t, dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "PLSIM_RUNTIME_DIR="+runtimeDir)}
	t.Cleanup(func() {
		if left, err := os.ReadDir(runtimeDir); err == nil {
			t.Errorf("%d labs are left", len(left))
			_, _ = c.sh("plsim down --all")
		}
	})
	return c
}

// sh runs a shell line and returns its exit code and what it printed.
func (c *classroom) sh(line string) (code int, printed string) {
	c.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Env = c.dir, c.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		c.Fatal(err)
	}
	return code, string(out)
}

// exits wants an exit code.
func (c *classroom) exits(want int, line string) (printed string) {
	c.Helper()
	code, printed := c.sh(line)
	if code != want {
		c.Fatalf("%s: exit code %d, want %d\n%s", line, code, want, printed)
	}
	return printed
}

// TestLabs tries every lab that comes with plsim, as plsim lab test does, and then once
// more through the command line: check never passes at the start, solve passes, nothing is
// left.
func TestLabs(t *testing.T) {
	t.Parallel()
	all, err := shippedLabs()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there is no lab")
	}
	for _, l := range all {
		for _, m := range l.Modes() {
			t.Run(l.Name+"/"+m, func(t *testing.T) {
				t.Parallel()
				if m == string(emulated) {
					requirePrivilege(t)
				}
				tryLab(t, l, m)
			})
		}
	}
}

func tryLab(t *testing.T, l *course.Lab, mode string) {
	c := newClassroom(t)
	folder, err := filepath.Abs("../../scenarios/labs/" + l.Name)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		c.exits(exitOK, "plsim lab test --mode simulate --update "+folder)
	}
	c.exits(exitOK, fmt.Sprintf("plsim lab test %s --mode %s", folder, mode))
	c.exits(exitOK, fmt.Sprintf("plsim lab start %d --mode %s", l.Number(), mode))
	c.exits(exitFailed, "plsim lab check")
	c.exits(exitOK, "plsim lab hint")
	c.exits(exitOK, "plsim lab solve --to 1")
	if len(l.Lesson.Checkpoints) > 1 {
		c.exits(exitFailed, "plsim lab check")
	}
	c.exits(exitOK, "plsim lab solve")
	c.exits(exitOK, "plsim lab check")
	c.exits(exitOK, "plsim lab stop")
	if mode == string(simulated) {
		c.exits(exitFailed, "plsim lab grade .") // it was plsim that solved it
	}
	for range 3 {
		began := time.Now()
		c.exits(exitOK, "plsim lab start --mode "+mode)
		took := time.Since(began)
		c.exits(exitOK, "plsim lab stop")
		if took < 3*time.Second*time.Duration(1+waiting(t)) {
			return
		}
	}
	t.Error("the lab takes more than three seconds to start")
}

// waiting returns how many processes of this host wait for each of its processors.
func waiting(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	var load float64
	if err == nil {
		_, err = fmt.Sscan(string(text), &load)
	}
	if err != nil {
		t.Fatal(err)
	}
	return int(load) / runtime.NumCPU()
}

var console = regexp.MustCompile("(?ms)^ *```console\n(.*?)^ *```$")

// TestLabReadmes runs the commands of every lab's README, in the lab, one after the other:
// none is wrong, and the lab is down in the end. That the lab which plsim lab new writes is
// right, too, goes the same way.
func TestLabReadmes(t *testing.T) {
	t.Parallel()
	requirePrivilege(t)
	readmes, err := filepath.Glob("../../scenarios/labs/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, readme := range append(readmes, "../../scenarios/templates/lab/README.md") {
		t.Run(filepath.Base(filepath.Dir(readme)), func(t *testing.T) {
			t.Parallel()
			c := newClassroom(t)
			c.exits(exitOK, "plsim lab new my-lab")
			c.exits(exitOK, "plsim lab test my-lab")
			text, err := os.ReadFile(readme)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, block := range console.FindAllStringSubmatch(string(text), -1) {
				for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
					command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
					if !ok {
						continue
					}
					n++
					if dir, ok := strings.CutPrefix(command, "cd "); ok {
						c.dir = filepath.Join(c.dir, dir)
						continue
					}
					switch code, printed := c.sh(command); code {
					case exitUsage, exitHost, exitFault, 126, 127:
						t.Errorf("%s: exit code %d\n%s", command, code, printed)
					}
				}
			}
			if n == 0 {
				t.Error("it has no command")
			}
		})
	}
}
