package netns

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Descriptor is what has a file descriptor: a connection or a listener of package net.
type Descriptor interface {
	syscall.Conn
	io.Closer
}

// Blocking turns a connection into a file whose Read and Write block a thread
// each, as those of most programs do, instead of taking the way over the Go
// scheduler and its poller. It closes c, also on error; the connection itself
// lives on in the file. Deadlines are gone.
func Blocking(c Descriptor) (*os.File, error) {
	fd, err := duplicate(c)
	if err != nil {
		return nil, err
	}
	return blocking(fd)
}

// blocking makes a descriptor a file whose Read and Write block. It closes it on error.
func blocking(fd int) (*os.File, error) {
	if err := unix.SetNonblock(fd, false); err != nil { // before os.NewFile looks
		_ = unix.Close(fd)
		return nil, fmt.Errorf("make a connection block: %w", err)
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}

// duplicate returns another descriptor of the same socket, and closes c, also on error.
func duplicate(c Descriptor) (fd int, err error) {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, failed := -1, error(nil)
	if err := raw.Control(func(own uintptr) { fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return -1, err
	}
	return fd, os.NewSyscallError("fcntl", failed)
}
