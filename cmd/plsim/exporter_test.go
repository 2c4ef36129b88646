package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const scraped = `
name: scraped
vpcs:
  shop:
    cidr_block: 10.0.0.0/16
    security_groups:
      web: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.0.0.0/16] }] }
    instances:
      web: { vpc_security_group_ids: [web], services: [{ type: http, port: 80 }] }
      app: {}
target_groups: { web: { port: 80, protocol: TCP, targets: [web] } }
load_balancers:
  web: { id: 0123456789abcdef, subnets: [shop/default], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }] }
steps:
  - name: A program of the lab holds nothing of the host
    exec: { in: app, command: ls /proc/self/fd }
    expect: { stdout: "0\n1\n2\n3\n" }
  - request: { from: app, url: "http://${load_balancer.web.dns_name}/" }
  - request: { from: app, url: "http://${load_balancer.web.dns_name}/" }
  - wait: 10m
`

// TestScrape: a Prometheus server on the host reads the metrics of a lab that runs,
// although the lab is in namespaces of its own.
func TestScrape(t *testing.T) {
	t.Parallel()
	requirePrivilege(t)
	file := filepath.Join(t.TempDir(), "scraped.yaml")
	if err := os.WriteFile(file, []byte(scraped), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "run", file, "--metrics-listen", "localhost:0")
	cmd.Args[0] = "plsim"
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stdout strings.Builder
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	lines := bufio.NewScanner(stderr)
	lines.Scan()
	url, ok := strings.CutPrefix(lines.Text(), "metrics for Prometheus at ")
	if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("it said %q", lines.Text())
	}
	const want = `aws_networkelb_new_flow_count_sum{load_balancer="net/web/0123456789abcdef"} 2` + "\n"
	var body string
	for until := time.Now().Add(20 * time.Second); !strings.Contains(body, want); {
		if time.Now().After(until) {
			t.Fatalf("no %q in\n%s", want, body)
		}
		body = scrape(t, url)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stderr)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("it ended with %v\n%s%s", err, rest, stdout.String())
	}
	if !strings.Contains(stdout.String(), "✓  1 A program") {
		t.Error(stdout.String())
	}
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", resp.Status, err, body)
	}
	return string(body)
}

// TestAddress: without a word about where, metrics are for this host alone.
func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		":9090":             "127.0.0.1:9090",
		"localhost:9090":    "127.0.0.1:9090",
		"[::1]:9090":        "[::1]:9090",
		"0.0.0.0:9090":      "0.0.0.0:9090", // said literally
		"9090":              "want ADDRESS:PORT, such as 127.0.0.1:9090",
		"all:9090":          `"all" is no address: want localhost, or the very address to listen on`,
		"example.com:9090":  `"example.com" is no address: want localhost, or the very address to listen on`,
		"unix:///tmp/x:900": "want ADDRESS:PORT, such as 127.0.0.1:9090",
	} {
		var a address
		got := ""
		if err := a.Set(text); err != nil {
			got = err.Error()
		} else {
			got = a.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
