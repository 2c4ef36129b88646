package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the kernel may take to clear up after a killed run. It
// takes milliseconds; a slow machine is no failure.
const patience = 10 * time.Second

// programStory is the quickstart with shorter silences, and with programs on an
// instance: two generations, the younger in a session of its own.
func programStory(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../scenarios/quickstart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, edit := range [][2]string{
		// By address: to look up a name can take as long.
		{`//${vpc_endpoint.api.dns_name}/", timeout: 500ms`, `//${vpc_endpoint.api.private_ip.us-east-1a}/", timeout: 50ms`},
		{`//${vpc_endpoint.api.zonal_dns_name.us-east-1a}/", timeout: 500ms`, `//${vpc_endpoint.api.private_ip.us-east-1a}/", timeout: 50ms`},
		{"stranger: { subnet_id: a }", `stranger: { subnet_id: a, command: "setsid sleep 1000 & exec sleep 1000" }`},
		{"steps:\n", "steps:\n  - exec: { in: stranger, command: 'echo left > /dev/shm/plsim-test; mktemp -p \"$HOME\"' }\n"},
	} {
		if !strings.Contains(text, edit[0]) {
			t.Fatalf("the quickstart has no %q any more", edit[0])
		}
		text = strings.ReplaceAll(text, edit[0], edit[1])
	}
	return text
}

// trial is a plsim that the test started in its box.
type trial struct {
	process *os.Process
	began   time.Time
	out     *os.File // standard output and error
	before  remains
}

// start starts plsim with a new process group of its own.
func start(t *testing.T, scenario string) *trial {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "story.yaml")
	if err := os.WriteFile(file, []byte(scenario), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(filepath.Join(dir, "out"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	r := &trial{out: out, before: look(t)}
	if len(r.before.processes) > 0 {
		t.Fatalf("processes at the start: %v", r.before.processes)
	}
	r.began = time.Now()
	r.process, err = os.StartProcess("/proc/self/exe", []string{"plsim", "run", file}, &os.ProcAttr{
		Files: []*os.File{nil, out, out},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.process.Kill() == nil { // a test that failed early must not fail the next
			_, _ = r.process.Wait()
			r.nothingLeft(t)
		}
	})
	return r
}

func (r *trial) printed() string {
	b, _ := os.ReadFile(r.out.Name())
	return string(b)
}

// exitCode waits for plsim's end; a signal counts as 128 plus its number.
func (r *trial) exitCode(t *testing.T) int {
	t.Helper()
	state, err := r.process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// descendants waits until plsim's init and lab are there, and returns them; 0 where plsim
// has ended.
func (r *trial) descendants(t *testing.T) (init, lab int) {
	t.Helper()
	await(t, "plsim's init and lab", func() error {
		if init = childOf(r.process.Pid); init != 0 {
			lab = childOf(init)
		}
		if r.over(t) {
			init, lab = 0, 0
			return nil
		}
		if lab == 0 {
			return fmt.Errorf("init %d, lab %d; printed:\n%s", init, lab, r.printed())
		}
		return nil
	})
	return init, lab
}

// over reports whether plsim has ended, and leaves that to be waited for.
func (r *trial) over(t *testing.T) bool {
	t.Helper()
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, r.process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	return info.Signo != 0
}

// nothingLeft waits until the box is as it was before the run.
func (r *trial) nothingLeft(t *testing.T) {
	t.Helper()
	await(t, "nothing to be left", func() error {
		reap()
		if now := look(t); !now.equal(r.before) {
			return fmt.Errorf("before: %+v\nnow:    %+v", r.before, now)
		}
		return nil
	})
}

// remains is all that a run could leave behind.
type remains struct {
	processes  []string // but this one
	namespaces []string // of any process or descriptor
	links      []string
	mounts     string
	files      []string // in /tmp, /dev/shm and the working directory
}

func (r remains) equal(o remains) bool {
	return slices.Equal(r.processes, o.processes) && slices.Equal(r.namespaces, o.namespaces) &&
		slices.Equal(r.links, o.links) && r.mounts == o.mounts && slices.Equal(r.files, o.files)
}

func look(t *testing.T) remains {
	t.Helper()
	var r remains
	namespaces := map[string]bool{}
	for _, pid := range processes() {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		if pid != os.Getpid() {
			command, _ := os.ReadFile(dir + "/cmdline")
			r.processes = append(r.processes, fmt.Sprintf("%d %q", pid, command))
		}
		for _, link := range glob(dir+"/ns/*", dir+"/task/*/ns/*", dir+"/fd/*") {
			target, _ := os.Readlink(link) // processes come and go
			if kind, _, ok := strings.Cut(target, ":["); ok && kind != "socket" && kind != "pipe" {
				namespaces[target] = true
			}
		}
	}
	r.namespaces = slices.Sorted(maps.Keys(namespaces))
	r.links = glob("/sys/class/net/*")
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	r.mounts = string(mounts)
	r.files = glob("/tmp/*", "/tmp/.*", "/dev/shm/*", "*", "/.plsim*")
	return r
}

func glob(patterns ...string) (found []string) {
	for _, p := range patterns {
		list, _ := filepath.Glob(p) // the patterns are well-formed
		found = append(found, list...)
	}
	return found
}

// processes returns the numbers of all processes of the box.
func processes() (pids []int) {
	entries, _ := os.ReadDir("/proc") // it is there
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// childOf returns a child of a process, or 0.
func childOf(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, thread := range glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) {
		more, _ := os.ReadFile(thread)
		b = append(append(b, ' '), more...)
	}
	for _, word := range strings.Fields(string(b)) {
		child, _ := strconv.Atoi(word) // the kernel wrote it
		return child
	}
	return 0
}

// reap takes leave of orphans, as process 1 of the box has to.
func reap() {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

// await tries again until try is content.
func await(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s: %v", patience, what, err)
		}
		time.Sleep(time.Millisecond) // a poll, not a guess: the deadline decides
	}
}

// awaitStep waits until plsim has played its first step, when there is much that
// could be left.
func (r *trial) awaitStep(t *testing.T) {
	t.Helper()
	await(t, "the first step", func() error {
		if out := r.printed(); !strings.Contains(out, "✓  1 ") {
			return fmt.Errorf("printed:\n%s", out)
		}
		return nil
	})
	// Outer, init, lab, the instance's two; and the look sees the sandbox's own.
	await(t, "five processes and their namespaces", func() error {
		if now := look(t); len(now.processes) < 5 || len(now.namespaces) < len(r.before.namespaces)+5 {
			return fmt.Errorf("there are only %q and %q", now.processes, now.namespaces)
		}
		return nil
	})
}

// TestKilled kills plsim's processes at random moments from the start to the end
// of a run. What is left afterwards is nothing.
func TestKilled(t *testing.T) {
	t.Parallel()
	if !inBox(t) {
		return
	}
	scenario := programStory(t)
	whole := start(t, scenario)
	if code := whole.exitCode(t); code != exitOK {
		t.Fatalf("exit code %d of a run that nobody kills:\n%s", code, whole.printed())
	}
	length := time.Since(whole.began)
	whole.nothingLeft(t)

	chance := rand.New(rand.NewPCG(2, 9))
	for _, victim := range []struct {
		name    string
		moments int
	}{{"outer", 10}, {"init", 2}, {"lab", 2}} {
		for i := range victim.moments {
			// One moment in each tenth, or half, of the run.
			moment := time.Duration((float64(i) + chance.Float64()) / float64(victim.moments) * float64(length))
			t.Run(fmt.Sprintf("%s after %s", victim.name, moment.Round(time.Millisecond)), func(t *testing.T) {
				r := start(t, scenario)
				pid := r.process.Pid
				if victim.name != "outer" {
					init, lab := r.descendants(t)
					pid = map[string]int{"init": init, "lab": lab}[victim.name]
				}
				<-time.After(time.Until(r.began.Add(moment)))
				killed := pid != 0 && unix.Kill(pid, unix.SIGKILL) == nil
				code := r.exitCode(t)
				switch {
				case killed && code != 128+int(unix.SIGKILL) && code != exitOK:
					t.Errorf("exit code %d, want 137, or 0 where the run was over:\n%s", code, r.printed())
				case !killed && code != exitOK:
					t.Errorf("exit code %d of a run that was over:\n%s", code, r.printed())
				}
				r.nothingLeft(t)
			})
		}
	}
}

// TestInterrupted stops a run in every way in which people and their tools do.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	if !inBox(t) {
		return
	}
	before, _, _ := strings.Cut(programStory(t), "  - name: Before acceptance")
	for _, tt := range []struct {
		name  string
		sig   unix.Signal
		group bool // as a terminal does
		step  string
	}{
		{"^C", unix.SIGINT, true, "wait: 1h"},
		{"SIGINT", unix.SIGINT, false, `ping: { from: app, to: "${vpc_endpoint.api.private_ip.us-east-1a}", timeout: 1h }`},
		{"SIGTERM", unix.SIGTERM, false, `request: { from: app, url: "http://${vpc_endpoint.api.private_ip.us-east-1a}/", timeout: 1h }`},
		{"SIGTERM to the group", unix.SIGTERM, true, "exec: { in: app, command: sleep 1000, timeout: 1h }"},
		{"SIGHUP", unix.SIGHUP, true, "connections: { from: app, to: '${vpc_endpoint.api.private_ip.us-east-1a}:80', count: 1000, timeout: 1h }"}, // the terminal went away
	} {
		t.Run(tt.name, func(t *testing.T) {
			if signal.Ignored(tt.sig) {
				t.Skip("these tests were started by somebody who ignores the signal, as nohup does")
			}
			r := start(t, before+"  - "+tt.step+"\n")
			r.awaitStep(t)
			pid := r.process.Pid
			if tt.group {
				pid = -pid
			}
			if err := unix.Kill(pid, tt.sig); err != nil {
				t.Fatal(err)
			}
			if code := r.exitCode(t); code != exitInterrupted {
				t.Errorf("exit code %d, want 130", code)
			}
			if out := r.printed(); strings.Count(out, "plsim: interrupted; everything is cleaned up\n") != 1 {
				t.Errorf("not one word about the interruption, but:\n%s", out)
			}
			r.nothingLeft(t)
		})
	}
	// Before the lab listens for signals, one must still end all.
	t.Run("at the very start", func(t *testing.T) {
		r := start(t, before)
		r.descendants(t)
		if err := unix.Kill(r.process.Pid, unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := r.exitCode(t); code != exitInterrupted {
			t.Errorf("exit code %d, want 130:\n%s", code, r.printed())
		}
		r.nothingLeft(t)
	})
}
