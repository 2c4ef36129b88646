package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// boxVar is in the environment of a test that runs in a box.
const boxVar = "PLSIM_TEST_BOX"

// boxed is whether this process is such a test.
var boxed bool

// inBox reports whether the test runs in a box: a machine of its own as far as
// processes, network and mounts go, where whatever is there stems from the test,
// which is process 1. Where it does not, inBox runs the test in one and passes on
// what becomes of it; the caller has nothing left to do.
func inBox(t *testing.T) bool {
	t.Helper()
	requirePrivilege(t)
	if !isRoot() {
		t.Skip("needs root: a box of namespaces is made for the test")
	}
	if boxed {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), boxVar+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
		Pdeathsig:  unix.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in the box: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

// furnishBox gives the box its own /proc, /tmp and /dev/shm.
func furnishBox() {
	boxed = true
	_ = os.Unsetenv(boxVar) // what is started here is not the test
	for _, m := range []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"}, {"box", "/tmp", "tmpfs"}, {"box", "/dev/shm", "tmpfs"},
	} {
		err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		if err == nil {
			err = unix.Mount(m.source, m.target, m.kind, 0, "")
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "furnish the box: mount %s: %v\n", m.target, err)
			os.Exit(1)
		}
	}
}
