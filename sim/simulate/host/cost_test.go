package host_test

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/simulate/host"
)

// pump writes as much as there is room for, and counts what arrives.
type pump struct {
	junk      []byte
	n         int
	connected int
	closed    int
	answer    []byte
}

func (p *pump) Connected(c host.Conn) { p.connected++; p.Writable(c) }
func (p *pump) Writable(c host.Conn) {
	if p.junk == nil {
		return
	}
	for c.Write(p.junk) == len(p.junk) {
	}
}
func (p *pump) Received(c host.Conn, b []byte) {
	p.n += len(b)
	if p.answer != nil {
		c.Write(p.answer)
	}
}
func (p *pump) Finished(c host.Conn)    { c.Close() }
func (p *pump) Closed(host.Conn, error) { p.closed++ }

// A stream in full flow allocates nothing, and neither do a question and its answer.
func TestAlloc(t *testing.T) {
	p := newPair(t, host.Config{MTU: 1500}, host.Config{MTU: 1500, Window: 65535})
	from, to := &pump{junk: noise(64 << 10)}, &pump{}
	listen(t, p.server, 81, to)
	if _, err := p.client.Dial(netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.2:81"), from); err != nil {
		t.Fatal(err)
	}
	p.run(100 * time.Millisecond)
	was := to.n
	if n := testing.AllocsPerRun(5, func() { p.run(10 * time.Millisecond) }); n != 0 {
		t.Errorf("a stream allocates %v times", n)
	}
	if to.n == was {
		t.Error("nothing flows")
	}

	q := newPair(t, host.Config{}, host.Config{})
	q.b.received = func([]byte) { q.b.c.Write([]byte("answer")); q.b.got.Reset() }
	q.a.received = func([]byte) { q.a.got.Reset() }
	q.connect()
	question := []byte("question")
	turn := func() { q.a.c.Write(question); q.run(time.Second) }
	turn()
	if n := testing.AllocsPerRun(100, turn); n > 1 {
		t.Errorf("a question and its answer allocate %v times", n)
	}
}

func listen(t testing.TB, h *host.Host, port uint16, hd host.Handler) *host.Listener {
	l, err := h.Listen(netip.AddrPortFrom(netip.Addr{}, port), func(host.Conn) host.Handler { return hd })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// An idle connection costs some 150 bytes an end, everything counted.
func TestMemory(t *testing.T) {
	n := 50_000 // connections
	if testing.Short() {
		n = 20_000
	}
	w := newWire(t)
	server := w.add(host.Config{})
	var clients []*host.Host
	for range 10 {
		clients = append(clients, w.add(host.Config{Ports: [2]uint16{1024, 65535}}))
	}
	a, b := &pump{}, &pump{}
	listen(t, server, port, b)
	before := heap()
	for i := range n {
		if _, err := clients[i%10].Dial(netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.1:80"), a); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			w.run(10 * time.Millisecond)
		}
	}
	w.run(time.Minute)
	if a.connected != n || b.connected != n || w.q.Len() != 0 {
		t.Fatalf("%d and %d connected, %d events", a.connected, b.connected, w.q.Len())
	}
	each := float64(heap()-before) / float64(2*n)
	t.Logf("%.0f bytes an end", each)
	if each > 150 {
		t.Errorf("an idle connection costs %.0f bytes an end", each)
	}
	runtime.KeepAlive(w)
}

// A bulk transfer: the time of one packet sent by one host and received by another.
func BenchmarkBulk(b *testing.B) {
	for _, bc := range []struct {
		name string
		mtu  int
		most int // receive window
	}{{"mtu=1500", 1500, 65535}, {"mtu=9001", 9001, 65535}, {"mtu=1500/window=3MiB", 1500, 0}} {
		b.Run(bc.name, func(b *testing.B) {
			p := newPair(b, host.Config{MTU: bc.mtu}, host.Config{MTU: bc.mtu, Window: bc.most})
			from, to := &pump{junk: noise(64 << 10)}, &pump{}
			listen(b, p.server, 81, to)
			if _, err := p.client.Dial(netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.2:81"), from); err != nil {
				b.Fatal(err)
			}
			p.run(100 * time.Millisecond)
			n, frames := to.n, p.frames
			b.ReportAllocs()
			b.ResetTimer()
			for target := frames + b.N; p.frames < target; {
				p.q.Step()
			}
			b.ReportMetric(float64(to.n-n)/1e6/b.Elapsed().Seconds(), "MB/s")
		})
	}
}

// A connection that asks, is answered and closed.
func BenchmarkConnections(b *testing.B) {
	p := newPair(b, host.Config{Ports: [2]uint16{1024, 65535}}, host.Config{})
	from, to := &asker{}, &pump{answer: []byte("answer")}
	listen(b, p.server, 81, to)
	b.ReportAllocs()
	frames := p.frames
	for b.Loop() {
		if _, err := p.client.Dial(netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.2:81"), from); err != nil {
			b.Fatal(err)
		}
		p.run(3 * time.Millisecond)
	}
	b.ReportMetric(float64(p.frames-frames)/float64(b.N), "packets/op")
}

type asker struct{ pump }

func (a *asker) Connected(c host.Conn)          { c.Write([]byte("question")) }
func (a *asker) Received(c host.Conn, _ []byte) { c.Close() }
