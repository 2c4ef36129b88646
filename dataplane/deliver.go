package dataplane

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
)

// deliver completes the path of a packet that reaches its receiver, in both
// directions. What the two ends see as the other's is the hop next to them.
func (d *decision) deliver() {
	p := &d.path
	p.look(1, d.at)
	p.measured = p.place != metrics.Nowhere
	first, last := p.hop(0), p.lastHop()
	before, after := p.seen(0), p.seen(1)
	there, back := p.arrival(flow.Forward), p.arrival(flow.Reply)
	there.out, back.out = last, first
	there.SrcMAC, there.DstMAC = d.seenFrom(p.hop(int(p.hopCount)-2), last)
	back.SrcMAC, back.DstMAC = d.seenFrom(p.hop(1), first)
	there.onward = there.onward || d.w.sendsOn(last, p.protoAt(int(p.hopCount)-1), after)
	back.onward = d.w.sendsOn(first, p.proto, before.Reversed())
	r := packet.NewRewrite(before, after)
	p.nat, p.converts, p.delta = r.NAT, r.Converts, r.Delta
	p.ttl, p.mss = d.toll()
	for dir := range flow.Dir(2) {
		p.mtus[dir] = d.w.limit(p, dir, p.growth())
	}
	if !there.onward {
		d.trace.delivered(last, d.at)
	}
	if !d.passing && d.returns() != drop.None {
		d.oneWay = true
	}
}

// limit returns how long a packet may be that goes along a path, on which it grows:
// each interface judges the form that it sees, and so does the path's front (F1.31).
func (w *Walk) limit(p *path, dir flow.Dir, growth int) int32 {
	first, last := &w.prog.Interfaces[p.hop(0)], &w.prog.Interfaces[p.lastHop()]
	front := int(p.mtu)
	if dir == flow.Reply {
		first, last, growth = last, first, -growth
	}
	if (dir == flow.Reply) != p.turned {
		front -= growth
	}
	if w.transits(p) {
		front = min(front, transitMTU)
	}
	return int32(min(front, first.MTU, last.MTU-growth))
}

// seenFrom returns the MAC addresses of a frame to an interface: a neighbour in
// its subnet sends as itself, all else comes from the router.
func (d *decision) seenFrom(from, to InterfaceID) (src, dst packet.MAC) {
	a, b := &d.w.prog.Interfaces[from], &d.w.prog.Interfaces[to]
	if a.Subnet == b.Subnet && from != to && a.Kind != NAT {
		return a.MAC, b.MAC
	}
	return b.RouterMAC, b.MAC
}

// What a packet pays on its way. Endpoint and node lower the time to live by one
// each, which captures show end to end as two (F1.38). The MSS is clamped to what
// captures show for IPv4 (F1.32); for IPv6, on either side, to the same packet length.
const (
	endpointTTL  = 2
	nodeTTL      = 1
	endpointMSS4 = 8365
	endpointMSS6 = endpointMSS4 - 20
	// What a node says of itself (F2.52).
	nodeMSS4 = 8361
	nodeMSS6 = nodeMSS4 - 20
)

// clamp is the MSS that an endpoint allows in a packet of a family.
func (p *path) clamp(v6 bool) uint16 {
	if v6 || p.growth() != 0 {
		return endpointMSS6
	}
	return endpointMSS4
}

func (d *decision) toll() (ttl uint8, mss uint16) {
	p := &d.path
	v6 := d.v.V6
	own := false // the node's own, for what it sends on is its client's
	for _, s := range p.sides {
		own = own || d.w.prog.Interfaces[s.out].Kind == Node && !s.onward
	}
	fits := transitMSS(v6 || p.growth() != 0)
	switch {
	case p.private:
		return endpointTTL, p.clamp(v6)
	case d.w.prog.Interfaces[p.front].Kind == NAT:
		return nodeTTL, fits // F2.33
	case own && (v6 || p.growth() != 0):
		return nodeTTL, nodeMSS6
	case own:
		return nodeTTL, nodeMSS4
	case p.passesNode() && !d.w.transits(p):
		return nodeTTL, 0
	case p.passesNode():
		return nodeTTL, fits
	case d.w.transits(p):
		return 0, fits
	default:
		return 0, 0
	}
}
