package dataplane

import (
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Only the first fragment of a packet has ports, or an ICMP header. So the walk
// keeps what it said, for a while, and those that follow are packets of the same
// flow: they go its way, are counted in it, and share its verdict. Nothing is held
// back or put together, and one that comes before the first is lost.

const (
	// fragmentedPackets is how many packets of one interface can be in pieces on
	// their way at a time; the next one takes the place of the oldest. Whoever sends
	// more loses pieces of their own only.
	fragmentedPackets = 64
	// fragmentTime is how long pieces follow the first: as long as Linux waits for
	// them.
	fragmentTime = 30 * time.Second
)

// fragments is what is known of the packets that an interface sent in pieces.
type fragments struct {
	packets [fragmentedPackets]fragmented
	oldest  int
}

// fragmented is one packet in pieces: what its first piece said.
type fragmented struct {
	src, dst   packet.Addr
	id         uint32
	proto      packet.Proto
	kind, code uint8 // of ICMP
	srcPort    uint16
	dstPort    uint16
	end        int    // of the first piece's bytes
	number     uint32 // the packet's identification beyond a load balancer
	came       clock.Time
}

// is reports whether a piece is one of the packet.
func (f *fragmented) is(now clock.Time, v *packet.View) bool {
	return f.end != 0 && f.id == v.ID && f.proto == v.Proto && f.src == v.Src && f.dst == v.Dst &&
		now.Sub(f.came) < fragmentTime
}

// gather makes a fragment say what the first one of its packet said, or tells why
// there is none. A probe does not commit.
func (w *Walk) gather(now clock.Time, in InterfaceID, v *packet.View, commit bool) drop.Reason {
	if v.Offset == 0 {
		if isICMPError(v) {
			return drop.Fragment // no error is that long
		}
		if commit {
			w.number++
			w.keep(now, in, v)
		}
		return drop.None
	}
	all := w.fragments[in]
	if all == nil {
		return drop.OrphanFragment
	}
	for i := range all.packets {
		f := &all.packets[i]
		if !f.is(now, v) {
			continue
		}
		if v.Offset < f.end {
			return drop.OverlappingFragment
		}
		v.SrcPort, v.DstPort, v.Type, v.Code = f.srcPort, f.dstPort, f.kind, f.code
		w.piece = f.number
		return drop.None
	}
	return drop.OrphanFragment
}

// keep notes what the first fragment of a packet says, in the place of an earlier
// packet with the same identification or of the oldest.
func (w *Walk) keep(now clock.Time, in InterfaceID, v *packet.View) {
	w.piece = w.number
	if !v.More {
		return
	}
	all := w.fragments[in]
	if all == nil {
		all = new(fragments)
		w.fragments[in] = all
	}
	at := all.oldest
	for i := range all.packets {
		if all.packets[i].is(now, v) {
			at = i
		}
	}
	if at == all.oldest {
		all.oldest = (at + 1) % fragmentedPackets
	}
	all.packets[at] = fragmented{
		src: v.Src, dst: v.Dst, id: v.ID, proto: v.Proto, kind: v.Type, code: v.Code,
		srcPort: v.SrcPort, dstPort: v.DstPort, end: len(v.Transport()), number: w.number, came: now,
	}
}

// passesNode reports whether the path leads through a load balancer's node.
func (p *path) passesNode() bool { return p.hopCount == maxHops }

// carriesFragment judges whether a fragment may go the way of a path beside what
// holds for every packet: load balancers take those of UDP only (F1.41). It returns
// how long it may be, since between the families fragments grow by more than others.
func (w *Walk) carriesFragment(p *path, v *packet.View, dir flow.Dir) (mtu int32, why drop.Reason) {
	if !p.passesNode() {
		return p.mtus[dir], drop.None
	}
	if p.proto != packet.UDP {
		return 0, drop.Fragment
	}
	growth := p.growth()
	if growth == 0 {
		return p.mtus[dir], drop.None
	}
	if !v.Convertible() {
		return 0, drop.UncheckedFragment
	}
	const header = 8 // that IPv6 has for fragments alone
	if growth > 0 {
		return w.limit(p, dir, growth+header), drop.None
	}
	return w.limit(p, dir, growth-header), drop.None
}
