package netns

import (
	"fmt"
	"math"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/dataplane/engine"
)

// Poller waits for TAPs by epoll, level-triggered: a port stays ready until Recv
// has nothing more. Wait has one caller at a time.
type Poller struct {
	epoll  int
	events [128]unix.EpollEvent
	coarse bool // the kernel counts in milliseconds
	eager  bool // packets follow each other closely
	yields bool // and it sleeps all the same

	mu     sync.Mutex // of what follows, so that no Wake writes to a descriptor that was used again
	wake   int        // an eventfd
	closed bool
}

var _ engine.Poller = (*Poller)(nil)

// wakeIndex stands for the eventfd among the indexes of ports.
const wakeIndex = -1

// NewPoller returns a poller without ports.
func NewPoller() (*Poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a poller: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, fmt.Errorf("make a poller: %w", err)
	}
	p := &Poller{epoll: epoll, wake: wake}
	if err := p.add(wakeIndex, wake); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Poller) add(index, fd int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(index)} // Fd is the caller's to use
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("add port %d to the poller: %w", index, err)
	}
	return nil
}

// Add implements engine.Poller. A port leaves the poller by being closed.
func (p *Poller) Add(index int, port engine.Port) error {
	t, ok := port.(*TAP)
	if !ok {
		return fmt.Errorf("add port %d to the poller: a %T is no TAP", index, port)
	}
	return p.add(index, int(t.fd.Load()))
}

// Wait implements engine.Poller. Where Linux is older than 5.11, d counts in steps of
// a millisecond, upwards. It looks before it sleeps: under load there is always
// something, and a raw system call costs less than one that gives the scheduler its
// processor back.
func (p *Poller) Wait(ready []int, d time.Duration) ([]int, error) {
	n, errno := p.look()
	if n == 0 && errno == 0 && d != 0 && p.eager {
		n, errno = p.spin(d)
	}
	if n == 0 && errno == 0 && d != 0 {
		began := time.Now()
		n, errno = p.sleep(d)
		p.eager = n > 0 && !p.yields && time.Since(began) < spinFor
	}
	switch errno {
	case 0:
	case unix.EINTR:
		return ready, nil
	case unix.EBADF:
		return ready, os.ErrClosed
	default:
		return ready, fmt.Errorf("wait for ports: %w", errno)
	}
	for i := range p.events[:n] {
		if index := p.events[i].Fd; index != wakeIndex {
			ready = append(ready, int(index))
			continue
		}
		var count [8]byte
		_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(p.wake), uintptr(unsafe.Pointer(&count)), 8)
	}
	return ready, nil
}

// Yield has the poller always sleep when nothing is there, and leave the processor to those
// who have something to do: for a worker that would keep another one from it. It must be
// called before Wait.
func (p *Poller) Yield() { p.yields = true }

// look returns what is ready now.
func (p *Poller) look() (uintptr, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), 0, 0, 0)
	return n, errno
}

// spinFor is how long a spin takes at most.
const spinFor = 200 * time.Microsecond

// spin looks again and again for a moment: to fall asleep and to be woken takes longer than
// many a peer needs for its answer. It happens only while the packets before came so soon,
// so that a lab in which little goes on sleeps.
func (p *Poller) spin(d time.Duration) (n uintptr, errno unix.Errno) {
	if d > 0 && d < spinFor {
		return 0, 0
	}
	for began := time.Now(); n == 0 && errno == 0; n, errno = p.look() {
		if time.Since(began) > spinFor {
			p.eager = false
			break
		}
	}
	return n, errno
}

// sleep waits until a port has something, or d has passed.
func (p *Poller) sleep(d time.Duration) (uintptr, unix.Errno) {
	if !p.coarse {
		var limit *unix.Timespec
		if d >= 0 {
			t := unix.NsecToTimespec(int64(d))
			limit = &t
		}
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), uintptr(unsafe.Pointer(limit)), 0, 0)
		if errno != unix.ENOSYS {
			return n, errno
		}
		p.coarse = true
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), uintptr(milliseconds(d)), 0, 0)
	return n, errno
}

// milliseconds is d as epoll wants it: rounded up, so that a wait that ends by
// time has reached that time; -1 for ever.
func milliseconds(d time.Duration) int32 {
	if d < 0 {
		return -1
	}
	ms := d / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	return int32(min(ms, math.MaxInt32))
}

// Wake implements engine.Poller.
func (p *Poller) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		one := [8]byte{1} // a number in native byte order; any but zero will do
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(p.wake), uintptr(unsafe.Pointer(&one)), 8)
	}
}

// Close implements engine.Poller. It must not be called during Wait.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	errWake, errEpoll := unix.Close(p.wake), unix.Close(p.epoll)
	p.epoll = -1
	if errWake != nil {
		return errWake
	}
	return errEpoll
}
