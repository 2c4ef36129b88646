// Package explain says in words which way a packet takes, or where it ends and
// why. It prints the very decisions that the walk noted, so it cannot drift from
// what packets do.
package explain

import (
	"fmt"
	"net/netip"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// Walked is what the walk decided about one packet.
type Walked struct {
	Prog   *dataplane.Program
	Trace  dataplane.Trace // which stems from Prog
	Why    drop.Reason     // of what [dataplane.Walk.Probe] returned
	Packet packet.Tuple    // as its sender sends it; zero: not known
}

// Way describes a trace of the walk, a line a decision, and ends with the verdict.
// The trace must stem from prog.
func Way(prog *dataplane.Program, tr *dataplane.Trace, why drop.Reason) []string {
	return (&Walked{Prog: prog, Trace: *tr, Why: why}).Lines()
}

// Lines describes the way, a line a decision, and ends with the verdict.
func (k *Walked) Lines() []string {
	var lines []string
	back := false
	for _, h := range k.Hops() {
		if h.Direction == Back && !back {
			lines, back = append(lines, "what answers it:"), true
		}
		lines = append(lines, h.Text)
		lines = append(lines, h.Notes...)
	}
	return append(lines, k.verdict())
}

// verdict says in a sentence what becomes of the packet.
func (k *Walked) verdict() string {
	lost, answer := k.Lost()
	switch {
	case k.Hairpin():
		return "a first packet would arrive now, and its receiver would drop it: the target is the client, whose address its target group preserves, and no host takes a packet from its own address (F2.29)"
	case answer:
		return fmt.Sprintf("a first packet would arrive now, but its answer is dropped as %s: %s", lost, lost.Explain())
	case lost != drop.None:
		return fmt.Sprintf("dropped as %s: %s", lost, lost.Explain())
	}
	return "a first packet would arrive now"
}

// Lost returns why the packet, or else its answer, does not arrive; None: both do.
func (k *Walked) Lost() (why drop.Reason, answer bool) {
	if k.Why != drop.None {
		return k.Why, false
	}
	for i := range k.Trace.Steps {
		if s := &k.Trace.Steps[i]; s.Answer && s.Why != drop.None {
			why = s.Why
		}
	}
	return why, why != drop.None
}

// Stop returns the decision that ended the packet's way, or its answer's; nil: none did,
// or it was made before the first of them.
func (k *Walked) Stop() *dataplane.TraceStep {
	lost, answer := k.Lost()
	if lost == drop.None {
		return nil
	}
	for i := len(k.Trace.Steps) - 1; i >= 0; i-- {
		// Groups of a load balancer refuse for a reason of their own.
		if s := &k.Trace.Steps[i]; s.Why == lost || s.Answer == answer && s.Stage == dataplane.StageFilter && s.Result == dataplane.NoRule {
			return s
		}
	}
	return nil
}

// Delivery returns how the packet was delivered at last; nil: it was not.
func (k *Walked) Delivery() *dataplane.TraceStep {
	for i := len(k.Trace.Steps) - 1; i >= 0; i-- {
		if s := &k.Trace.Steps[i]; s.Stage == dataplane.StageDeliver && !s.Answer {
			return s
		}
	}
	return nil
}

// Hairpin reports whether its receiver drops the packet, which comes from the
// receiver's own address (F2.29).
func (k *Walked) Hairpin() bool {
	d := k.Delivery()
	return k.Why == drop.None && d != nil && d.Tuple.Src == d.Tuple.Dst
}

// writer puts decisions into words.
type writer struct {
	prog *dataplane.Program
	hop  *Hop // at hand
}

// add says what the decision at hand is, or one thing more about it.
func (w *writer) add(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if w.hop.Text == "" {
		w.hop.Text = line
		return
	}
	w.hop.Notes = append(w.hop.Notes, line)
}

// name is an interface as people know it.
func (w *writer) name(id dataplane.InterfaceID) string {
	if id == dataplane.NoInterface {
		return "nothing"
	}
	n := &w.prog.Interfaces[id]
	return fmt.Sprintf("%s (%s)", n.Label, n.ID)
}

func (w *writer) step(s *dataplane.TraceStep) {
	at := w.name(s.Interface)
	switch s.Stage {
	case dataplane.StageZone:
		w.add("%s: its Availability Zone is lost", at)
	case dataplane.StageFilter:
		w.filter(s)
	case dataplane.StageEdge:
		w.edge(s)
	case dataplane.StageRoute:
		w.route(s)
	case dataplane.StageEndpoint:
		switch s.Why {
		case drop.EndpointNotAvailable:
			w.add("%s: the endpoint is not available", at)
		case drop.EndpointRevoked:
			w.add("%s: the flow's endpoint was rejected or deleted, and a reset tells of it", at)
		case drop.None:
			w.add("%s: the endpoint is available and leads to %s", at, w.name(s.To))
		default:
			w.add("%s: the packet ends here", at)
		}
	case dataplane.StageListener:
		switch s.Why {
		case drop.NoListener:
			w.add("%s: there is no listener for %s port %d", at, Protocol(s.Proto), s.Tuple.DstPort)
		case drop.LoadBalancerICMP:
			w.add("%s: no listener takes %s", at, Protocol(s.Proto))
		default:
			w.add("%s: the listener for %s port %d gets the packet", at, Protocol(s.Proto), s.Tuple.DstPort)
		}
	case dataplane.StageAnswer:
		w.add("%s: the listener's protocol is TLS: the connection ends here, seen as %s; the node opens another one to a target", at, tuple(s.Tuple))
	case dataplane.StageTarget:
		switch {
		case s.Why == drop.TargetUnhealthy:
			w.add("%s: target %s has turned unhealthy", at, w.name(s.To))
		case s.Why != drop.None:
			w.add("%s: no target is in reach of this zone", at)
		case s.Target.FailOpen:
			w.add("%s: the flow hash chose target %s, which is not healthy, but too few are and the target group fails open", at, w.name(s.To))
		default:
			w.add("%s: the flow hash chose target %s", at, w.name(s.To))
		}
	case dataplane.StageTranslate:
		if s.Why == drop.None {
			w.add("%s: translated to %s", at, tuple(s.Tuple))
		} else {
			w.add("%s: no source port is left towards %s", at, netip.AddrPortFrom(s.Tuple.Dst.IP(), s.Tuple.DstPort))
		}
	case dataplane.StageTransit:
		w.add("%s: enters the transit gateway, whose route %s leads to %s", at, s.Route.Text, w.name(s.To))
	case dataplane.StagePublic:
		w.add("the internet gateway makes it %s", tuple(s.Tuple))
	case dataplane.StageLink:
		w.link(s)
	case dataplane.StageDeliver:
		w.add("%s: gets the packet as %s", at, tuple(s.Tuple))
		if s.Interface != dataplane.NoInterface && w.prog.Interfaces[s.Interface].Kind == dataplane.Proxy {
			w.add("%s: the connection ends here: an application load balancer opens others to its targets", at)
		}
	}
}
