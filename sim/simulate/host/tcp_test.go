package host_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/host"
)

func TestStream(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		p := newPair(t, host.Config{}, host.Config{})
		p.a.toWrite, p.a.closes = noise(3<<20), true
		p.b.toWrite, p.b.closes = noise(1<<20), true
		want, back := bytes.Clone(p.a.toWrite), bytes.Clone(p.b.toWrite)
		p.dial(v6)
		p.run(10 * time.Second)
		if !bytes.Equal(p.b.got.Bytes(), want) || !bytes.Equal(p.a.got.Bytes(), back) {
			t.Errorf("IPv6 %v: %d and %d bytes arrive, or others", v6, p.b.got.Len(), p.a.got.Len())
		}
		expect(t, "client", p.a.story(), "connected, finished, closed: <nil>")
		expect(t, "server", p.b.story(), "connected, finished, closed: <nil>")
		p.run(2 * time.Minute)
		if n := p.s.Len(); n != 0 || p.q.Len() != 0 {
			t.Errorf("%d connections and %d events are left", n, p.q.Len())
		}
	}
}

// What the wire shows of a short exchange, segment by segment.
func TestSegments(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	lines := p.trace()
	p.b.received = func([]byte) { p.b.c.Write([]byte("answer")) }
	p.connect()
	p.a.c.Write([]byte("question"))
	p.run(100 * time.Millisecond)
	p.a.c.Close()
	p.run(100 * time.Millisecond)
	p.b.c.Close()
	p.run(100 * time.Millisecond)
	expect(t, "segments", strings.Join(*lines, ", "),
		"client S, server SA, client A, client PA len=8, server PA len=6, client A, client FA, server A, server FA, client A")
	if p.a.c.State() != host.TimeWait || p.b.c.State() != host.Gone {
		t.Errorf("states %v and %v", p.a.c.State(), p.b.c.State())
	}
}

func TestLossyStream(t *testing.T) {
	p := newPair(t, host.Config{MTU: 1500}, host.Config{MTU: 1500})
	p.tamper = func(*host.Host, *packet.View) []time.Duration {
		if p.q.Rand().IntN(20) == 0 {
			return nil
		}
		return []time.Duration{p.delay}
	}
	p.a.toWrite, p.a.closes = noise(4<<20), true
	p.b.closes = true
	want := bytes.Clone(p.a.toWrite)
	p.dial(false)
	p.run(10 * time.Minute)
	if !bytes.Equal(p.b.got.Bytes(), want) {
		t.Errorf("%d bytes of %d arrive, or others", p.b.got.Len(), len(want))
	}
	expect(t, "server", p.b.story(), "connected, finished, closed: <nil>")
}

func TestRefused(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.l.Close()
	p.dial(false)
	p.run(time.Second)
	expect(t, "client", p.a.story(), "closed: connection refused")
}

// SYNs are sent seven times, and then the last wait is over (Linux: tcp_syn_retries).
func TestSilence(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	var times []time.Duration
	p.tamper = func(*host.Host, *packet.View) []time.Duration {
		times = append(times, time.Duration(p.q.Now()).Round(time.Second))
		return nil
	}
	p.dial(false)
	p.q.Run(at(126*time.Second), nil)
	if p.a.closed != 0 || len(times) != 7 || times[6] != 63*time.Second {
		t.Errorf("SYNs at %v; closed %d times", times, p.a.closed)
	}
	p.q.Run(at(128*time.Second), nil)
	if !errors.Is(p.a.err, host.ErrTimeout) {
		t.Errorf("the client is told %v", p.a.err)
	}
}

func TestNoNeighbor(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	for _, to := range []string{"10.0.0.9:80", "[fd00::9]:80"} {
		a := &app{}
		if _, err := p.client.Dial(netip.AddrPort{}, netip.MustParseAddrPort(to), a); err != nil {
			t.Fatal(err)
		}
		p.run(2900 * time.Millisecond)
		if a.closed != 0 {
			t.Errorf("%s: given up too early", to)
		}
		p.run(200 * time.Millisecond)
		var u *host.Unreachable
		if !errors.As(a.err, &u) || !p.client.Has(u.By) {
			t.Errorf("%s: %v", to, a.err)
		}
	}
	a := &app{}
	if _, err := p.client.Dial(netip.AddrPort{}, netip.MustParseAddrPort("192.0.2.1:80"), a); err != nil {
		t.Fatal(err)
	}
	if a.closed != 0 {
		t.Error("told before Dial has returned")
	}
	p.run(time.Millisecond)
	var u *host.Unreachable
	if !errors.As(a.err, &u) {
		t.Errorf("without a router: %v", a.err)
	}
}
