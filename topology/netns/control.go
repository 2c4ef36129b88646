package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// What follows is for a lab that others speak to: over a Unix socket that only its
// owner reaches, in a directory that only its owner enters, beside a file that is locked
// as long as the lab lives.

// ErrLocked is the error of Lock where the lock is held.
var ErrLocked = errors.New("the lock is held")

// PrivateDir makes a directory that only the caller may enter, or makes sure that the
// one which is there is like that.
func PrivateDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s is no directory", dir)
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to uid %d, not to uid %d", dir, st.Uid, os.Geteuid())
	case st.Mode&0o077 != 0:
		return fmt.Errorf("%s is open to others: chmod 0700 %s", dir, dir)
	}
	return nil
}

// Lock locks a file, which it makes where it is missing, until the last process that has
// got the descriptor ends or closes it. The error is ErrLocked where somebody holds it.
func Lock(file string) (*os.File, error) {
	for {
		f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		// A lock of the open file, not of the process: it goes with the descriptor, and
		// others can ask for it without holding it for a moment.
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
			f.Close()
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
				return nil, ErrLocked
			}
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		// Who held it until now may have removed the file.
		own, err := f.Stat()
		there, errThere := os.Stat(file)
		if err == nil && errThere == nil && os.SameFile(own, there) {
			return f, nil
		}
		f.Close()
	}
}

// Locked reports whether somebody holds the lock of a file.
func Locked(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, fmt.Errorf("look at the lock of %s: %w", file, err)
	}
	return lock.Type != unix.F_UNLCK, nil
}

// Peer returns the user at the other end of a Unix socket, as this process's user
// namespace calls it.
func Peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var who *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		who, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("ask who is at the other end: %w", err)
	}
	return int(who.Uid), nil
}

// SendFiles sends b, and files along with it.
func SendFiles(c *net.UnixConn, b []byte, files ...*os.File) error {
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	n, _, err := c.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
	if err == nil && n < len(b) {
		_, err = c.Write(b[n:])
	}
	return err
}

// maxFiles is how many files ReceiveFiles takes.
const maxFiles = 8

// ReceiveFiles receives into b what has been sent, or the beginning of it, and the files
// that came with that. The caller owns them.
func ReceiveFiles(c *net.UnixConn, b []byte) (n int, files []*os.File, err error) {
	rights := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, size, _, _, err := c.ReadMsgUnix(b, rights)
	if err != nil {
		return 0, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:size])
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // not files
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return n, files, err
}

// Dup returns a file that is the same open file: a lock is held as long as one of the two
// is open.
func Dup(f *os.File) (*os.File, error) {
	fd := -1
	err := control(f, func(own int) (err error) {
		fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Patient returns the same open file as one whose deadlines can be set, and closes f. It is
// for pipes, and no file that others write to as well: it stops to block for them, too.
func Patient(f *os.File) (*os.File, error) {
	defer f.Close()
	fd := -1
	err := control(f, func(own int) (err error) {
		if fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.SetNonblock(fd, true)
	})
	if err != nil {
		return nil, fmt.Errorf("make %s patient: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil // which asks whether it blocks
}

// control calls f with the descriptor of a file, which stays as it is.
func control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	return errors.Join(raw.Control(func(fd uintptr) { failed = f(int(fd)) }), failed)
}
