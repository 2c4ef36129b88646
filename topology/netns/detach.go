package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// stageOuter is outer itself, where it is not the user's process but was left behind by it.
const stageOuter = "outer"

// readyVar tells a part of the chain that the last of its files is for [Ready].
const readyVar = "PLSIM_SANDBOX_READY"

// In a detached outer: where its end of the socket pair with the user's process is, and
// the files of the host after that.
const (
	readyFD      = 3
	outerFilesFD = readyFD + 1
)

// detached is whether this process is an outer that EnterDetached started.
var detached bool

// readiness is the way to the user's process, in a detached outer and its lab. The
// user's process sends a byte to outer, which then may begin; the lab one back, when it
// is ready.
var readiness *os.File

// Daemon says how a sandbox lives on without the user's process.
type Daemon struct {
	Files   []*os.File // of the host, for the lab: it finds them in Inherited
	Log     *os.File   // standard output and error of all; it can be read, too
	Started func(pid int) error
}

// Detached reports whether this process is the outer one of a detached sandbox: what is
// to be done on the host when the sandbox has ended is for it to do.
func Detached() bool { return detached }

// EnterDetached is Enter for a sandbox that outlives the process which calls it. There
// are four processes then: the user's, which returns with code 0 as soon as the lab
// calls Ready, and with the exit code of outer where it ends before that; and outer,
// init and lab as with Enter, in a session without a terminal. open is called in the
// user's process only, and Started there when outer exists and has done nothing yet.
func EnterDetached(open func() (*Daemon, error)) (code int, inside bool, err error) {
	if err := assumeStage(); err != nil {
		return 0, false, err
	}
	switch {
	case Inside():
		return 0, true, nil
	case detached:
		if n, err := readiness.Read(make([]byte, 1)); n == 0 {
			return 0, false, fmt.Errorf("the process that started this one is gone: %w", err)
		}
		code, err = launch(stageInit, append(inherited, readiness))
		return code, false, err
	}
	d, err := open()
	if err != nil {
		return 0, false, err
	}
	code, err = d.start()
	return code, false, err
}

// Ready tells the user's process that the lab is ready, where that waits for it.
func Ready() error {
	if readiness == nil {
		return nil
	}
	_, _ = readiness.Write([]byte{0}) // who does not wait any more need not know
	err := readiness.Close()
	readiness = nil
	return err
}

// start starts outer and waits until its lab is ready, or outer has ended.
func (d *Daemon) start() (code int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("make a socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "readiness"), os.NewFile(uintptr(pair[1]), "readiness")
	defer ours.Close()
	defer theirs.Close()

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer signal.Stop(signals)
	outer := exec.Command("/proc/self/exe", os.Args[1:]...)
	outer.Args[0] = os.Args[0]
	outer.Env = append(os.Environ(), stageVar+"="+stageOuter, filesVar+"="+strconv.Itoa(len(d.Files)))
	outer.Stdout, outer.Stderr = d.Log, d.Log
	outer.ExtraFiles = append([]*os.File{theirs}, d.Files...)
	outer.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := outer.Start(); err != nil {
		return 0, fmt.Errorf("start the lab's own process: %w", err)
	}
	theirs.Close()
	err = d.Started(outer.Process.Pid)
	if err == nil {
		_, err = ours.Write([]byte{0})
	}
	if err != nil {
		return 0, errors.Join(err, outer.Process.Kill(), ignoreExit(outer.Wait()))
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-signals:
			_ = outer.Process.Signal(unix.SIGTERM) // it may just have ended
		case <-ended:
		}
	}()
	if n, _ := ours.Read(make([]byte, 1)); n == 1 {
		return 0, outer.Process.Release()
	}
	if err := ignoreExit(outer.Wait()); err != nil {
		return 0, fmt.Errorf("wait for the lab's own process: %w", err)
	}
	return exitCode(outer.ProcessState), nil
}

// ignoreExit leaves away the error that only says how a process ended.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// becomeOuter takes over what the user's process gave to a detached outer.
func becomeOuter() error {
	detached = true
	unix.CloseOnExec(readyFD)
	readiness = os.NewFile(readyFD, "readiness")
	for i := range countFiles() {
		unix.CloseOnExec(outerFilesFD + i)
		inherited = append(inherited, os.NewFile(uintptr(outerFilesFD+i), "inherited"))
	}
	return os.Setenv(readyVar, "yes") // for the lab
}
