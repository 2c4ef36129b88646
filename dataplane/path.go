package dataplane

import (
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
type path struct {
	epoch    uint32
	isn      uint32            // sequence number of the packet that was decided on
	verdict  drop.Reason       // None: forward
	rejected bool              // the last hop is on record as the one that refuses
	opens    bool              // the packet that was decided on opened a flow
	loose    bool              // some interface tracks nothing of the flow (F3.10)
	muted    bool              // the reset that would answer does not arrive
	private  bool              // crosses an endpoint
	settled  bool              // only a SYN, FIN or RST can change state
	turned   bool              // Forward is the direction of the flow's answers
	spliced  bool              // a PROXY protocol header goes before the client's bytes
	watched  bool              // somebody looks at an interface on it
	life     conntrack.Machine // as seen by the side that began the flow
	proto    packet.Proto
	hopCount uint8
	measured bool            // a load balancer processes the packets
	bytes    metrics.Counter // whose their bytes are then
	place    metrics.Place   // where the flow is counted
	traffic  metrics.Traffic // what counts there, if measured
	mtu      int32           // of the front: bytes of IP packet
	front    InterfaceID     // that judges length and time to live: the endpoint's, else the first
	end      InterfaceID     // where a packet that is refused dies
	id       uint64          // of the flow, in a complete log; else 0

	last     clock.Time
	idle     time.Duration   // after which some state behind the path is gone
	balanced flow.Ref        // the load balancer's flow, if any
	listener time.Duration   // idle timeout of its listener
	ends     [2]packet.Tuple // of Forward packets: at the first hop and at the last
	hops     [maxHops]hop    // in the order of Forward
	legs     [2]leg          // by flow.Dir
}

// leg is one direction of a path.
type leg struct {
	out     InterfaceID
	onward  bool  // out is a node that sends the packet on
	mtu     int32 // bytes of IP packet, as it enters
	rewrite packet.Rewrite
	count   flowlog.Counter
	added   added // to what is counted, on the way
}

// added is what a load balancer put before a client's bytes: the translation's far
// side sees it, and count does not.
type added struct{ packets, bytes uint32 }

// hop is an interface that the path passes. Forward packets leave by an even hop
// and enter by an odd one; a translation stands between the second and the third.
type hop struct {
	at    InterfaceID
	track flow.Ref // the security groups' tracking entry, if any
}

// growth is how many bytes longer a packet is at the last hop than at the first,
// where the path leads from one address family to the other. An ICMP error quotes
// another packet, which grows, too.
func (p *path) growth() int {
	n := packet.Growth(p.ends[0].Dst, p.ends[1].Dst)
	if p.proto == packet.ICMP || p.proto == packet.ICMPv6 {
		n *= 2
	}
	return n
}

// protoAt is the protocol at hop i: ICMP has one for each family.
func (p *path) protoAt(i int) packet.Proto {
	switch is4 := p.ends[i/2].Dst.Is4(); {
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

// expired reports whether p has been idle for so long that some state behind it
// is gone.
func (p *path) expired(now clock.Time) bool { return now.Sub(p.last) >= p.idle }

// carries judges whether a packet may go the way of p: its length and its time
// to live. Nobody tells the sender (F1.31).
func (w *Walk) carries(p *path, v *packet.View, dir flow.Dir) drop.Reason {
	leg := &p.legs[dir]
	mtu := leg.mtu
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
	case v.TTL <= leg.rewrite.TTL:
		return drop.TTL
	default:
		return drop.None
	}
}

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
	p.settled = p.life.Observe(dir, v.Proto, v.Flags) > conntrack.New
	if v.Flags&(packet.FIN|packet.RST) != 0 {
		w.turns(p, dir, v)
	}
	if dir == flow.Reply && v.Flags&(packet.SYN|packet.RST) != 0 {
		w.replies(p, was, v)
	}
	if p.life != was {
		w.refresh(p)
	}
}

// refresh works out how long a path may be idle: until the first of the states
// behind it is gone.
func (w *Walk) refresh(p *path) {
	s := p.life.State()
	p.idle = w.settings.Tracking.For(s, p.proto)
	for i, h := range p.hops[:p.hopCount] {
		idle := w.timeouts(flow.Scope(h.at)).For(s, p.proto)
		if i == 0 || idle < p.idle {
			p.idle = idle
		}
	}
	if p.balanced.Valid() {
		p.idle = min(p.idle, w.settings.Balancing.For(s, p.proto, p.listener))
		if !p.life.Answered() {
			p.idle = min(p.idle, w.settings.Balancing.Answer) // F2.48
		}
	}
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
func (w *Walk) install(d *decision) *path {
	p := &d.path
	if w.settings.LogHidden {
		d.identify()
	}
	p.watched = w.watches(p)
	w.measure(p)
	w.refresh(p)
	if d.passing || d.oneWay {
		return p
	}
	there := tupleKey(p.hops[0].at, p.proto, p.ends[0])
	var ref flow.Ref
	if p.verdict != drop.None {
		// What refuses one direction says nothing of the other.
		ref, p, _ = w.paths.Insert(there, *p)
	} else {
		back := tupleKey(p.hops[p.hopCount-1].at, p.proto, p.ends[1].Reversed())
		w.displace(&back)
		ref, p, _ = w.paths.InsertPair(there, back, *p)
	}
	for i := range p.hops[:p.hopCount] {
		if e := w.track.At(p.last, p.hops[i].track); e != nil {
			if p.verdict == drop.None || !w.lives(e.Owner) {
				e.Owner = ref
			}
		}
	}
	if f := w.flows.At(p.balanced); f != nil && (p.verdict == drop.None || !w.lives(f.Owner)) {
		f.Owner = ref
	}
	return p
}

// displace takes a key from the path that holds it: with client addresses
// preserved, two connections can look the same to a target, and the newer one
// has the answer.
func (w *Walk) displace(k *flow.Key) {
	if ref, p, _ := w.paths.Lookup(k); p != nil {
		w.retire(ref)
	}
}

// reconsider forgets that a packet was refused: what it answers has come meanwhile,
// or its flow is over. Of a load balancer's flow that is over, if one is given, it
// forgets the way as well.
func (w *Walk) reconsider(k flow.Key, over flow.Ref) {
	if ref, p, _ := w.paths.Lookup(&k); p != nil && (p.verdict != drop.None || over.Valid() && p.balanced == over) {
		w.retire(ref)
	}
}

// lives reports whether a path still is: then the states behind it are older than
// what it knows.
func (w *Walk) lives(ref flow.Ref) bool { return w.paths.At(ref) != nil }

// retire forgets a path, after its counts went to the flow logs and what it knew
// of the flow's life to the states behind it.
func (w *Walk) retire(ref flow.Ref) {
	p := w.paths.At(ref)
	if p == nil {
		return
	}
	w.report(p)
	w.writeBack(p)
	w.paths.Delete(ref)
}

// catchUp tells the states behind a path, if it lives, what it knows.
func (w *Walk) catchUp(owner flow.Ref) {
	if p := w.paths.At(owner); p != nil {
		w.writeBack(p)
	}
}

// writeBack tells the states behind a path what it knows of the flow's life.
func (w *Walk) writeBack(p *path) {
	for i, h := range p.hops[:p.hopCount] {
		if e := w.track.At(p.last, h.track); e != nil {
			e.LastSeen, e.Machine = p.last, p.life
			if began := e.Opened == wayOf(i); began == p.turned {
				e.Machine = p.life.Turned() // tracked since an answer only
			}
		}
	}
	if f := w.flows.At(p.balanced); f != nil {
		f.LastSeen, f.Machine = p.last, p.life
	}
}

// wayOf is how Forward packets pass hop i.
func wayOf(i int) flow.Way {
	if i%2 == 0 {
		return flow.Egress
	}
	return flow.Ingress
}
