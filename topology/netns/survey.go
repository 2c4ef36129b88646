package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Finding is what a host has of something that labs want.
type Finding struct {
	Name  string       `json:"name"`
	State FindingState `json:"state"`
	Seen  string       `json:"seen"`           // as exactly as it is known
	Cure  string       `json:"cure,omitempty"` // the command that mends it, or what else would
}

// FindingState is what a finding means.
type FindingState string

// The states.
const (
	FindingOK      FindingState = "ok"
	FindingWarn    FindingState = "warn"    // some labs will not run, or not well
	FindingMissing FindingState = "missing" // no lab will
)

// What large labs need, by measure: an instance takes some ten descriptors, three
// processes or threads and half a mebibyte.
const (
	wantedFiles     = 8192
	wantedProcesses = 2048
	wantedMemory    = 1 << 30 // bytes
)

// programs are those that scenarios mostly use, with the Debian packages that have them.
var programs = []struct{ name, debian string }{
	{"curl", "curl"}, {"dig", "bind9-dnsutils"}, {"flask", "python3-flask"}, {"haproxy", "haproxy"}, {"iperf3", "iperf3"},
	{"nft", "nftables"}, {"openssl", "openssl"}, {"ping", "iputils-ping"}, {"psql", "postgresql-client"},
	{"python3", "python3"}, {"tcpdump", "tcpdump"},
}

// Survey looks at what this host has for labs, without building anything: whether a
// sandbox works, Enter or Supported find out. Findings come in an order for people.
func Survey() []Finding { return thisSurveyor().survey() }

// surveyor looks at a host.
type surveyor struct {
	host
	read    func(path string) string // a file of the host's, trimmed; "" where there is none
	has     func(program string) bool
	release string // of the kernel
	files   uint64 // the hard limit of open files
}

func thisSurveyor() surveyor {
	s := surveyor{host: thisHost(), has: HasProgram, read: func(path string) string {
		b, _ := os.ReadFile(path)
		return strings.TrimSpace(string(b))
	}}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		s.release = unix.ByteSliceToString(name.Release[:])
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		s.files = limit.Max
	}
	return s
}

func (s surveyor) survey() []Finding {
	all := []Finding{s.kernel(), s.tun(), s.privilege(), s.openFiles(), s.processes(), s.memory(), s.ipv6(), s.clock()}
	for _, p := range programs {
		f := Finding{p.name, FindingOK, "installed", ""}
		if !s.has(p.name) {
			f = Finding{p.name, FindingWarn, "not installed; some scenarios use it", "apt-get install " + p.debian}
		}
		all = append(all, f)
	}
	return all
}

// kernel wants Linux 5.11, which has the last of the system calls that a sandbox makes.
func (s surveyor) kernel() Finding {
	var major, minor int
	_, err := fmt.Sscanf(s.release, "%d.%d", &major, &minor)
	switch {
	case err != nil:
		return Finding{"kernel", FindingWarn, fmt.Sprintf("release %q is not to be understood", s.release), "uname -r"}
	case major < 5 || major == 5 && minor < 11:
		return Finding{"kernel", FindingWarn, "Linux " + s.release + "; labs are tested with 5.11 and later", "apt-get install linux-image-generic"}
	}
	return Finding{"kernel", FindingOK, "Linux " + s.release, ""}
}

func (s surveyor) tun() Finding {
	var why *Unsupported
	if errors.As(s.checkTUN(), &why) {
		return Finding{tunPath, FindingMissing, why.What + " (" + why.Why + ")", why.Help}
	}
	return Finding{tunPath, FindingOK, "can be opened", ""}
}

// privilege is root, or else user namespaces, as far as the kernel's switches tell.
func (s surveyor) privilege() Finding {
	if s.privileged {
		return Finding{"privilege", FindingOK, "root", ""}
	}
	for _, off := range []struct {
		name, value string
		err         error
	}{
		{"user.max_user_namespaces", "0", unix.ENOSPC},
		{"kernel.unprivileged_userns_clone", "0", unix.EPERM},
		{"kernel.apparmor_restrict_unprivileged_userns", "1", unix.EPERM},
	} {
		if s.sysctl(strings.ReplaceAll(off.name, ".", "/")) == off.value {
			return Finding{"privilege", FindingMissing, fmt.Sprintf("uid %d, and user namespaces are restricted (%s=%s)", s.uid, off.name, off.value), s.explain("make namespaces", off.err).Help}
		}
	}
	return Finding{"privilege", FindingOK, fmt.Sprintf("uid %d, in a user namespace", s.uid), ""}
}

func (s surveyor) openFiles() Finding {
	if s.files < wantedFiles {
		return Finding{"open files", FindingWarn, fmt.Sprintf("at most %d; large labs need %d", s.files, wantedFiles), fmt.Sprintf("as root: ulimit -n %d", wantedFiles)}
	}
	seen := "no limit"
	if s.files != unix.RLIM_INFINITY {
		seen = fmt.Sprintf("at most %d", s.files)
	}
	return Finding{"open files", FindingOK, seen, ""}
}

// processes is the limit of this process's own control group (cgroup v2).
func (s surveyor) processes() Finding {
	_, group, _ := strings.Cut(s.read("/proc/self/cgroup"), "0::")
	group, _, _ = strings.Cut(group, "\n")
	text := s.read(filepath.Join("/sys/fs/cgroup", group, "pids.max"))
	limit, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return Finding{"processes", FindingOK, "no limit of the control group", ""}
	case limit < wantedProcesses:
		return Finding{"processes", FindingWarn, fmt.Sprintf("at most %d in this control group; large labs need %d", limit, wantedProcesses), fmt.Sprintf("systemd-run --scope -p TasksMax=%d plsim …; in a container: --pids-limit %d", wantedProcesses, wantedProcesses)}
	}
	return Finding{"processes", FindingOK, fmt.Sprintf("at most %d in this control group", limit), ""}
}

func (s surveyor) memory() Finding {
	for line := range strings.Lines(s.read("/proc/meminfo")) {
		var kib int64
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err != nil {
			continue
		}
		seen := fmt.Sprintf("%d MiB are available", kib/1024)
		if kib*1024 < wantedMemory {
			return Finding{"memory", FindingWarn, fmt.Sprintf("%s; large labs want %d MiB", seen, wantedMemory>>20), "end other programs: ps aux --sort -rss | head"}
		}
		return Finding{"memory", FindingOK, seen, ""}
	}
	return Finding{"memory", FindingWarn, "/proc/meminfo does not tell how much is available", "free -m"}
}

func (s surveyor) ipv6() Finding {
	const off = "net.ipv6.conf.default.disable_ipv6"
	switch s.sysctl(strings.ReplaceAll(off, ".", "/")) {
	case "":
		return Finding{"IPv6", FindingWarn, "the kernel has none; only scenarios with ipv6_cidr_block need it", "boot without ipv6.disable=1: sed -i s/ipv6.disable=1// /etc/default/grub && update-grub && reboot"}
	case "0":
		return Finding{"IPv6", FindingOK, "enabled", ""}
	}
	return Finding{"IPv6", FindingWarn, "is switched off for new interfaces; only scenarios with ipv6_cidr_block need it", "sysctl -w " + off + "=0"}
}

// clock wants a source that is cheap to read, since the forwarder reads it at every turn.
func (s surveyor) clock() Finding {
	const dir = "/sys/devices/system/clocksource/clocksource0/"
	source := s.read(dir + "current_clocksource")
	switch source {
	case "":
		return Finding{"clock", FindingOK, "the kernel does not tell its source", ""}
	case "jiffies", "pit", "acpi_pm", "hpet", "refined-jiffies":
		return Finding{"clock", FindingWarn, "source " + source + " is slow to read: packets are forwarded late", "see " + dir + "available_clocksource; as root: echo tsc > " + dir + "current_clocksource"}
	}
	return Finding{"clock", FindingOK, "source " + source, ""}
}
