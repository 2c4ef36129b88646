package netns

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// setSysctls sets what eth0 inherits when it is made.
func (n *Namespace) setSysctls() error {
	v6 := false
	for _, p := range n.cfg.Addrs {
		v6 = v6 || p.Addr().Is6()
	}
	settings := [][2]string{
		{"ipv6/conf/default/accept_ra", "0"},
		{"ipv6/conf/default/autoconf", "0"},
		{"ipv6/conf/default/accept_dad", "0"}, // the fabric answers for addresses: there are no duplicates
		{"ipv6/conf/default/dad_transmits", "0"},
		{"ipv6/conf/default/router_solicitations", "0"},
	}
	if !v6 {
		settings = [][2]string{{"ipv6/conf/default/disable_ipv6", "1"}}
	}
	if ttl := strconv.Itoa(n.cfg.TTL); n.cfg.TTL != 0 {
		settings = append(settings, [2]string{"ipv4/ip_default_ttl", ttl})
		if v6 {
			settings = append(settings, [2]string{"ipv6/conf/default/hop_limit", ttl})
		}
	}
	if p := n.cfg.Ports; p[1] != 0 {
		settings = append(settings, [2]string{"ipv4/ip_local_port_range", fmt.Sprintf("%d %d", p[0], p[1])})
	}
	sys, err := openSysctls()
	if err != nil {
		return err
	}
	defer sys.close()
	for _, s := range settings {
		err := sys.write(s[0], s[1])
		v4 := strings.HasPrefix(s[0], "ipv4/")
		if err != nil && (v4 || v6 || !errors.Is(err, os.ErrNotExist)) { // a kernel without IPv6 will do for IPv4
			return err
		}
	}
	// Who may open ping sockets: everyone, or in a user namespace, where only
	// one group exists, that one.
	const ping = "ipv4/ping_group_range"
	err = sys.write(ping, "0 2147483647")
	if errors.Is(err, unix.EINVAL) {
		err = sys.write(ping, "0 0")
	}
	return err
}

// sysctls are those of the calling thread's network namespace: a directory, /proc/sys/net.
type sysctls int

// openSysctls opens them in a proc file system that nobody else looks at. In the one at
// /proc, the kernel would look through the files of every namespace that it has found there
// before, so that each namespace would take longer than the last.
func openSysctls() (sysctls, error) {
	proc, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err == nil {
		defer unix.Close(proc)
		err = unix.FsconfigCreate(proc)
	}
	root := unix.AT_FDCWD
	if err == nil {
		root, err = unix.Fsmount(proc, unix.FSMOUNT_CLOEXEC, 0)
	}
	path := "sys/net"
	if err != nil { // Linux before 5.2, or a container that hides parts of /proc
		root, path = unix.AT_FDCWD, "/proc/sys/net"
	} else {
		defer unix.Close(root)
	}
	dir, err := unix.Openat(root, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open /proc/sys/net: %w", err)
	}
	return sysctls(dir), nil
}

func (s sysctls) close() { _ = unix.Close(int(s)) }

// write sets a value.
func (s sysctls) write(name, value string) error {
	fd, err := unix.Openat(int(s), name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte(value))
		_ = unix.Close(fd) // the write has told
	}
	if err != nil {
		return fmt.Errorf("set the sysctl net/%s: %w", name, err)
	}
	return nil
}
