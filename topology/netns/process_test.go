package netns_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/plsim/plsim/topology/netns"
)

func TestProcess(t *testing.T) {
	n := newNamespace(t, lab("consumer/app"))
	t.Setenv("http_proxy", "http://proxy.invalid")
	for name, content := range map[string]string{
		"data.txt":        "content\n",
		"deep/er/data":    "deep\n",
		"bin/say.sh":      "#!/bin/sh\necho said \"$@\"\n",
		"broken.sh":       "#!/no/such/interpreter\n",
		"not-executable":  "echo\n",
		"deep/er/../last": "last\n",
	} {
		if err := n.WriteFile(name, content); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, line string
		code       int
		out        string
	}{
		{"streams", "echo out; echo err >&2", 0, "out\nerr\n"},
		{"exit code", "exit 7", 7, ""},
		{"signal", "kill -TERM $$", 143, ""},
		{"stdin", "read line; echo got $line", 0, "got input\n"},
		{"home", "pwd; echo $HOME; cat data.txt deep/er/data deep/last", 0, "/.plsim/consumer/app/home\n/.plsim/consumer/app/home\ncontent\ndeep\nlast\n"},
		{"script", "./bin/say.sh a b", 0, "said a b\n"},
		{"hostname", "hostname; echo $HOSTNAME", 0, "app\napp\n"},
		{"environment", "echo $COLOR-$http_proxy-$PLSIM_SANDBOX_STAGE", 0, "red--\n"},
		{"resolv.conf", "cat /etc/resolv.conf", 0, "nameserver 10.0.0.2\nsearch ec2.internal\noptions timeout:2 attempts:5\n"},
		{"hosts", "cat /etc/hosts", 0, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n10.0.1.10 app\n2001:db8:1::a app\n"},
		{"nsswitch.conf", "grep -c . /etc/nsswitch.conf >/dev/null; grep hosts: /etc/nsswitch.conf; grep -c ^passwd /etc/nsswitch.conf", 0, "hosts: files dns\n1\n"},
		{"names", "getent hosts app localhost | tr -s ' '", 0, "2001:db8:1::a app\n::1 localhost ip6-localhost ip6-loopback\n"},
		{"interfaces", "ls /sys/class/net", 0, "eth0\nlo\n"},
		{"descriptors", "exec ls /proc/self/fd", 0, "0\n1\n2\n3\n"},
		{"session", "set -- $(cat /proc/$$/stat); test $1 = $5 && test $1 = $6 && echo own", 0, "own\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			p, err := n.Start(ctx, netns.Cmd{
				Argv: []string{"sh", "-c", c.line}, Env: []string{"COLOR=red"},
				Stdin: strings.NewReader("input\n"), Stdout: &out, Stderr: &out,
			})
			if err != nil {
				t.Fatal(err)
			}
			if code, err := p.Wait(); code != c.code || err != nil || out.String() != c.out {
				t.Errorf("%s: exit code %d, %v, output %q; want %d, %q", c.line, code, err, out.String(), c.code, c.out)
			}
			p.Kill() // of no effect
			if code, _ := p.Wait(); code != c.code {
				t.Errorf("the second Wait returned %d", code)
			}
		})
	}
	if name, err := os.Hostname(); err != nil || name == "app" {
		t.Errorf("the sandbox's hostname is %q, %v", name, err)
	}
	for _, c := range []struct {
		cmd  netns.Cmd
		is   error
		want string
	}{
		{netns.Cmd{Argv: []string{"no-such-program"}}, exec.ErrNotFound, `consumer/app: cannot start "no-such-program": executable file not found in $PATH (/nowhere)`},
		{netns.Cmd{Argv: []string{"./absent"}}, exec.ErrNotFound, "there is no /.plsim/consumer/app/home/absent"},
		{netns.Cmd{Argv: []string{"./not-executable"}}, os.ErrPermission, "is not executable"},
		{netns.Cmd{Argv: []string{"./deep"}}, nil, "is a directory"},
		{netns.Cmd{Argv: []string{"./broken.sh"}}, os.ErrNotExist, "the program that its first line names is missing"},
		{netns.Cmd{Argv: []string{"/bin/true"}, Dir: "absent"}, os.ErrNotExist, "working directory: stat /.plsim/consumer/app/home/absent"},
	} {
		c.cmd.Env = []string{"PATH=/nowhere"}
		_, err := n.Start(ctx, c.cmd)
		var typed *netns.ProgramError
		if !errors.As(err, &typed) || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("Start(%v): %v, want %q", c.cmd.Argv, err, c.want)
		}
	}
	if _, err := n.Start(ctx, netns.Cmd{}); err == nil {
		t.Error("no program was started")
	}
	for _, name := range []string{"../escape", "/etc/escape", "deep/../../escape", "way-out/escape", "deep", ""} {
		if name == "way-out/escape" {
			if _, err := n.Output(ctx, "ln", "-s", "/tmp", "way-out"); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.WriteFile(name, ""); err == nil {
			t.Errorf("WriteFile(%q) succeeded", name)
		}
	}
	if out, err := n.Output(ctx, "sh", "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "exit code 3: why") {
		t.Errorf("Output: %q, %v", out, err)
	}
}

// The end of the context kills a process with its whole group.
func TestProcessContext(t *testing.T) {
	n := newNamespace(t, netns.Config{Name: "context"})
	before := len(processes(t))
	bounded, cancel := context.WithCancel(ctx)
	p, err := n.Start(bounded, netns.Cmd{Argv: []string{"sh", "-c", "sleep 1000 & sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() string {
		if got := len(processes(t)); got != before+3 {
			return fmt.Sprintf("%d processes of 3", got-before)
		}
		return ""
	})
	cancel()
	if code, err := p.Wait(); code != 137 || err != nil {
		t.Errorf("Wait: %d, %v", code, err)
	}
	await(t, func() string {
		if got := len(processes(t)); got != before {
			return fmt.Sprintf("%d processes are left", got-before)
		}
		return ""
	})
	if _, err := n.Start(bounded, netns.Cmd{Argv: []string{"true"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with a context that has ended: %v", err)
	}
}

// A process that leaves a server behind is over when it has ended; the server
// goes on, unharmed by what it writes, until the namespace is closed.
func TestBackgroundProcess(t *testing.T) {
	n := newNamespace(t, netns.Config{Name: "background"})
	var out bytes.Buffer
	p, err := n.Start(ctx, netns.Cmd{
		Argv:   []string{"sh", "-c", "setsid sh -c 'while ! test -e go; do sleep 0.01; done; echo late; : > survived; exec sleep 1000' & echo early"},
		Stdout: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(); code != 0 || err != nil { // the server would wait for ever
		t.Errorf("Wait: %d, %v", code, err)
	}
	if err := n.WriteFile("go", ""); err != nil {
		t.Fatal(err)
	}
	await(t, func() string {
		if _, err := os.Stat(n.Home() + "/survived"); err != nil {
			return "the server did not survive"
		}
		return ""
	})
	if out.String() != "early\n" {
		t.Errorf("output: %q", out.String())
	}
	before := len(processes(t))
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, func() string {
		if got := len(processes(t)); got != before-1 {
			return fmt.Sprintf("%d processes of 1 ended", before-got)
		}
		return ""
	})
}
