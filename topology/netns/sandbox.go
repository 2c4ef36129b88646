package netns

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	kernelns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// stageVar carries to a copy of this program which part of the chain it is, and
// filesVar how many files of the host it is given.
const (
	stageVar = "PLSIM_SANDBOX_STAGE"
	filesVar = "PLSIM_SANDBOX_FILES"
)

const (
	stageInit  = "init"  // PID 1, which starts a lab
	stageProbe = "probe" // PID 1, which only finds out whether it could
	stageLab   = "lab"
)

// Where the files of the host are: in init after the lifeline, in the lab after the
// standard three.
const (
	initFilesFD = lifelineFD + 1
	labFilesFD  = 3
)

// lifelineFD is where init finds its end of the lifeline, a socket pair with
// outer. Towards init each byte is the number of a signal for the lab, and end
// of file is outer's death; towards outer goes an Unsupported in JSON.
const lifelineFD = 3

// forwarded are the signals that outer hands on to the lab. The lab is in a
// session of its own, so that a terminal's ^C reaches it this way only, and once.
var forwarded = []os.Signal{
	unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH,
}

// homeNet is the lab's own network namespace, where every thread belongs that
// does not work for a Namespace. It is set once, by entering the sandbox.
var homeNet = kernelns.None()

// inherited are the files that EnterWith handed to this lab.
var inherited []*os.File

// Inherited returns the files that EnterWith opened outside, in their order: a
// socket among them is the host's still. The lab owns them.
func Inherited() []*os.File { return inherited }

// Inside reports whether this process is the lab of a sandbox.
func Inside() bool { return homeNet.IsOpen() }

// Nested reports whether this process is one of the copies of the program that Enter
// makes, before Enter as well as after it: what the first process did before it called
// Enter need not be done again.
func Nested() bool { return Inside() || detached || os.Getenv(stageVar) != "" }

// Enter puts the program into a sandbox, in which it may call New. Call it once,
// before threads or work that a second copy of the program must not repeat.
//
// Outside a sandbox it runs the program again, with the same arguments, inside
// one, waits for its end and returns its exit code with inside false: the caller
// has nothing to do but exit with that code. A lab that is killed by a signal
// has the exit code 128+signal. Inside it returns at once with inside true. The
// error is an *Unsupported where the host does not allow a sandbox.
//
// EnterWith hands files of the host to the lab.
func Enter() (code int, inside bool, err error) { return EnterWith(nil) }

// EnterWith is Enter for a lab that needs files of the host, such as a socket that
// listens there. open, which may be nil, is called outside only; what it returns the
// lab finds in Inherited, and EnterWith closes.
func EnterWith(open func() ([]*os.File, error)) (code int, inside bool, err error) {
	if err := assumeStage(); err != nil {
		return 0, false, err
	}
	if Inside() {
		return 0, true, nil
	}
	var files []*os.File
	if open != nil {
		if files, err = open(); err != nil {
			return 0, false, err
		}
	}
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	code, err = launch(stageInit, files)
	return code, false, err
}

// Supported returns nil where Enter and New work, and else an *Unsupported. It
// builds a sandbox and a device in it to find out, in a copy of this program
// with the same arguments; they are gone when it returns. Like Enter it must be
// called before work that such a copy must not repeat.
func Supported() error {
	if err := assumeStage(); err != nil || Inside() {
		return err
	}
	_, err := launch(stageProbe, nil)
	return err
}

// assumeStage makes this process what the chain wants it to be. It does not
// return in init. A stage that the environment names and the process does not
// have the signs of is ignored.
func assumeStage() error {
	stage := os.Getenv(stageVar)
	if stage == "" || Inside() {
		return nil
	}
	if err := os.Unsetenv(stageVar); err != nil {
		return err
	}
	switch {
	case stage == stageOuter && isSocket(readyFD):
		return becomeOuter()
	case (stage == stageInit || stage == stageProbe) && os.Getpid() == 1 && isSocket(lifelineFD):
		os.Exit(runInit(stage))
	case stage == stageLab && os.Getppid() == 1 && isSandboxRoot():
		return becomeLab()
	}
	return nil
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// launch runs a copy of this program as init of a new sandbox.
func launch(stage string, files []*os.File) (code int, err error) {
	host := thisHost()
	if err := host.checkTUN(); err != nil {
		return 0, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("make the lifeline: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "lifeline"), os.NewFile(uintptr(pair[1]), "lifeline")
	defer ours.Close()
	defer theirs.Close()
	// What this process inherited beside the standard three is not for the lab.
	_ = unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) // needs Linux 5.11

	// The kernel sends the death signal when the thread ends that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	init := exec.Command("/proc/self/exe", os.Args[1:]...)
	init.Args[0] = os.Args[0]
	init.Env = append(os.Environ(), stageVar+"="+stage, filesVar+"="+strconv.Itoa(len(files)))
	init.Stdin, init.Stdout, init.Stderr = os.Stdin, os.Stdout, os.Stderr
	init.ExtraFiles = append([]*os.File{theirs}, files...)
	init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Setsid:     true,
		Pdeathsig:  unix.SIGKILL,
	}
	if !host.privileged {
		init.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		init.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		init.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	signals := make(chan os.Signal, 16)
	for _, sig := range forwarded {
		if !signal.Ignored(sig) { // nohup, or a shell's background job
			signal.Notify(signals, sig)
		}
	}
	defer signal.Stop(signals)
	if err := init.Start(); err != nil {
		return 0, host.explain("make namespaces", err)
	}
	theirs.Close()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case sig := <-signals:
				_, _ = ours.Write([]byte{byte(sig.(syscall.Signal))}) // init is gone: so is the lab
			case <-ended:
				return
			}
		}
	}()
	waitErr := init.Wait()
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) {
		return 0, fmt.Errorf("wait for the sandbox: %w", waitErr)
	}
	if report, _ := io.ReadAll(ours); len(report) > 0 {
		why := new(Unsupported)
		if err := json.Unmarshal(report, why); err != nil {
			return 0, fmt.Errorf("the sandbox failed: %s", report)
		}
		return 0, why
	}
	return exitCode(init.ProcessState), nil
}

// runInit is the life of PID 1; the result is its exit code.
func runInit(stage string) int {
	unix.CloseOnExec(lifelineFD)
	lifeline := os.NewFile(lifelineFD, "lifeline")
	fail := func(err error) int {
		_ = json.NewEncoder(lifeline).Encode(err) // outer is gone: nobody to tell
		return 1
	}
	host := thisHost()
	host.init = true
	if op, err := buildRoot(); err != nil {
		return fail(host.explain(op, err))
	}
	if stage == stageProbe {
		tap, err := openTAP("probe", false, 0)
		if err != nil {
			return fail(host.explain("make a TAP device", err))
		}
		_ = tap.Close() // the namespace goes with this process anyway
		return 0
	}
	// Nothing of what init has open is the lab's but the standard three and the
	// files for it, which keeps a lab from holding its own lifeline.
	passed := []uintptr{0, 1, 2}
	for i := range countFiles() {
		unix.CloseOnExec(initFilesFD + i)
		passed = append(passed, uintptr(initFilesFD+i))
	}
	lab, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env:   append(os.Environ(), stageVar+"="+stageLab),
		Files: passed,
	})
	if err != nil {
		return fail(host.explain("start the lab", err))
	}
	go func() {
		signals := make([]byte, 16)
		for {
			n, err := lifeline.Read(signals)
			if err != nil {
				os.Exit(128 + int(unix.SIGKILL)) // outer is dead; the kernel kills what is left here
			}
			for _, sig := range signals[:n] {
				_ = unix.Kill(lab, unix.Signal(sig)) // it may just have ended
			}
		}
	}()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fail(host.explain("wait for the lab", err))
		case pid == lab && status.Signaled():
			return 128 + int(status.Signal())
		case pid == lab && status.Exited():
			return status.ExitStatus()
		}
	}
}

// becomeLab completes the sandbox from within.
func becomeLab() error {
	// Go's net package decides once, by binding to ::1, whether there is IPv6.
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bring up the sandbox's lo: %w", err)
	}
	home, err := kernelns.Get()
	if err != nil {
		return fmt.Errorf("open the sandbox's network namespace: %w", err)
	}
	homeNet = home
	for i := range countFiles() {
		unix.CloseOnExec(labFilesFD + i) // programs of the lab get none of them
		inherited = append(inherited, os.NewFile(uintptr(labFilesFD+i), "inherited"))
	}
	if n := len(inherited) - 1; os.Getenv(readyVar) != "" && n >= 0 {
		inherited, readiness = inherited[:n], inherited[n]
	}
	return errors.Join(os.Unsetenv(filesVar), os.Unsetenv(readyVar))
}

// countFiles returns how many files of the host this part of the chain was given.
func countFiles() int {
	n, _ := strconv.Atoi(os.Getenv(filesVar)) // only a part of the chain asks, and its parent has set it
	return max(n, 0)
}

// exitCode is a shell's view of how a process ended.
func exitCode(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}

// RunTests is TestMain's body in a package whose tests call New:
//
//	func TestMain(m *testing.M) { os.Exit(netns.RunTests(m)) }
//
// The tests run inside a sandbox where the host allows one; the others call
// RequireSandbox.
func RunTests(m interface{ Run() int }) int {
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.fuzzworker") {
			return m.Run() // talks to its parent over descriptors that the sandbox would not pass on
		}
	}
	code, inside, err := Enter()
	if err == nil && !inside {
		return code
	}
	testsOutside = err
	return m.Run()
}

var testsOutside error

// RequireSandbox skips a test that is not inside a sandbox, saying what is
// missing; where PLSIM_PRIVILEGED=require is in the environment, it fails the test.
func RequireSandbox(tb interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}) {
	tb.Helper()
	if Inside() {
		return
	}
	why := testsOutside
	if why == nil {
		why = errors.New("this package's TestMain does not call netns.RunTests")
	}
	if os.Getenv("PLSIM_PRIVILEGED") == "require" {
		tb.Fatalf("PLSIM_PRIVILEGED=require: %v", why)
	}
	tb.Skipf("needs a sandbox: %v", why)
}
