package emulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// host is an instance that runs.
type host struct {
	*topology.Host
	spec    *topology.Instance // with its references replaced
	ns      *netns.Namespace
	env     []string
	program atomic.Pointer[program] // its command, if it has one
	trusts  bool                    // its environment names the lab's own certificates
	started bool                    // its files are written, and its command has begun
	parts   map[int][]part          // what of it can fail: built-in services by port, and the command by 0
	closers map[int][]io.Closer     // of built-in services, by port
	sinks   map[place]*sink
}

func newHost(of *topology.Host, spec *topology.Instance, ns *netns.Namespace) *host {
	return &host{Host: of, spec: spec, ns: ns, parts: map[int][]part{}, closers: map[int][]io.Closer{}}
}

// program is the command of an instance, and what it printed.
type program struct {
	process *netns.Process
	output  tail
	ended   chan struct{}
	code    int
}

// stop closes the built-in services. The programs end with their context.
func (h *host) stop() {
	for port := range h.closers {
		h.hush(port)
	}
	if p := h.program.Load(); p != nil {
		<-p.ended
	}
}

// hush closes what listens on a port.
func (h *host) hush(port int) {
	for _, c := range h.closers[port] {
		_ = c.Close() // it only stops listening
	}
	delete(h.closers, port)
}

// host finds an instance by the name that a scenario gives it.
func (w *World) host(name string) (h *host, err error) {
	err = w.Look(func(lab *topology.Lab) error {
		of, err := lab.Instance(name)
		if err == nil {
			h = w.hosts[of.Name]
		}
		return err
	})
	return h, err
}

// defaultPatience is how long an instance's program may take until it answers
// on its wait_for_port.
const defaultPatience = 30 * time.Second

// StartError says that an instance's program did not come up as the scenario
// expects.
type StartError struct {
	Instance string // VPC/NAME
	What     string // "nothing listens on port 5000 after 30s"
	Printed  string // by the program
}

func (e *StartError) Error() string {
	s := fmt.Sprintf("instance %s: %s", e.Instance, e.What)
	if e.Printed != "" {
		s += "; its command printed:\n" + strings.TrimRight(e.Printed, "\n")
	}
	return s
}

// run starts the instance's own program.
func (h *host) run(ctx context.Context, argv []string) error {
	p := &program{ended: make(chan struct{})}
	process, err := h.ns.Start(ctx, netns.Cmd{Argv: argv, Env: h.env, Stdout: &p.output, Stderr: &p.output})
	if err != nil {
		return err
	}
	p.process = process
	h.program.Store(p)
	go func() {
		p.code, _ = process.Wait() // an error is the context's end, or told by the code
		close(p.ended)
	}()
	return nil
}

// await waits until something answers on the instance's wait_for_port.
func (h *host) await(ctx context.Context, patience time.Duration) error {
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var ended <-chan struct{}
	program := h.program.Load()
	if program != nil {
		ended = program.ended
	}
	addr := net.JoinHostPort(h.NIC.Addrs[0].Addr().String(), strconv.Itoa(h.spec.WaitForPort))
	for {
		c, err := h.ns.Dial(limit, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ended:
			return h.startError("its command ended with exit code %d before anything listened on port %d", program.code, h.spec.WaitForPort)
		case <-limit.Done():
			if err := ctx.Err(); err != nil {
				return err // interrupted, and no fault of the program
			}
			return h.startError("nothing listens on port %d of %s after %s", h.spec.WaitForPort, h.NIC.Addrs[0].Addr(), patience)
		}
	}
}

// obituary says that the instance's program has ended, and with which words; ""
// while it runs, or where there is none.
func (h *host) obituary() string {
	p := h.program.Load()
	if p == nil {
		return ""
	}
	select {
	case <-p.ended:
	default:
		return ""
	}
	s := fmt.Sprintf("the command of %s has ended with exit code %d", h.Name, p.code)
	printed := strings.TrimSpace(p.output.String())
	if printed == "" {
		return s + " and printed nothing"
	}
	return s + "; its last words: " + printed[strings.LastIndexByte(printed, '\n')+1:]
}

func (h *host) startError(format string, args ...any) error {
	e := &StartError{Instance: h.Name, What: fmt.Sprintf(format, args...)}
	if p := h.program.Load(); p != nil {
		e.Printed = p.output.String()
	}
	return e
}

// exitNotFound is the exit code of a program that could not be started.
const exitNotFound = 127

// Exec implements [story.World].
func (w *World) Exec(ctx context.Context, x *scenario.Exec) (story.Exit, error) {
	h, err := w.host(x.In)
	if err != nil {
		return story.Exit{}, err
	}
	limit, cancel := context.WithTimeout(ctx, x.Timeout.Duration())
	defer cancel()
	var stdout, stderr bytes.Buffer
	p, err := h.ns.Start(limit, netns.Cmd{
		Argv: x.Command, Env: h.env, Stdin: strings.NewReader(x.Stdin), Stdout: &stdout, Stderr: &stderr,
	})
	var program *netns.ProgramError
	switch {
	case errors.As(err, &program): // what a shell would say of it
		return story.Exit{Code: exitNotFound, Stderr: program.Error() + "\n"}, nil
	case err != nil:
		return story.Exit{}, err
	}
	code, err := p.Wait()
	if err := ctx.Err(); err != nil {
		return story.Exit{}, err
	}
	timedOut := limit.Err() != nil
	if err != nil && !timedOut {
		return story.Exit{}, err
	}
	return story.Exit{Code: code, Stdout: stdout.String(), Stderr: stderr.String(), TimedOut: timedOut}, nil
}

// tail keeps the end of what a program printed. It may be written and read at
// the same time.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 16 << 10

// Write implements [io.Writer].
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// addrPort is the address and port of one end of a connection.
func addrPort(a net.Addr) netip.AddrPort { return parseAddrPort(a.String()) }

// parseAddrPort parses what a connection says of one of its ends.
func parseAddrPort(s string) netip.AddrPort {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
