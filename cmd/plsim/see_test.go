package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/topology/netns"
)

// background starts plsim in a box, and waits until it has said that it is at work.
func background(t *testing.T, out io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := plsimCommand(args...)
	cmd.Env = append(os.Environ(), "PLSIM_RUNTIME_DIR="+labsDir)
	cmd.Stdout = out
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	if line, err := lines.ReadString('\n'); err != nil {
		t.Fatalf("plsim %v said %q, %v", args, line, err)
	}
	return cmd
}

// filesOf counts the open files of the only lab's process.
func filesOf(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", childOf(childOf(theLab(t).PID))))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestCaptureLive captures at all interfaces of a lab while curl asks for a page, and
// holds the file and the lines against what tcpdump reads.
func TestCaptureLive(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"tcpdump", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	if !inBox(t) {
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "lab.pcapng")
	printed, err := os.Create(filepath.Join(dir, "lines"))
	if err == nil {
		err = os.WriteFile(file, nil, 0o644) // so that it is there before and after
	}
	if err != nil {
		t.Fatal(err)
	}
	before := look(t)
	mustPlsim(t, root, "up", "quickstart")
	mustPlsim(t, root, "service", "accept", "api")
	kept := background(t, nil, "capture", "-w", file)
	shown := background(t, printed, "capture", "--filter", "tcp")
	said := mustPlsim(t, root, "step", `request: { from: app, url: "http://${vpc_endpoint.api.dns_name}/" }`)
	name := regexp.MustCompile(`vpce-[0-9a-f]+-[a-z0-9]+\.vpce-svc-[0-9a-f]+\.us-east-1\.vpce\.amazonaws\.com`).FindString(said)
	if out := mustPlsim(t, root, "exec", "app", "--", "curl", "-s", "-S", "-m", "5", "http://"+name+"/?bytes=100000"); len(out) != 100000 {
		t.Errorf("curl got %d bytes", len(out))
	}
	for _, cmd := range []*exec.Cmd{kept, shown} {
		if err := cmd.Process.Signal(unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("plsim capture, after ^C: %v", err)
		}
	}
	// What tcpdump reads in the file is what the lines say.
	out, err := exec.Command("tcpdump", "-n", "-S", "-t", "-r", file, "tcp").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(printed.Name())
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)(length \d+): HTTP.*$`).ReplaceAllString(string(out), "$1")
	if got := regexp.MustCompile(`(?m)^\S+ \S+ (In |Out) `).ReplaceAllString(string(lines), ""); got != want {
		t.Errorf("the lines say\n%s\nand tcpdump\n%s", got, want)
	}
	checkTranslation(t, file)
	mustPlsim(t, root, "down")
	untouched(t, before)
}

// checkTranslation looks for the client's SYN at every interface on its way: from its own
// address to the endpoint's up to the node, from the node's address to the target behind.
func checkTranslation(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := capture.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	var client, node string
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p := rec.Packet()
		v := p.Values()
		if v["flags"] != "S" {
			continue
		}
		src, dst := net.JoinHostPort(v["srcaddr"], v["srcport"]), net.JoinHostPort(v["dstaddr"], v["dstport"])
		switch {
		case p.Interface == "consumer/app":
			client = src
		case strings.HasPrefix(p.Interface, "load_balancer.api.") && p.Out && client != "":
			node = src
		}
		of, _, _ := strings.Cut(strings.Replace(p.Interface, ".us-east-1", " ", 1), " ")
		switch {
		case client == "":
		case src == client && v["dstport"] == "80":
			seen = append(seen, fmt.Sprintf("%s %s as sent", of, v["direction"]))
		case src == node && v["dstport"] == "8080":
			of, _, _ := strings.Cut(of, "-")
			seen = append(seen, fmt.Sprintf("%s %s translated to %s", of, v["direction"], strings.SplitAfterN(dst, ".", 3)[0]))
		}
	}
	want := "consumer/app egress as sent, vpc_endpoint.api ingress as sent, vpc_endpoint.api egress as sent, load_balancer.api ingress as sent, " +
		"load_balancer.api egress translated to 10., provider/web ingress translated to 10."
	if got := strings.Join(seen, ", "); !strings.HasPrefix(got, want) {
		t.Errorf("the SYN was seen: %s\nwant %s", got, want)
	}
}

// TestCaptureAbandoned kills who captures, and has others not read: neither is of any
// consequence to the lab.
func TestCaptureAbandoned(t *testing.T) {
	t.Parallel()
	if !inBox(t) {
		return
	}
	before := look(t)
	mustPlsim(t, root, "up", "quickstart")
	mustPlsim(t, root, "service", "accept", "api")
	request := func() {
		t.Helper()
		mustPlsim(t, root, "step", `{ request: { from: app, url: "http://${vpc_endpoint.api.dns_name}/?bytes=3000000", timeout: 10s }, expect: { status: 200 } }`)
	}
	quiet := filesOf(t)
	// Killed while packets come.
	cmd := background(t, io.Discard, "capture", "-w", "-")
	request()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	request()
	// Nobody reads what this one prints, of which there is more than fits into pipes.
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	stuck := background(t, write, "capture", "-w", "-")
	request()
	if n := filesOf(t); n <= quiet {
		t.Errorf("%d files of the lab while somebody captures, %d before", n, quiet)
	}
	if err := stuck.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := stuck.Wait(); err != nil {
		t.Errorf("^C of a capture that nobody reads: %v", err)
	}
	await(t, "captures to be over", func() error {
		if n := filesOf(t); n > quiet {
			return fmt.Errorf("the lab has %s files, %d before", strconv.Itoa(n), quiet)
		}
		return nil
	})
	// And its lab ends under another one.
	stuck = background(t, write, "capture", "-w", "-")
	request()
	began := time.Now()
	mustPlsim(t, root, "down")
	if took := time.Since(began); took > slack*2*time.Second {
		t.Errorf("plsim down took %s", took)
	}
	_ = write.Close()
	if err := stuck.Wait(); err != nil {
		t.Errorf("a capture whose lab has ended: %v", err)
	}
	untouched(t, before)
}

// TestTopScreen: plsim top on a terminal, which it leaves as it was when q is typed, or a
// signal comes.
func TestTopScreen(t *testing.T) {
	t.Parallel()
	if !inBox(t) {
		return
	}
	before := look(t)
	mustPlsim(t, root, "up", "quickstart")
	for _, end := range []struct {
		name string
		by   func(own *os.File, cmd *exec.Cmd) error
	}{
		{"q", func(own *os.File, _ *exec.Cmd) error { _, err := own.WriteString("q"); return err }},
		{"^C", func(own *os.File, _ *exec.Cmd) error { _, err := own.WriteString("\x03"); return err }},
		{"SIGTERM", func(_ *os.File, cmd *exec.Cmd) error { return cmd.Process.Signal(unix.SIGTERM) }},
	} {
		own, terminal, err := netns.NewTerminal()
		if err != nil {
			t.Fatal(err)
		}
		mode := func() unix.Termios {
			m, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			return *m
		}
		was := mode()
		cmd := plsimCommand("top", "--every", "100ms")
		cmd.Env = append(os.Environ(), "PLSIM_RUNTIME_DIR="+labsDir, "TERM=vt100")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var shown strings.Builder
		for b := make([]byte, 4096); !strings.Contains(shown.String(), "DROPPED FOR"); {
			n, err := own.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			shown.Write(b[:n])
		}
		if mode() == was {
			t.Error("the terminal waits for whole lines")
		}
		if err := end.by(own, cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %s: %v", end.name, err)
		}
		if mode() != was {
			t.Errorf("after %s the terminal is not as it was", end.name)
		}
		b := make([]byte, 64<<10)
		n, err := own.Read(b)
		if err != nil || !strings.HasSuffix(string(b[:n]), "\x1b[?25h\x1b[?1049l") {
			t.Errorf("after %s came %q, %v", end.name, b[:n], err)
		}
		_ = terminal.Close()
		_ = own.Close()
	}
	mustPlsim(t, root, "down")
	untouched(t, before)
}
