package dataplane_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestEstablishedPathDoesNotAllocate: once a flow is decided, a packet of it
// costs no memory, in either direction, by way of an endpoint or not, with a PROXY
// protocol header or without.
func TestEstablishedPathDoesNotAllocate(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
			for _, to := range []string{"red/ep", "red/near", "red/far"} {
				name := fmt.Sprintf("%s/%d/%s", pick(v6, "ipv6", "ipv4"), proto, to)
				t.Run(name, func(t *testing.T) { testAllocations(t, v6, proto, to, twoConsumers) })
				proxied := strings.Replace(twoConsumers, "targets web", "targets web proxy", 1)
				t.Run(name+"/proxied", func(t *testing.T) { testAllocations(t, v6, proto, to, proxied) })
			}
		}
	}
}

// TestConversionDoesNotAllocate: nor does a packet that becomes one of the other
// family.
func TestConversionDoesNotAllocate(t *testing.T) {
	for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
		testAllocations(t, false, proto, "red/ep", twoFamilies)
		testAllocations(t, false, proto, "red/ep", strings.Replace(twoFamilies, "targets web", "targets web proxy", 1))
	}
}

// TestChainDoesNotAllocate: nor does one that passes two load balancers (F2.28).
func TestChainDoesNotAllocate(t *testing.T) {
	for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
		testAllocations(t, false, proto, "red/edge", chained)
		testAllocations(t, true, proto, "red/edge", chained)
	}
}

// TestFragmentsDoNotAllocate: nor do fragments, but for the first one that an
// interface ever sends.
func TestFragmentsDoNotAllocate(t *testing.T) {
	for _, text := range []string{twoConsumers, twoFamilies, chained} {
		l := newLab(t, false, text)
		w := dataplane.New(l.prog, dataplane.DefaultSettings())
		f, s := packet.NewFrame(), dial(l, "red/app", pick(text == chained, "red/edge", "red/ep"), packet.UDP)
		s.Payload = pattern(100)
		n := testing.AllocsPerRun(100, func() {
			s.ID++
			for from := 0; from < 108; from += 48 {
				s.BuildFragment(f, from, from+48)
				if _, why := w.Process(1, l.id("red/app"), f); why != drop.None {
					t.Fatal(why)
				}
			}
		})
		if n != 0 {
			t.Errorf("%v allocations a datagram", n)
		}
	}
}

// TestShortWayDoesNotAllocate: nor does one that takes the short way, as those of TCP and
// UDP do that need nothing but other addresses.
func TestShortWayDoesNotAllocate(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
			for _, to := range []string{"red/ep", "red/near", "red/far"} {
				c := newConversation(t, v6, proto, to, twoConsumers)
				for _, way := range c.ways {
					c.pass(way.in, way.frame) // UDP becomes a stream
				}
				c.measure(func(in dataplane.InterfaceID, frame []byte) {
					c.f.SetEthernet(frame)
					if _, ok := c.w.Hasten(c.now, in, c.f); !ok {
						t.Fatalf("a packet to %s does not take the short way", to)
					}
				})
			}
		}
	}
}

func testAllocations(t *testing.T, v6 bool, proto packet.Proto, to, text string) {
	c := newConversation(t, v6, proto, to, text)
	c.measure(func(in dataplane.InterfaceID, frame []byte) { c.pass(in, frame) })
}

// conversation is an established flow, and packets that go on with it.
type conversation struct {
	t    *testing.T
	w    *dataplane.Walk
	f    *packet.Frame
	now  clock.Time
	ways []oneWay
}

// oneWay is a packet of one end of a conversation.
type oneWay struct {
	name  string
	in    dataplane.InterfaceID
	frame []byte
}

func newConversation(t *testing.T, v6 bool, proto packet.Proto, to, text string) *conversation {
	l := newLab(t, v6, text)
	c := &conversation{t: t, w: dataplane.New(l.prog, dataplane.DefaultSettings()), f: packet.NewFrame()}
	frame := func(s *packet.Spec) []byte {
		s.Build(c.f)
		return bytes.Clone(c.f.Ethernet())
	}
	// The handshake, or a first exchange.
	in, first := l.id("red/app"), dial(l, "red/app", to, proto)
	at := c.pass(in, frame(first))
	var v packet.View
	v.Decode(c.f)
	answer := answerTo(&v)
	c.pass(at, frame(answer))

	first.Flags, first.Seq, first.Payload = packet.ACK, 1001, pattern(100)
	answer.Flags, answer.Seq, answer.Payload = packet.ACK, 9001, pattern(100)
	there, back := frame(first), frame(answer)
	answer.Ack, answer.Options = 1201, []byte{1, 1, 5, 10, 0, 0, 10, 0, 0, 0, 11, 0}
	later := frame(answer) // acknowledges the header, if there is one
	c.ways = []oneWay{{"there", in, there}, {"back", at, back}, {"back, later", at, later}, {"there, later", in, there}}
	return c
}

// pass sends a packet, which must arrive.
func (c *conversation) pass(in dataplane.InterfaceID, frame []byte) dataplane.InterfaceID {
	c.f.SetEthernet(frame)
	out, why := c.w.Process(c.now, in, c.f)
	if why != drop.None {
		c.t.Fatal(why)
	}
	return out
}

// measure sends each packet many times, which must cost no memory.
func (c *conversation) measure(send func(dataplane.InterfaceID, []byte)) {
	for _, way := range c.ways {
		n := testing.AllocsPerRun(100, func() {
			c.now = c.now.Add(1e6)
			send(way.in, way.frame)
		})
		if n != 0 {
			c.t.Errorf("%s: %v allocations a packet", way.name, n)
		}
	}
}
