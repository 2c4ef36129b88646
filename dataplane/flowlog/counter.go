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

// logged returns what a segment adds to the tcp-flags field: the ACK bit shows
// only beside a SYN (F4.13).
func logged(f packet.Flags) packet.Flags {
	const synAck = packet.SYN | packet.ACK
	if f&synAck == synAck {
		return synAck
	}
	return f & (packet.FIN | packet.SYN | packet.RST)
}
