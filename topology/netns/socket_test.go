package netns_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology/netns"
)

func TestSockets(t *testing.T) {
	n, other := newNamespace(t, netns.Config{Name: "sockets"}), newNamespace(t, netns.Config{Name: "elsewhere"})
	for _, address := range []string{"127.0.0.1:80", "[::1]:80", ":81"} {
		l, err := n.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	for _, address := range []string{"127.0.0.1:80", "[::1]:80", "127.0.0.1:81", "[::1]:81"} {
		c, err := n.Dial(ctx, "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := c.(*net.TCPConn).SyscallConn(); err != nil {
			t.Error(err)
		} else if err := raw.Control(func(fd uintptr) {
			// Its packets would keep alive what an idle timeout is to end.
			if on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE); on != 0 || err != nil {
				t.Errorf("keep-alive is %d, %v", on, err)
			}
		}); err != nil {
			t.Error(err)
		}
		_ = c.Close()
		if _, err := other.Dial(ctx, "tcp", address); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("another namespace's %s: %v", address, err)
		}
	}
	pc, err := n.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	c, err := n.Dial(ctx, "udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if k, from, err := pc.ReadFrom(b); err != nil || string(b[:k]) != "hello" || from.String() != c.LocalAddr().String() {
		t.Errorf("the datagram: %q from %v, %v", b[:k], from, err)
	}
}

// A connection comes from the address that is asked for, also from one that eth0
// got later.
func TestDialFrom(t *testing.T) {
	n := newNamespace(t, netns.Config{
		Name: "sources", MAC: packet.MAC{2, 0, 0, 0, 0, 9}, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")},
	})
	l, err := n.Listen("tcp", "10.0.0.4:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	later := netip.MustParsePrefix("10.0.0.5/24")
	if _, err := n.DialFrom(ctx, netip.AddrPortFrom(later.Addr(), 0), "tcp", "10.0.0.4:80"); err == nil || !strings.Contains(err.Error(), "cannot assign requested address") {
		t.Errorf("from an address that it has not: %v", err)
	}
	if err := n.AddAddr(later); err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"tcp", "udp"} {
		c, err := n.DialFrom(ctx, netip.AddrPortFrom(later.Addr(), 0), network, "10.0.0.4:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if from := netip.MustParseAddrPort(c.LocalAddr().String()); from.Addr() != later.Addr() {
			t.Errorf("%s comes from %v", network, from)
		}
	}
	other, err := n.Listen("tcp", "10.0.0.4:81")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	const port = 5000
	for _, to := range []string{"10.0.0.4:80", "10.0.0.4:81"} {
		c, err := n.DialFrom(ctx, netip.AddrPortFrom(later.Addr(), port), "tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if from := netip.MustParseAddrPort(c.LocalAddr().String()); from.Port() != port {
			t.Errorf("to %s it comes from %v", to, from)
		}
	}
	if _, err := n.DialFrom(ctx, netip.AddrPortFrom(later.Addr(), port), "tcp", "10.0.0.4:80"); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("a second connection of the same ends: %v", err)
	}
	if err := n.AddAddr(later); err == nil || !strings.Contains(err.Error(), "sources: give eth0 the address 10.0.0.5/24") {
		t.Errorf("the same address again: %v", err)
	}
}

// What connections begin with is as configured.
func TestVoice(t *testing.T) {
	n := newNamespace(t, netns.Config{Name: "voice", TTL: 255, Ports: [2]uint16{64512, 64520}, Window: 8961})
	l, err := n.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.Dial(ctx, "tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if port := c.LocalAddr().(*net.TCPAddr).Port; port < 64512 || port > 64520 {
		t.Errorf("the connection comes from port %d", port)
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for _, o := range []struct {
			name                string
			level, option, want int
		}{
			{"TTL", unix.IPPROTO_IP, unix.IP_TTL, 255},
			{"window", unix.IPPROTO_TCP, unix.TCP_WINDOW_CLAMP, 8961},
		} {
			if got, err := unix.GetsockoptInt(int(fd), o.level, o.option); got != o.want || err != nil {
				t.Errorf("%s is %d, %v; want %d", o.name, got, err, o.want)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSocketsRefuse(t *testing.T) {
	n := newNamespace(t, netns.Config{Name: "names"})
	for _, address := range []string{"localhost:80", "127.0.0.1", "127.0.0.1:http", ":80"} {
		var bad *net.AddrError
		if _, err := n.Dial(ctx, "tcp", address); !errors.As(err, &bad) {
			t.Errorf("Dial(%q): %v", address, err)
		}
	}
	for _, address := range []string{"localhost:80", "127.0.0.1"} {
		var bad *net.AddrError
		if _, err := n.Listen("tcp", address); !errors.As(err, &bad) {
			t.Errorf("Listen(%q): %v", address, err)
		}
		if _, err := n.ListenPacket("udp", address); !errors.As(err, &bad) {
			t.Errorf("ListenPacket(%q): %v", address, err)
		}
	}
	gone, err := netns.New(netns.Config{Name: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Dial(ctx, "tcp", "127.0.0.1:80"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Dial in a closed namespace: %v", err)
	}
	if _, err := gone.Output(ctx, "true"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Start in a closed namespace: %v", err)
	}
}

// Connections that wait take up no thread: their way is blocked by a router
// that does not answer ARP.
func TestDialsAreCheap(t *testing.T) {
	n := newNamespace(t, lab("dials"))
	deadline, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	const dials = 300
	before, most := entries(t, "/proc/self/task"), 0
	var wg sync.WaitGroup
	for range dials {
		wg.Go(func() {
			_, err := n.Dial(deadline, "tcp", "192.0.2.1:80")
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("Dial: %v", err)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for {
		most = max(most, entries(t, "/proc/self/task"))
		select {
		case <-done:
			if most > before+dials/3 {
				t.Errorf("%d threads before, %d during %d connections", before, most, dials)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// Do reports a function that leaves by runtime.Goexit instead of hanging.
func TestDoGoexit(t *testing.T) {
	n := newNamespace(t, netns.Config{Name: "goexit"})
	if err := n.Do(func() error { runtime.Goexit(); return nil }); err == nil || !strings.Contains(err.Error(), "ended its goroutine") {
		t.Errorf("Do: %v", err)
	}
	want := errors.New("mine")
	if err := n.Do(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("Do: %v", err)
	}
}
