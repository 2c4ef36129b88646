package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
)

// Courier is a [Borrower] that forwards frames on another goroutine than the walk's. So
// that several may work at once, each has tables and counts of its own. They belong to
// that goroutine, but for the moments when the walk's owner has halted it.
type Courier struct {
	halt  func()
	seed  flow.Seed
	loans *flow.Single[loan]
	ways  flow.Shared[way] // what loans have in common
	term  uint32           // raised when all are suspended: those of an older one serve no more
	meter *metrics.Meter
	died  map[death]uint64

	view  packet.View
	ahead ahead[loan]
}

var _ Borrower = (*Courier)(nil)

// Hire returns a courier that has nothing yet, and who lends to it. The courier calls halt
// before it touches on the walk's behalf what is its goroutine's: that returns when the
// goroutine has put all down, and keeps it so until the walk's owner has done what it is at.
func (w *Walk) Hire(halt func()) (*Courier, *Lender) {
	c := &Courier{
		halt: halt, seed: w.salt, loans: flow.NewSingle[loan](w.salt), term: 1,
		meter: metrics.NewMeter(), died: make(map[death]uint64),
	}
	return c, w.LendTo(c)
}

// loan is what a courier has been lent. While it has it, it alone notes when a packet
// passed, and how many.
type loan struct {
	way    uint32
	comes  uint32 // ports, as packet.Words has them, of what comes
	leaves uint32 // and of what leaves
	delta  packet.Delta
	term   uint32 // 0: it is suspended
	idle   millis // after which it serves no more; the walk knows of the other direction
	last   clock.Time
	count  flowlog.Tally
}

// way is what loans have in common. It is comparable.
type way struct {
	in, out  InterfaceID
	from, to packet.Ends // way 0
	proto    packet.Proto
	nat      bool
	ttl      uint8
	bytes    metrics.Counter
	mtu      int32
	traffic  metrics.Traffic
}

// death is where a packet died, and why.
type death struct {
	at  InterfaceID
	why drop.Reason
}

// countMost is how many packets a courier counts for a loan: a Tally has room for those and
// for what the path has counted.
const countMost = 1 << 30

// Carry forwards frames as [Walk.ProcessBatch] does, and notes in each passage by whose device
// the frame leaves; NoInterface says that it is for the walk, and as it was.
func (c *Courier) Carry(now clock.Time, batch []Passage) {
	c.meter.Pass(now)
	for some := c.ahead.begin(c.loans, batch); some != nil; some = c.ahead.next() {
		for i := range some.passages {
			p, g, l := &some.passages[i], &some.read[i], some.likely[i].Value
			if l != nil && g.plain {
				if out, ok := c.carryPlain(now, p.In, &g.Plain, l); ok {
					p.Out = out
					continue
				}
			}
			p.Out = c.carry(now, p.In, p.Frame)
		}
	}
}

// carryPlain is Carry of a plain packet for which a loan is likely to be, if nothing speaks
// against it: see [Walk.followPlain].
func (c *Courier) carryPlain(now clock.Time, in InterfaceID, p *packet.Plain, l *loan) (out InterfaceID, ok bool) {
	if l.way == 0 || l.comes != p.Ports || !l.serves(now, c.term) {
		return NoInterface, false
	}
	y := c.ways.At(l.way)
	if y.in != in || y.proto != p.Proto || !y.from.Show(&p.Words, 0) {
		return NoInterface, false // it is another flow's
	}
	if !p.From(&y.from.DstMAC) || p.Len > int(y.mtu) || p.TTL <= y.ttl {
		return NoInterface, false
	}
	l.last = now
	l.count.Add(now, 1, uint64(p.Len), 0)
	if !y.traffic.Count(y.bytes, uint64(p.Len)) {
		y.traffic.Add(now, 1, y.bytes, uint64(p.Len))
	}
	p.Apply(&y.to, 0, packet.Change{Ports: l.leaves, Delta: l.delta, TTL: y.ttl, NAT: y.nat})
	p.Complete()
	return y.out, true
}

// carry is Carry of any packet, such as a superframe.
func (c *Courier) carry(now clock.Time, in InterfaceID, f *packet.Frame) InterfaceID {
	v := &c.view
	if v.Decode(f) != drop.None || v.Kind != packet.KindIP {
		return NoInterface
	}
	var key flow.Key
	key.Set(flow.Scope(in), v)
	_, l, _ := c.loans.Lookup(&key)
	if l == nil {
		return NoInterface
	}
	y := c.ways.At(l.way)
	if !l.serves(now, c.term) || !y.carries(v) {
		l.term = 0
		return NoInterface
	}
	l.last = now
	l.count.Add(now, uint32(v.Segments), uint64(v.WireLen), v.Flags)
	y.traffic.Add(now, uint64(v.Segments), y.bytes, uint64(v.WireLen))
	v.Apply(&packet.Rewrite{
		Src: y.to.Addrs[0], Dst: y.to.Addrs[1], SrcPort: uint16(l.leaves >> 16), DstPort: uint16(l.leaves),
		SrcMAC: y.to.SrcMAC, DstMAC: y.to.DstMAC, TTL: y.ttl, NAT: y.nat, Delta: l.delta,
	})
	v.Complete()
	return y.out
}

// serves reports whether the walk would follow the path of l without looking further.
func (l *loan) serves(now clock.Time, term uint32) bool {
	return l.term == term && now.Sub(l.last) < l.idle.duration() && l.count.Packets < countMost
}

// carries reports whether a packet is plain, and may go this way.
func (y *way) carries(v *packet.View) bool {
	return v.SrcMAC == y.from.DstMAC && !v.DstMAC.IsMulticast() && !v.Fragment &&
		v.Flags&(packet.SYN|packet.FIN|packet.RST) == 0 && v.MaxLen <= int(y.mtu) && v.TTL > y.ttl
}

// hash returns a hash of what tells ways apart in the main.
func (y *way) hash(seed flow.Seed) uint64 {
	return flow.Hash(seed, &flow.Key{
		Src: y.from.Addrs[0], Dst: y.to.Addrs[1], Scope: flow.Scope(y.in), SrcPort: uint16(y.out), DstPort: uint16(y.mtu), Proto: y.proto,
	})
}

// Dropped counts a packet that died at an interface after Carry.
func (c *Courier) Dropped(at InterfaceID, why drop.Reason) { c.died[death{at, why}]++ }

// Lend implements [Borrower].
func (c *Courier) Lend(k *flow.Key, l *Loan) bool {
	c.halt()
	_, mine, _ := c.loans.Lookup(k)
	if mine == nil {
		r := &l.Rewrite
		y := way{
			in: InterfaceID(k.Scope), from: packet.Ends{Addrs: [2]packet.Addr{k.Src, k.Dst}, DstMAC: l.Sender}, proto: k.Proto,
			out: l.Out, to: packet.Ends{Addrs: [2]packet.Addr{r.Src, r.Dst}, DstMAC: r.DstMAC, SrcMAC: r.SrcMAC},
			nat: r.NAT, ttl: r.TTL, mtu: l.MTU, bytes: l.Bytes, traffic: c.meter.Traffic(l.Place),
		}
		_, mine, _ = c.loans.Insert(*k, loan{
			way: c.ways.Use(&y, y.hash(c.seed)), delta: r.Delta,
			comes: uint32(k.SrcPort)<<16 | uint32(k.DstPort), leaves: uint32(r.SrcPort)<<16 | uint32(r.DstPort),
		})
	}
	mine.term, mine.idle, mine.last = c.term, millisOf(l.Idle), l.Last
	return true
}

// Collect implements [Borrower].
func (c *Courier) Collect(k *flow.Key) (flowlog.Tally, clock.Time) {
	c.halt()
	_, l, _ := c.loans.Lookup(k)
	passed := l.count
	l.count = flowlog.Tally{}
	return passed, l.last
}

// Return implements [Borrower].
func (c *Courier) Return(k *flow.Key) (flowlog.Tally, clock.Time) {
	c.halt()
	ref, l, _ := c.loans.Lookup(k)
	passed, last := l.count, l.last
	c.ways.Release(l.way)
	c.loans.Delete(ref)
	return passed, last
}

// Suspend implements [Borrower].
func (c *Courier) Suspend() {
	c.halt()
	c.term++
}

// Settle implements [Borrower].
func (c *Courier) Settle(m *metrics.Meter) {
	c.halt()
	m.Absorb(c.meter)
}

// Bury implements [Borrower].
func (c *Courier) Bury(died func(at InterfaceID, why drop.Reason, n uint64)) {
	c.halt()
	for at, n := range c.died {
		died(at.at, at.why, n)
	}
	clear(c.died)
}
