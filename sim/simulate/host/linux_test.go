package host_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/topology/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.RunTests(m)) }

// bridge joins a simulated host to a namespace of Linux, on real time. It is the only
// goroutine that touches the host.
type bridge struct {
	q     *event.Queue
	h     *host.Host
	n     *netns.Namespace
	poll  *netns.Poller
	loss  float64
	rnd   *rand.Rand
	calls chan func()
	look  func(own bool, f *packet.Frame)
	t     *testing.T
}

// Expect implements host.Network.
func (b *bridge) Expect([]host.Sending) {}

// Transmit implements host.Network.
func (b *bridge) Transmit(_ *host.Host, f *packet.Frame) {
	if b.loses() {
		return
	}
	if b.look != nil {
		b.look(true, f)
	}
	if _, err := b.n.Port().Send(f); err != nil {
		b.t.Error(err)
	}
}

func (b *bridge) loses() bool { return b.rnd.Float64() < b.loss }

func newBridge(t *testing.T, mtu int) *bridge {
	netns.RequireSandbox(t)
	n, err := netns.New(netns.Config{
		Name: t.Name(), MAC: packet.MAC{2, 0, 0, 0, 0, 1}, MTU: mtu, Addrs: addrs(1),
		Gateways: []netip.Addr{addrs(9)[0].Addr(), addrs(9)[1].Addr()},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bridge{q: event.New(1), n: n, calls: make(chan func()), t: t, rnd: rand.New(rand.NewPCG(1, 1))}
	if b.poll, err = netns.NewPoller(); err != nil {
		t.Fatal(err)
	}
	if err := b.poll.Add(0, n.Port()); err != nil {
		t.Fatal(err)
	}
	b.h = host.NewStack(b.q, b).New(host.Config{MAC: packet.MAC{2, 0, 0, 0, 0, 2}, MTU: mtu, Addrs: addrs(2)})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { b.run(stop); close(stopped) }()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		_ = b.poll.Close()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bridge) run(stop chan struct{}) {
	began, f := time.Now(), packet.NewFrame()
	var ready []int
	for {
		select {
		case <-stop:
			return
		case call := <-b.calls:
			call()
		default:
		}
		b.q.Run(clock.Time(time.Since(began)), nil)
		var err error
		if ready, err = b.poll.Wait(ready[:0], time.Millisecond); err != nil {
			b.t.Error(err)
			return
		}
		b.drain(b.n.Port(), f)
	}
}

func (b *bridge) drain(p engine.Port, f *packet.Frame) {
	for {
		ok, err := p.Recv(f)
		if err != nil {
			b.t.Error(err)
		}
		if !ok || err != nil {
			return
		}
		if b.look != nil {
			b.look(false, f)
		}
		if !b.loses() {
			b.h.Receive(f)
		}
	}
}

// do runs f on the host's goroutine.
func (b *bridge) do(f func()) {
	done := make(chan struct{})
	b.calls <- func() { f(); close(done) }
	<-done
}

// await waits until the host's goroutine finds ok.
func (b *bridge) await(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		var is bool
		if b.do(func() { is = ok() }); is {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// exchange sends and receives a stream through a socket of Linux.
func exchange(c net.Conn, send []byte) (got []byte, err error) {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(send)
		sent <- errors.Join(err, c.(*net.TCPConn).CloseWrite())
	}()
	got, err = io.ReadAll(c)
	return got, errors.Join(err, <-sent, c.Close())
}

// Linux is the judge: streams both ways, whoever calls, on both families, with frames
// lost and without.
func TestLinuxStream(t *testing.T) {
	for _, tt := range []struct {
		mtu, bytes int
		loss       float64
	}{{9001, 4 << 20, 0}, {1500, 4 << 20, 0}, {1500, 300 << 10, 0.03}} {
		for fam, name := range []string{"IPv4", "IPv6"} {
			t.Run(fmt.Sprintf("%s/mtu=%d/loss=%v", name, tt.mtu, tt.loss), func(t *testing.T) {
				b := newBridge(t, tt.mtu)
				b.do(func() { b.loss = tt.loss })
				there, back := noise(tt.bytes), noise(tt.bytes + 1)[1:]

				// Linux calls.
				a := &app{toWrite: back, closes: true}
				b.do(func() { listen(t, b.h, port, a) })
				c, err := b.n.Dial(t.Context(), "tcp", netip.AddrPortFrom(addrs(2)[fam].Addr(), port).String())
				if err != nil {
					t.Fatal(err)
				}
				got, err := exchange(c, there)
				b.await("the end of a connection of Linux", func() bool { return a.closed > 0 })
				if err != nil || !bytes.Equal(got, back) || !bytes.Equal(a.got.Bytes(), there) || a.err != nil {
					t.Errorf("Linux calls: %v, %d bytes; %s, %d bytes", err, len(got), a.story(), a.got.Len())
				}

				// Linux is called.
				l, err := b.n.Listen("tcp", netip.AddrPortFrom(addrs(1)[fam].Addr(), port).String())
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				a = &app{toWrite: back, closes: true}
				b.do(func() {
					if a.c, err = b.h.Dial(netip.AddrPort{}, netip.AddrPortFrom(addrs(1)[fam].Addr(), port), a); err != nil {
						t.Error(err)
					}
				})
				if c, err = l.Accept(); err != nil {
					t.Fatal(err)
				}
				got, err = exchange(c, there)
				b.await("the end of a connection to Linux", func() bool { return a.closed > 0 })
				if err != nil || !bytes.Equal(got, back) || !bytes.Equal(a.got.Bytes(), there) || a.err != nil {
					t.Errorf("Linux is called: %v, %d bytes; %s, %d bytes", err, len(got), a.story(), a.got.Len())
				}
			})
		}
	}
}

// SYN and SYN-ACK look like those of Linux in a capture, but for what is chance: time to
// live, whether the packet may be fragmented, whether it has an identification, flags,
// window and options.
func TestLinuxHandshake(t *testing.T) {
	for _, mtu := range []int{1500, 9001} {
		for fam, name := range []string{"IPv4", "IPv6"} {
			t.Run(fmt.Sprintf("%s/mtu=%d", name, mtu), func(t *testing.T) {
				b := newBridge(t, mtu)
				var looks [2]map[string]string
				looks[0], looks[1] = map[string]string{}, map[string]string{}
				b.do(func() {
					b.look = func(own bool, f *packet.Frame) {
						who, v := 0, packet.View{}
						if own {
							who = 1
						}
						if v.Decode(f); v.Flags&packet.SYN != 0 {
							looks[who][flags(v.Flags)] = lookOf(&v, f.Ethernet())
						}
					}
					listen(t, b.h, port, &app{})
				})
				l, err := b.n.Listen("tcp", netip.AddrPortFrom(addrs(1)[fam].Addr(), port).String())
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				c, err := b.n.Dial(t.Context(), "tcp", netip.AddrPortFrom(addrs(2)[fam].Addr(), port).String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				a := &app{}
				b.do(func() { _, _ = b.h.Dial(netip.AddrPort{}, netip.AddrPortFrom(addrs(1)[fam].Addr(), port), a) })
				b.await("a connection", func() bool { return len(a.log) > 0 })
				b.do(func() {
					for _, what := range []string{"S", "SA"} {
						expect(t, what, looks[1][what], looks[0][what])
					}
				})
			})
		}
	}
}

// lookOf describes a SYN without what is chance.
func lookOf(v *packet.View, eth []byte) string {
	tcp := v.Transport()
	s := fmt.Sprintf("ttl=%d win=%d", v.TTL, be32(tcp[12:])&0xffff)
	if !v.V6 {
		s += fmt.Sprintf(" ipflags=%x", eth[20])
		if v.Flags&packet.ACK != 0 { // that of a SYN is chance
			s += fmt.Sprintf(" id=%x", eth[18:20])
		}
	}
	for o := tcp[20:]; len(o) > 0; {
		switch o[0] {
		case 1:
			s += " nop"
			o = o[1:]
			continue
		case 8:
			s += " timestamp"
		case 3:
			s += " scale" // which depends on how much memory the kernel may use (tcp_rmem)
		default:
			s += fmt.Sprintf(" %x", o[:o[1]])
		}
		o = o[o[1]:]
	}
	return s
}

// Resets, refusals and ICMP, both ways.
func TestLinuxRefusals(t *testing.T) {
	b := newBridge(t, 1500)
	for fam, name := range []string{"IPv4", "IPv6"} {
		linux, own := addrs(1)[fam].Addr(), addrs(2)[fam].Addr()
		limit, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := b.n.Dial(limit, "tcp", netip.AddrPortFrom(own, 9).String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: Linux calls a closed port: %v", name, err)
		}
		a := &app{}
		dial := func(port uint16) func() {
			return func() { _, _ = b.h.Dial(netip.AddrPort{}, netip.AddrPortFrom(linux, port), a) }
		}
		b.do(dial(9))
		b.await("a refusal", func() bool { return a.closed > 0 })
		if !errors.Is(a.err, host.ErrRefused) {
			t.Errorf("%s: a closed port of Linux: %v", name, a.err)
		}

		l, err := b.n.Listen("tcp", netip.AddrPortFrom(linux, port).String())
		if err != nil {
			t.Fatal(err)
		}
		for _, linuxResets := range []bool{true, false} {
			a = &app{}
			b.do(dial(port))
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			b.await("a connection", func() bool { return len(a.log) > 0 })
			if linuxResets {
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.Close()
				b.await("a reset", func() bool { return a.closed > 0 })
				if !errors.Is(a.err, host.ErrReset) {
					t.Errorf("%s: Linux resets: %v", name, a.err)
				}
				continue
			}
			b.do(func() { a.c.Abort() })
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: the host resets: %v", name, err)
			}
			_ = c.Close()
		}
		_ = l.Close()

		var failed, pinged error
		pinged = errors.New("no answer")
		b.do(func() {
			s, err := b.h.ListenUDP(netip.AddrPort{}, host.UDPHandler{
				Failed: func(_ *host.UDPSocket, _ netip.AddrPort, err error) { failed = err },
			})
			if err != nil || s.Send(netip.Addr{}, netip.AddrPortFrom(linux, 9), []byte("x")) != nil {
				t.Error(err)
			}
			_, err = b.h.ListenUDP(netip.AddrPortFrom(netip.Addr{}, 7), host.UDPHandler{
				Received: func(s *host.UDPSocket, from, to netip.AddrPort, b []byte) { _ = s.Send(to.Addr(), from, b) },
			})
			if fam == 0 && err != nil {
				t.Error(err)
			}
			b.h.Ping(netip.Addr{}, linux, []byte("hello"), 5*time.Second, func(_ time.Duration, err error) { pinged = err })
		})
		b.await("ICMP", func() bool { return failed != nil && pinged == nil })
		if !errors.Is(failed, host.ErrRefused) {
			t.Errorf("%s: a datagram to a closed port of Linux: %v", name, failed)
		}
		u, err := b.n.Dial(t.Context(), "udp", netip.AddrPortFrom(own, 9).String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		_ = u.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := u.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: a datagram of Linux to a closed port: %v", name, err)
		}
		_ = u.Close()

		// An echo of a datagram that both cut into fragments.
		if u, err = b.n.Dial(t.Context(), "udp", netip.AddrPortFrom(own, 7).String()); err != nil {
			t.Fatal(err)
		}
		long, echo := noise(20_000), make([]byte, 30_000)
		if _, err := u.Write(long); err != nil {
			t.Error(err)
		}
		_ = u.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := u.Read(echo); err != nil || !bytes.Equal(echo[:n], long) {
			t.Errorf("%s: %d bytes of an echo in fragments: %v", name, n, err)
		}
		_ = u.Close()
	}
}
