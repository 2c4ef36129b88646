package daemon

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

// mark is in the file of every lab: what has none is not plsim's to touch. It is raised
// when the protocol or the form of the file changes.
const mark = 1

// Info says what a lab is. Its JSON form is part of plsim's contract with users.
type Info struct {
	Mark      int       `json:"plsim_lab"`
	Name      string    `json:"name"`
	File      string    `json:"file"` // as the user called it
	PID       int       `json:"pid"`  // of its outermost process
	UID       int       `json:"uid"`
	Since     time.Time `json:"since"`
	Seed      uint64    `json:"seed"`
	TimeScale int       `json:"time_scale"`
	Out       string    `json:"out,omitempty"` // where it keeps its files; "" where it keeps none
	Ready     bool      `json:"ready"`
}

// The files of a lab.
const (
	infoName   = "lab.json"
	socketName = "socket"
	logName    = "log"
)

// dirVar names another directory for the caller's labs.
const dirVar = "PLSIM_RUNTIME_DIR"

// Dir returns the directory of the caller's labs, which need not exist.
func Dir() string {
	switch {
	case os.Getenv(dirVar) != "":
		return os.Getenv(dirVar)
	case os.Geteuid() == 0:
		return "/run/plsim"
	case os.Getenv("XDG_RUNTIME_DIR") != "":
		return filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "plsim")
	}
	return filepath.Join(os.TempDir(), "plsim-"+strconv.Itoa(os.Geteuid()))
}

// Dirs returns where labs of all users are, as far as this host shows it.
func Dirs() []string {
	all := []string{Dir()}
	for _, pattern := range []string{"/run/plsim", "/run/user/*/plsim", filepath.Join(os.TempDir(), "plsim-*")} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Claim is a directory that belongs to a lab which is being made.
type Claim struct {
	Lock, Socket, Log *os.File
	// Revived tells that a lab of this name had died, and its files have been replaced.
	Revived bool

	dir  string
	info Info
}

// NameError says that a lab of the name is there already.
type NameError struct{ Name string }

func (e *NameError) Error() string {
	return fmt.Sprintf("a lab named %s is up already: end it with plsim down %s, or give this one another name with --name", e.Name, e.Name)
}

// NewClaim makes the directory of a lab, locks it and listens. The error is a *NameError
// where such a lab is up.
func NewClaim(info Info) (c *Claim, err error) {
	for range 10 {
		c, err = newClaim(info)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		// The last of the labs has just gone, with the directory of all.
	}
	return c, err
}

func newClaim(info Info) (c *Claim, err error) {
	base := Dir()
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return nil, err
	}
	if err := netns.PrivateDir(base); err != nil {
		return nil, fmt.Errorf("the directory of labs: %w", err)
	}
	info.Mark, info.UID, info.Since = mark, os.Geteuid(), time.Now()
	c = &Claim{dir: filepath.Join(base, info.Name), info: info}
	if err := netns.PrivateDir(c.dir); err != nil {
		return nil, fmt.Errorf("the directory of the lab: %w", err)
	}
	if c.Lock, err = netns.Lock(filepath.Join(c.dir, infoName)); errors.Is(err, netns.ErrLocked) {
		return nil, &NameError{info.Name}
	} else if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Remove())
			c.Close()
		}
	}()
	if size, err := c.Lock.Seek(0, io.SeekEnd); err == nil {
		c.Revived = size > 0
	}
	if err := c.write(); err != nil {
		return nil, err
	}
	if c.Log, err = os.OpenFile(filepath.Join(c.dir, logName), os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	c.Socket, err = listen(filepath.Join(c.dir, socketName))
	return c, err
}

// maxSocketPath is what the kernel takes.
const maxSocketPath = 107

func listen(path string) (*os.File, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the path of the lab's socket is longer than the kernel's %d bytes: %s: give the lab a shorter name, or set %s", maxSocketPath, path, dirVar)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, err
	}
	return l.File()
}

// Started notes the number of the lab's outermost process.
func (c *Claim) Started(pid int) error {
	c.info.PID = pid
	return c.write()
}

func (c *Claim) write() error { return writeInfo(c.Lock, &c.info) }

// writeInfo replaces what a locked file says.
func writeInfo(lock *os.File, info *Info) error {
	b, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err = lock.WriteAt(append(b, '\n'), 0)
	return err
}

// Printed returns what the lab's processes have printed.
func (c *Claim) Printed() string {
	b, _ := io.ReadAll(io.NewSectionReader(c.Log, 0, 1<<20)) // as much as there is
	return string(b)
}

// Lab returns the lab, as it is.
func (c *Claim) Lab() *Lab {
	l, _ := look(c.dir) // it is there: the claim holds it
	return &l
}

// Close lets go of the files; the lab's processes have them still.
func (c *Claim) Close() {
	for _, f := range []*os.File{c.Lock, c.Socket, c.Log} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Remove removes what the lab has on the host, unless that is gone already. Its
// processes are dead, or the caller is the last of them.
func (c *Claim) Remove() error { return removeLab(c.dir, c.Lock) }

// Share returns the files for the lab's processes, apart from the claim's own.
func (c *Claim) Share() ([]*os.File, error) {
	lock, err := netns.Dup(c.Lock)
	if err != nil {
		return nil, err
	}
	socket, err := netns.Dup(c.Socket)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return []*os.File{lock, socket}, nil
}

// removeLab removes the files of a lab whose lock the caller holds. Where they are gone,
// there may be others in their place, of which that is not the lock.
func removeLab(dir string, lock *os.File) error {
	own, err := lock.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(filepath.Join(dir, infoName))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !os.SameFile(own, there):
		return nil
	case err != nil:
		return err
	}
	for _, name := range []string{socketName, logName, infoName} { // the lock is the last to go
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_ = os.Remove(dir)               // unless somebody has put a file there, or claims it anew
	_ = os.Remove(filepath.Dir(dir)) // unless it has other labs
	return nil
}

// The states of a lab.
const (
	Starting = "starting"
	Running  = "running"
	Dead     = "dead" // killed, with its files left behind
)

// Lab is a lab that is, or was, up.
type Lab struct {
	Info
	State string `json:"state"`

	dir string
}

// List returns the labs of a directory, by name; none where there is no such directory.
func List(dir string) ([]Lab, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Lab
	for _, e := range entries {
		if l, ok := look(filepath.Join(dir, e.Name())); ok {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b Lab) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// look reads the directory of a lab. ok is false where there is no mark of plsim's.
func look(dir string) (l Lab, ok bool) {
	file := filepath.Join(dir, infoName)
	locked, err := netns.Locked(file)
	if err != nil {
		return l, false
	}
	b, err := os.ReadFile(file)
	switch {
	case err != nil:
		return l, false
	case len(b) == 0: // in the very first moment of its life, which may have been the last
		l.Name = filepath.Base(dir)
	case json.Unmarshal(b, &l.Info) != nil || l.Mark == 0 || l.Name != filepath.Base(dir):
		return l, false
	}
	l.dir, l.State = dir, Dead
	switch {
	case locked && l.Ready:
		l.State = Running
	case locked:
		l.State = Starting
	}
	return l, true
}

// Remove removes what a dead lab has left behind.
func (l *Lab) Remove() error {
	lock, err := netns.Lock(filepath.Join(l.dir, infoName)) // lest it come to life meanwhile
	if err != nil {
		return fmt.Errorf("lab %s: %w", l.Name, err)
	}
	defer lock.Close()
	return removeLab(l.dir, lock)
}

// Dir returns the lab's directory.
func (l *Lab) Dir() string { return l.dir }

// Gone waits until no process of the lab lives, and reports whether that has come true.
func (l *Lab) Gone(within time.Duration) bool {
	for deadline := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		locked, err := netns.Locked(filepath.Join(l.dir, infoName))
		if err != nil || !locked {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
