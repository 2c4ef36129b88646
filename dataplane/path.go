package dataplane

import (
	"math"
	"math/bits"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
)

// maxHops is how many times a packet can pass an interface: out of the client's,
// into the endpoint's or the node's, out of the node's, into the target's.
const maxHops = 4

// path is what was decided for a flow, in both directions; flow.Forward is that
// of the packet that was decided on. It stands for the state behind it: while it
// lives, it alone notes when the flow was last seen and how far its life has
// come, and [Walk.retire] writes that back.
//
// Most of it is the same for many flows, of which there is a million: the recipe for
// all that go the same way, and each side for all that have these two ends. Only the
// trip is the flow's own. So a path is put together from those where it is needed.
type path struct {
	*recipe
	*trip
	*behind
	sides [2]*side // of the translation: before it and after it, as Forward has it
}

// recipe is what paths of the same kind have in common. It is comparable.
type recipe struct {
	epoch    uint32
	verdict  drop.Reason  // None: forward
	rejected bool         // the last hop is on record as the one that refuses
	opens    bool         // the packet that was decided on opened a flow
	loose    bool         // some interface tracks nothing of the flow (F3.10)
	muted    bool         // the reset that would answer does not arrive
	private  bool         // crosses an endpoint
	turned   bool         // Forward is the direction of the flow's answers
	spliced  bool         // a PROXY protocol header goes before the client's bytes
	measured bool         // a load balancer processes the packets
	nat      bool         // the sides differ, and
	converts bool         // in the address family
	plain    packet.Proto // whose plain packets may take the short way; 0: none
	ttl      uint8        // what a packet pays of its time to live
	mss      uint16       // to which the MSS is clamped; 0: it is not
	proto    packet.Proto
	hopCount uint8
	bytes    metrics.Counter // whose the packets' bytes are, where measured
	place    metrics.Place   // where the flow is counted
	traffic  metrics.Traffic // what counts there, if measured
	mtu      int32           // of the front: bytes of IP packet
	mtus     [2]int32        // by flow.Dir: bytes of IP packet, as it enters
	front    InterfaceID     // that judges length and time to live: the endpoint's, else the first
	end      InterfaceID     // where a packet that is refused dies; NoInterface: nowhere
	listener time.Duration   // idle timeout of the load balancer's listener, if any
}

// side is what packets are on one side of the translation. It is comparable.
type side struct {
	packet.Ends                // of Forward packets
	hops        [2]InterfaceID // that they pass there, in the order of Forward
	out         InterfaceID    // where what arrives does so
	onward      bool           // that is a node which sends it on
}

// trip is what a path has of its own and every packet needs. With its keys it fills two
// lines of a processor's cache: the first is read, but for the time, and the second written.
type trip struct {
	recipe  uint32            // the numbers under which they are shared; 0: they are not,
	sides   [2]uint32         // and the path is kept for no other packet
	ports   [2]uint32         // of what comes, by flow.Dir, as packet.Words has them
	delta   packet.Delta      // of the translation of Forward packets
	life    conntrack.Machine // as seen by the side that began the flow
	watched bool              // somebody looks at an interface on it, as far as look knows
	idle    millis            // after which some state behind the path is gone
	last    clock.Time
	counts  [2]flowlog.Tally // by flow.Dir
}

// behind is what else a path has of its own: for packets that begin or end something.
type behind struct {
	lent     uint32            // number of what is lent of it; 0: nothing
	isn      uint32            // sequence number of the packet that was decided on
	balanced flow.Ref          // the load balancer's flow, if any
	tracks   [maxHops]flow.Ref // by hop: the security groups' tracking entry, if any
}

// millis is a duration in milliseconds, 49 days at most.
type millis uint32

// millisOf returns a duration as millis, rounded up.
func millisOf(d time.Duration) millis {
	return millis(min((d+time.Millisecond-1)/time.Millisecond, math.MaxUint32))
}

func (m millis) duration() time.Duration { return time.Duration(m) * time.Millisecond }

// hop returns the interface that Forward packets pass as number i. They leave by an
// even one and enter by an odd one; a translation stands between the second and the
// third.
func (p *path) hop(i int) InterfaceID { return p.sides[i/2].hops[i%2] }

// lastHop returns the interface that Forward packets pass last.
func (p *path) lastHop() InterfaceID { return p.hop(int(p.hopCount) - 1) }

// seen is what Forward packets look like on a side of the translation.
func (p *path) seen(at int) packet.Tuple {
	ports := p.ports[flow.Forward]
	if at == 1 {
		ports = p.leaves(flow.Forward)
	}
	t := packet.Tuple{Src: p.sides[at].Addrs[0], Dst: p.sides[at].Addrs[1]}
	t.SrcPort, t.DstPort = portsOf(ports)
	return t
}

// look says what Forward packets look like on a side of the translation.
func (p *path) look(at int, t packet.Tuple) {
	p.sides[at].Addrs = [2]packet.Addr{t.Src, t.Dst}
	if p.ports[at] = portsFrom(&t); at == 1 {
		p.ports[at] = turned(p.ports[at])
	}
}

// portsFrom returns ports as [packet.Words] has them, and portsOf what those are. turned are
// those of what answers.
func portsFrom(t *packet.Tuple) uint32       { return uint32(t.SrcPort)<<16 | uint32(t.DstPort) }
func portsOf(words uint32) (src, dst uint16) { return uint16(words >> 16), uint16(words) }
func turned(words uint32) uint32             { return bits.RotateLeft32(words, 16) }

// leaves returns the ports of packets of a direction when they arrive: those of what comes
// from there are the other way round.
func (t *trip) leaves(dir flow.Dir) uint32 { return turned(t.ports[dir&1^1]) }

// arrival is the side on which packets of a direction arrive.
func (p *path) arrival(dir flow.Dir) *side { return p.sides[dir.Flip()] }

// rewrite says what happens to packets of a direction.
func (p *path) rewrite(dir flow.Dir, r *packet.Rewrite) {
	to := p.arrival(dir)
	r.SrcMAC, r.DstMAC, r.TTL, r.MSS, r.NAT, r.Converts = to.SrcMAC, to.DstMAC, p.ttl, p.mss, p.nat, p.converts
	r.SrcPort, r.DstPort = portsOf(p.leaves(dir))
	if dir == flow.Forward {
		r.Src, r.Dst, r.Delta = to.Addrs[0], to.Addrs[1], p.delta
	} else {
		r.Src, r.Dst, r.Delta = to.Addrs[1], to.Addrs[0], p.delta.Reversed()
	}
}

// growth is how many bytes longer a packet is at the last hop than at the first,
// where the path leads from one address family to the other. An ICMP error quotes
// another packet, which grows, too.
func (p *path) growth() int {
	n := packet.Growth(p.sides[0].Addrs[1], p.sides[1].Addrs[1])
	if p.proto == packet.ICMP || p.proto == packet.ICMPv6 {
		n *= 2
	}
	return n
}

// protoAt is the protocol at hop i: ICMP has one for each family.
func (p *path) protoAt(i int) packet.Proto {
	switch is4 := p.sides[i/2].Addrs[1].Is4(); {
	case p.proto == packet.ICMP && !is4:
		return packet.ICMPv6
	case p.proto == packet.ICMPv6 && is4:
		return packet.ICMP
	}
	return p.proto
}

// serves reports whether p still says what to do with a packet.
func (p *path) serves(now clock.Time, epoch uint32, v *packet.View) bool {
	if p.epoch != epoch || p.expired(now) {
		return false
	}
	if p.verdict != drop.None && p.opens != conntrack.Opens(v.Proto, v.Flags) {
		return false // a rule is needed by the one, and not always by the other
	}
	if v.Proto != packet.TCP || !conntrack.Opens(v.Proto, v.Flags) {
		return true
	}
	// A SYN repeats the one that was decided on, or opens a new connection on
	// ports that were used before: that one may go to another target (F2.14).
	// Amid a live connection it is the target's to judge (RFC 9293 section 3.10.7.4),
	// unless nobody knows whether one lives.
	s := p.life.State()
	return !p.loose && (s == conntrack.Established || s < conntrack.Established && v.Seq == p.isn)
}

// expired reports whether t has been idle for so long that some state behind it
// is gone.
func (t *trip) expired(now clock.Time) bool { return now.Sub(t.last) >= t.idle.duration() }

// carries judges whether a packet may go the way of p: its length and its time
// to live. Nobody tells the sender (F1.31).
func (w *Walk) carries(p *path, v *packet.View, dir flow.Dir) drop.Reason {
	mtu := p.mtus[dir]
	if v.Fragment {
		var why drop.Reason
		if mtu, why = w.carriesFragment(p, v, dir); why != drop.None {
			return why
		}
	}
	switch {
	case v.MaxLen > int(mtu) && p.private:
		return drop.EndpointMTU
	case v.MaxLen > int(mtu):
		return drop.MTU
	case v.TTL <= p.ttl:
		return drop.TTL
	default:
		return drop.None
	}
}

// settled reports whether only a SYN, FIN or RST can change how far the flow has come.
func (t *trip) settled() bool { return t.life.State() > conntrack.New }

// observe moves the life of a flow on with a packet, and with it the time that
// its path may be idle.
func (w *Walk) observe(p *path, dir flow.Dir, v *packet.View) {
	if v.Offset > 0 {
		return // it is one packet with the fragment before
	}
	if p.turned {
		dir = dir.Flip()
	}
	was := p.life
	p.life.Observe(dir, v.Proto, v.Flags)
	if v.Flags&(packet.FIN|packet.RST) != 0 {
		w.turns(p, dir, v)
	}
	if dir == flow.Reply && v.Flags&(packet.SYN|packet.RST) != 0 {
		w.replies(p, was, v)
	}
	if p.life != was {
		w.recall(p)
		w.refresh(p)
	}
}

// refresh works out how long a path may be idle: until the first of the states
// behind it is gone.
func (w *Walk) refresh(p *path) {
	s := p.life.State()
	idle := w.settings.Tracking.For(s, p.proto)
	for i := range int(p.hopCount) {
		own := w.timeouts(flow.Scope(p.hop(i))).For(s, p.proto)
		if i == 0 || own < idle {
			idle = own
		}
	}
	if p.balanced.Valid() {
		idle = min(idle, w.settings.Balancing.For(s, p.proto, p.listener))
		if !p.life.Answered() {
			idle = min(idle, w.settings.Balancing.Answer) // F2.48
		}
	}
	p.idle = millisOf(idle)
}

// timeouts are those of what an interface tracks.
func (w *Walk) timeouts(at flow.Scope) *conntrack.Timeouts {
	if t := w.prog.Interfaces[at].Tracking; t != nil {
		return t
	}
	return &w.settings.Tracking
}

// install leaves the path for the packets that follow, unless it serves only
// this one.
func (w *Walk) install(d *decision) {
	p := &d.path
	p.watched = w.watches(p)
	w.measure(p)
	w.refresh(p)
	p.plain = p.plainProto()
	if d.oneWay && p.verdict == drop.None && d.v.Flags&(packet.FIN|packet.RST) != 0 {
		ref, t, _ := w.paths.Find(d.name(p.lastHop(), p.seen(1).Reversed()))
		w.reconsider(ref, t, flow.Ref{}) // what its answers go by is over sooner
	}
	if d.passing || d.oneWay {
		return
	}
	if p.verdict == drop.None {
		p.end = NoInterface // else the recipe would be that of one target
	}
	there := d.name(p.hop(0), p.seen(0))
	w.displace(there)
	var ref flow.Ref
	if p.verdict != drop.None {
		// What refuses one direction says nothing of the other.
		ref = w.share(p, there, there)
	} else {
		back := d.name(p.lastHop(), p.seen(1).Reversed())
		w.displace(back)
		ref = w.share(p, there, back)
	}
	for _, track := range p.tracks {
		if e := w.track.At(p.last, track); e != nil && p.verdict == drop.None {
			e.Owner = ref
		}
	}
	if f := w.flows.At(p.balanced); f != nil && (p.verdict == drop.None || !w.lives(f.Owner)) {
		f.Owner = ref
	}
	if w.ledger != nil {
		w.open(p)
	}
	d.sets()
}

// displace takes a key from the path that holds it: with client addresses
// preserved, two connections can look the same to a target, and the newer one
// has the answer.
func (w *Walk) displace(n *flow.Name) {
	if ref, t, _ := w.paths.Find(n); t != nil {
		w.retire(ref)
	}
}

// wayOf is how Forward packets pass hop i.
func wayOf(i int) flow.Way {
	if i%2 == 0 {
		return flow.Egress
	}
	return flow.Ingress
}
