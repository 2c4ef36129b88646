package dataplane

import (
	"encoding/binary"

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

	view     packet.View
	rewrite  packet.Rewrite
	expected [flow.Ahead]flow.Key
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
	way   uint32
	ports [2]uint16 // source and destination of what arrives
	delta packet.Delta
	term  uint32 // 0: it is suspended
	idle  millis // after which it serves no more; the walk knows of the other direction
	last  clock.Time
	count flowlog.Tally
}

// way is what loans have in common. It is comparable.
type way struct {
	sender         packet.MAC
	srcMAC, dstMAC packet.MAC  // of what arrives
	src, dst       packet.Addr // likewise
	nat            bool
	ttl            uint8
	bytes          metrics.Counter
	mtu            int32
	out            InterfaceID
	traffic        metrics.Traffic
}

// death is where a packet died, and why.
type death struct {
	at  InterfaceID
	why drop.Reason
}

// countMost is how many packets a courier counts for a loan: a Tally has room for those and
// for what the path has counted.
const countMost = 1 << 30

// Carry forwards a frame that came from the device of interface in, as [Walk.Process]
// would: out is the interface by whose device the frame, rewritten in place, leaves. It
// reports false where the frame is for the walk, and leaves it as it is.
func (c *Courier) Carry(now clock.Time, in InterfaceID, f *packet.Frame) (out InterfaceID, ok bool) {
	v := &c.view
	if v.Decode(f) != drop.None || v.Kind != packet.KindIP {
		return NoInterface, false
	}
	var key flow.Key
	key.Set(flow.Scope(in), v)
	_, l, _ := c.loans.Lookup(&key)
	if l == nil {
		return NoInterface, false
	}
	y := c.ways.At(l.way)
	if !l.serves(now, c.term) || !y.carries(v) {
		l.term = 0
		return NoInterface, false
	}
	l.last = now
	l.count.Add(now, uint32(v.Segments), uint64(v.WireLen), v.Flags)
	y.traffic.Add(now, uint64(v.Segments), y.bytes, uint64(v.WireLen))
	r := &c.rewrite
	r.Src, r.Dst, r.SrcPort, r.DstPort = y.src, y.dst, l.ports[0], l.ports[1]
	r.SrcMAC, r.DstMAC, r.TTL, r.NAT, r.Delta = y.srcMAC, y.dstMAC, y.ttl, y.nat, l.delta
	v.Apply(r)
	v.Complete()
	return y.out, true
}

// serves reports whether the walk would follow the path of l without looking further.
func (l *loan) serves(now clock.Time, term uint32) bool {
	return l.term == term && now.Sub(l.last) < l.idle.duration() && l.count.Packets < countMost
}

// carries reports whether a packet is plain, and may go this way.
func (y *way) carries(v *packet.View) bool {
	return v.SrcMAC == y.sender && !v.DstMAC.IsMulticast() && !v.Fragment &&
		v.Flags&(packet.SYN|packet.FIN|packet.RST) == 0 && v.MaxLen <= int(y.mtu) && v.TTL > y.ttl
}

// hash returns a hash of what tells ways apart in the main.
func (y *way) hash(seed flow.Seed) uint64 {
	k := flow.Key{Src: y.src, Dst: y.dst, Scope: flow.Scope(y.out)}
	k.SrcPort, k.DstPort = binary.LittleEndian.Uint16(y.sender[4:]), uint16(y.mtu)
	return flow.Hash(seed, &k)
}

// Expect is [Walk.Expect] for frames that Carry will be given.
func (c *Courier) Expect(soon []Arrival) { expect(c.loans.Expect, &c.expected, soon) }

// Dropped counts a packet that died at an interface after Carry.
func (c *Courier) Dropped(at InterfaceID, why drop.Reason) { c.died[death{at, why}]++ }

// Lend implements [Borrower].
func (c *Courier) Lend(k *flow.Key, l *Loan) bool {
	c.halt()
	_, mine, _ := c.loans.Lookup(k)
	if mine == nil {
		r := &l.Rewrite
		y := way{
			sender: l.Sender, src: r.Src, dst: r.Dst, srcMAC: r.SrcMAC, dstMAC: r.DstMAC, nat: r.NAT, ttl: r.TTL,
			mtu: l.MTU, out: l.Out, bytes: l.Bytes, traffic: c.meter.Traffic(l.Place),
		}
		_, mine, _ = c.loans.Insert(*k, loan{
			way: c.ways.Use(&y, y.hash(c.seed)), ports: [2]uint16{r.SrcPort, r.DstPort}, delta: r.Delta,
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
func (c *Courier) Return(k *flow.Key) {
	c.halt()
	ref, l, _ := c.loans.Lookup(k)
	c.ways.Release(l.way)
	c.loans.Delete(ref)
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
