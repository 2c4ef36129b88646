package netns_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/topology/netns"
)

// pair is a listener with a connection to it, all waited for by the test alone.
type pair struct {
	*netns.Loop
	client, server netns.Socket
}

func newPair(t *testing.T) pair {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	loop, err := netns.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = loop.Close() })
	listener, err := loop.Add(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	client, err := loop.Dial(l.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	p := pair{loop, client, -1}
	for made := false; !made || p.server < 0; {
		for _, e := range p.next(t) {
			switch e.Socket {
			case client:
				made = !e.Readable
			case listener:
				c, ok, err := loop.Accept(listener)
				if err != nil || !ok {
					t.Fatalf("accept: %v, %v", ok, err)
				}
				p.server = c
			}
		}
	}
	if _, ok, err := loop.Accept(listener); ok || err != nil {
		t.Errorf("a second connection: %v, %v", ok, err)
	}
	return p
}

func (p pair) next(t *testing.T) []netns.Event {
	t.Helper()
	events, err := p.Wait(5 * time.Second)
	if err != nil || len(events) == 0 {
		t.Fatalf("nothing happens: %v", err)
	}
	return events
}

// readable waits until there is something to read at a socket.
func (p pair) readable(t *testing.T, c netns.Socket) {
	t.Helper()
	for {
		for _, e := range p.next(t) {
			if e.Socket == c && e.Readable {
				return
			}
		}
	}
}

func TestLoop(t *testing.T) {
	p := newPair(t)
	var b [8]byte
	if n, err := p.server.Read(b[:]); n != 0 || !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nothing to read: %d bytes, %v", n, err)
	}
	if _, err := p.client.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	p.readable(t, p.server)
	if n, err := p.server.Read(b[:]); string(b[:n]) != "ping" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	if err := errors.Join(p.client.ResetAtEnd(), p.client.Close()); err != nil {
		t.Fatal(err)
	}
	p.readable(t, p.server)
	if _, err := p.server.Read(b[:]); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("after the client's end: %v", err)
	}
	if err := p.server.Close(); err != nil {
		t.Error(err)
	}
	if events, err := p.Wait(time.Millisecond); len(events) != 0 || err != nil {
		t.Errorf("when all is closed: %v, %v", events, err)
	}
}

// TestLoopReleases has a socket become a file, whose Read waits.
func TestLoopReleases(t *testing.T) {
	p := newPair(t)
	f, err := p.Release(p.server)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := make(chan error)
	go func() {
		var b [8]byte
		n, err := f.Read(b[:])
		if err == nil && string(b[:n]) != "late" {
			err = errors.New("read " + string(b[:n]))
		}
		read <- err
	}()
	if events, err := p.Wait(20 * time.Millisecond); len(events) != 0 || err != nil {
		t.Errorf("events of what was released: %v, %v", events, err)
	}
	if _, err := p.client.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
	if err := p.client.Close(); err != nil {
		t.Error(err)
	}
}

func TestLoopRefused(t *testing.T) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	to := l.Addr().(*net.TCPAddr).AddrPort()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	loop, err := netns.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	c, err := loop.Dial(to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	events, err := loop.Wait(5 * time.Second)
	if err != nil || len(events) != 1 || events[0] != (netns.Event{Socket: c, Readable: true}) {
		t.Fatalf("%v, %v", events, err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestLoopDatagrams has one datagram after the other read, until there are no more.
func TestLoopDatagrams(t *testing.T) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	to := c.LocalAddr().String()
	loop, err := netns.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	s, err := loop.Add(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := c.Close(); err == nil {
		t.Error("the loop has a duplicate, and left the socket open")
	}
	from, err := net.Dial("udp4", to)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for _, d := range []string{"one", "two"} {
		if _, err := from.Write([]byte(d)); err != nil {
			t.Fatal(err)
		}
	}
	var b [8]byte
	for _, want := range []string{"one", "two"} {
		if events, err := loop.Wait(5 * time.Second); err != nil || len(events) != 1 || !events[0].Readable {
			t.Fatalf("%v, %v", events, err)
		}
		if n, err := s.Read(b[:]); string(b[:n]) != want || err != nil {
			t.Errorf("read %q, %v; want %q", b[:n], err, want)
		}
	}
	if _, err := s.Read(b[:]); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nothing more: %v", err)
	}
}
