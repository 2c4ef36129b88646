package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// view is what programs of an instance see of the host: a mount and a UTS
// namespace, each held by its descriptor.
type view struct{ mnt, uts int }

func (v view) close() error { return errors.Join(unix.Close(v.mnt), unix.Close(v.uts)) }

// inView runs f on a thread that sees what the instance's programs see, so that
// a process that f starts does. There is one such f at a time in a namespace.
func (n *Namespace) inView(f func() error) error {
	n.starting.Lock()
	defer n.starting.Unlock()
	if !n.net.IsOpen() {
		return os.ErrClosed
	}
	if n.view == nil {
		v, err := n.makeView()
		if err != nil {
			return err
		}
		n.view = &v
	}
	return onThread(func() error {
		// A thread may only change its mount namespace if it shares its root
		// and working directory with no other.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("detach a thread: %w", err)
		}
		if err := n.enterForGood(); err != nil {
			return err
		}
		if err := unix.Setns(n.view.mnt, unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("enter the mount namespace: %w", err)
		}
		if err := unix.Setns(n.view.uts, unix.CLONE_NEWUTS); err != nil {
			return fmt.Errorf("enter the UTS namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on a thread that ends with it.
func onThread(f func() error) error {
	return onGoroutine(func() error {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread can only end with the process, and what
			// /proc/self shows is its. While it is held here, f gets another.
			defer runtime.UnlockOSThread()
			return onThread(f)
		}
		return f()
	})
}

// makeView makes the namespaces of n's view.
func (n *Namespace) makeView() (v view, err error) {
	if err := n.writeOwnFiles(); err != nil {
		return v, err
	}
	err = onThread(func() error {
		if err := n.enterForGood(); err != nil {
			return err
		}
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
			return fmt.Errorf("make a mount namespace: %w", err)
		}
		if err := unix.Sethostname([]byte(n.cfg.Hostname)); err != nil {
			return fmt.Errorf("set the hostname %q: %w", n.cfg.Hostname, err)
		}
		for _, name := range ownFiles {
			if err := unix.Mount(n.ownFile(name), filepath.Join("/etc", name), "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("mount /etc/%s: %w", name, err)
			}
		}
		// glibc asks the name service cache daemon before it reads nsswitch.conf.
		if _, err := os.Stat("/run/nscd"); err == nil {
			if err := unix.Mount("plsim", "/run/nscd", "tmpfs", 0, "mode=755"); err != nil {
				return fmt.Errorf("hide /run/nscd: %w", err)
			}
		}
		// Where this is refused, programs see the sandbox's interfaces in
		// /sys/class/net, and hardly any program looks.
		_ = unix.Mount("plsim", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")

		if v.mnt, err = unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("open the mount namespace: %w", err)
		}
		if v.uts, err = unix.Open("/proc/thread-self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("open the UTS namespace: %w", errors.Join(err, unix.Close(v.mnt)))
		}
		return nil
	})
	return v, err
}

// The instance's own directories: its home, and what lies over files of /etc.

// Home returns the home directory of the instance's programs. It lies in the
// sandbox's memory and goes with the namespace.
func (n *Namespace) Home() string { return filepath.Join(n.dir, "home") }

func (n *Namespace) ownFile(name string) string { return filepath.Join(n.dir, "etc", name) }

func (n *Namespace) makeHome() error {
	if err := os.MkdirAll(filepath.Dir(n.dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(n.dir, 0o755); err != nil {
		if errors.Is(err, os.ErrExist) {
			return errors.New("there is a network namespace of this name already")
		}
		return err
	}
	return errors.Join(os.Mkdir(n.Home(), 0o755), os.Mkdir(filepath.Join(n.dir, "etc"), 0o755))
}

// WriteFile puts a file into the home directory. The name is relative to it and
// may have directories, which are made; nothing outside can be written. A file
// that begins with "#!" is made executable.
func (n *Namespace) WriteFile(name, content string) error {
	root, err := os.OpenRoot(n.Home())
	if err != nil {
		return fmt.Errorf("%s: %w", n.cfg.Name, err)
	}
	defer root.Close()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	file := filepath.Clean(name)
	if dir := filepath.Dir(file); dir != "." {
		err = root.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = root.WriteFile(file, []byte(content), mode)
	}
	if err != nil {
		return fmt.Errorf("%s: write the file %q: %w", n.cfg.Name, name, err)
	}
	return nil
}

func (n *Namespace) writeOwnFiles() error {
	host, _ := os.ReadFile("/etc/nsswitch.conf") // its absence is as good as its emptiness
	for name, content := range map[string]string{
		"resolv.conf":   n.cfg.resolvConf(),
		"hosts":         n.cfg.hosts(),
		"nsswitch.conf": nsswitch(string(host)),
	} {
		if err := os.WriteFile(n.ownFile(name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the instance's /etc/%s: %w", name, err)
		}
	}
	return nil
}

func (c *Config) resolvConf() string {
	var b strings.Builder
	if c.Resolver.IsValid() {
		fmt.Fprintf(&b, "nameserver %s\n", c.Resolver)
	}
	if c.Search != "" {
		fmt.Fprintf(&b, "search %s\n", c.Search)
	}
	if c.Options != "" {
		fmt.Fprintf(&b, "options %s\n", c.Options)
	}
	return b.String()
}

func (c *Config) hosts() string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	for _, p := range c.Addrs {
		fmt.Fprintf(&b, "%s %s\n", p.Addr(), c.Hostname)
	}
	return b.String()
}

// nsswitch is the host's nsswitch.conf with names looked up in /etc/hosts and by
// DNS only: a resolver daemon of the host would answer for the host's network.
func nsswitch(host string) string {
	var b strings.Builder
	for line := range strings.Lines(host) {
		if !strings.HasPrefix(strings.TrimSpace(line), "hosts:") {
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	b.WriteString("hosts: files dns\n")
	return b.String()
}

// killAll kills every process that is in the network namespace and waits until
// there is none.
func (n *Namespace) killAll() error {
	var own unix.Stat_t
	if err := unix.Fstat(int(n.net), &own); err != nil {
		return fmt.Errorf("look at the network namespace: %w", err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return fmt.Errorf("list the processes: %w", err)
		}
		var left []int
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid == unix.Getpid() {
				continue
			}
			var st unix.Stat_t
			if unix.Stat("/proc/"+e.Name()+"/ns/net", &st) == nil && st.Ino == own.Ino && st.Dev == own.Dev {
				left = append(left, pid)
				_ = unix.Kill(pid, unix.SIGKILL) // it may be dying already
			}
		}
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v do not die", left)
		}
		time.Sleep(time.Millisecond)
	}
}
