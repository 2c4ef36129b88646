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

// Two hosts that call each other at once from the ports that they call share one
// connection (RFC 9293 section 3.5, figure 8).
func TestSimultaneousOpen(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	lines := p.trace()
	a, b := &app{toWrite: []byte("from a")}, &app{toWrite: []byte("from b")}
	one, two := netip.MustParseAddrPort("10.0.0.1:1000"), netip.MustParseAddrPort("10.0.0.2:2000")
	ca, err := p.client.Dial(one, two, a)
	if err != nil {
		t.Fatal(err)
	}
	cb, err := p.server.Dial(two, one, b)
	if err != nil {
		t.Fatal(err)
	}
	p.run(100 * time.Millisecond)
	if ca.State() != host.Established || cb.State() != host.Established || a.got.String() != "from b" || b.got.String() != "from a" {
		t.Errorf("%s, %s; %v", a.story(), b.story(), *lines)
	}
	// And they close it at once, which leaves both in TIME-WAIT.
	ca.Close()
	cb.Close()
	p.run(100 * time.Millisecond)
	if ca.State() != host.TimeWait || cb.State() != host.TimeWait || a.closed != 1 || b.closed != 1 || a.err != nil || b.err != nil {
		t.Errorf("%v, %v; %s, %s; %v", ca.State(), cb.State(), a.story(), b.story(), *lines)
	}
	p.run(time.Minute)
	if p.s.Len() != 0 {
		t.Errorf("%d connections after TIME-WAIT", p.s.Len())
	}
}

func TestHalfClose(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.connect()
	p.a.c.CloseWrite()
	p.run(10 * time.Minute)
	if p.a.c.State() != host.FinWait2 || p.b.c.State() != host.CloseWait {
		t.Fatalf("%v, %v", p.a.c.State(), p.b.c.State())
	}
	if n := p.b.c.Write([]byte("still here")); n != 10 || p.a.c.Write([]byte("x")) != 0 {
		t.Error("half-closed the wrong way")
	}
	p.run(time.Second)
	p.b.c.Close()
	p.run(time.Second)
	expect(t, "the client got", p.a.got.String(), "still here")
	expect(t, "client", p.a.story(), "connected, finished, closed: <nil>")
	expect(t, "server", p.b.story(), "connected, finished, closed: <nil>")
}

// Idle connections do nothing, for 350 s or for a day, and go on after it (F2.44).
func TestSilentConnection(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.connect()
	p.run(time.Second)
	frames, done := p.frames, p.q.Done()
	for _, d := range []time.Duration{350 * time.Second, 24 * time.Hour} {
		p.run(d)
		if p.frames != frames || p.q.Done() != done || p.q.Len() != 0 {
			t.Fatalf("%d frames and %d events in %v of silence", p.frames-frames, p.q.Done()-done, d)
		}
	}
	p.a.c.Write([]byte("hello"))
	p.run(time.Second)
	expect(t, "the server got", p.b.got.String(), "hello")
}

func TestKeepAlive(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.connect()
	p.a.c.SetKeepAlive(100*time.Second, 10*time.Second, 3)
	p.run(99 * time.Second)
	lines := p.trace()
	p.run(150 * time.Second)
	expect(t, "probes and answers", strings.Join(*lines, ", "), "client A, server A, client A, server A")
	dead := p.q.Now()
	p.tamper = func(*host.Host, *packet.View) []time.Duration { return nil }
	*lines = nil
	p.q.Run(p.q.Now().Add(time.Hour), func() bool { return p.a.closed > 0 })
	expect(t, "probes", strings.Join(*lines, ", "), "client A, client A, client A, client RA")
	if d := p.q.Now().Sub(dead); !errors.Is(p.a.err, host.ErrTimeout) || d > 130*time.Second {
		t.Errorf("%v after %v", p.a.err, d)
	}
	if p.b.closed != 0 {
		t.Error("the silent side knows")
	}
	p.tamper = nil
	c := p.b.c
	c.SetKeepAlive(time.Second, time.Second, 3)
	c.SetKeepAlive(0, 0, 0)
	p.run(time.Minute)
	c.SetKeepAlive(time.Second, time.Second, 3)
	p.run(3 * time.Second)
	expect(t, "the other side, which asks one that knows nothing any more", p.b.story(), "connected, closed: connection reset by peer")
}

// Sent bytes that nobody acknowledges are given up after fifteen more tries, some
// fifteen minutes (Linux: tcp_retries2).
func TestDeadPeer(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.connect()
	p.tamper = func(*host.Host, *packet.View) []time.Duration { return nil }
	p.a.c.Write([]byte("anybody?"))
	lines, began := p.trace(), p.q.Now()
	p.q.Run(p.q.Now().Add(time.Hour), func() bool { return p.a.closed > 0 })
	if d := p.q.Now().Sub(began); len(*lines) != 15 || d < 900*time.Second || d > 950*time.Second || !errors.Is(p.a.err, host.ErrTimeout) {
		t.Errorf("%v after %v and %d more segments", p.a.err, d, len(*lines))
	}
}

// A lost segment among others is sent again as soon as three came after it, long before
// the timer runs out, and with selective acknowledgements only that one.
func TestFastRetransmit(t *testing.T) {
	p := newPair(t, host.Config{MTU: 1500}, host.Config{MTU: 1500})
	p.connect()
	lost := map[uint32]bool{}
	n, sent := 0, 0
	p.tamper = func(from *host.Host, v *packet.View) []time.Duration {
		if from == p.client && len(v.Payload()) > 0 {
			if sent++; n < 2 && (sent == 3 || sent == 5) {
				n++
				lost[v.Seq] = true
				return nil
			}
		}
		return []time.Duration{p.delay}
	}
	data := noise(10 * 1448)
	p.a.c.Write(data)
	p.run(20 * time.Millisecond)
	if !bytes.Equal(p.b.got.Bytes(), data) || sent != 12 || len(lost) != 2 {
		t.Errorf("%d bytes of %d after %d segments", p.b.got.Len(), len(data), sent)
	}
}

func TestDelayedACK(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.connect()
	lines := p.trace()
	p.a.c.Write([]byte("x"))
	p.run(40 * time.Millisecond)
	expect(t, "at first", strings.Join(*lines, ", "), "client PA len=1")
	p.run(2 * time.Millisecond)
	expect(t, "after 40 ms", strings.Join(*lines, ", "), "client PA len=1, server A")
	*lines = nil
	p.a.c.Write(noise(3 * 8949))
	p.run(3 * time.Millisecond)
	expect(t, "of two whole segments", strings.Join(*lines, ", "), "client A len=8949, client A len=8949, client PA len=8949, server A")
}

// A reader that pauses closes the window; probes find out when it is open again, even if
// the news of that is lost.
func TestClosedWindow(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.connect()
	p.b.c.SetReading(false)
	data := noise(300_000)
	p.a.toWrite = bytes.Clone(data)
	p.a.write()
	p.run(10 * time.Minute)
	if n := p.b.got.Len(); n != 0 || p.a.closed+p.b.closed != 0 {
		t.Fatalf("%d bytes read, %s", n, p.a.story())
	}
	lossy := p.q.Now().Add(5 * time.Millisecond)
	p.tamper = func(*host.Host, *packet.View) []time.Duration {
		if p.q.Now() < lossy {
			return nil
		}
		return []time.Duration{p.delay}
	}
	p.b.c.SetReading(true)
	p.run(5 * time.Minute)
	if !bytes.Equal(p.b.got.Bytes(), data) {
		t.Errorf("%d bytes of %d", p.b.got.Len(), len(data))
	}
}

func TestResets(t *testing.T) {
	abort := func(c host.Conn) func() { return c.Abort }
	for _, tt := range []struct {
		name string
		do   func(p *pair)
		a, b string
	}{
		{"abort", func(p *pair) { abort(p.a.c)() }, "connected", "connected, closed: connection reset by peer"},
		{"close with bytes unread", func(p *pair) {
			p.b.c.SetReading(false)
			p.a.c.Write([]byte("unread"))
			p.run(50 * time.Millisecond)
			p.b.c.Close()
		}, "connected, closed: connection reset by peer", "connected, closed: <nil>"},
		{"bytes to a closed socket", func(p *pair) {
			p.b.c.Close()
			p.run(50 * time.Millisecond)
			p.a.c.Write([]byte("too late"))
		}, "connected, finished, closed: connection reset by peer", "connected, closed: connection reset by peer"},
		{"the process ends", func(p *pair) {
			p.l.Close()
			for c := range p.l.Conns() {
				t.Errorf("a closed listener has %v", c)
			}
			p.b.c.Close()
			p.run(time.Second)
			p.a.c.Close()
		}, "connected, finished, closed: <nil>", "connected, closed: <nil>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t, host.Config{}, host.Config{})
			p.connect()
			tt.do(p)
			p.run(time.Second)
			expect(t, "client", p.a.story(), tt.a)
			expect(t, "server", p.b.story(), tt.b)
			p.run(5 * time.Minute)
			if p.s.Len() != 0 || p.q.Len() != 0 {
				t.Errorf("%d connections and %d events are left", p.s.Len(), p.q.Len())
			}
		})
	}
}

// A reset or a SYN in the window but not at its beginning is answered with a challenge,
// and one beyond the window with nothing (RFC 5961).
func TestBlindAttacks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags packet.Flags
		off   uint32
		want  string
	}{
		{"reset in the window", packet.RST, 100, "server A"},
		{"reset beyond", packet.RST, 1 << 30, ""},
		{"SYN", packet.SYN, 100, "server A"},
		{"the true reset", packet.RST, 0, ""},
	} {
		p := newPair(t, host.Config{}, host.Config{})
		var next uint32
		p.seen = func(from *host.Host, v *packet.View) {
			if from == p.client && v.Flags == packet.ACK {
				next = v.Seq
			}
		}
		p.connect()
		lines := p.trace()
		f := packet.NewFrame()
		s := packet.Spec{
			SrcMAC: p.macs[0], DstMAC: p.macs[1], Src: p.a.c.Local(), Dst: p.a.c.Remote(),
			Proto: packet.TCP, Flags: tt.flags, Seq: next + tt.off,
		}
		s.Build(f)
		p.server.Receive(f)
		expect(t, tt.name, strings.Join(*lines, ", "), tt.want)
		if alive := p.b.closed == 0; alive == (tt.off == 0) {
			t.Errorf("%s: %s", tt.name, p.b.story())
		}
	}
}

// A port in TIME-WAIT is taken over by a newer SYN (RFC 6191), and not by the host
// that waits.
func TestTimeWait(t *testing.T) {
	p := newPair(t, host.Config{Ports: [2]uint16{5000, 5000}}, host.Config{})
	p.connect()
	p.b.c.Close() // the server waits
	p.run(10 * time.Millisecond)
	p.a.c.Close()
	p.run(10 * time.Millisecond)
	if p.b.c.State() != host.TimeWait || p.a.c.State() != host.Gone {
		t.Fatalf("%v, %v", p.a.c.State(), p.b.c.State())
	}
	p.a, p.b = &app{}, &app{}
	p.connect()
	p.a.c.Close() // the client waits
	p.run(10 * time.Millisecond)
	p.b.c.Close()
	p.run(10 * time.Millisecond)
	if _, err := p.client.Dial(netip.AddrPort{}, p.to(false), p.a); !errors.Is(err, host.ErrNoPort) {
		t.Errorf("a port in TIME-WAIT: %v", err)
	}
	p.run(time.Minute)
	p.a, p.b = &app{}, &app{}
	p.connect()
}

func TestMoods(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.b.received = func(b []byte) { p.b.c.Write(b) }
	p.connect()
	p.l.Set(host.Hanging)
	p.a.c.Write([]byte("first"))
	second := &app{toWrite: []byte("second")}
	was := p.b
	p.b = &app{}
	if _, err := p.client.Dial(netip.AddrPort{}, p.to(false), second); err != nil {
		t.Fatal(err)
	}
	p.run(10 * time.Minute)
	expect(t, "what a hanging server reads", was.got.String()+p.b.got.String(), "")
	expect(t, "its new client", second.story(), "connected")
	expect(t, "its new connection", p.b.story(), "")
	now := was
	now.received = func(b []byte) { now.c.Write(b) }
	p.l.Set(host.Serving)
	p.run(time.Second)
	expect(t, "what it reads then", was.got.String()+" "+p.b.got.String(), "first second")
	expect(t, "its answer", p.a.got.String(), "first")
	if n := len(collect(p.l)); n != 2 {
		t.Errorf("%d connections", n)
	}
	p.l.Set(host.Refusing)
	third := &app{}
	if _, err := p.client.Dial(netip.AddrPort{}, p.to(false), third); err != nil {
		t.Fatal(err)
	}
	p.a.c.Write([]byte(" again"))
	p.run(time.Second)
	expect(t, "a refused client", third.story(), "closed: connection refused")
	expect(t, "the first goes on", p.a.got.String(), "first again")
	p.l.Set(host.Hanging)
	fourth := &app{}
	if _, err := p.client.Dial(netip.AddrPort{}, p.to(false), fourth); err != nil {
		t.Fatal(err)
	}
	p.run(time.Second)
	p.l.Close()
	p.run(time.Second)
	expect(t, "one that nobody accepted", fourth.story(), "connected, closed: connection reset by peer")
}

func collect(l *host.Listener) (all []host.Conn) {
	for c := range l.Conns() {
		all = append(all, c)
	}
	return all
}

// A full queue of connections that nobody accepts lets SYNs fall (Linux: somaxconn).
func TestBacklog(t *testing.T) {
	p := newPair(t, host.Config{}, host.Config{})
	p.l.Set(host.Hanging)
	const most = 4097
	a := &pump{}
	for range most + 3 {
		if _, err := p.client.Dial(netip.AddrPort{}, p.to(false), a); err != nil {
			t.Fatal(err)
		}
		p.run(3 * time.Millisecond)
	}
	if a.connected != most {
		t.Errorf("%d connected", a.connected)
	}
	p.l.Set(host.Serving)
	p.run(10 * time.Second)
	if a.connected != most+3 {
		t.Errorf("%d connected in the end", a.connected)
	}
}

// Both ends of a test in which the path is narrower than the links (RFC 1191, RFC 8201).
func TestPathMTU(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		p := newPair(t, host.Config{}, host.Config{})
		const mtu = 1400
		p.tamper = func(from *host.Host, v *packet.View) []time.Duration {
			if v.Len <= mtu {
				return []time.Duration{p.delay}
			}
			f, quote := packet.NewFrame(), bytes.Clone(v.Transport())
			s := packet.Spec{
				SrcMAC: p.macs[1-from.ID()], DstMAC: v.SrcMAC, Proto: packet.ICMP, Type: 3, Code: 4,
				Src: p.to(v6), Dst: netip.AddrPortFrom(v.Src.IP(), 0), Seq: mtu,
			}
			// The quotation: the IP header as it was, and the beginning of the segment.
			inner := packet.Spec{
				Src: netip.AddrPortFrom(v.Src.IP(), v.SrcPort), Dst: netip.AddrPortFrom(v.Dst.IP(), v.DstPort),
				Proto: packet.TCP, Seq: v.Seq, Payload: quote,
			}
			inner.Build(f)
			s.Src = netip.AddrPortFrom(s.Src.Addr(), 0)
			s.Payload = bytes.Clone(f.Ethernet()[14:200])
			if v6 {
				s.Proto, s.Type, s.Code = packet.ICMPv6, 2, 0
			}
			s.Build(f)
			p.q.CallAt(p.q.Now().Add(p.delay), func() { from.Receive(f) })
			return nil
		}
		p.a.toWrite = noise(100_000)
		want := bytes.Clone(p.a.toWrite)
		p.dial(v6)
		p.run(time.Second)
		if !bytes.Equal(p.b.got.Bytes(), want) {
			t.Errorf("IPv6 %v: %d bytes of %d", v6, p.b.got.Len(), len(want))
		}
	}
}
