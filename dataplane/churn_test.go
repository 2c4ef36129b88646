package dataplane_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestChurn opens and closes connections at random while targets come and go (F2.14,
// F2.22, F2.30, F2.34): see churn.
func TestChurn(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { churn(t, 20_000, seed) })
	}
}

// BenchmarkChurn is TestChurn with a million connections.
func BenchmarkChurn(b *testing.B) {
	for i := range b.N {
		churn(b, 1_000_000, uint64(i))
	}
}

// churn opens n connections from three clients, two of which have the same
// address, to three targets: each closed by either side, or reset, or left alone
// until it is forgotten. Meanwhile targets are deregistered and registered, turn
// unhealthy and heal, and have their connections closed. Every byte must reach the
// connection that it was sent on (F1.42, F2.14), no connection may change its target
// (F2.22), and in the end every source port is free and every table empty (F2.30).
func churn(t testing.TB, n int, seed uint64) {
	c := &crowd{
		t: t, l: newLab(t, false, churnLab), f: packet.NewFrame(),
		rnd:   rand.New(rand.NewPCG(seed, 1)),
		peers: map[remote]*connection{}, quiet: map[remote]clock.Time{},
		fates: []string{"targets web provider/web-1:8080 provider/web-2:8080 provider/web-3:8080"},
	}
	s := dataplane.DefaultSettings()
	s.Seed = seed
	c.w = dataplane.New(c.l.prog, s)
	for _, name := range []string{"red/app", "blue/app", "red/near"} {
		c.clients = append(c.clients, c.l.id(name))
	}
	var live []*connection
	for opened := 0; opened < n || len(live) > 0; {
		if opened < n && len(live) < 2000 {
			live = append(live, c.open(opened))
			opened++
		}
		i := c.rnd.IntN(len(live))
		if k := live[i]; !c.step(k) {
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		c.pass()
	}
	if err := c.tables.Count(c.w); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.now = c.now.Add(500_000 * time.Second) // longer than any timer (F3.14)
		c.w.Expire(c.now, 1<<22)
	}
	if err := c.tables.Count(c.w); err != nil {
		t.Fatal(err)
	}
	if !c.tables.Empty() {
		t.Fatalf("left behind: %v", &c.tables)
	}
	t.Logf("%d answered, %d reset by the load balancer", c.answered, c.reset)
	if c.answered < n/2 || c.reset == 0 {
		t.Errorf("of %d connections %d were answered and %d were reset by the load balancer", n, c.answered, c.reset)
	}
}

// TestHeldConnections opens 60,000 connections to one target and keeps them: 55,000
// stand, whoever began them, and the others fail and are counted (F2.30). Another
// target has as many ports again.
func TestHeldConnections(t *testing.T) {
	l, f := newLab(t, false, churnLab), packet.NewFrame()
	if err := l.edit("- targets web provider/web-1:8080 provider/web-2:8080 provider/web-3:8080\n+ targets web provider/web-1:8080"); err != nil {
		t.Fatal(err)
	}
	w := dataplane.New(l.prog, dataplane.DefaultSettings())
	open := func(client, endpoint string, i int) drop.Reason {
		s := dial(l, client, endpoint, packet.TCP)
		s.Src = netip.AddrPortFrom(s.Src.Addr(), uint16(1024+i))
		s.Build(f)
		_, why := w.Process(clock.Time(i), l.id(client), f)
		return why
	}
	memory := func() (m runtime.MemStats) {
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m
	}
	before := memory()
	stand := map[string]int{}
	for i := range 30_000 {
		for client, endpoint := range map[string]string{"red/app": "red/ep", "blue/app": "blue/ep"} {
			switch why := open(client, endpoint, i); why {
			case drop.None:
				stand[client]++
			case drop.PortAllocation:
			default:
				t.Fatal(why)
			}
		}
	}
	after := memory()
	t.Logf("%d bytes a flow", (after.HeapAlloc-before.HeapAlloc)/55_000)
	node := l.id("provider/nlb")
	if got := stand["red/app"] + stand["blue/app"]; got != 55_000 || w.Flows() != got {
		t.Errorf("%d connections stand, in %d flows", got, w.Flows())
	}
	if got := w.Drops(node)[drop.PortAllocation]; got != 5_000 {
		t.Errorf("%d failures are counted", got)
	}
	if err := l.edit("- targets web provider/web-1:8080\n+ targets web provider/web-1:8080/avoid provider/web-2:8080"); err != nil {
		t.Fatal(err)
	}
	w.Load(l.prog)
	if why := open("red/near", "red/ep", 0); why != drop.None {
		t.Errorf("the other target has no port left: %v", why)
	}
}

const churnLab = `
vpc red 10.0.0.0/16
vpc blue 10.0.0.0/16
vpc provider 10.9.0.0/16
subnet red/a az1 10.0.1.0/24
subnet blue/a az1 10.0.1.0/24
subnet provider/a az1 10.9.1.0/24
balancer nlb
targets web provider/web-1:8080 provider/web-2:8080 provider/web-3:8080
listener nlb tcp 80 web
instance red/app red/a 10.0.1.10 groups=all
instance red/near red/a 10.0.1.11
instance blue/app blue/a 10.0.1.10 groups=all
endpoint red/ep red/a 10.0.1.50 provider/nlb groups=all
endpoint blue/ep blue/a 10.0.1.50 provider/nlb
node provider/nlb provider/a 10.9.1.5 nlb
instance provider/web-1 provider/a 10.9.1.21 groups=all
instance provider/web-2 provider/a 10.9.1.22
instance provider/web-3 provider/a 10.9.1.23
allow all in - - 0.0.0.0/0
allow all out - - 0.0.0.0/0
`

// crowd is many clients and targets on one walk.
type crowd struct {
	t       testing.TB
	l       *lab
	w       *dataplane.Walk
	f       *packet.Frame
	v       packet.View // what was delivered last
	rnd     *rand.Rand
	now     clock.Time
	steps   int
	tables  dataplane.Tables
	clients []dataplane.InterfaceID
	peers   map[remote]*connection // what the targets know: whom they speak with
	quiet   map[remote]clock.Time  // until when a client does not use a port again

	fates           []string // the lab's lines about targets
	answered, reset int
}

// remote is an address and port at an instance.
type remote struct {
	at   dataplane.InterfaceID
	port uint16
}

// connection is a TCP connection as both its ends know it.
type connection struct {
	isn    uint32 // tells it from all others
	client remote
	target dataplane.InterfaceID
	peer   uint16 // the client's port as the target sees it
	next   int    // step of its story
	ending ending
}

// ending is how a connection ends.
type ending int

const (
	clientCloses ending = iota
	targetCloses
	clientResets
	targetResets
	leftAlone
	endings
)

func (c *crowd) open(number int) *connection {
	for {
		at := remote{c.clients[c.rnd.IntN(len(c.clients))], uint16(1024 + c.rnd.IntN(20_000))}
		if until, ok := c.quiet[at]; ok && c.now < until {
			continue
		}
		c.quiet[at] = clock.Time(math.MaxInt64)
		// Sequence numbers of one connection's data never reach another's.
		return &connection{isn: uint32(number+1) * 4001, client: at, ending: ending(c.rnd.IntN(int(endings)))}
	}
}

// step takes the next step of a connection's story; it reports whether there is
// one after it.
func (c *crowd) step(k *connection) (more bool) {
	k.next++
	switch {
	case k.next == 1:
		return c.call(k, packet.SYN) && c.answer(k, packet.SYN|packet.ACK)
	case k.next == 2:
		return c.call(k, packet.ACK)
	case k.next < 5:
		more = c.call(k, packet.ACK|packet.PSH) && c.answer(k, packet.ACK|packet.PSH)
		if more && k.next == 3 {
			c.answered++
		}
		return more
	}
	switch k.ending {
	case clientCloses:
		_ = c.call(k, packet.FIN|packet.ACK) && c.answer(k, packet.FIN|packet.ACK) && c.call(k, packet.ACK)
	case targetCloses:
		_ = c.answer(k, packet.FIN|packet.ACK) && c.call(k, packet.FIN|packet.ACK) && c.answer(k, packet.ACK)
	case clientResets:
		c.call(k, packet.RST)
	case targetResets:
		c.answer(k, packet.RST|packet.ACK)
	case leftAlone:
		c.quiet[k.client] = c.now.Add(351 * time.Second) // F2.44
		return false
	}
	return c.end(k)
}

// end lets the client forget a connection.
func (c *crowd) end(k *connection) bool {
	c.quiet[k.client] = c.now
	return false
}

// call sends a packet of the client. What arrives must do so at the connection's
// own target, which must know it by the same port.
func (c *crowd) call(k *connection, flags packet.Flags) bool {
	s := dial(c.l, c.l.name(k.client.at), pick(k.client.at == c.clients[1], "blue/ep", "red/ep"), packet.TCP)
	s.Src, s.Flags, s.Seq = netip.AddrPortFrom(s.Src.Addr(), k.client.port), flags, k.isn
	if flags&packet.SYN == 0 {
		s.Seq += uint32(k.next)
	}
	at, ok := c.send(k, k.client.at, s)
	if !ok {
		return c.end(k)
	}
	from := remote{at, c.v.SrcPort}
	if flags&packet.SYN != 0 {
		k.target, k.peer = at, c.v.SrcPort
		c.peers[from] = k
	}
	if at != k.target || c.peers[from] != k {
		c.t.Fatalf("a packet of connection %d reached port %d of %s, which is not its own", k.isn, from.port, c.l.name(at))
	}
	c.check(k)
	return true
}

// answer sends a packet of the target. It must reach the client that it is for.
func (c *crowd) answer(k *connection, flags packet.Flags) bool {
	s := dial(c.l, c.l.name(k.target), "provider/nlb", packet.TCP)
	s.Src, s.Dst = netip.AddrPortFrom(s.Src.Addr(), 8080), netip.AddrPortFrom(s.Dst.Addr(), k.peer)
	s.Flags, s.Seq = flags, k.isn+2000+uint32(k.next)
	at, ok := c.send(k, k.target, s)
	if !ok {
		return c.end(k)
	}
	if got := (remote{at, c.v.DstPort}); got != k.client {
		c.t.Fatalf("an answer on connection %d of port %d reached port %d of %s", k.isn, k.client.port, got.port, c.l.name(at))
	}
	c.check(k)
	return true
}

// send sends a packet with the connection's own bytes. It reports false where
// the load balancer resets the connection, which it may if the target turned
// unhealthy (F2.55) or its connections are closed (F2.60).
func (c *crowd) send(k *connection, in dataplane.InterfaceID, s *packet.Spec) (dataplane.InterfaceID, bool) {
	if s.Flags&packet.PSH != 0 {
		s.Payload = binary.BigEndian.AppendUint32(nil, k.isn)
	}
	s.Build(c.f)
	to, why := c.w.Process(c.now, in, c.f)
	switch {
	case why == drop.UnknownFlow || why == drop.TargetUnhealthy:
		c.reset++
		return 0, false
	case why != drop.None:
		c.t.Fatalf("a packet of connection %d, step %d, is dropped: %v", k.isn, k.next, why)
	}
	if why := c.v.Decode(c.f); why != drop.None {
		c.t.Fatal(why)
	}
	return to, true
}

// check compares what was delivered with what was sent.
func (c *crowd) check(k *connection) {
	if b := c.v.Payload(); len(b) > 0 && binary.BigEndian.Uint32(b) != k.isn {
		c.t.Fatalf("bytes of connection %d were delivered on connection %d", binary.BigEndian.Uint32(b), k.isn)
	}
}

// pass lets time pass, and now and then something happen to the targets.
func (c *crowd) pass() {
	c.steps++
	c.now = c.now.Add(time.Duration(c.rnd.IntN(2000)) * time.Microsecond)
	if c.steps%100 == 0 {
		c.w.Expire(c.now, 64)
	}
	if c.steps%5000 == 0 {
		c.happen()
	}
	if c.steps%500_000 == 0 {
		c.w.TakeLog() // or the log fills the memory
	}
	if c.steps%50_000 == 0 {
		if err := c.tables.Count(c.w); err != nil {
			c.t.Fatal(err)
		}
	}
}

// happen gives each target another fate at random; one of them always serves.
func (c *crowd) happen() {
	lines := []string{"targets web", "former web", "close web"}
	serving := c.rnd.IntN(3)
	for i := range 3 {
		target := fmt.Sprintf(" provider/web-%d:8080", i+1)
		switch fate := c.rnd.IntN(8); {
		case i == serving || fate < 3:
			lines[0] += target
		case fate < 5:
			lines[0] += target + "/avoid" + pick(fate == 3, "/reset", "")
		case fate < 7:
			lines[1] += target
		default:
			lines[1] += target
			lines[2] += target
		}
	}
	edit := ""
	for _, old := range c.fates {
		edit += "- " + old + "\n"
	}
	c.fates = nil
	for i, line := range lines {
		if i == 0 || strings.Contains(line, ":") {
			c.fates = append(c.fates, line)
			edit += "+ " + line + "\n"
		}
	}
	if err := c.l.edit(edit); err != nil {
		c.t.Fatal(err)
	}
	c.w.Load(c.l.prog)
}
