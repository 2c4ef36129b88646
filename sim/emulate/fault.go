package emulate

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/scenario"
)

// part is something in an instance that can fail by itself.
type part interface {
	// fail lets it fail in one of the scenario's ways.
	fail(how string) error
	// heal brings it back, if it has failed.
	heal() error
}

// flap is a fault that comes and goes until it is stopped.
type flap struct {
	*scenario.Fault
	stop func() error // waits for its end
}

// listen opens a stream socket of a built-in service.
func (h *host) listen(at string, port int) (net.Listener, error) {
	s, err := newSocket(func() (net.Listener, error) { return h.ns.Listen("tcp", at) })
	if err != nil {
		return nil, err
	}
	h.parts[port] = append(h.parts[port], s)
	return listener{s}, nil
}

// listenPacket opens a datagram socket of a built-in service.
func (h *host) listenPacket(at string, port int) (net.PacketConn, error) {
	s, err := newSocket(func() (net.PacketConn, error) { return h.ns.ListenPacket("udp", at) })
	if err != nil {
		return nil, err
	}
	h.parts[port] = append(h.parts[port], s)
	return packetConn{s}, nil
}

// of returns what a fault is about: what is on a port, or everything. The command is on
// none.
func (h *host) of(port int) (all []part) {
	for at, parts := range h.parts {
		if port == 0 || port == at {
			all = append(all, parts...)
		}
	}
	return all
}

// Fail implements [story.World].
func (w *World) Fail(_ context.Context, f *scenario.Fault) error {
	h, err := w.host(f.Instance)
	if err != nil {
		return err
	}
	parts := h.of(f.Port)
	if f.How != scenario.Flaps {
		return each(parts, func(p part) error { return p.fail(f.How) })
	}
	die := func() error { return each(parts, func(p part) error { return p.fail(scenario.Dies) }) }
	if err := die(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(w.life)
	ended := make(chan error, 1)
	w.flaps = append(w.flaps, flap{f, func() error { cancel(); return <-ended }})
	w.wg.Go(func() { ended <- w.flap(ctx, f.Every.Duration(), die, func() error { return each(parts, part.heal) }) })
	return nil
}

// flap lets something that has died come back and die, again and again, until ctx ends.
func (w *World) flap(ctx context.Context, every time.Duration, die, heal func() error) error {
	next, other := heal, die
	for w.Wait(ctx, every) == nil {
		if err := next(); err != nil {
			return err
		}
		next, other = other, next
	}
	return nil
}

// Heal implements [story.World]. An instance whose command comes back is awaited as at the start.
func (w *World) Heal(ctx context.Context, r *scenario.Heal) error {
	var errs []error
	var last []flap
	for _, f := range w.flaps {
		if r.Ends(f.Fault) {
			errs = append(errs, f.stop())
		} else {
			last = append(last, f)
		}
	}
	w.flaps = last
	h, err := w.host(r.Instance)
	if err != nil {
		return err
	}
	errs = append(errs, each(h.of(r.Port), part.heal))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if r.Port == 0 && h.spec.WaitForPort != 0 {
		return h.await(ctx, w.patience)
	}
	return nil
}

func each(parts []part, f func(part) error) error {
	var errs []error
	for _, p := range parts {
		errs = append(errs, f(p))
	}
	return errors.Join(errs...)
}

// command is an instance's own program as a part that can fail.
type command struct {
	*host
	life context.Context // of the lab

	mu     sync.Mutex
	failed string // how, "" if it has not
}

// fail implements [part].
func (c *command) fail(how string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = how
	p := c.program.Load()
	if how == scenario.Hangs {
		p.process.Signal(syscall.SIGSTOP)
		return nil
	}
	p.process.Kill()
	<-p.ended
	return nil
}

// heal implements [part].
func (c *command) heal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	how := c.failed
	c.failed = ""
	switch how {
	case "":
		return nil
	case scenario.Hangs:
		c.program.Load().process.Signal(syscall.SIGCONT)
		return nil
	}
	return c.run(c.life, c.spec.Command)
}
