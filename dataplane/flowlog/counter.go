// Package flowlog turns what crossed an interface into VPC flow log records: a
// [Counter] takes in packets, an [Aggregator] sums counters over a window, and a
// [Record] prints itself as AWS does.
package flowlog

import (
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
