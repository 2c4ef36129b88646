package netns

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const tunPath = "/dev/net/tun"

// Unsupported is the error of a host that cannot run a sandbox: a property of
// the host or of the caller's rights on it, not a fault of plsim.
type Unsupported struct {
	What string // what could not be had: "/dev/net/tun is not accessible to uid 1000"
	Why  string // the reason, as exactly as it is known: "permission denied"
	Help string // what would help
}

func (e *Unsupported) Error() string {
	s := e.What
	if e.Why != "" {
		s += " (" + e.Why + ")"
	}
	if e.Help != "" {
		s += ": " + e.Help
	}
	return s
}

// host is what decides whether a sandbox can be made, and how.
type host struct {
	uid        int
	privileged bool // no user namespace needed
	container  bool
	init       bool                // this is PID 1 of the sandbox itself
	sysctl     func(string) string // value by path below /proc/sys; "" where there is none
	openTUN    func() error
}

func thisHost() host {
	h := host{
		uid: os.Getuid(),
		sysctl: func(name string) string {
			b, _ := os.ReadFile("/proc/sys/" + name)
			return strings.TrimSpace(string(b))
		},
		openTUN: func() error {
			fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			return unix.Close(fd)
		},
	}
	var caps [2]unix.CapUserData // 64 capabilities in two halves, of which these two are in the lower
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &caps[0]); err == nil {
		const needed = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN
		h.privileged = os.Geteuid() == 0 && caps[0].Effective&needed == needed
	}
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			h.container = true
		}
	}
	return h
}

const (
	helpRoot      = "run with sudo (where there is no sudo, run as root)"
	helpContainer = "start the container with --privileged, or with --cap-add SYS_ADMIN --cap-add NET_ADMIN" +
		" --device /dev/net/tun --security-opt apparmor=unconfined --security-opt seccomp=unconfined"
)

// checkTUN tells why this caller cannot have TAP devices; nil if nothing is
// known against it.
func (h host) checkTUN() error {
	err := h.openTUN()
	if err == nil {
		return nil
	}
	u := &Unsupported{What: tunPath + " is not accessible to uid " + fmt.Sprint(h.uid), Why: reason(err)}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		u.What, u.Help = "this host has no "+tunPath, "load the tun module: modprobe tun"
		if h.container {
			u.Help = "start the container with --device " + tunPath
		}
	case h.container && errors.Is(err, unix.EPERM): // the answer of the device cgroup
		u.Help = "start the container with --device " + tunPath
	default:
		u.Help = helpRoot + ", or chmod 0666 " + tunPath
	}
	return u
}

// explain tells why the sandbox could not be made: op failed with err.
func (h host) explain(op string, err error) *Unsupported {
	u := &Unsupported{What: "cannot " + op + " for the sandbox", Why: reason(err)}
	denied := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	blame := func(sysctl, bad string) bool {
		if h.sysctl(strings.ReplaceAll(sysctl, ".", "/")) != bad {
			return false
		}
		u.Why += ", " + sysctl + "=" + bad
		return true
	}
	switch {
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS):
		for _, kind := range []string{"user", "pid", "mnt", "net", "ipc", "uts"} {
			if blame("user.max_"+kind+"_namespaces", "0") {
				u.Help = "sysctl -w user.max_" + kind + "_namespaces=15000"
				return u
			}
		}
		u.Help = "the host's limit of namespaces is reached; see sysctl -a --pattern user.max_"
	case errors.Is(err, unix.EINVAL) && !h.init:
		u.Help = "the kernel lacks a kind of namespace (CONFIG_NAMESPACES, CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS)"
	case denied && !h.privileged && blame("kernel.unprivileged_userns_clone", "0"):
		u.Help = helpRoot + ", or sysctl -w kernel.unprivileged_userns_clone=1"
	case denied && (!h.privileged || h.init) && blame("kernel.apparmor_restrict_unprivileged_userns", "1") && !h.container:
		u.Help = helpRoot + ", or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	case denied && h.container:
		if !h.privileged {
			u.Why += ", no CAP_SYS_ADMIN"
		}
		u.Help = helpContainer
	case denied && !h.privileged:
		u.Why += ", no CAP_SYS_ADMIN, and user namespaces are refused"
		u.Help = helpRoot
	}
	return u
}

// reason is the system's word for err, without the names of system calls.
func reason(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// Exhausted makes an *Unsupported of an error that came because this process may open no
// more files, of which each namespace needs a few. It returns any other as it is.
func Exhausted(err error) error {
	if !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE) {
		return err
	}
	u := &Unsupported{What: "the lab needs more open files than this host allows", Why: reason(err), Help: "raise the limit: ulimit -n 65536"}
	var limit unix.Rlimit
	if errors.Is(err, unix.ENFILE) {
		u.Help = "see sysctl fs.file-max"
	} else if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		u.Why += fmt.Sprintf(", ulimit -n is %d", limit.Cur)
	}
	return u
}
