package bench

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Connections that live for a byte cost their ends more than they cost most middles. So
// both ends are loops of one thread around an epoll descriptor, as those of load generators
// and of proxies are: goroutines that wake each other would be measured instead of the path.

const (
	// atATime is how many connections connect has open.
	atATime = 4
	// patience is how long connect waits for anything at all to happen.
	patience = 5 * time.Second
)

// watch adds a socket to an epoll descriptor.
func watch(epoll, fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &e))
}

// forever is how long the server waits.
const forever = -time.Millisecond

// happened waits for sockets, d in steps of a millisecond.
func happened(epoll int, events []unix.EpollEvent, d time.Duration) ([]unix.EpollEvent, error) {
	for {
		n, err := unix.EpollWait(epoll, events, int(d.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return events[:max(n, 0)], os.NewSyscallError("epoll_wait", err)
		}
	}
}

// connect opens connections, each for one byte, and resets them: a run that left
// thousands in TIME_WAIT would be the next one's burden, since a new connection
// that meets one of them is lost for a second, which says nothing of the middle.
func (r *request) connect() (a reply, err error) {
	to, err := netip.ParseAddrPort(r.To)
	if err != nil {
		return a, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return a, os.NewSyscallError("epoll_create1", err)
	}
	defer unix.Close(epoll)
	began := time.Now()
	asked := map[int32]bool{} // false while a connection is being established
	var events [atATime]unix.EpollEvent
	for opened, h := 0, header(opByte, 0, 0); ; {
		for ; len(asked) < atATime && opened < r.Connections; opened++ {
			fd, err := dial(epoll, to)
			if err != nil {
				return a, err
			}
			asked[int32(fd)] = false
		}
		if len(asked) == 0 {
			break
		}
		news, err := happened(epoll, events[:], patience)
		if err == nil && len(news) == 0 {
			err = fmt.Errorf("%d connections wait for an answer, after %s", len(asked), patience)
		}
		if err != nil {
			return a, err
		}
		for _, e := range news {
			fd := int(e.Fd)
			if e.Events == unix.EPOLLOUT && !asked[e.Fd] {
				if _, err := unix.Write(fd, h); err != nil {
					return a, os.NewSyscallError("write", err)
				}
				asked[e.Fd] = true
				continue
			}
			if e.Events == unix.EPOLLOUT {
				continue // there is room for more, which nobody needs
			}
			delete(asked, e.Fd)
			var b [1]byte
			switch n, err := unix.Read(fd, b[:]); {
			case err != nil:
				return a, os.NewSyscallError("read", err)
			case n == 0:
				return a, errors.New("a connection was closed without an answer")
			}
			if err := unix.Close(fd); err != nil {
				return a, os.NewSyscallError("close", err)
			}
		}
	}
	a.Elapsed = time.Since(began)
	return a, nil
}

// dial begins a connection that is reset when it is closed. It is heard of once
// when it is established, and again when there is something to read.
func dial(epoll int, to netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return -1, os.NewSyscallError("setsockopt", err)
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, watch(epoll, fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET)
}

// accept serves connections for a byte, and hands all others over with the header that
// they began with. A client that sends no header has its connection closed.
func accept(l *net.TCPListener, other func(*os.File, [headerLen]byte)) error {
	f, err := l.File() // a duplicate
	if err != nil {
		return err
	}
	defer f.Close()
	listener := int(f.Fd())
	if err := unix.SetNonblock(listener, true); err != nil {
		return err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer unix.Close(epoll)
	if err := watch(epoll, listener, unix.EPOLLIN); err != nil {
		return err
	}
	var events [64]unix.EpollEvent
	for {
		news, err := happened(epoll, events[:], forever)
		if err != nil {
			return err
		}
		for _, e := range news {
			if int(e.Fd) != listener {
				greet(epoll, int(e.Fd), other)
				continue
			}
			fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			switch {
			case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ECONNABORTED): // its client has thought better of it
			case err != nil:
				return os.NewSyscallError("accept4", err)
			default:
				if err := watch(epoll, fd, unix.EPOLLIN); err != nil {
					return err
				}
			}
		}
	}
}

// greet reads a header, which is short enough to come in one piece, and answers it if
// it asks for a byte. What comes instead of one, or after it, is the end.
func greet(epoll, fd int, other func(*os.File, [headerLen]byte)) {
	var h [headerLen]byte
	n, err := unix.Read(fd, h[:])
	switch {
	case err != nil || n != headerLen:
		_ = unix.Close(fd) // the client tells
	case h[0] == opByte:
		_, _ = unix.Write(fd, h[:1])
	default:
		_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, fd, nil)
		_ = unix.SetNonblock(fd, false) // before os.NewFile looks
		other(os.NewFile(uintptr(fd), "connection"), h)
	}
}
