package netns

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// able is a host that has all there is to have, for root.
func able() surveyor {
	return surveyor{
		host: host{privileged: true, openTUN: func() error { return nil }, sysctl: func(string) string { return "0" }},
		read: func(path string) string {
			return map[string]string{
				"/proc/self/cgroup":                  "0::/user.slice",
				"/sys/fs/cgroup/user.slice/pids.max": "9000",
				"/proc/meminfo":                      "MemTotal: 9000000 kB\nMemAvailable:    4000000 kB",
				"/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
			}[path]
		},
		has: func(string) bool { return true }, release: "6.1.0-13-amd64", files: 1 << 20,
	}
}

func TestSurvey(t *testing.T) {
	for _, f := range able().survey() {
		if f.State != FindingOK || f.Seen == "" || f.Cure != "" {
			t.Errorf("of a host that has all: %+v", f)
		}
	}
	for _, c := range []struct {
		name string
		lack func(*surveyor)
		want Finding
	}{
		{"an old kernel", func(s *surveyor) { s.release = "5.4.0" },
			Finding{"kernel", FindingWarn, "Linux 5.4.0; labs are tested with 5.11 and later", "apt-get install linux-image-generic"}},
		{"an odd kernel", func(s *surveyor) { s.release = "odd" },
			Finding{"kernel", FindingWarn, `release "odd" is not to be understood`, "uname -r"}},
		{"no device", func(s *surveyor) { s.openTUN = func() error { return unix.ENOENT } },
			Finding{tunPath, FindingMissing, "this host has no /dev/net/tun (no such file or directory)", "load the tun module: modprobe tun"}},
		{"AppArmor", func(s *surveyor) {
			s.host.privileged, s.uid = false, 1000
			s.sysctl = func(name string) string {
				return map[string]string{"kernel/apparmor_restrict_unprivileged_userns": "1", "net/ipv6/conf/default/disable_ipv6": "0"}[name]
			}
		}, Finding{"privilege", FindingMissing, "uid 1000, and user namespaces are restricted (kernel.apparmor_restrict_unprivileged_userns=1)",
			helpRoot + ", or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}},
		{"no user namespaces", func(s *surveyor) {
			s.host.privileged, s.uid = false, 1000
			s.sysctl = func(string) string { return "0" }
		}, Finding{"privilege", FindingMissing, "uid 1000, and user namespaces are restricted (user.max_user_namespaces=0)", "sysctl -w user.max_user_namespaces=15000"}},
		{"few files", func(s *surveyor) { s.files = 1024 },
			Finding{"open files", FindingWarn, "at most 1024; large labs need 8192", "as root: ulimit -n 8192"}},
		{"few processes", but("/sys/fs/cgroup/user.slice/pids.max", "100"),
			Finding{"processes", FindingWarn, "at most 100 in this control group; large labs need 2048", "systemd-run --scope -p TasksMax=2048 plsim …; in a container: --pids-limit 2048"}},
		{"little memory", but("/proc/meminfo", "MemAvailable:  204800 kB"),
			Finding{"memory", FindingWarn, "200 MiB are available; large labs want 1024 MiB", "end other programs: ps aux --sort -rss | head"}},
		{"no IPv6", func(s *surveyor) { s.sysctl = func(string) string { return "1" } },
			Finding{"IPv6", FindingWarn, "is switched off for new interfaces; only scenarios with ipv6_cidr_block need it", "sysctl -w net.ipv6.conf.default.disable_ipv6=0"}},
		{"a slow clock", but("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet"),
			Finding{"clock", FindingWarn, "source hpet is slow to read: packets are forwarded late",
				"see /sys/devices/system/clocksource/clocksource0/available_clocksource; as root: echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"}},
		{"no curl", func(s *surveyor) { s.has = func(name string) bool { return name != "curl" } },
			Finding{"curl", FindingWarn, "not installed; some scenarios use it", "apt-get install curl"}},
	} {
		s := able()
		c.lack(&s)
		if all := s.survey(); !slices.Contains(all, c.want) {
			t.Errorf("%s: got %+v\nwant %+v", c.name, all, c.want)
		}
	}
}

// but has another content of a file.
func but(file, content string) func(*surveyor) {
	return func(s *surveyor) {
		read := s.read
		s.read = func(path string) string {
			if path == file {
				return content
			}
			return read(path)
		}
	}
}

// This host, whatever it is, can be surveyed.
func TestSurveyThisHost(t *testing.T) {
	for _, f := range Survey() {
		if f.Name == "" || f.Seen == "" || (f.State == FindingOK) != (f.Cure == "") {
			t.Errorf("%+v", f)
		}
	}
}
