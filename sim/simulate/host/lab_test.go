package host_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
)

// wire joins hosts like a switch. It delivers every frame after its delay, unless
// tamper says otherwise: when each copy of a frame arrives, and none if it gets lost.
type wire struct {
	t      testing.TB
	q      *event.Queue
	s      *host.Stack
	id     event.ActorID
	hosts  []*host.Host
	macs   []packet.MAC
	delay  time.Duration
	tamper func(from *host.Host, v *packet.View) []time.Duration
	fate   func() []time.Duration // the same for all frames
	seen   func(from *host.Host, v *packet.View)
	flight [][]byte // frames on their way
	free   []uint32
	frame  *packet.Frame
	frames int

	expected []host.Sending
}

func newWire(t testing.TB) *wire {
	w := &wire{t: t, q: event.New(1), delay: time.Millisecond, frame: packet.NewFrame()}
	w.s = host.NewStack(w.q, w)
	w.id = w.q.Register(w)
	return w
}

// addrs of the host with a number.
func addrs(n int) []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", n)), netip.MustParsePrefix(fmt.Sprintf("fd00::%d/64", n)),
	}
}

// add adds a host; zero fields of cfg are filled in.
func (w *wire) add(cfg host.Config) *host.Host {
	cfg.ID = len(w.hosts)
	if cfg.MAC == (packet.MAC{}) {
		cfg.MAC = packet.MAC{2, 0, 0, 0, byte(cfg.ID >> 8), byte(cfg.ID + 1)}
	}
	if cfg.Addrs == nil {
		cfg.Addrs = addrs(cfg.ID + 1)
	}
	h := w.s.New(cfg)
	w.hosts, w.macs = append(w.hosts, h), append(w.macs, cfg.MAC)
	return h
}

// Transmit implements host.Network. Whatever a host sends must be right.
func (w *wire) Transmit(h *host.Host, f *packet.Frame) {
	w.frames++
	if w.tamper == nil && w.seen == nil && w.fate == nil {
		w.deliver(f, w.delay, h.ID())
		return
	}
	var v packet.View
	eth := f.Ethernet()
	if why := v.Decode(f); why != drop.None && !isARPReply(eth) {
		w.t.Errorf("%v sends a frame with %v: %x", h.ID(), why, eth)
	}
	delays := []time.Duration{w.delay}
	if w.fate != nil {
		delays = w.fate()
	}
	if w.tamper != nil && v.Kind == packet.KindIP && v.Proto == packet.TCP {
		delays = w.tamper(h, &v)
	}
	if w.seen != nil && !isARPReply(eth) {
		w.seen(h, &v)
	}
	for _, d := range delays {
		w.deliver(f, d, h.ID())
	}
}

// Expect implements host.Network.
func (w *wire) Expect(soon []host.Sending) { w.expected = append(w.expected, soon...) }

func isARPReply(eth []byte) bool { return eth[12] == 8 && eth[13] == 6 && eth[21] == 2 }

func (w *wire) deliver(f *packet.Frame, d time.Duration, from int) {
	var slot uint32
	if n := len(w.free); n > 0 {
		slot = w.free[n-1]
		w.free = w.free[:n-1]
	} else {
		slot = uint32(len(w.flight))
		w.flight = append(w.flight, nil)
	}
	w.flight[slot] = append(w.flight[slot][:0], f.Ethernet()...)
	w.q.After(d, event.Event{Actor: w.id, Kind: uint32(from), Arg: uint64(slot)})
}

// Happen implements event.Actor.
func (w *wire) Happen(kind uint32, arg uint64) {
	b := w.flight[arg]
	w.frame.SetEthernet(b)
	w.free = append(w.free, uint32(arg))
	to := packet.MAC(b)
	for i, h := range w.hosts {
		if i != int(kind) && (to == w.macs[i] || to.IsMulticast()) {
			h.Receive(w.frame)
		}
	}
}

func (w *wire) run(d time.Duration) { w.q.Run(w.q.Now().Add(d), nil) }

// app is an application that notes what happens to it, and does what a test says.
type app struct {
	c         host.Conn
	log       []string
	got       bytes.Buffer
	err       error
	closed    int
	toWrite   []byte
	closes    bool // after all was written, and again on the peer's FIN
	connected func()
	received  func(b []byte)
}

func (a *app) note(format string, args ...any) { a.log = append(a.log, fmt.Sprintf(format, args...)) }

func (a *app) Connected(c host.Conn) {
	a.c = c
	a.note("connected")
	if a.connected != nil {
		a.connected()
	}
	a.write()
}

func (a *app) write() {
	n := a.c.Write(a.toWrite)
	a.toWrite = a.toWrite[n:]
	if a.closes && len(a.toWrite) == 0 {
		a.c.CloseWrite()
	}
}

func (a *app) Received(_ host.Conn, b []byte) {
	a.got.Write(b)
	if a.received != nil {
		a.received(b)
	}
}

func (a *app) Finished(host.Conn) { a.note("finished") }
func (a *app) Writable(host.Conn) { a.write() }

func (a *app) Closed(c host.Conn, err error) {
	a.closed++
	a.err = err
	a.note("closed: %v", err)
}

func (a *app) story() string { return strings.Join(a.log, ", ") }

// pair is a client and a server host, and an application of each.
type pair struct {
	*wire
	client, server *host.Host
	a, b           *app
	l              *host.Listener
}

const port = 80

// to returns the server's address.
func (p *pair) to(v6 bool) netip.AddrPort {
	if v6 {
		return netip.AddrPortFrom(addrs(2)[1].Addr(), port)
	}
	return netip.AddrPortFrom(addrs(2)[0].Addr(), port)
}

func newPair(t testing.TB, client, server host.Config) *pair {
	w := newWire(t)
	p := &pair{wire: w, client: w.add(client), server: w.add(server), a: &app{}, b: &app{}}
	var err error
	p.l, err = p.server.Listen(netip.AddrPortFrom(netip.Addr{}, port), func(host.Conn) host.Handler { return p.b })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) dial(v6 bool) {
	p.t.Helper()
	c, err := p.client.Dial(netip.AddrPort{}, p.to(v6), p.a)
	if err != nil {
		p.t.Fatal(err)
	}
	p.a.c = c
}

// connect dials and lets the handshake pass.
func (p *pair) connect() {
	p.t.Helper()
	p.dial(false)
	p.run(10 * time.Millisecond)
	if p.a.c.State() != host.Established || p.b.c.State() != host.Established {
		p.t.Fatalf("not connected: %v, %v", p.a.story(), p.b.story())
	}
}

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// trace writes the TCP segments that cross the wire as text.
func (p *pair) trace() *[]string {
	lines := new([]string)
	p.seen = func(from *host.Host, v *packet.View) {
		if v.Kind != packet.KindIP {
			return
		}
		who := "client"
		if from == p.server {
			who = "server"
		}
		s := fmt.Sprintf("%s %s", who, flags(v.Flags))
		if v.Proto != packet.TCP {
			s = fmt.Sprintf("%s proto=%d type=%d code=%d", who, v.Proto, v.Type, v.Code)
		}
		if n := len(v.Payload()); n > 0 && v.Proto == packet.TCP {
			s += fmt.Sprintf(" len=%d", n)
		}
		*lines = append(*lines, s)
	}
	return lines
}

func flags(f packet.Flags) (s string) {
	for i, c := range "FSRPAU" {
		if f&(1<<i) != 0 {
			s += string(c)
		}
	}
	return s
}

func at(d time.Duration) clock.Time { return clock.Time(d) }
