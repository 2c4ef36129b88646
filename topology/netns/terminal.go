package netns

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// NewTerminal makes a pseudo-terminal: what is written to own can be read from program,
// which is a terminal to the program that gets it, and the other way around.
func NewTerminal() (own, program *os.File, err error) {
	own, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a terminal: %w", err)
	}
	fd := -1
	err = control(own, func(master int) error {
		if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		// By its other end and not by its name, which may mean another in another /dev/pts.
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if errno != 0 {
			return errno
		}
		fd = int(n)
		return nil
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make a terminal: %w", err), own.Close())
	}
	return own, os.NewFile(uintptr(fd), "terminal"), nil
}

// RawTerminal makes a terminal pass on every byte as it is typed, until restore is
// called. It fails where the file is no terminal.
func RawTerminal(f *os.File) (restore func(), err error) {
	var was *unix.Termios
	err = control(f, func(fd int) error {
		was, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		raw := *was // as cfmakeraw(3) does
		raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
		raw.Oflag &^= unix.OPOST
		raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
		raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
		raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
		return unix.IoctlSetTermios(fd, unix.TCSETS, &raw)
	})
	if err != nil {
		return nil, err
	}
	return func() {
		// The terminal may be gone: nothing is left to restore then.
		_ = control(f, func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, was) })
	}, nil
}

// TerminalSize returns how many lines and columns a terminal has.
func TerminalSize(f *os.File) (lines, columns int, err error) {
	err = control(f, func(fd int) error {
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil {
			lines, columns = int(size.Row), int(size.Col)
		}
		return err
	})
	return lines, columns, err
}

// CopyTerminalSize gives a terminal the size of another.
func CopyTerminalSize(from, to *os.File) error {
	return control(from, func(from int) error {
		size, err := unix.IoctlGetWinsize(from, unix.TIOCGWINSZ)
		if err != nil {
			return err
		}
		return control(to, func(to int) error { return unix.IoctlSetWinsize(to, unix.TIOCSWINSZ, size) })
	})
}
