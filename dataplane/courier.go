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

// Courier carries plain packets of flows about which nothing is left to decide, beside
// the walk that decided. It knows of them what the walk has lent it, one direction of a
// path at a time, and hands all else back. So that several may work at once, each has
// tables and counts of its own; they are its user's, but for the moments in which the
// walk has halted that one ([Walk.Hire]).
type Courier struct {
	halt   func()
	number uint8 // among the walk's couriers, from 1
	prog   *Program
	// term is raised when something has changed for all flows; loans of an older term
	// serve no more.
	term  uint32
	loans *flow.Single[loan]
	ways  flow.Shared[way] // what loans have in common
	meter *metrics.Meter
	drops map[death]uint64
	salt  flow.Seed

	wanted []want // the directions that the walk could lend it; the walk's

	view     packet.View
	rewrite  packet.Rewrite
	expected [flow.Ahead]flow.Key
}

// loan is one direction of a path in a courier's hands. While it has it, the courier
// alone notes when a packet passed and how much.
type loan struct {
	way   uint32
	ports [2]uint16 // source and destination of what arrives
	delta packet.Delta
	term  uint32 // 0: it serves no more, since a packet went to the walk that others must not overtake
	idle  millis // after which it does not serve; the walk knows of the other direction
	last  clock.Time
	count flowlog.Tally
}

// way is what loans have in common. It is comparable.
type way struct {
	src, dst       packet.Addr // of what arrives
	srcMAC, dstMAC packet.MAC
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

// most is how many packets a loan counts before the walk takes them off it: together with
// those that the path has counted a Tally holds them.
const most = 1 << 30

// Carry forwards a frame that came from the device of interface in, as [Walk.Process]
// would: out is the interface by whose device the frame, rewritten in place, leaves. It
// reports false where the frame is for the walk, and leaves it as it is.
func (c *Courier) Carry(now clock.Time, in InterfaceID, f *packet.Frame) (out InterfaceID, ok bool) {
	v := &c.view
	if v.Decode(f) != drop.None || v.Kind != packet.KindIP || v.SrcMAC != c.prog.Interfaces[in].MAC || v.DstMAC.IsMulticast() {
		return NoInterface, false
	}
	var key flow.Key
	key.Set(flow.Scope(in), v)
	_, l, _ := c.loans.Lookup(&key)
	if l == nil {
		return NoInterface, false
	}
	way := c.ways.At(l.way)
	if !l.serves(now, c.term) || !way.carries(v) {
		l.term = 0
		return NoInterface, false
	}
	l.last = now
	l.count.Add(now, uint32(v.Segments), uint64(v.WireLen), v.Flags)
	way.traffic.Add(now, uint64(v.Segments), way.bytes, uint64(v.WireLen))
	r := &c.rewrite
	r.Src, r.Dst, r.SrcPort, r.DstPort = way.src, way.dst, l.ports[0], l.ports[1]
	r.SrcMAC, r.DstMAC, r.TTL, r.NAT, r.Delta = way.srcMAC, way.dstMAC, way.ttl, way.nat, l.delta
	v.Apply(r)
	v.Complete()
	return way.out, true
}

// serves reports whether the walk would find the path of l without looking further.
func (l *loan) serves(now clock.Time, term uint32) bool {
	return l.term == term && now.Sub(l.last) < l.idle.duration() && l.count.Packets < most
}

// carries reports whether a packet is plain, and may go this way.
func (y *way) carries(v *packet.View) bool {
	return !v.Fragment && v.Flags&(packet.SYN|packet.FIN|packet.RST) == 0 && v.MaxLen <= int(y.mtu) && v.TTL > y.ttl
}

// hash returns a hash of what tells ways apart in the main.
func (y *way) hash(seed flow.Seed) uint64 {
	k := flow.Key{Src: y.src, Dst: y.dst, Scope: flow.Scope(y.out)}
	k.SrcPort, k.DstPort = binary.LittleEndian.Uint16(y.dstMAC[4:]), uint16(y.mtu)
	return flow.Hash(seed, &k)
}

// Expect is [Walk.Expect] for those that a courier will be given.
func (c *Courier) Expect(soon []Arrival) { expect(c.loans.Expect, &c.expected, soon) }

// Dropped counts a packet that died at an interface after the courier carried it.
func (c *Courier) Dropped(at InterfaceID, why drop.Reason) { c.drops[death{at, why}]++ }
