package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/ppv2"
)

// HAProxy, which verifies the checksum of a header, takes the client from ours,
// and resets a connection whose header has a byte of it changed (F2.38).
func TestHAProxyAcceptsHeader(t *testing.T) {
	program, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("haproxy is not installed")
	}
	dir := t.TempDir()
	socket, config := filepath.Join(dir, "s"), filepath.Join(dir, "haproxy.cfg")
	text := fmt.Sprintf(`
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend f
  bind unix@%s accept-proxy
  http-request return status 200 content-type text/plain lf-string "%%[src]:%%[src_port] to %%[dst]:%%[dst_port]"
`, socket)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(program, "-db", "-f", config)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	defer func() { _ = cmd.Process.Kill(); <-exited }()

	ask := func(header []byte) (string, error) {
		var c net.Conn
		for until := time.Now().Add(10 * time.Second); ; {
			var err error
			if c, err = net.Dial("unix", socket); err == nil {
				break
			}
			select {
			case <-exited:
				t.Fatalf("haproxy does not run: %s", &output)
			case <-time.After(10 * time.Millisecond):
			}
			if time.Now().After(until) {
				t.Fatal(err)
			}
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Write(append(bytes.Clone(header), "GET / HTTP/1.0\r\n\r\n"...)); err != nil {
			return "", err
		}
		answer, err := io.ReadAll(c)
		return string(answer), err
	}
	for _, h := range []ppv2.Header{
		{Source: netip.MustParseAddrPort("10.0.0.4:40000"), Destination: netip.MustParseAddrPort("10.0.0.5:80"), EndpointID: "vpce-0123456789abcdef0"},
		{Source: netip.MustParseAddrPort("[2001:db8::4]:40000"), Destination: netip.MustParseAddrPort("[2001:db8::5]:80")},
	} {
		header := make([]byte, ppv2.Size)
		h.Put(header, ppv2.Size)
		want := fmt.Sprintf("%s:40000 to %s:80", h.Source.Addr(), h.Destination.Addr())
		if answer, err := ask(header); err != nil || !strings.HasSuffix(answer, want) {
			t.Errorf("haproxy answers %q, %v; want %q", answer, err, want)
		}
		header[len(header)-1]++ // of the padding: only the checksum can tell
		if answer, err := ask(header); answer != "" || err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("with a wrong checksum haproxy answers %q, %v", answer, err)
		}
	}
}
