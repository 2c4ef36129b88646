package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/sim/daemon"
)

// labsDir is where root's labs are in a box, which has a /tmp of its own.
const labsDir = "/tmp/plsim-root"

// user is who runs plsim.
type user int

const (
	root     user = iota
	stranger      // is nobody, with labs of its own
	burglar       // is nobody, too, but looks for labs where root's are
)

// runPlsim runs plsim to its end.
func runPlsim(t *testing.T, who user, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := plsimCommand(args...)
	if who != root {
		cmd = exec.Command("/proc/self/exe", append([]string{"0666", "plsim"}, args...)...)
		cmd.Args[0] = "nobody"
	}
	if who != stranger {
		cmd.Env = append(os.Environ(), "PLSIM_RUNTIME_DIR="+labsDir)
	}
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), complaint.String()
}

// mustPlsim is runPlsim for what has to succeed; it returns the standard output.
func mustPlsim(t *testing.T, who user, args ...string) string {
	t.Helper()
	code, stdout, stderr := runPlsim(t, who, args...)
	if code != exitOK {
		t.Fatalf("plsim %s: exit code %d:\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// theLab returns the only lab there is.
func theLab(t *testing.T) daemon.Lab {
	t.Helper()
	var list labs
	if err := json.Unmarshal([]byte(mustPlsim(t, root, "ps", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Labs) != 1 {
		t.Fatalf("there are %d labs: %+v", len(list.Labs), list.Labs)
	}
	return list.Labs[0].Lab
}

// untouched waits until the box is as it was.
func untouched(t *testing.T, before remains) {
	t.Helper()
	await(t, "nothing to be left", func() error {
		reap()
		if now := look(t); !now.equal(before) {
			return fmt.Errorf("before: %+v\nnow:    %+v", before, now)
		}
		return nil
	})
}

// TestLabKilled kills each of a lab's processes. After plsim cleanup nothing is left;
// what has no mark of plsim's stays.
func TestLabKilled(t *testing.T) {
	t.Parallel()
	if !inBox(t) {
		return
	}
	scenario := filepath.Join(t.TempDir(), "story.yaml")
	if err := os.WriteFile(scenario, []byte(programStory(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	before := look(t)
	for _, victim := range []string{"outer", "init", "lab"} {
		t.Run(victim, func(t *testing.T) {
			mustPlsim(t, root, "up", scenario)
			l := theLab(t)
			init := childOf(l.PID)
			pid := map[string]int{"outer": l.PID, "init": init, "lab": childOf(init)}[victim]
			if l.State != daemon.Running || pid == 0 {
				t.Fatalf("lab %+v, process %d of %s", l, pid, victim)
			}
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if victim == "outer" {
				await(t, "the lab's death", func() error {
					reap()
					if l := theLab(t); l.State != daemon.Dead {
						return fmt.Errorf("it is %s", l.State)
					}
					return nil
				})
				if code, _, stderr := runPlsim(t, root, "exec", "app", "--", "true"); code != exitUsage {
					t.Errorf("exit code %d of a program in a dead lab:\n%s", code, stderr)
				}
				other := filepath.Join(labsDir, "other")
				if err := os.MkdirAll(other, 0o700); err != nil {
					t.Fatal(err)
				}
				const dir = labsDir + "/quickstart"
				if out := mustPlsim(t, root, "cleanup"); out != dir+": lab quickstart, dead\n1 dead lab; plsim cleanup --yes removes what is listed\n" || !exists(dir) {
					t.Errorf("cleanup printed:\n%s", out)
				}
				if out := mustPlsim(t, root, "cleanup", "--yes"); out != dir+": lab quickstart, dead\n1 dead lab removed\n" || exists(dir) || !exists(other) {
					t.Errorf("cleanup --yes printed:\n%s", out)
				}
				if err := errors.Join(os.Remove(other), os.Remove(labsDir)); err != nil {
					t.Error(err)
				}
			}
			untouched(t, before) // outer clears up after the others
		})
	}
	// One that had died gives way to the next of its name.
	mustPlsim(t, root, "up", scenario)
	if err := unix.Kill(theLab(t).PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "another of the same name", func() error {
		reap()
		if code, _, stderr := runPlsim(t, root, "up", scenario); code != exitOK || stderr != "plsim: a lab named quickstart had died; this one takes its place\n" {
			return fmt.Errorf("exit code %d: %s", code, stderr)
		}
		return nil
	})
	mustPlsim(t, root, "down")
	untouched(t, before)
}

// TestLabInterrupted ends what goes on in a lab by its own end, and by the end of who
// asked for it.
func TestLabInterrupted(t *testing.T) {
	t.Parallel()
	if !inBox(t) {
		return
	}
	before := look(t)
	mustPlsim(t, root, "up", "quickstart")
	quiet := look(t)
	start := func() *exec.Cmd {
		cmd := plsimCommand("exec", "app", "--", "sh", "-c", "trap 'exit 9' INT; echo here; while :; do sleep 1000 & wait; done")
		cmd.Env = append(os.Environ(), "PLSIM_RUNTIME_DIR="+labsDir)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			_, err = out.Read(make([]byte, 4)) // the trap is set
		}
		if err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	// A signal is handed on.
	cmd := start()
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 9 {
		t.Errorf("exit code %d after a signal, want 9", cmd.ProcessState.ExitCode())
	}
	// plsim exec is killed, and its program with it.
	cmd = start()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "the program's end", func() error {
		if now := look(t); len(now.processes) > len(quiet.processes)+1 { // the sleep that the first one left behind
			return fmt.Errorf("there are %q", now.processes)
		}
		return nil
	})
	// The lab ends under it.
	cmd = start()
	mustPlsim(t, root, "down")
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() == exitOK {
		t.Error("exit code 0 of a program whose lab has ended")
	}
	untouched(t, before)
	// One that comes up is interrupted.
	file := filepath.Join(t.TempDir(), "waits.yaml")
	text := "name: waits\nvpcs: { lab: { cidr_block: 10.0.0.0/16, instances: { one: { command: sleep 1000, wait_for_port: 80 } } } }\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	before = look(t)
	cmd = plsimCommand("up", file)
	cmd.Env = append(os.Environ(), "PLSIM_RUNTIME_DIR="+labsDir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the instance's program", func() error {
		if now := look(t); !strings.Contains(strings.Join(now.processes, " "), `"sleep\x001000\x00"`) {
			return fmt.Errorf("there are %q", now.processes)
		}
		return nil
	})
	if l := theLab(t); l.State != daemon.Starting {
		t.Errorf("the lab is %s", l.State)
	}
	if code, _, stderr := runPlsim(t, root, "exec", "one", "--", "true"); code != exitUsage || stderr != "plsim: lab waits is not ready yet\n" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit code %d of an interrupted plsim up, want 130", cmd.ProcessState.ExitCode())
	}
	untouched(t, before)
}

// TestLabsOfTwo has root and nobody run labs of the same name, with the same addresses.
func TestLabsOfTwo(t *testing.T) {
	t.Parallel()
	if !inBox(t) {
		return
	}
	if !userNamespaces() {
		t.Skip("this kernel lets nobody but root make namespaces")
	}
	before := look(t)
	for _, who := range []user{root, stranger} {
		mustPlsim(t, who, "up", "quickstart")
	}
	for _, who := range []user{root, stranger} {
		mustPlsim(t, who, "service", "accept", "api")
		if out := mustPlsim(t, who, "exec", "app", "--", "sh", "-c", fmt.Sprintf("echo %d > who; cat who; hostname", who)); out != fmt.Sprintf("%d\nip-10-0-1-4\n", who) {
			t.Errorf("user %d: %q", who, out)
		}
		if out := mustPlsim(t, who, "ps"); strings.Count(out, "\n") != 2 {
			t.Errorf("user %d sees:\n%s", who, out)
		}
	}
	all := mustPlsim(t, root, "ps", "--all")
	if strings.Count(all, "quickstart  running") != 2 || !strings.Contains(all, "\n65534  quickstart") {
		t.Errorf("root sees:\n%s", all)
	}
	// Nobody cannot reach root's.
	for _, args := range [][]string{{"ps"}, {"down"}, {"cleanup", "--yes"}, {"exec", "app", "--", "true"}, {"up", "quickstart"}} {
		if code, _, stderr := runPlsim(t, burglar, args...); code != exitHost {
			t.Errorf("plsim %v of root's lab by nobody: exit code %d: %s", args, code, stderr)
		}
	}
	mustPlsim(t, root, "down")
	mustPlsim(t, stranger, "exec", "app", "--", "true") // which lives on
	mustPlsim(t, stranger, "down")
	untouched(t, before)
}

// slack is how much longer than promised a loaded machine may take.
const slack = 4

// TestLabOfMany holds up and down to their times: 100 instances in 5 s and 2 s.
func TestLabOfMany(t *testing.T) {
	t.Parallel()
	if !inBox(t) {
		return
	}
	var b strings.Builder
	b.WriteString("name: many\nvpcs:\n  lab:\n    cidr_block: 10.0.0.0/16\n    instances:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "      i%d: { services: [{ type: http, port: 80 }] }\n", i)
	}
	file := filepath.Join(t.TempDir(), "many.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	before := look(t)
	for _, step := range []struct {
		verb  []string
		limit time.Duration
	}{{[]string{"up", file}, 5 * time.Second}, {[]string{"down"}, 2 * time.Second}} {
		began := time.Now()
		mustPlsim(t, root, step.verb...)
		took := time.Since(began)
		t.Logf("plsim %s of 100 instances: %s", step.verb[0], took)
		if took > slack*step.limit {
			t.Errorf("plsim %s of 100 instances took %s, want at most %s", step.verb[0], took, step.limit)
		}
	}
	untouched(t, before)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
