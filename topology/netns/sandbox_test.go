package netns_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

// program is a copy of this test binary that runs helper.
func program(what string, more ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe")
	c.Env = append(append(os.Environ(), "PLSIM_TEST_HELPER="+what,
		"GORACE=atexit_sleep_ms=0"), more...) // else each of a chain built with -race ends a second late
	return c
}

// The sandboxes of these tests are nested in the one that the tests run in,
// which stands for the host.

func TestExitCode(t *testing.T) {
	netns.RequireSandbox(t)
	start := time.Now()
	c := program("exit7")
	if out, err := c.CombinedOutput(); c.ProcessState.ExitCode() != 7 {
		t.Errorf("%v, %s", err, out)
	}
	t.Logf("a sandbox with one instance took %v", time.Since(start))
	c = program("supported")
	if out, err := c.CombinedOutput(); err != nil || string(out) != "supported\n" {
		t.Errorf("Supported: %v, %s", err, out)
	}
}

// Who names a stage by hand gets a whole sandbox all the same.
func TestStageByHand(t *testing.T) {
	netns.RequireSandbox(t)
	for _, stage := range []string{"init", "lab", "probe", "nonsense"} {
		c := program("show", "PLSIM_SANDBOX_STAGE="+stage)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v, %s", err, out)
		}
		// The process number of a lab, its parent's, and no stage.
		if !strings.Contains(string(out), " 1 \n") {
			t.Errorf("stage %s: not in a sandbox: %s", stage, out)
		}
	}
}

func TestRoot(t *testing.T) {
	netns.RequireSandbox(t)
	dir := t.TempDir()
	c := program("show")
	c.Dir = dir
	b, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v, %s", err, b)
	}
	out := string(b)
	for _, want := range []string{
		"plsim / tmpfs ", "proc /proc proc ", " /etc/resolv.conf ", " /etc/hosts ", " /etc/nsswitch.conf ",
		"/.plsim/helper/home\n", "hosts: files dns\n", "cwd " + dir + " <nil>\n", ": eth0: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in %s", want, out)
		}
	}
	if strings.Contains(out, ".plsim-old") {
		t.Errorf("the old root is still mounted: %s", out)
	}
}

// Without privilege, where the device is open to all: a user namespace. Where it
// is not: a word about it.
func TestUnprivileged(t *testing.T) {
	n := newNamespace(t, netns.Config{Name: "unprivileged"})
	if _, err := n.Output(ctx, "sh", "-c", "mkdir d && mount -t tmpfs none d && mknod d/tun c 10 200"); err != nil {
		t.Skipf("needs to make a device: %v", err)
	}
	const asNobody = "cp /proc/$PPID/exe test && exec setpriv --reuid 65534 --regid 65534 --clear-groups ./test"
	for _, c := range []struct{ name, mode, want string }{
		{"show", "666", " 1 \n"},
		{"supported", "666", "supported\n"},
		{"show", "600", "/dev/net/tun is not accessible to uid 65534 (permission denied): run with sudo"},
		{"supported", "600", "/dev/net/tun is not accessible to uid 65534 (permission denied): run with sudo"},
	} {
		var out bytes.Buffer
		p, err := n.Start(ctx, netns.Cmd{
			Argv: []string{"sh", "-c", "chmod " + c.mode + " d/tun && mount --bind d/tun /dev/net/tun && " + asNobody},
			Env:  []string{"PLSIM_TEST_HELPER=" + c.name}, Stdout: &out, Stderr: &out,
		})
		if err != nil {
			t.Fatal(err)
		}
		code, err := p.Wait()
		if err != nil || (code == 0) != (c.mode == "666") || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s with mode %s: exit code %d, %v, %s", c.name, c.mode, code, err, out.String())
		}
	}
}

// Whichever process of a run is killed, nothing of it is left.
func TestKill(t *testing.T) {
	netns.RequireSandbox(t)
	for _, victim := range []string{"outer", "init", "lab"} {
		t.Run(victim, func(t *testing.T) {
			mounts, links := hostState(t)
			c, _ := startHelper(t)
			outer := c.Process.Pid
			init := onlyChild(t, outer)
			lab := onlyChild(t, init)
			var tree []int
			await(t, func() string { // outer, init, lab and two that sleep
				if tree = descendants(t, outer); len(tree) < 5 {
					return fmt.Sprintf("only %d processes", len(tree))
				}
				return ""
			})
			pid := map[string]int{"outer": outer, "init": init, "lab": lab}[victim]
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			err := c.Wait()
			if victim != "outer" && c.ProcessState.ExitCode() != 137 {
				t.Errorf("outer: %v", err)
			}
			await(t, func() string {
				left := processes(t)
				for _, pid := range tree {
					if _, alive := left[pid]; alive {
						return fmt.Sprintf("%d of %v is alive", pid, tree)
					}
				}
				return ""
			})
			if m, l := hostState(t); m != mounts || l != links {
				t.Errorf("the host changed:\n%s%s\nwas\n%s%s", m, l, mounts, links)
			}
		})
	}
}

// A signal to outer reaches the lab, once, also where a terminal sends it to
// the whole process group; the exit code is the program's own.
func TestSignals(t *testing.T) {
	netns.RequireSandbox(t)
	for _, c := range []struct {
		sig   syscall.Signal
		group int // -1: to the process group
	}{{syscall.SIGINT, 1}, {syscall.SIGTERM, 1}, {syscall.SIGINT, -1}} {
		run, out := startHelper(t)
		if err := syscall.Kill(c.group*run.Process.Pid, c.sig); err != nil {
			t.Fatal(err)
		}
		line, err := out.ReadString('\n')
		if want := fmt.Sprintf("got %v and 0 more\n", c.sig); line != want {
			t.Errorf("the lab said %q, %v; want %q", line, err, want)
		}
		if err := run.Wait(); run.ProcessState.ExitCode() != 130 {
			t.Errorf("outer: %v", err)
		}
	}
}

// startHelper starts a run, in a process group of its own, and waits until it
// is ready.
func startHelper(t *testing.T) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	c := program("wait")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var complaints bytes.Buffer
	c.Stderr = &complaints
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // in case the test ended early
	out := bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); line != "ready\n" {
		_ = c.Wait()
		t.Fatalf("the lab said %q, %v, %s", line, err, complaints.String())
	}
	return c, out
}

func descendants(t *testing.T, root int) []int {
	t.Helper()
	tree, parents := []int{root}, processes(t)
	for i := 0; i < len(tree); i++ {
		for pid, parent := range parents {
			if parent == tree[i] && !slices.Contains(tree, pid) {
				tree = append(tree, pid)
			}
		}
	}
	return tree
}

func onlyChild(t *testing.T, parent int) (child int) {
	t.Helper()
	for pid, p := range processes(t) {
		if p == parent {
			if child != 0 {
				t.Fatalf("process %d has children %d and %d", parent, child, pid)
			}
			child = pid
		}
	}
	if child == 0 {
		t.Fatalf("process %d has no child", parent)
	}
	return child
}

// hostState is what a run must not change.
func hostState(t *testing.T) (mounts, links string) {
	t.Helper()
	m, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	l, err := exec.Command("ip", "-o", "link").CombinedOutput()
	if err != nil {
		t.Fatalf("%v, %s", err, l)
	}
	return string(m), string(l)
}
