package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// stateDir is the sandbox's own directory in its root. Its name must not be one
// that a host has.
const stateDir = "/.plsim"

const oldRoot = "/.plsim-old"

// ownFiles are the files of /etc that every instance has for itself.
var ownFiles = []string{"resolv.conf", "hosts", "nsswitch.conf"}

// buildRoot gives this process, in a mount namespace of its own, a root in
// memory that shows the host's files at their usual places beside a /proc of
// its own PID namespace. On error, op says what could not be done.
func buildRoot() (op string, err error) {
	cwd, err := os.Getwd()
	if err != nil {
		cwd = "/"
	}
	etc, complete := hostFiles()
	if complete {
		etc = nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "make the mounts private", err
	}
	// The new root needs a place to stand while it becomes the root. /proc is
	// there on every host and bare again once the roots have changed places.
	if err := unix.Mount("plsim", "/proc", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return "mount a tmpfs", err
	}
	if err := os.Mkdir("/proc"+oldRoot, 0o700); err != nil {
		return "make a directory in the tmpfs", err
	}
	if err := unix.PivotRoot("/proc", "/proc"+oldRoot); err != nil {
		return "change the root", err
	}
	if err := os.Chdir("/"); err != nil {
		return "enter the new root", err
	}
	if op, err := mirrorRoot(etc); err != nil {
		return op, err
	}
	if err := unix.Unmount(oldRoot, unix.MNT_DETACH); err != nil {
		return "leave the old root", err
	}
	if err := os.Remove(oldRoot); err != nil {
		return "leave the old root", err
	}
	if os.Chdir(cwd) != nil {
		_ = os.Chdir("/") // the caller's directory was gone, or not the caller's to see
	}
	return "", nil
}

// hostFiles reads the host's ownFiles. A file can be mounted only on one that is
// there, so complete tells whether all of them are.
func hostFiles() (content map[string][]byte, complete bool) {
	content, complete = make(map[string][]byte), true
	for _, name := range ownFiles {
		b, err := os.ReadFile(filepath.Join("/etc", name))
		content[name], complete = b, complete && err == nil
	}
	return content, complete
}

// mirrorRoot fills the new root. etc is nil where the host's /etc will do as it
// is, and else holds files that it must have.
func mirrorRoot(etc map[string][]byte) (op string, err error) {
	own := []string{"proc", filepath.Base(stateDir), filepath.Base(oldRoot)}
	if etc != nil {
		own = append(own, "etc")
	}
	if err := mirror(oldRoot, "/", own); err != nil {
		return "show the host's files in the sandbox", err
	}
	if etc != nil {
		if err := os.Mkdir("/etc", 0o755); err != nil {
			return "make /etc", err
		}
		if err := mirror(oldRoot+"/etc", "/etc", ownFiles); err != nil {
			return "show the host's /etc in the sandbox", err
		}
		for name, content := range etc {
			if err := os.WriteFile(filepath.Join("/etc", name), content, 0o644); err != nil {
				return "complete /etc", err
			}
		}
	}
	if err := os.Mkdir(stateDir, 0o755); err != nil {
		return "make " + stateDir, err
	}
	if err := os.Mkdir("/proc", 0o555); err != nil {
		return "make /proc", err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return "mount /proc", err
	}
	// POSIX shared memory outlives its programs; this goes with the sandbox.
	if info, err := os.Lstat("/dev/shm"); err == nil && info.IsDir() {
		if err := unix.Mount("plsim", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
			return "mount /dev/shm", err
		}
	}
	return "", nil
}

// mirror makes every entry of the directory from appear in the directory to,
// except those named in skip: symbolic links are made again, everything else is
// a bind mount with all that is mounted below it.
func mirror(from, to string, skip []string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if slices.Contains(skip, e.Name()) {
			continue
		}
		if err := mirrorEntry(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), e.Type()); err != nil && !unusable(err) {
			return err
		}
	}
	return nil
}

func mirrorEntry(from, to string, kind fs.FileMode) error {
	switch {
	case kind&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case kind.IsDir():
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
	default:
		if err := os.WriteFile(to, nil, 0o644); err != nil {
			return err
		}
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return errors.Join(fmt.Errorf("mount %s: %w", to, err), os.Remove(to))
	}
	return nil
}

// unusable reports whether err says that an entry of the host's root is of no
// use to the caller outside the sandbox either: not to be reached, gone since
// it was listed, or the remains of a file server.
func unusable(err error) bool {
	for _, no := range []error{unix.EACCES, unix.ENOENT, unix.ENOTCONN, unix.ESTALE} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// isSandboxRoot reports whether the root is one that buildRoot made.
func isSandboxRoot() bool {
	var root, state unix.Stat_t
	var f unix.Statfs_t
	return unix.Statfs("/", &f) == nil && f.Type == unix.TMPFS_MAGIC &&
		unix.Stat("/", &root) == nil && unix.Stat(stateDir, &state) == nil && root.Dev == state.Dev
}
