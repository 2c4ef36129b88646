package netns

import (
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Loop waits for sockets on one thread, as load generators and proxies do: nobody has to
// be woken but that thread. It has one user at a time.
type Loop struct {
	epoll  int
	ready  [64]unix.EpollEvent
	events []Event
}

// Socket is a socket of a loop. It never blocks: what cannot be done yet is unix.EAGAIN.
type Socket int

// Event is a socket at which something has happened.
type Event struct {
	Socket
	Readable bool // there is something to read, to accept, or the end; else a connection has been made
}

// NewLoop returns a loop without sockets. The caller closes it, and each of them.
func NewLoop() (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &Loop{epoll: epoll}, nil
}

// Dial begins a connection to an IPv4 address. It is ready when it has been made, and again
// whenever something has come, or the end, or an error, which Read returns.
func (l *Loop) Dial(to netip.AddrPort) (Socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return -1, errors.Join(os.NewSyscallError("connect", err), unix.Close(fd))
	}
	return l.add(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET)
}

// Add adds a listener, which is ready while there are connections to accept, or a datagram
// socket, which is ready while there is something to read. It closes from, also on error, so
// that Go's own poller hears of it no more; the socket itself lives on in the loop.
func (l *Loop) Add(from Descriptor) (Socket, error) {
	fd, err := duplicate(from)
	if err != nil {
		return -1, err
	}
	return l.add(fd, unix.EPOLLIN)
}

// Accept adds a connection, which is ready while there is something to read, or the end.
// It reports false where none waits any more.
func (l *Loop) Accept(listener Socket) (c Socket, ok bool, err error) {
	fd, _, err := unix.Accept4(int(listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EINTR):
		return -1, false, nil
	case err != nil:
		return -1, false, os.NewSyscallError("accept4", err)
	}
	c, err = l.add(fd, unix.EPOLLIN)
	return c, err == nil, err
}

func (l *Loop) add(fd int, events uint32) (Socket, error) {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return -1, errors.Join(os.NewSyscallError("epoll_ctl", err), unix.Close(fd))
	}
	return Socket(fd), nil
}

// Wait returns what is ready, until the next call: at least one socket, or none after d. A
// negative d is for ever, and others count in milliseconds, upwards.
func (l *Loop) Wait(d time.Duration) ([]Event, error) {
	n, err := unix.EpollWait(l.epoll, l.ready[:], int(milliseconds(d)))
	for errors.Is(err, unix.EINTR) {
		n, err = unix.EpollWait(l.epoll, l.ready[:], int(milliseconds(d)))
	}
	if err != nil {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	l.events = l.events[:0]
	for _, e := range l.ready[:n] {
		l.events = append(l.events, Event{Socket(e.Fd), e.Events != unix.EPOLLOUT})
	}
	return l.events, nil
}

// Release makes a connection a file whose Read and Write block, as those of [Blocking].
func (l *Loop) Release(c Socket) (*os.File, error) {
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, int(c), nil); err != nil {
		return nil, errors.Join(os.NewSyscallError("epoll_ctl", err), c.Close())
	}
	return blocking(int(c))
}

// Close closes the loop, but not its sockets.
func (l *Loop) Close() error { return os.NewSyscallError("close", unix.Close(l.epoll)) }

// ResetAtEnd has Close reset a connection, which leaves nothing in TIME_WAIT.
func (c Socket) ResetAtEnd() error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptLinger(int(c), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
}

// Read reads what has come; 0 and no error are the end of a connection.
func (c Socket) Read(b []byte) (int, error) {
	n, err := unix.Read(int(c), b)
	return max(n, 0), os.NewSyscallError("read", err)
}

// Write writes what there is room for.
func (c Socket) Write(b []byte) (int, error) {
	n, err := unix.Write(int(c), b)
	return max(n, 0), os.NewSyscallError("write", err)
}

// Close closes the socket.
func (c Socket) Close() error { return os.NewSyscallError("close", unix.Close(int(c))) }
