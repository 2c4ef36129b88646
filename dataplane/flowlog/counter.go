// Package flowlog turns what crossed an interface into VPC flow log records: a
// [Counter] takes in packets, an [Aggregator] sums counters over a window, and a
// [Record] prints itself as AWS does.
package flowlog

import (
	"math"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// Counter sums the packets of one direction of a connection. The zero Counter
// has seen none.
type Counter struct {
	Packets, Bytes uint64     // Bytes counts whole IP packets
	First, Last    clock.Time // of the packets; meaningless without any
	Flags          packet.Flags
}

// Add takes in packets that pass now, all with the same TCP flags; of another
// protocol flags is 0. Bytes counts their IP headers too.
func (c *Counter) Add(now clock.Time, packets, bytes uint64, flags packet.Flags) {
	if c.Packets == 0 {
		c.First = now
	}
	c.Packets += packets
	c.Bytes += bytes
	c.Last = now
	c.Flags |= logged(flags)
}

// Tally is a [Counter] in less memory, for fewer packets: whoever keeps one empties it
// before it is full.
type Tally struct {
	Bytes       uint64
	First, Last clock.Time
	Packets     uint32
	Flags       packet.Flags
}

// Add takes in packets as [Counter.Add] does.
func (t *Tally) Add(now clock.Time, packets uint32, bytes uint64, flags packet.Flags) {
	if t.Packets == 0 {
		t.First = now
	}
	t.Packets += packets
	t.Bytes += bytes
	t.Last = now
	t.Flags |= logged(flags)
}

// Merge takes in all that o has seen.
func (t *Tally) Merge(o *Tally) {
	c := t.Counter()
	c.Merge(o.Counter())
	*t = Tally{c.Bytes, c.First, c.Last, uint32(c.Packets), c.Flags}
}

// Full reports whether it is time to empty t: half of the packets that it can count
// are there.
func (t *Tally) Full() bool { return t.Packets > math.MaxUint32/2 }

// Counter returns what t has seen.
func (t *Tally) Counter() Counter {
	return Counter{uint64(t.Packets), t.Bytes, t.First, t.Last, t.Flags}
}

// Merge takes in all that o has seen.
func (c *Counter) Merge(o Counter) {
	switch {
	case o.Packets == 0:
		return
	case c.Packets == 0:
		*c = o
		return
	}
	c.Packets += o.Packets
	c.Bytes += o.Bytes
	c.First = min(c.First, o.First)
	c.Last = max(c.Last, o.Last)
	c.Flags |= o.Flags
}

// impossible marks a counter that has seen a segment whose flags contradict each
// other. No record shows PSH, whose bit it is (F4.12).
const impossible = packet.PSH

// logged returns what a segment adds to the tcp-flags field: the ACK bit shows
// only beside a SYN (F4.13), and of SYN, FIN and RST a segment can have one (F4.12).
func logged(f packet.Flags) packet.Flags {
	turn := f & (packet.FIN | packet.SYN | packet.RST)
	switch {
	case turn == 0:
		return 0
	case turn&(turn-1) != 0:
		return impossible
	case turn == packet.SYN:
		return f & (packet.SYN | packet.ACK)
	}
	return turn
}
