package netns

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Conn is a connection with a descriptor: of TCP or UDP.
type Conn interface {
	net.Conn
	syscall.Conn
}

// Blocking turns a connection into a file whose Read and Write block a thread
// each, as those of most programs do, instead of taking the way over the Go
// scheduler and its poller. It closes c, also on error; the connection itself
// lives on in the file. Deadlines are gone.
func Blocking(c Conn) (*os.File, error) {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, errDup := -1, error(nil)
	err = raw.Control(func(own uintptr) { fd, errDup = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err == nil {
		err = errDup
	}
	if err == nil {
		err = unix.SetNonblock(fd, false) // before os.NewFile looks
	}
	if err != nil {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		return nil, fmt.Errorf("make a connection block: %w", err)
	}
	return os.NewFile(uintptr(fd), c.LocalAddr().String()), nil
}
