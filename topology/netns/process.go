package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Cmd is a program to start.
type Cmd struct {
	Argv []string // a name without a slash is looked up in PATH, a relative one in Dir
	// Env adds to the environment, or replaces what is in it: PATH, TERM, TZ and
	// the locale of the caller, HOME and the like of the instance. In particular,
	// the caller's proxies are not the instance's.
	Env []string
	Dir string // default, and what a relative one is relative to: the home directory
	// Stdin, Stdout and Stderr are /dev/null where nil. A *os.File is handed
	// over as it is; any other is served by a goroutine.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal makes Stdin, which is a terminal that no other session has, the
	// program's controlling terminal.
	Terminal bool
}

// ProgramError says that a program could not be started.
type ProgramError struct {
	Program  string
	Instance string // name of the namespace
	Err      error  // exec.ErrNotFound is for a program that is not on this machine
}

func (e *ProgramError) Error() string {
	return fmt.Sprintf("%s: cannot start %q: %v", e.Instance, e.Program, e.Err)
}

func (e *ProgramError) Unwrap() error { return e.Err }

// Process is a program that was started in a namespace, with a session and a
// process group of its own. Its methods may be called from any goroutine.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	code int
	err  error

	mu    sync.Mutex
	ended bool // the process number may be somebody else's
}

// drainTime is how long a process's last output is awaited where a process that
// it left behind holds the pipe open.
const drainTime = 250 * time.Millisecond

// Start starts a program as if on the instance: in its network, with its
// hostname, its /etc/resolv.conf, /etc/hosts and /etc/nsswitch.conf, and a /sys
// that shows its interfaces. The rest of the file system is the host's. The end
// of ctx kills it. The error is a *ProgramError where there is no such program.
func (n *Namespace) Start(ctx context.Context, c Cmd) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return nil, fmt.Errorf("%s: no program named", n.cfg.Name)
	}
	dir := n.Home()
	if filepath.IsAbs(c.Dir) {
		dir = c.Dir
	} else if c.Dir != "" {
		dir = filepath.Join(dir, c.Dir)
	}
	pipes, err := newPipes(c)
	if err != nil {
		return nil, fmt.Errorf("%s: start %q: %w", n.cfg.Name, c.Argv[0], err)
	}
	cmd := &exec.Cmd{
		Args: c.Argv, Env: n.environ(dir, c.Env), Dir: dir,
		Stdin: pipes.stdin, Stdout: pipes.stdout, Stderr: pipes.stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: c.Terminal},
	}
	err = n.inView(func() error {
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("working directory: %w", err)
		}
		path, err := lookPath(c.Argv[0], dir, cmd.Env)
		if err != nil {
			return err
		}
		cmd.Path = path
		if err = cmd.Start(); errors.Is(err, os.ErrNotExist) { // but it is there
			return fmt.Errorf("the program that its first line names is missing: %w", err)
		}
		return err
	})
	pipes.closeTheirs()
	if err != nil {
		pipes.closeOurs()
		return nil, &ProgramError{Program: c.Argv[0], Instance: n.cfg.Name, Err: err}
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	pipes.serve()
	go p.reap(pipes, context.AfterFunc(ctx, p.Kill))
	return p, nil
}

// Output runs a program to its end and returns what it wrote to its standard
// output. An exit code other than 0 is an error, with what it wrote to stderr.
func (n *Namespace) Output(ctx context.Context, argv ...string) (string, error) {
	var out, complaint bytes.Buffer
	p, err := n.Start(ctx, Cmd{Argv: argv, Stdout: &out, Stderr: &complaint})
	if err != nil {
		return "", err
	}
	code, err := p.Wait()
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: %s: exit code %d: %s", n.cfg.Name, strings.Join(argv, " "), code, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.String(), err
}

// reap waits for the process's end and for its output.
func (p *Process) reap(pipes *pipes, stop func() bool) {
	defer close(p.done)
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	stop()
	p.mu.Lock()
	p.ended = true // and only now may the number be given to another
	p.mu.Unlock()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.err = fmt.Errorf("wait for %q: %w", p.cmd.Args[0], err)
		p.code = -1
	} else {
		p.code = exitCode(p.cmd.ProcessState)
	}
	pipes.drain(drainTime)
}

// Wait waits for the process's end, and for its output as far as it is its own.
// The code is 128+signal where a signal killed it. Wait may be called any number
// of times, or not at all.
func (p *Process) Wait() (code int, err error) {
	<-p.done
	return p.code, p.err
}

// Done is closed when Wait would not block.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill kills the process and its group, unless it has ended already.
func (p *Process) Kill() { p.Signal(unix.SIGKILL) }

// Signal sends a signal to the process and its group, unless it has ended already.
func (p *Process) Signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		_ = unix.Kill(-p.cmd.Process.Pid, sig) // a leader that is not yet reaped keeps its group
	}
}

// environ is the environment of a program of the instance.
func (n *Namespace) environ(dir string, more []string) []string {
	env := []string{
		"HOME=" + n.Home(), "PWD=" + dir, "HOSTNAME=" + n.cfg.Hostname,
		"USER=root", "LOGNAME=root", "SHELL=/bin/sh",
	}
	for _, name := range []string{"TERM", "TZ", "LANG", "LC_ALL", "LC_CTYPE"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	env = append(env, searchPath())
	return append(env, more...) // the last one of a name counts
}

// HasProgram reports whether instances would find a program by its name.
func HasProgram(name string) bool {
	_, err := lookPath(name, "/", []string{searchPath()})
	return err == nil
}

// searchPath is the instances' PATH: the caller's, and where systems keep their
// programs.
func searchPath() string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, d := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return "PATH=" + strings.Join(dirs, string(filepath.ListSeparator))
}

// lookPath finds a program as a shell with that directory and environment would.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	var list string
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			list = p
		}
	}
	var denied error
	for _, d := range filepath.SplitList(list) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		file := filepath.Join(d, name)
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if errors.Is(err, os.ErrPermission) {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", fmt.Errorf("%w (%s)", exec.ErrNotFound, list)
}

func executable(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: there is no %s", exec.ErrNotFound, file)
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory", file)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable: %w", file, os.ErrPermission)
	}
	return nil
}
