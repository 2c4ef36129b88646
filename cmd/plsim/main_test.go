package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/bench"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

var update = flag.Bool("update", false, "rewrite the expected outputs of the scripts")

// unsupported is why no scenario can run here; nil where one can.
var unsupported error

// The test binary is also plsim itself and a helper of the scripts, by the name
// under which it is started. So is every copy that plsim makes of itself.
func TestMain(m *testing.M) {
	bench.RunTraffic()
	switch filepath.Base(os.Args[0]) {
	case "plsim", "nobody":
	default:
		if os.Getenv(boxVar) != "" {
			furnishBox()
		}
		unsupported = netns.Supported()
		flag.Parse()
		// What runs here mostly waits; a processor is not what it waits for.
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
		if boxed {
			os.Exit(m.Run()) // no script runs there, and the files of this binary are out of sight
		}
	}
	testscript.Main(m, map[string]func(){"plsim": main, "nobody": nobody})
}

// requirePrivilege skips a test where no scenario can run, and fails it where
// the environment says that one must.
func requirePrivilege(t testing.TB) {
	t.Helper()
	switch {
	case unsupported == nil:
	case os.Getenv("PLSIM_PRIVILEGED") == "require":
		t.Fatalf("PLSIM_PRIVILEGED=require: %v", unsupported)
	default:
		t.Skipf("no scenario can run here: %v", unsupported)
	}
}

func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			// As in a checkout: the documents' commands name these files.
			for _, name := range []string{"scenarios", "sim", "Makefile"} {
				if err := os.Symlink(filepath.Join(root, name), filepath.Join(env.WorkDir, name)); err != nil {
					return err
				}
			}
			labs := filepath.Join(env.WorkDir, ".labs")
			env.Setenv("PLSIM_RUNTIME_DIR", labs)
			env.Defer(func() { // a script that failed leaves its labs
				cmd := plsimCommand("down", "--all")
				cmd.Env = append(os.Environ(), "PLSIM_RUNTIME_DIR="+labs)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
			return nil
		},
		Condition: condition,
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "pcap": pcap, "result": result},
	})
}

// plsimCommand is plsim with some arguments.
func plsimCommand(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "plsim"
	return cmd
}

// condition knows, beside testscript's own:
//
//	privileged  scenarios can run here
//	root        the tests run as root, and not in a user namespace
//	userns      and anybody may make user namespaces
func condition(name string) (bool, error) {
	switch name {
	case "privileged":
		if unsupported != nil && os.Getenv("PLSIM_PRIVILEGED") == "require" {
			return false, fmt.Errorf("PLSIM_PRIVILEGED=require: %w", unsupported)
		}
		return unsupported == nil, nil
	case "root":
		return isRoot(), nil
	case "userns":
		return isRoot() && userNamespaces(), nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

func isRoot() bool { return os.Getuid() == 0 && unsupported == nil }

// userNamespaces reports whether the kernel lets uid 65534 make the namespaces
// of a sandbox.
var userNamespaces = sync.OnceValue(func() bool {
	cmd := exec.Command("/proc/self/exe", "0666", "unshare", "--map-root-user", "--pid", "--mount", "--net", "--fork", "true")
	cmd.Args[0] = "nobody"
	return cmd.Run() == nil
})

// exits runs a command that has to end with an exit code: exits 2 exec plsim …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || args[1] != "exec" {
		ts.Fatalf("usage: exits CODE exec PROGRAM [ARGUMENTS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[2], args[3:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// result checks that the last command's standard output is the JSON form of a
// story.Result and nothing else, with a verdict: result pass
func result(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: result VERDICT")
	}
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	dec.DisallowUnknownFields()
	var r story.Result
	ts.Check(dec.Decode(&r))
	if dec.More() {
		ts.Fatalf("there is more than one document on standard output")
	}
	if r.SchemaVersion != story.ResultSchemaVersion || r.Scenario == "" || r.File == "" || r.Mode != "emulate" || r.Duration <= 0 {
		ts.Fatalf("the head of the result is incomplete: %+v", r)
	}
	if string(r.Verdict) != args[0] {
		ts.Fatalf("verdict %s, want %s", r.Verdict, args[0])
	}
	verdict := story.Pass
	for i, s := range r.Steps {
		if s.Number != i+1 || s.Name == "" || s.Action == "" || s.Duration <= 0 || s.Attempts < 1 || s.Seen == "" {
			ts.Fatalf("step %d is incomplete: %+v", i+1, s)
		}
		if (s.Verdict == story.Fail) != (len(s.Differences) > 0) {
			ts.Fatalf("step %d: verdict %s with differences %q", i+1, s.Verdict, s.Differences)
		}
		if s.Verdict != story.Pass {
			verdict = story.Fail
		}
	}
	if r.Verdict != verdict {
		ts.Fatalf("verdict %s of steps that come to %s", r.Verdict, verdict)
	}
}

// nobody runs a program as uid 65534 without any privilege, where /dev/net/tun
// has the given mode: nobody 0666 plsim run quickstart
func nobody() {
	mode, err := strconv.ParseUint(os.Args[1], 8, 32)
	program := "/proc/self/exe" // whose path may be closed to others
	if err == nil && os.Args[2] != "plsim" {
		program, err = exec.LookPath(os.Args[2])
	}
	if err == nil {
		err = becomeNobody(uint32(mode))
	}
	if err == nil {
		err = syscall.Exec(program, os.Args[2:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "nobody:", err)
	os.Exit(99)
}

func becomeNobody(tunMode uint32) error {
	const nobody = 65534
	runtime.LockOSThread() // the namespace is this thread's, which execs
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("plsim", "/dev/net", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	if err := unix.Mknod("/dev/net/tun", unix.S_IFCHR|tunMode, int(unix.Mkdev(10, 200))); err != nil {
		return err
	}
	if err := os.Chmod("/dev/net/tun", os.FileMode(tunMode)); err != nil { // whatever the umask
		return err
	}
	// The tests' own directory may be closed to others, programs in it too.
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody))
}
