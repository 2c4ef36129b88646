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
	parts   map[int][]part          // what of it can fail: built-in services by port, and the command by 0
	closers []io.Closer
	sinks   map[place]*sink
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
	for _, c := range h.closers {
		_ = c.Close() // it only stops listening
	}
	if p := h.program.Load(); p != nil {
		<-p.ended
	}
}

// host finds an instance by the name that a scenario gives it.
func (w *World) host(name string) (*host, error) {
	h, err := w.lab.Instance(name)
	if err != nil {
		return nil, err
	}
	return w.hosts[h.Name], nil
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

// launch writes the instances' files, starts their programs and waits for those
// that the story waits for.
func (w *World) launch(ctx context.Context, opts Options) error {
	bundle := ""
	if w.ca != nil {
		bundle = w.ca.bundle()
	}
	for _, of := range w.lab.Hosts {
		h := w.hosts[of.Name]
		if err := h.prepare(bundle, opts); err != nil {
			return fmt.Errorf("instance %s: %w", h.Name, err)
		}
		if len(h.spec.Command) > 0 {
			if err := h.run(ctx, h.spec.Command); err != nil {
				return err // names the instance
			}
			h.parts[0] = append(h.parts[0], &command{host: h, life: ctx})
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, len(w.lab.Hosts))
	for i, spec := range w.lab.Hosts {
		if h := w.hosts[spec.Name]; h.WaitForPort != 0 {
			wg.Go(func() { errs[i] = h.await(ctx, w.patience) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// prepare fills an instance's home directory and environment. bundle holds the
// certificates that its programs trust, where the lab has its own.
func (h *host) prepare(bundle string, opts Options) error {
	if bundle != "" {
		if err := h.ns.WriteFile("ca-certificates.pem", bundle); err != nil {
			return err
		}
		path := h.ns.Home() + "/ca-certificates.pem"
		// The names under which curl, OpenSSL, Python's requests and Node look for it.
		for _, name := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} {
			h.env = append(h.env, name+"="+path)
		}
	}
	if opts.ScenarioDir != "" {
		h.env = append(h.env, "SCENARIO_DIR="+opts.ScenarioDir)
	}
	for name, value := range h.spec.Environment {
		h.env = append(h.env, name+"="+value)
	}
	for name, content := range h.spec.Files {
		if err := h.ns.WriteFile(name, content); err != nil {
			return err
		}
	}
	return nil
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
	addr := net.JoinHostPort(h.NIC.Addrs[0].Addr().String(), strconv.Itoa(h.WaitForPort))
	for {
		c, err := h.ns.Dial(limit, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ended:
			return h.startError("its command ended with exit code %d before anything listened on port %d", program.code, h.WaitForPort)
		case <-limit.Done():
			if err := ctx.Err(); err != nil {
				return err // interrupted, and no fault of the program
			}
			return h.startError("nothing listens on port %d of %s after %s", h.WaitForPort, h.NIC.Addrs[0].Addr(), patience)
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
