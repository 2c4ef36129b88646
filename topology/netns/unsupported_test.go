package netns

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each host that cannot, and what its user is told.
func TestUnsupported(t *testing.T) {
	const root = "run with sudo (where there is no sudo, run as root)"
	const container = "start the container with --privileged, or with --cap-add SYS_ADMIN --cap-add NET_ADMIN" +
		" --device /dev/net/tun --security-opt apparmor=unconfined --security-opt seccomp=unconfined"
	user := host{uid: 1000}
	docker := host{uid: 0, container: true}
	as := func(h host, change func(*host)) host { change(&h); return h }
	inside := func(h *host) { h.init, h.privileged = true, true } // root of its user namespace
	type sysctls map[string]string
	for _, c := range []struct {
		name string
		host host
		set  sysctls
		tun  error  // what opening /dev/net/tun gives
		op   string // what else fails
		err  error
		want string
	}{
		{
			name: "no access to the device", host: user, tun: unix.EACCES,
			want: "/dev/net/tun is not accessible to uid 1000 (permission denied): " + root + ", or chmod 0666 /dev/net/tun",
		}, {
			name: "no device", host: user, tun: unix.ENOENT,
			want: "this host has no /dev/net/tun (no such file or directory): load the tun module: modprobe tun",
		}, {
			name: "a node without a module", host: user, tun: unix.ENODEV,
			want: "this host has no /dev/net/tun (no such device): load the tun module: modprobe tun",
		}, {
			name: "no device in the container", host: docker, tun: unix.ENOENT,
			want: "this host has no /dev/net/tun (no such file or directory): start the container with --device /dev/net/tun",
		}, {
			name: "a device that the container may not use", host: docker, tun: unix.EPERM,
			want: "/dev/net/tun is not accessible to uid 0 (operation not permitted): start the container with --device /dev/net/tun",
		}, {
			name: "Debian's switch", host: user, set: sysctls{"kernel/unprivileged_userns_clone": "0"},
			op: "make namespaces", err: unix.EPERM,
			want: "cannot make namespaces for the sandbox (operation not permitted, kernel.unprivileged_userns_clone=0): " +
				root + ", or sysctl -w kernel.unprivileged_userns_clone=1",
		}, {
			name: "Ubuntu's AppArmor, at once", host: user, set: sysctls{"kernel/apparmor_restrict_unprivileged_userns": "1"},
			op: "make namespaces", err: unix.EACCES,
			want: "cannot make namespaces for the sandbox (permission denied, kernel.apparmor_restrict_unprivileged_userns=1): " +
				root + ", or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
		}, {
			name: "Ubuntu's AppArmor, later", host: as(user, inside), set: sysctls{"kernel/apparmor_restrict_unprivileged_userns": "1"},
			op: "make the mounts private", err: unix.EACCES,
			want: "cannot make the mounts private for the sandbox (permission denied, kernel.apparmor_restrict_unprivileged_userns=1): " +
				root + ", or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
		}, {
			name: "a hardened host", host: user, op: "make namespaces", err: unix.EPERM,
			want: "cannot make namespaces for the sandbox (operation not permitted, no CAP_SYS_ADMIN, and user namespaces are refused): " + root,
		}, {
			name: "namespaces switched off", host: user, set: sysctls{"user/max_user_namespaces": "0"},
			op: "make namespaces", err: fmt.Errorf("fork/exec: %w", unix.ENOSPC),
			want: "cannot make namespaces for the sandbox (no space left on device, user.max_user_namespaces=0): sysctl -w user.max_user_namespaces=15000",
		}, {
			name: "all namespaces taken", host: user, set: sysctls{"user/max_user_namespaces": "100"},
			op: "make namespaces", err: unix.ENOSPC,
			want: "cannot make namespaces for the sandbox (no space left on device): the host's limit of namespaces is reached; see sysctl -a --pattern user.max_",
		}, {
			name: "a kernel without", host: user, op: "make namespaces", err: unix.EINVAL,
			want: "cannot make namespaces for the sandbox (invalid argument): the kernel lacks a kind of namespace" +
				" (CONFIG_NAMESPACES, CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS)",
		}, {
			name: "a container without rights", host: docker, op: "make namespaces", err: unix.EPERM,
			want: "cannot make namespaces for the sandbox (operation not permitted, no CAP_SYS_ADMIN): " + container,
		}, {
			name: "a container with a masked /proc", host: as(docker, inside), op: "mount /proc", err: unix.EPERM,
			want: "cannot mount /proc for the sandbox (operation not permitted): " + container,
		}, {
			name: "an unknown mishap", host: user, op: "mount a tmpfs", err: unix.ENOMEM,
			want: "cannot mount a tmpfs for the sandbox (cannot allocate memory)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.host.sysctl = func(name string) string { return c.set[name] }
			c.host.openTUN = func() error { return c.tun }
			err := c.host.checkTUN()
			if c.op != "" && err == nil {
				err = c.host.explain(c.op, c.err)
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	if err := (host{openTUN: func() error { return nil }}).checkTUN(); err != nil {
		t.Errorf("a host that can: %v", err)
	}
}

// A /etc that lacks files which instances have of their own is completed.
func TestMirror(t *testing.T) {
	RequireSandbox(t)
	from, to := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{"hosts": "old", "passwd": "root"} {
		if err := os.WriteFile(from+"/"+name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(from+"/ssl", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/run/nowhere", from+"/localtime"); err != nil {
		t.Fatal(err)
	}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := mirror(from, to, ownFiles); err != nil {
			return err
		}
		if b, err := os.ReadFile(to + "/passwd"); err != nil || string(b) != "root" {
			return fmt.Errorf("passwd is %q, %w", b, err)
		}
		if target, err := os.Readlink(to + "/localtime"); err != nil || target != "/run/nowhere" {
			return fmt.Errorf("localtime leads to %q, %w", target, err)
		}
		if _, err := os.Stat(to + "/hosts"); !os.IsNotExist(err) {
			return fmt.Errorf("hosts: %w", err)
		}
		if err := os.WriteFile(to+"/hosts", []byte("own"), 0o644); err != nil {
			return err
		}
		return mirror(from+"/absent", to, nil)
	})
	if !os.IsNotExist(err) {
		t.Error(err)
	}
	if b, err := os.ReadFile(from + "/hosts"); err != nil || string(b) != "old" {
		t.Errorf("the original's hosts is %q, %v", b, err)
	}
}

// Too few open files are the host's affair, and other errors are none of it.
func TestExhausted(t *testing.T) {
	var u *Unsupported
	err := Exhausted(errors.Join(errors.New("an instance"), fmt.Errorf("open netlink: %w", unix.EMFILE)))
	if !errors.As(err, &u) || !strings.HasPrefix(u.Why, "too many open files, ulimit -n is ") || u.Help != "raise the limit: ulimit -n 65536" {
		t.Errorf("too many files of a process: %v", err)
	}
	if err := Exhausted(unix.ENFILE); !errors.As(err, &u) || u.Help != "see sysctl fs.file-max" {
		t.Errorf("too many files of the host: %v", err)
	}
	for _, err := range []error{nil, unix.EPERM} {
		if got := Exhausted(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
