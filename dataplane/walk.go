package dataplane

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/link"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/ppv2"
	"github.com/plsim/plsim/dataplane/snat"
)

// Walk is the fabric: the program that it follows, and all the state that
// packets leave behind. It has one owner, which calls its methods one at a time.
type Walk struct {
	prog     *Program
	settings Settings

	lines      *flow.Lines            // of the keys of all tables of flows
	paths      *flow.Table[trip]      // what was decided, by flow; may be forgotten at any time
	behind     flow.Beside[behind]    // what is seldom needed of them
	recipes    flow.Shared[recipe]    // what paths have in common,
	sides      flow.Shared[side]      // twice
	pairs      flow.Shared[snat.Pair] // what load balancers' flows have in common,
	splices    flow.Slab[splice]      // and what few of them have
	track      *conntrack.Table       // security groups: who may answer, by interface (D5)
	flows      *flow.Table[nlb.Flow]  // load balancers: which target, which source port (D5)
	ports      *snat.Pool             // the source ports of the load balancers' nodes
	reclaims   clock.Time             // when it looks for room next
	bound      map[InterfaceID]InterfaceID
	affinities *flow.Single[affinity] // of clients to target groups
	register   register               // the program's targets, by what is asked about them
	precedents precedents             // what was decided on other flows
	failures   map[Suspect]int        // in a row

	callers uint32             // how many clients TLS listeners have answered
	calls   map[flow.Key]*call // the connections of TLS listeners to targets, as they leave the node

	rnd    *rand.Rand
	chance *rand.PCG // what rnd draws from
	salt   flow.Seed // of the load balancers' flow hash

	fragments []*fragments // by InterfaceID; nil: it has sent none
	number    uint32       // how many packets came in fragments so far

	drops  [][drop.NumReasons]uint64 // by InterfaceID
	meter  *metrics.Meter
	died   []uint64 // by InterfaceID: what of drops the meter knows
	log    *flowlog.Buffer
	ledger *ledger // nil: nobody will ask how a flow is
	watch  *watch  // nil: nobody looks
	links  *links  // nil: the lab declares none

	lenders []*Lender          // to those who forward beside the walk, and
	lent    flow.Slab[lending] // what of paths they have lent

	// Here so that none is allocated anew:
	view     packet.View        // the packet at hand,
	piece    uint32             // the number of which it is a fragment,
	decision decision           // the decision on it,
	rewrite  packet.Rewrite     // what happens to it,
	header   [ppv2.MaxSize]byte // its PROXY protocol header; and
	ahead    ahead[trip]        // those of a batch
}

// Settings are the choices of a lab that are no part of its topology.
type Settings struct {
	// Seed makes every random choice: hashes, source ports, and the load
	// balancer that an endpoint's interface is bound to.
	Seed uint64
	// Tracking holds the timeouts of security group tracking, where an interface has
	// none of its own (F3.14).
	Tracking conntrack.Timeouts
	// Balancing holds the timeouts of the load balancers' flows beside their
	// listeners' (F2.44).
	Balancing nlb.Timeouts
	// PassiveChecks is how many connections in a row a target may refuse or leave
	// unanswered before it is a [Suspect] (F2.53); 0: nobody counts.
	PassiveChecks int
	// SourcePorts is how many source ports one node address has towards one
	// target; 0 stands for AWS's 55,000 (F2.30).
	SourcePorts int
	// TrackedFlows is how many flows the security groups of one interface can
	// track (F3.16); 0: no limit.
	TrackedFlows int
	// LogWindow is the time over which flow logs sum flows (F4.2), 0: until somebody
	// asks; and LogBuffer how many entries they hold until they are taken away, 0 for
	// flowlog.DefaultBuffer.
	LogWindow time.Duration
	LogBuffer int
	// LogHidden makes the log complete, with the hops of which AWS has no record, and
	// an ID for each flow.
	LogHidden bool
	// Unlogged says that nobody will look at flow logs: nothing is entered in them.
	Unlogged bool
	// Accounts says that somebody may ask how flows are: for each it is kept when it
	// began and what it has sent ([Walk.ViewFlows]).
	Accounts bool
}

// DefaultSettings are AWS's, where AWS says.
func DefaultSettings() Settings {
	return Settings{
		Tracking:  conntrack.DefaultTimeouts(),
		Balancing: nlb.DefaultTimeouts(),
		LogWindow: flowlog.ShortWindow,
	}
}

// Streams of chance, which all come from one seed: what happens to packets on links
// changes no decision.
const (
	decisions = 0x706c73696d
	accidents = 0x6c696e6b73
)

// New returns a walk that follows a program.
func New(prog *Program, s Settings) *Walk {
	chance := rand.NewPCG(s.Seed, decisions)
	rnd := rand.New(chance)
	w := &Walk{
		settings: s,
		ports:    snat.NewPool(s.SourcePorts),
		bound:    make(map[InterfaceID]InterfaceID),
		calls:    make(map[flow.Key]*call),
		failures: make(map[Suspect]int),
		register: newRegister(),

		precedents: newPrecedents(),
		rnd:        rnd,
		chance:     chance,
		meter:      metrics.NewMeter(),
		log:        flowlog.NewBuffer(s.LogBuffer),
	}
	w.lines = flow.NewLines(w.seed())
	for range 2 {
		w.seed() // so that labs keep the choices of their seeds
	}
	w.paths, w.flows = flow.NewTableOn[trip](w.lines), flow.NewTableOn[nlb.Flow](w.lines)
	w.track = conntrack.NewTable(w.lines, w.timeouts, s.TrackedFlows, w.upholds)
	w.salt = w.seed()
	w.affinities = flow.NewSingle[affinity](w.salt)
	if s.Accounts {
		w.ledger = newLedger(w.salt)
	}
	w.Load(prog)
	return w
}

// seed draws a seed for hashes.
func (w *Walk) seed() flow.Seed { return flow.Seed{w.rnd.Uint64(), w.rnd.Uint64()} }

// Load makes the walk follow another program from the next packet on. Interfaces
// keep their IDs from program to program, so counters and flows carry on.
func (w *Walk) Load(prog *Program) {
	if w.prog != nil && slices.ContainsFunc(w.prog.VPCs, func(v VPC) bool { return v.Transits }) {
		w.reportAll() // to the transit gateways' interfaces that paths lead over now
	}
	w.prog = prog
	w.register.forget()
	w.precedents.forget()
	w.suspend()
	if n := len(prog.Interfaces) - len(w.drops); n > 0 {
		w.drops = append(w.drops, make([][drop.NumReasons]uint64, n)...)
		w.fragments = append(w.fragments, make([]*fragments, n)...)
		w.died = append(w.died, make([]uint64, n)...)
	}
	w.loadLinks()
	if len(prog.Closures) > 0 {
		w.close(prog.Closures)
	}
}

// Program returns what the walk follows.
func (w *Walk) Program() *Program { return w.prog }

// Process takes one frame that came from the device of interface in along the
// walk. It returns the interface by whose device the frame, rewritten in place,
// leaves; or NoInterface and why. A frame that comes with both an interface and a
// reason answers a packet that was dropped.
func (w *Walk) Process(now clock.Time, in InterfaceID, f *packet.Frame) (out InterfaceID, why drop.Reason) {
	if out, ok := w.hasten(now, in, f); ok {
		return out, drop.None
	}
	return w.process(now, in, f)
}

// process is Process of a frame that does not take the short way.
func (w *Walk) process(now clock.Time, in InterfaceID, f *packet.Frame) (out InterfaceID, why drop.Reason) {
	v := &w.view
	if w.links != nil {
		w.links.fate = link.Send(now)
	}
	if why = v.Decode(f); why != drop.None {
		return w.turnAway(now, in, v, why)
	}
	if why = w.admit(in, v); why != drop.None {
		return w.turnAway(now, in, v, why)
	}
	if v.Kind != packet.KindIP {
		return w.resolve(now, in, v)
	}
	out, why, onward := w.pass(now, in, v, false)
	if onward {
		return w.chain(now, out, why, f)
	}
	return out, why
}

// pass takes a packet along its path, which is decided if there is none. onward says
// that the path ends at a node which sends the packet on, as this one may have been.
func (w *Walk) pass(now clock.Time, in InterfaceID, v *packet.View, sent bool) (out InterfaceID, why drop.Reason, onward bool) {
	if v.Fragment {
		if why = w.gather(now, in, v, true); why != drop.None {
			out, why = w.turnAway(now, in, v, why)
			return out, why, false
		}
	}
	var key flow.Key
	key.Set(flow.Scope(in), v)
	key.Proto = ownProto(v)
	ref, t, dir := w.paths.Lookup(&key)
	var known path
	p := &known
	if t != nil {
		w.whole(ref, t, p)
	}
	if t == nil || !p.serves(now, w.prog.Epoch, v) {
		w.prepare(v)
		if why = w.decide(now, in, v, ref, sent); why != drop.None {
			out, why = w.turnAway(now, in, v, why)
			return out, why, false
		}
		p, dir = &w.decision.path, flow.Forward
	}
	out, why = w.follow(now, in, p, dir, v)
	if p.trip == &w.decision.trip { // nothing else will remember it
		w.report(p)
		if w.decision.oneWay {
			w.writeBack(p)
		}
	}
	if why != drop.None {
		dir = flow.Reply // what leaves is the answer, if any
	}
	return out, why, p.arrival(dir).onward && out != NoInterface
}

// admit judges a frame by its Ethernet addresses.
func (w *Walk) admit(in InterfaceID, v *packet.View) drop.Reason {
	switch {
	case v.SrcMAC != w.prog.Interfaces[in].MAC:
		return drop.SourceMAC
	case v.Kind == packet.KindIP && v.DstMAC.IsMulticast():
		return groupReason(v)
	case v.Proto == packet.ICMPv6 && v.Kind == packet.KindIP && isDiscovery(v.Type):
		// As with ARP, only questions are accepted: an answer that nobody asked
		// for, or a router's word, could only deceive its receiver.
		return drop.BadARP
	default:
		return drop.None
	}
}

// isDiscovery reports whether an ICMPv6 message is one of neighbour discovery,
// from router solicitation to redirect (RFC 4861 section 4).
func isDiscovery(kind uint8) bool { return kind >= 133 && kind <= 137 }

// follow sends a packet along its path: what every packet of a flow does after
// the first.
func (w *Walk) follow(now clock.Time, in InterfaceID, p *path, dir flow.Dir, v *packet.View) (InterfaceID, drop.Reason) {
	if w.watch != nil {
		w.look(now, p)
	}
	p.last = now
	why := drop.None
	if p.verdict == drop.None {
		why = w.carries(p, v, dir)
	}
	if w.links != nil && why == drop.None {
		why = w.cross(p, dir, sizeOf(v))
	}
	if why != drop.None {
		if p.watched {
			w.show(in, p, dir, v, why)
		}
		w.lose(now, p, dir, v, why) // no load balancer processes it
		return w.discard(w.grave(p, why), why)
	}
	if p.watched {
		w.show(in, p, dir, v, p.verdict)
	}
	p.count(dir, v.Segments, v.WireLen, v.Flags)
	if p.verdict != drop.None {
		return w.refuse(in, p, v)
	}
	if !p.settled() || v.Flags&(packet.SYN|packet.FIN|packet.RST) != 0 {
		w.observe(p, dir, v)
	}
	p.rewrite(dir, &w.rewrite)
	v.Apply(&w.rewrite)
	if v.Fragment && p.passesNode() {
		v.Renumber(w.piece) // else two clients' pieces could be taken for one packet's
	}
	if p.spliced {
		w.insert(p, dir, v)
	}
	v.Complete()
	return p.arrival(dir).out, drop.None
}

// refuse drops a packet that has no way, and answers where AWS does: a segment
// of a flow that the load balancer does not know, or has forgotten, is reset,
// whichever side sent it (F2.10, F2.45), and so is one to a target that turned
// unhealthy (F2.55), and by a setting one whose endpoint is gone (F1.19). All else is
// silence (F2.62).
func (w *Walk) refuse(in InterfaceID, p *path, v *packet.View) (InterfaceID, drop.Reason) {
	w.discard(p.end, p.verdict)
	w.touch(p)
	if p.muted || !answered(p.verdict, v) {
		return NoInterface, p.verdict
	}
	w.meter.Advance(p.last)
	w.meter.Add(p.place, metrics.BalancerResets, 1)
	length := v.AnswerReset()
	p.count(flow.Reply, 1, length, packet.RST)
	if p.watched {
		w.showReset(p, v)
	}
	w.hangUp(p)
	if w.links != nil && !w.answers(p, length) {
		return NoInterface, p.verdict
	}
	return in, p.verdict
}

// hangUp closes a connection that is reset on behalf of its other end: the security
// groups that track it on the reset's way see it pass.
func (w *Walk) hangUp(p *path) {
	from := flow.Reply
	if p.turned {
		from = flow.Forward
	}
	p.life.Observe(from, packet.TCP, packet.RST)
	w.refresh(p)
	w.tell(p)
}

// answered reports whether a packet that is dropped for a reason is answered
// with a reset.
func answered(why drop.Reason, v *packet.View) bool {
	switch why {
	case drop.UnknownFlow, drop.TargetUnhealthy, drop.EndpointRevoked:
		return v.Flags&packet.RST == 0 && !v.Fragment
	default:
		return false
	}
}

// turnAway discards a packet at the interface that sent it, before it has a path.
func (w *Walk) turnAway(now clock.Time, in InterfaceID, v *packet.View, why drop.Reason) (InterfaceID, drop.Reason) {
	w.see(now, in, flow.Egress, v, why)
	return w.discard(in, why)
}

// discard counts a packet that dies at an interface.
func (w *Walk) discard(at InterfaceID, why drop.Reason) (InterfaceID, drop.Reason) {
	w.drops[at][why]++
	return NoInterface, why
}

// groupReason tells broadcast from multicast.
func groupReason(v *packet.View) drop.Reason {
	if v.DstMAC == (packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) {
		return drop.Broadcast
	}
	return drop.Multicast
}
