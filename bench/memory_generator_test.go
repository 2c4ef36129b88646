package bench_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// frameSize is room for any of the frames.
const frameSize = 100

// A generator makes packets of flows when their turn comes: a frame of the flow's pair, with
// the source port of its own. Of ten million flows it keeps four bytes each, so that it
// neither takes the memory nor waits for it.
type generator struct {
	pairs  []pair
	flows  []turn // whose packets come, in this order
	offset int    // of the transport header in the frames
	sum    int    // of its checksum in the header
}

// Where checksums stand in the headers of TCP and UDP.
const (
	tcpSum = 16
	udpSum = 6
)

// A pair is a client that talks to an endpoint, and its frame with source port 0.
type pair struct {
	in    dataplane.InterfaceID
	size  int
	frame [frameSize]byte
}

// A turn is that of a flow.
type turn struct{ pair, port uint16 }

// generator makes packets of flows from to to, in that order: first packets, changed by
// change, to a port of the endpoints.
func (l *memoryLab) generator(from, to int, port uint16, change func(*packet.Spec)) *generator {
	g := &generator{pairs: make([]pair, l.pairs()), flows: make([]turn, 0, to-from), offset: 14 + 20, sum: tcpSum}
	if l.family == 6 {
		g.offset = 14 + 40
	}
	if l.proto == packet.UDP {
		g.sum = udpSum
	}
	f := packet.NewFrame()
	for n := range g.pairs {
		in, spec := l.first(n, port)
		spec.Src = netip.AddrPortFrom(spec.Src.Addr(), 0)
		change(&spec)
		spec.Build(f)
		p := &g.pairs[n]
		p.in, p.size = in, copy(p.frame[:], f.Ethernet())
	}
	for n := from; n < to; n++ {
		g.flows = append(g.flows, turn{uint16(n % len(g.pairs)), uint16(firstPort + n/len(g.pairs))})
	}
	return g
}

// shuffle makes the order random, so that no flow finds in a cache what the one before it
// left there.
func (g *generator) shuffle() *generator {
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(g.flows), func(i, j int) { g.flows[i], g.flows[j] = g.flows[j], g.flows[i] })
	return g
}

// An arrival is a frame and the interface whose device it comes from.
type arrival struct {
	In       dataplane.InterfaceID
	Ethernet []byte
}

// put writes packet i, modulo the number of flows, into memory for a frame.
func (g *generator) put(i int, into *[frameSize]byte) arrival {
	t := g.flows[i%len(g.flows)]
	p := &g.pairs[t.pair]
	*into = p.frame
	l4 := into[g.offset:]
	binary.BigEndian.PutUint16(l4, t.port)
	// RFC 1624: what stood for the port was zero.
	sum := uint32(^binary.BigEndian.Uint16(l4[g.sum:])) + uint32(t.port)
	if sum = 0xffff &^ (sum + sum>>16); sum == 0 && g.sum == udpSum {
		sum = 0xffff // for zero says that there is none
	}
	binary.BigEndian.PutUint16(l4[g.sum:], uint16(sum))
	return arrival{In: p.in, Ethernet: into[:p.size]}
}

// A sender sends a generator's packets along a walk, one at a time or in batches.
type sender struct {
	walk *dataplane.Walk // nil: it makes them, and sends them nowhere
	g    *generator
	came []dataplane.Passage
	slot [frameSize]byte
	next int // packet of the generator's
	at   int // packet of the batch's that is seen next
}

func (c *crowd) sender(g *generator, batch int) *sender {
	s := &sender{walk: c.walk, g: g, came: make([]dataplane.Passage, batch), at: batch}
	for i, f := range packet.NewFrames(batch) {
		s.came[i].Frame = f
	}
	return s
}

// idle returns a sender of the same packets that sends them nowhere: what the generator takes.
func (s *sender) idle() *sender {
	idle := *s
	idle.walk = nil
	return &idle
}

// one returns what becomes of the next packet.
func (s *sender) one() drop.Reason {
	if s.at == len(s.came) {
		s.at = 0
		for i := range s.came {
			p := s.g.put(s.next, &s.slot)
			s.came[i].In = p.In
			s.came[i].Frame.SetEthernet(p.Ethernet)
			s.next++
		}
		switch p := &s.came[0]; {
		case s.walk == nil:
		case len(s.came) > 1:
			s.walk.ProcessBatch(clock.Time(1), s.came)
		default:
			p.Out, p.Why = s.walk.Process(clock.Time(1), p.In, p.Frame)
		}
	}
	s.at++
	return s.came[s.at-1].Why
}
