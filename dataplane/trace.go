package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Trace records what the walk decided about one packet, hop by hop. A nil Trace
// records nothing and costs nothing.
type Trace struct {
	Steps []TraceStep

	answers bool        // what follows is about what would answer the packet
	aside   []TraceStep // about answers, of a packet that goes on
}

// Stage is a place of the walk where something is decided.
type Stage uint8

// The stages.
const (
	StageZone      Stage = iota // Interface's zone is lost
	StageFilter                 // security groups of Interface
	StageEdge                   // network ACL of Interface's subnet
	StageRoute                  // To has the destination address; Route leads there
	StageEndpoint               // Interface is an endpoint's; To is the node it uses
	StageListener               // Interface is a node, asked for Proto and Tuple's destination port
	StageAnswer                 // Interface is a node whose server gets the packet as Tuple: the listener's protocol is TLS
	StageTarget                 // Interface is a node; Target was chosen
	StageTranslate              // Tuple is what the packet looks like from here on
	StageTransit                // Interface and To are the transit gateway's, between which Route leads
	StagePublic                 // Interface is on the internet, or To: there the packet looks like Tuple
	StageDeliver                // To gets the packet as Tuple
	StageLink                   // between Interface and To the packet crosses Link
)

// FilterResult says how an interface's security groups decided.
type FilterResult uint8

// The results.
const (
	Allowed     FilterResult = iota // by Rule
	NoRule                          // no rule allows it
	Tracked                         // it belongs to a flow that Rule admitted before
	Untracked                       // by Rule, and nothing is remembered of it (F3.10)
	Related                         // it is an ICMP error about such a flow
	Exempt                          // the interface is not filtered (F3.5), or has no groups (F2.63)
	TableFull                       // Rule allows it, but the interface tracks as many flows as it can (F3.16)
	NotEnforced                     // inbound rules do not apply to PrivateLink traffic (F2.64)
)

// TraceStep is one decision.
type TraceStep struct {
	Stage     Stage
	Interface InterfaceID
	To        InterfaceID
	Way       flow.Way // StageFilter: into Interface, or out of it
	Result    FilterResult
	Rule      filter.RuleID // of NoRule: what comes nearest, with Miss
	Miss      filter.Miss
	Target    Target
	Proto     packet.Proto
	Tuple     packet.Tuple
	Query     filter.Query // what no rule was about, or what the network ACL refused
	Why       drop.Reason  // not None: the packet goes no further

	ACL    *filter.ACL // StageEdge
	Number int         // StageEdge: of the entry that decided
	Near   int         // StageEdge: of the entry that comes nearest, with Miss, where none decided
	Route  *Route      // StageRoute: nil within the VPC
	Link   *Link       // StageLink
	// Answer says that this is not about the packet, which was delivered, but about
	// what would answer it.
	Answer bool
}

func (t *Trace) add(s TraceStep) {
	if t != nil {
		s.Answer = t.answers
		t.Steps = append(t.Steps, s)
	}
}

// turn begins what is about the answer.
func (t *Trace) turn() {
	if t != nil {
		t.answers = true
	}
}

// goOn begins what becomes of a packet that a node sends on. What is about the answer
// is set aside, for that comes here last.
func (t *Trace) goOn() {
	if t == nil || !t.answers {
		return
	}
	t.answers = false
	if i := slices.IndexFunc(t.Steps, func(s TraceStep) bool { return s.Answer }); i >= 0 {
		t.aside = append(slices.Clone(t.Steps[i:]), t.aside...)
		t.Steps = t.Steps[:i]
	}
}

// settle ends the trace of a packet that was delivered.
func (t *Trace) settle() {
	if t != nil {
		t.Steps = append(t.Steps, t.aside...)
	}
}

func (t *Trace) edge(at InterfaceID, way flow.Way, q *filter.Query, acl *filter.ACL, number int, why drop.Reason) {
	if t == nil {
		return
	}
	s := TraceStep{Stage: StageEdge, Interface: at, To: NoInterface, Way: way, ACL: acl, Number: number, Why: why}
	if why != drop.None {
		s.Query = *q
	}
	if number == filter.LastNumber {
		s.Near, s.Miss = acl.Nearest(*q)
	}
	t.add(s)
}

// refused notes that no rule allows q.
func (t *Trace) refused(at InterfaceID, way flow.Way, q *filter.Query, rules *filter.RuleSet, why drop.Reason) {
	if t == nil {
		return
	}
	rule, miss := rules.Nearest(*q)
	t.add(TraceStep{Stage: StageFilter, Interface: at, To: NoInterface, Way: way, Result: NoRule, Rule: rule, Miss: miss, Query: *q, Why: why})
}

func (t *Trace) lost(at InterfaceID) {
	t.add(TraceStep{Stage: StageZone, Interface: at, To: NoInterface, Why: drop.ZoneLost})
}

func (t *Trace) filtered(at InterfaceID, way flow.Way, r FilterResult, rule filter.RuleID, why drop.Reason) {
	t.add(TraceStep{Stage: StageFilter, Interface: at, To: NoInterface, Way: way, Result: r, Rule: rule, Why: why})
}

func (t *Trace) routed(from, to InterfaceID, r *Route, why drop.Reason) {
	t.add(TraceStep{Stage: StageRoute, Interface: from, To: to, Route: r, Why: why})
}

func (t *Trace) endpoint(at, node InterfaceID, why drop.Reason) {
	t.add(TraceStep{Stage: StageEndpoint, Interface: at, To: node, Why: why})
}

func (t *Trace) listener(node InterfaceID, proto packet.Proto, at packet.Tuple, why drop.Reason) {
	t.add(TraceStep{Stage: StageListener, Interface: node, To: NoInterface, Proto: proto, Tuple: at, Why: why})
}

func (t *Trace) answered(node InterfaceID, at packet.Tuple) {
	t.add(TraceStep{Stage: StageAnswer, Interface: node, To: NoInterface, Tuple: at})
}

func (t *Trace) target(node InterfaceID, target *Target, why drop.Reason) {
	if t == nil {
		return
	}
	s := TraceStep{Stage: StageTarget, Interface: node, To: NoInterface, Why: why}
	if target != nil {
		s.Target, s.To = *target, target.Interface
	}
	t.add(s)
}

func (t *Trace) translated(node InterfaceID, at packet.Tuple, why drop.Reason) {
	t.add(TraceStep{Stage: StageTranslate, Interface: node, To: NoInterface, Tuple: at, Why: why})
}

func (t *Trace) crossed(c *crossing) {
	t.add(TraceStep{Stage: StageTransit, Interface: c.in, To: c.out, Route: c.route})
}

func (t *Trace) exposed(from, to InterfaceID, at packet.Tuple) {
	t.add(TraceStep{Stage: StagePublic, Interface: from, To: to, Tuple: at})
}

func (t *Trace) delivered(to InterfaceID, at packet.Tuple) {
	t.add(TraceStep{Stage: StageDeliver, Interface: to, To: to, Tuple: at})
}

// spanned notes a link on the way. Where it carries nothing, nobody gets the packet.
func (t *Trace) spanned(from, to InterfaceID, l *Link, why drop.Reason) {
	if t != nil && why != drop.None {
		t.Steps = slices.DeleteFunc(t.Steps, func(s TraceStep) bool { return s.Stage == StageDeliver })
	}
	t.add(TraceStep{Stage: StageLink, Interface: from, To: to, Link: l, Why: why})
}

// Probe asks where an IP packet from the device of interface in would go now,
// notes every decision in tr and leaves no state behind. The frame is not
// changed. It returns what [Walk.Process] would, and foretells the same random
// choices.
func (w *Walk) Probe(now clock.Time, in InterfaceID, f *packet.Frame, tr *Trace) (InterfaceID, drop.Reason) {
	var v packet.View
	if why := v.Decode(f); why != drop.None {
		return NoInterface, why
	}
	if why := w.admit(in, &v); why != drop.None {
		return NoInterface, why
	}
	if v.Kind != packet.KindIP {
		return NoInterface, drop.None
	}
	if v.Fragment {
		if why := w.gather(now, in, &v, false); why != drop.None {
			return NoInterface, why
		}
	}
	key := flow.KeyOf(flow.Scope(in), &v)
	if ref, t, _ := w.paths.Lookup(&key); t != nil {
		w.catchUp(ref)
		if t.expired(now) {
			w.retire(ref) // no more state than is gone already
		}
	}
	chance := *w.chance
	defer func() { *w.chance = chance }()
	d := new(decision)
	d.begin(w, now, in, &v, tr)
	if why := d.sender(in); why != drop.None {
		return NoInterface, why
	}
	for sender, passed := in, 0; ; passed++ {
		if why := d.run(sender); why != drop.None {
			if lost := d.foresee(true); lost != drop.None {
				return NoInterface, lost
			}
			if answered(why, &v) && !d.muted(why) {
				return in, why
			}
			return NoInterface, why
		}
		if why := w.carries(&d.path, &v, flow.Forward); why != drop.None {
			return NoInterface, why
		}
		if why := d.foresee(false); why != drop.None {
			return NoInterface, why
		}
		to := d.path.arrival(flow.Forward)
		switch {
		case !to.onward:
			tr.settle()
			return to.out, drop.None
		case passed == maxChain-1:
			return NoInterface, drop.BalancerLoop
		}
		sender = to.out
		v.TTL -= d.path.ttl
		sent := d.path.seen(1)
		tr.goOn()
		d.begin(w, now, sender, &v, tr)
		d.at = sent
		d.path.look(0, sent)
		d.path.look(1, sent)
	}
}
