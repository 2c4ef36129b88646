package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
)

func TestUDP(t *testing.T) {
	for fam, name := range []string{"IPv4", "IPv6"} {
		p := newPair(t, host.Config{MTU: 1500}, host.Config{MTU: 1500})
		lines := p.trace()
		var log []string
		server, err := p.server.ListenUDP(netip.AddrPortFrom(netip.Addr{}, 53), host.UDPHandler{
			Received: func(s *host.UDPSocket, from, to netip.AddrPort, b []byte) {
				log = append(log, fmt.Sprintf("server %v %s", to, b))
				if len(b) > 60000 {
					return
				}
				if err := s.Send(to.Addr(), from, append([]byte("re: "), b...)); err != nil {
					t.Error(err)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		client, err := p.client.ListenUDP(netip.AddrPort{}, host.UDPHandler{
			Received: func(_ *host.UDPSocket, from, _ netip.AddrPort, b []byte) {
				log = append(log, fmt.Sprintf("client %v %s", from, b))
			},
			Failed: func(_ *host.UDPSocket, to netip.AddrPort, err error) {
				log = append(log, fmt.Sprintf("client %v %v", to, err))
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		to := addrs(2)[fam].Addr()
		for _, port := range []uint16{53, 54} {
			if err := client.Send(netip.Addr{}, netip.AddrPortFrom(to, port), []byte("hello")); err != nil {
				t.Error(err)
			}
		}
		p.run(time.Second)
		want := []string{
			fmt.Sprintf("server %v hello", netip.AddrPortFrom(to, 53)),
			fmt.Sprintf("client %v re: hello", netip.AddrPortFrom(to, 53)),
			fmt.Sprintf("client %v connection refused", netip.AddrPortFrom(to, 54)),
		}
		if !slices.Equal(log, want) {
			t.Errorf("%s: %q; %v", name, log, *lines)
		}
		most := 65535 - 28 - 20*fam
		if err := client.Send(netip.Addr{}, netip.AddrPortFrom(to, 53), make([]byte, most)); err != nil {
			t.Error(err)
		}
		if err := client.Send(netip.Addr{}, netip.AddrPortFrom(to, 53), make([]byte, most+1)); !errors.Is(err, host.ErrTooLong) {
			t.Errorf("%s: a datagram that does not fit: %v", name, err)
		}
		if err := client.Send(to, netip.AddrPortFrom(to, 53), nil); !errors.Is(err, host.ErrNoAddress) {
			t.Errorf("%s: from another's address: %v", name, err)
		}
		log = nil
		p.run(time.Second)
		if len(log) != 1 || len(log[0]) < most { // and no answer, which would be longer still
			t.Errorf("%s: the longest datagram is received %d times", name, len(log))
		}
		server.Close()
		log = nil
		_ = client.Send(netip.Addr{}, netip.AddrPortFrom(to, 53), nil)
		p.run(time.Second)
		if len(log) != 1 {
			t.Errorf("%s: after Close: %d", name, len(log))
		}
	}
}

func TestPing(t *testing.T) {
	for fam := range 2 {
		p := newPair(t, host.Config{}, host.Config{})
		var log []string
		ping := func(to netip.Addr, n int, patience time.Duration) {
			p.client.Ping(netip.Addr{}, to, make([]byte, n), patience, func(d time.Duration, err error) {
				log = append(log, fmt.Sprintf("%v %v", d, err))
			})
		}
		ping(addrs(2)[fam].Addr(), 56, time.Second) // with a question for the neighbour
		p.run(time.Second)
		ping(addrs(2)[fam].Addr(), 56, time.Second)
		ping(addrs(3)[fam].Addr(), 56, time.Second)
		ping(addrs(3)[fam].Addr(), 56, time.Minute)
		ping(addrs(2)[fam].Addr(), 20000, time.Second) // in fragments
		ping(addrs(2)[fam].Addr(), 65535, time.Second)
		p.run(time.Minute)
		own := addrs(1)[fam].Addr()
		want := fmt.Sprintf("4ms <nil>, 0s message too long, 2ms <nil>, 2ms <nil>, 1s connection timed out, 3s %v is unreachable, says %v (code %d)",
			addrs(3)[fam].Addr(), own, 1+2*fam)
		expect(t, "pings", strings.Join(log, ", "), want)
	}
}

// Fragments make a datagram in whatever order and however often they arrive, and
// those of one of which a part is lost are forgotten.
func TestFragments(t *testing.T) {
	for fam := range 2 {
		p := newPair(t, host.Config{MTU: 1500}, host.Config{MTU: 1500})
		var got [][]byte
		if _, err := p.server.ListenUDP(netip.AddrPortFrom(netip.Addr{}, 53), host.UDPHandler{
			Received: func(_ *host.UDPSocket, _, _ netip.AddrPort, b []byte) { got = append(got, bytes.Clone(b)) },
		}); err != nil {
			t.Fatal(err)
		}
		client, err := p.client.ListenUDP(netip.AddrPort{}, host.UDPHandler{})
		if err != nil {
			t.Fatal(err)
		}
		to := netip.AddrPortFrom(addrs(2)[fam].Addr(), 53)
		send := func(b []byte) {
			if err := client.Send(netip.Addr{}, to, b); err != nil {
				t.Error(err)
			}
		}
		send(nil)
		p.run(time.Second)
		n, lose := 0, -1
		p.fate = func() []time.Duration {
			if n++; n == lose {
				return nil
			}
			late := time.Duration(100-n) * time.Millisecond
			return []time.Duration{late, late}
		}
		want := noise(10_000)
		send(want)
		p.run(time.Second)
		if len(got) != 2 || !bytes.Equal(got[1], want) || n != 7 {
			t.Errorf("%d datagrams after %d fragments", len(got), n)
		}
		n, lose = 0, 3
		send(want)
		p.run(29 * time.Second)
		if len(got) != 2 || p.q.Len() == 0 {
			t.Error("a datagram without one of its fragments, or nothing waits for that")
		}
		p.run(40 * time.Second)
		if p.q.Len() != 0 {
			t.Error("fragments wait forever")
		}
	}
}

// What a host is asked for and cannot do.
func TestRefusedToApplications(t *testing.T) {
	w := newWire(t)
	h := w.add(host.Config{Ports: [2]uint16{5000, 5001}})
	own, other := addrs(1)[0].Addr(), addrs(2)[0]
	accept := func(host.Conn) host.Handler { return nil }
	is := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	try := func(from netip.AddrPort, to netip.AddrPort) error {
		_, err := h.Dial(from, to, &app{})
		return err
	}
	_, err := h.Listen(netip.AddrPortFrom(own, 80), accept)
	is("listen", err, nil)
	_, err = h.Listen(netip.AddrPortFrom(own, 80), accept)
	is("listen twice", err, host.ErrInUse)
	_, err = h.Listen(netip.AddrPortFrom(other.Addr(), 81), accept)
	is("listen elsewhere", err, host.ErrNoAddress)
	to := netip.AddrPortFrom(other.Addr(), 80)
	is("from a listener's port", try(netip.AddrPortFrom(own, 80), to), host.ErrInUse)
	is("from elsewhere", try(to, to), host.ErrNoAddress)
	is("the other family", try(netip.AddrPortFrom(addrs(1)[1].Addr(), 0), to), host.ErrNoAddress)
	is("from an own port", try(netip.AddrPortFrom(own, 99), to), nil)
	is("from it again", try(netip.AddrPortFrom(own, 99), to), host.ErrInUse)
	for _, want := range []error{nil, nil, host.ErrNoPort} {
		is("the next port", try(netip.AddrPort{}, to), want)
	}
	for _, want := range []error{nil, nil, host.ErrNoPort} {
		_, err := h.ListenUDP(netip.AddrPort{}, host.UDPHandler{})
		is("the next port of UDP", err, want)
	}
	_, err = h.ListenUDP(netip.AddrPortFrom(netip.Addr{}, 5000), host.UDPHandler{})
	is("UDP twice", err, host.ErrInUse)
	h.AddAddr(other)
	_, err = h.Listen(netip.AddrPortFrom(other.Addr(), 81), accept)
	is("listen on an address that came later", err, nil)
}

// The address that nobody named is the host's choice (F2.2: health checks take turns).
func TestSource(t *testing.T) {
	w := newWire(t)
	both := []netip.Prefix{addrs(1)[0], netip.MustParsePrefix("10.0.0.101/24")}
	turn := 0
	h := w.add(host.Config{Addrs: both, Source: func(netip.Addr) netip.Addr {
		turn++
		return both[turn%2].Addr()
	}})
	for i := range 4 {
		c, err := h.Dial(netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.2:80"), &app{})
		if err != nil || c.Local().Addr() != both[(i+1)%2].Addr() {
			t.Errorf("%v, %v", c.Local(), err)
		}
	}
}

// One seed, one course, byte for byte; another seed, another.
func TestDeterminism(t *testing.T) {
	course := func(seed uint64) string {
		var all strings.Builder
		w := &wire{t: t, q: event.New(seed), delay: time.Millisecond, frame: packet.NewFrame()}
		w.s = host.NewStack(w.q, w)
		w.id = w.q.Register(w)
		p := &pair{wire: w, client: w.add(host.Config{}), server: w.add(host.Config{}), a: &app{}, b: &app{}}
		listen(t, p.server, port, p.b)
		p.tamper = func(_ *host.Host, v *packet.View) []time.Duration {
			fmt.Fprintf(&all, "%d %x %v\n", p.q.Now(), v.Transport(), v.Tuple())
			if p.q.Rand().IntN(10) == 0 {
				return nil
			}
			return []time.Duration{p.delay}
		}
		p.a.toWrite, p.a.closes, p.b.closes = noise(100_000), true, true
		p.dial(false)
		p.run(time.Hour)
		return all.String()
	}
	one, again := course(1), course(1)
	if one != again {
		t.Error("one seed, two courses")
	}
	if one == course(2) {
		t.Error("two seeds, one course")
	}
}
