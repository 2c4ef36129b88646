package host_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/host"
)

// dialer keeps the connections of a client.
type dialer struct {
	pump
	conns []host.Conn
}

func (d *dialer) Connected(c host.Conn) { d.conns = append(d.conns, c) }

// Of frames that will be received, and of connections that will be written to, the
// network learns which packets will follow; and nothing else comes of it, whatever the
// frames are.
func TestExpect(t *testing.T) {
	w := newWire(t)
	server, client := w.add(host.Config{}), w.add(host.Config{})
	a := &dialer{}
	listen(t, server, port, &pump{answer: []byte("answer")})
	for range 2000 {
		if _, err := client.Dial(netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.1:80"), a); err != nil {
			t.Fatal(err)
		}
	}
	w.run(10 * time.Second)
	if len(a.conns) != 2000 || w.q.Len() != 0 {
		t.Fatalf("%d connections, %d events", len(a.conns), w.q.Len())
	}
	tuple := func(c host.Conn) packet.Tuple {
		return packet.Tuple{
			Src: packet.AddrFrom(c.Local().Addr()), Dst: packet.AddrFrom(c.Remote().Addr()),
			SrcPort: c.Local().Port(), DstPort: c.Remote().Port(),
		}
	}
	frame := func(c host.Conn) []byte { // of the client's
		f := packet.NewFrame()
		(&packet.Spec{Proto: packet.TCP, Src: c.Local(), Dst: c.Remote(), Flags: packet.ACK}).Build(f)
		return f.Ethernet()
	}
	arrivals := []host.Arrival{
		{To: server, Ethernet: nil},
		{To: client, Ethernet: frame(a.conns[0])}, // another's address
		{To: server, Ethernet: frame(a.conns[0])[:20]},
		{To: server, Ethernet: make([]byte, 100)},
	}
	for _, c := range a.conns[:100] {
		arrivals = append(arrivals, host.Arrival{To: server, Ethernet: frame(c)})
	}
	w.expected = nil
	w.s.ExpectFrames(arrivals)
	if len(w.expected) != 100 {
		t.Fatalf("%d packets are expected", len(w.expected))
	}
	for i, s := range w.expected {
		if want := (host.Sending{From: server, Tuple: tuple(a.conns[i]).Reversed()}); s != want {
			t.Errorf("number %d: %v, want %v", i, s, want)
		}
	}
	a.conns[1].Abort()
	w.expected = nil
	host.ExpectWrites(a.conns[:50])
	if len(w.expected) != 49 || w.expected[1] != (host.Sending{From: client, Tuple: tuple(a.conns[2])}) {
		t.Errorf("%d packets are expected: %v", len(w.expected), w.expected)
	}
	w.expected = make([]host.Sending, 0, 1000)
	if n := testing.AllocsPerRun(5, func() {
		w.s.ExpectFrames(arrivals)
		host.ExpectWrites(a.conns[:50])
		w.expected = w.expected[:0]
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	// Acknowledgements that are put off are packets, too, and a timer that only guards
	// one is none.
	for _, c := range a.conns[100:300] {
		c.Write([]byte("question"))
	}
	w.expected = nil
	w.run(10 * time.Second)
	if len(w.expected) != 200 {
		t.Errorf("%d acknowledgements are expected", len(w.expected))
	}
}
