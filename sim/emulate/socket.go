package emulate

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/plsim/plsim/sim/scenario"
)

// socket is what a built-in service listens on. It can fail in the service's stead, as
// if the service were a process of its own, and come back: a service that accepts or
// reads just waits meanwhile.
type socket[T io.Closer] struct {
	open func() (T, error)

	mu      sync.Mutex
	changed *sync.Cond
	inner   T
	times   int  // it was opened
	up      bool // inner is open
	hung    bool
	closed  bool // for good
	// conns are the connections that were accepted and are open.
	conns map[io.Closer]struct{}
}

func newSocket[T io.Closer](open func() (T, error)) (*socket[T], error) {
	s := &socket[T]{open: open, conns: map[io.Closer]struct{}{}}
	s.changed = sync.NewCond(&s.mu)
	return s, s.heal()
}

// heal implements [part].
func (s *socket[T]) heal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Broadcast()
	s.hung = false
	if s.up || s.closed {
		return nil
	}
	inner, err := s.open()
	if err != nil {
		return err
	}
	s.inner, s.up = inner, true
	s.times++
	return nil
}

// fail implements [part].
func (s *socket[T]) fail(how string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Broadcast()
	if how == scenario.Hangs {
		s.hung = true
		return nil
	}
	s.shut(how != scenario.Refuses)
	return nil
}

// shut closes what is open, connections too if the process is gone. What its kernel
// then sends is what it sends for any process that ends. The caller holds mu.
func (s *socket[T]) shut(gone bool) {
	if s.up {
		_ = s.inner.Close()
		s.up = false
	}
	if gone {
		for c := range s.conns {
			_ = c.Close()
		}
		clear(s.conns)
	}
}

// Close closes the socket for good. Connections go on.
func (s *socket[T]) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Broadcast()
	s.closed = true
	s.shut(false)
	return nil
}

// wait returns as soon as nothing hangs.
func (s *socket[T]) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.hung && !s.closed {
		s.changed.Wait()
	}
}

// now waits for the socket as it is now, with the number by which [socket.still] knows it.
func (s *socket[T]) now() (inner T, number int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for (!s.up || s.hung) && !s.closed {
		s.changed.Wait()
	}
	if s.closed {
		return inner, 0, net.ErrClosed
	}
	return s.inner, s.times, nil
}

// still reports whether the socket is open, and the one of that number.
func (s *socket[T]) still(number int) bool { return s.up && s.times == number }

// last returns the socket as it is now, or was before it was closed.
func (s *socket[T]) last() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner
}

// listener is a stream socket.
type listener struct{ *socket[net.Listener] }

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	for {
		inner, number, err := l.now()
		if err != nil {
			return nil, err
		}
		c, err := inner.Accept()
		if c, err := l.take(number, c, err); c != nil || err != nil {
			l.wait()
			return c, err
		}
	}
}

// take makes a connection that was accepted one of the process, if that still is.
// Both results are nil where it is gone.
func (l listener) take(number int, c net.Conn, err error) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.still(number) && err != nil:
		return nil, err
	case l.still(number):
		l.conns[c] = struct{}{}
		return &served{c, l}, nil
	case c != nil:
		_ = c.Close()
	}
	return nil, nil
}

// Addr implements [net.Listener].
func (l listener) Addr() net.Addr { return l.last().Addr() }

// served is a connection of a process that may hang.
type served struct {
	net.Conn
	of listener
}

// Read implements [net.Conn].
func (c *served) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.of.wait()
	return n, err
}

// Write implements [net.Conn].
func (c *served) Write(b []byte) (int, error) {
	c.of.wait()
	return c.Conn.Write(b)
}

// Close implements [net.Conn].
func (c *served) Close() error {
	c.of.wait()
	c.of.mu.Lock()
	delete(c.of.conns, c.Conn)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// SetLinger is that of a [net.TCPConn].
func (c *served) SetLinger(seconds int) error {
	if t, ok := c.Conn.(*net.TCPConn); ok {
		return t.SetLinger(seconds)
	}
	return nil
}

// packetConn is a datagram socket.
type packetConn struct{ *socket[net.PacketConn] }

// ReadFrom is that of a [net.PacketConn].
func (c packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		inner, number, err := c.now()
		if err != nil {
			return 0, nil, err
		}
		n, from, err := inner.ReadFrom(b)
		c.wait()
		c.mu.Lock()
		still := c.still(number)
		c.mu.Unlock()
		if still {
			return n, from, err
		}
	}
}

// WriteTo is that of a [net.PacketConn]. One that has died cannot write.
func (c packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.wait()
	return c.last().WriteTo(b, to)
}

// LocalAddr is that of a [net.PacketConn].
func (c packetConn) LocalAddr() net.Addr { return c.last().LocalAddr() }

// SetDeadline is that of a [net.PacketConn], for as long as it does not fail; so are the
// others.
func (c packetConn) SetDeadline(t time.Time) error { return c.last().SetDeadline(t) }

// SetReadDeadline is that of a [net.PacketConn].
func (c packetConn) SetReadDeadline(t time.Time) error { return c.last().SetReadDeadline(t) }

// SetWriteDeadline is that of a [net.PacketConn].
func (c packetConn) SetWriteDeadline(t time.Time) error { return c.last().SetWriteDeadline(t) }
