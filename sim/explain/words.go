package explain

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/link"
	"github.com/plsim/plsim/dataplane/packet"
)

// link says what a packet meets on a link.
func (w *writer) link(s *dataplane.TraceStep) {
	l := s.Link
	what := fmt.Sprintf("%s: towards %s the packet crosses link %s of %s", w.name(s.Interface), w.name(s.To), l.Label, l.Place)
	switch s.Why {
	case drop.LinkDown:
		w.add("%s, which is down", what)
	case drop.LinkMTU:
		w.add("%s, whose MTU is %d", what, l.MTU)
	default:
		w.add("%s%s", what, qualities(&l.Spec))
	}
}

// qualities says what a link that carries a packet does to it.
func qualities(s *link.Spec) string {
	var all []string
	add := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(s.Delay > 0 && s.Jitter == 0, "takes %v", s.Delay)
	add(s.Jitter > 0, "takes %v ± %v", s.Delay, s.Jitter)
	add(s.Rate > 0, "carries %d bit/s", s.Rate)
	for _, of := range []struct {
		verb  string
		share float64
	}{{"loses", s.Loss}, {"doubles", s.Duplicate}, {"reorders", s.Reorder}} {
		add(of.share > 0, "%s %v%%", of.verb, math.Round(of.share*1e8)/1e6)
	}
	if len(all) == 0 {
		return ""
	}
	return ", which " + strings.Join(all, ", ")
}

// edge says how the network ACL of an interface's subnet decided.
func (w *writer) edge(s *dataplane.TraceStep) {
	at, what := w.name(s.Interface), "enters"
	if s.Way == flow.Egress {
		what = "leaves"
	}
	switch {
	case s.Number == filter.LastNumber:
		w.add("%s: %s the subnet, and * of network ACL %s (%s) denies: no rule matches %s%s", at, what, s.ACL.Label, s.ACL.ID, traffic(s), w.nearest(s))
	case s.Why != drop.None:
		w.add("%s: %s the subnet, and rule %d of network ACL %s (%s) denies", at, what, s.Number, s.ACL.Label, s.ACL.Path(s.Number))
	default:
		w.add("%s: %s the subnet, which rule %d of network ACL %s (%s) allows", at, what, s.Number, s.ACL.Label, s.ACL.Path(s.Number))
	}
}

// route says where a packet goes from its interface.
func (w *writer) route(s *dataplane.TraceStep) {
	at := w.name(s.Interface)
	by := ""
	if s.Route != nil {
		by = "the route " + s.Route.Text
	}
	switch {
	case s.Why == drop.None && s.Route == nil:
		w.add("%s: the address is that of %s", at, w.name(s.To))
	case s.Why == drop.None:
		w.add("%s: %s leads to %s", at, by, w.name(s.To))
	case s.Why == drop.NoRoute:
		w.add("%s: the address is outside the VPC, and no route of the subnet leads there", at)
	case s.Why == drop.Blackhole:
		w.add("%s: %s is a blackhole", at, by)
	case s.Why == drop.Internet:
		w.add("%s: %s leads to the internet, where no host has the address", at, by)
	case s.Why == drop.NoPublicAddress:
		w.add("%s: %s leads to the internet, and the interface has no public address to be seen by there", at, by)
	case s.Why == drop.TransitZone:
		w.add("%s: %s leads to a transit gateway, whose attachment has no subnet in this zone", at, by)
	case s.Why == drop.TransitRoute:
		w.add("%s: %s leads to a transit gateway, whose route table has no route to the address", at, by)
	case s.Why == drop.NATInbound:
		w.add("%s: %s leads to a NAT gateway, which knows no such flow", at, by)
	case s.Why == drop.NotTransitive:
		w.add("%s: %s leads to a VPC that the address is not in", at, by)
	case s.Why == drop.ForeignResolver:
		w.add("%s: %s leads to the resolver of another VPC", at, by)
	case s.Route != nil:
		w.add("%s: %s leads to a network where no interface has the address", at, by)
	default:
		w.add("%s: no interface of the VPC has the address", at)
	}
}

// filter says how an interface's security groups decided.
func (w *writer) filter(s *dataplane.TraceStep) {
	at, way := w.name(s.Interface), "ingress"
	if s.Way == flow.Egress {
		way = "egress"
	}
	switch s.Result {
	case dataplane.Allowed:
		w.add("%s: %s allowed by %s", at, way, w.rule(s))
	case dataplane.NoRule:
		w.add("%s: %s refused: no security group rule allows %s%s", at, way, traffic(s), w.nearest(s))
	case dataplane.Tracked:
		w.add("%s: %s allowed, the flow is tracked since %s", at, way, w.rule(s))
	case dataplane.Untracked:
		w.add("%s: %s allowed by %s; the flow is not tracked", at, way, w.rule(s))
	case dataplane.Related:
		w.add("%s: %s allowed, it belongs to a tracked flow", at, way)
	case dataplane.Exempt:
		w.add("%s: %s is not filtered", at, way)
	case dataplane.TableFull:
		w.add("%s: %s refused: the interface tracks as many flows as it can", at, way)
	case dataplane.NotEnforced:
		w.add("%s: inbound rules are not enforced on PrivateLink traffic", at)
	}
}

// nearest says which rule comes nearest to what none is about, and what it lacks.
func (w *writer) nearest(s *dataplane.TraceStep) string {
	rule := ""
	if s.Stage == dataplane.StageEdge {
		rule = fmt.Sprintf("rule %d (%s)", s.Near, s.ACL.Path(s.Near))
	} else {
		rule = w.rule(s)
	}
	q := &s.Query
	switch s.Miss {
	case filter.OtherGroup:
		return fmt.Sprintf("; nearest is %s, but rules that name the load balancer's group do not hold for PrivateLink traffic while inbound rules are not enforced on it (F2.67)", rule)
	case filter.OtherPort:
		return fmt.Sprintf("; nearest is %s, but that is not for %s", rule, point(q))
	case filter.OtherPeer:
		return fmt.Sprintf("; nearest is %s, but %s is none of its peers", rule, q.Peer.IP())
	case filter.OtherProtocol:
		return fmt.Sprintf("; nearest is %s, but that is not for %s", rule, Protocol(q.Proto))
	}
	return ""
}

// point is the port, or ICMP type and code, that rules are asked about.
func point(q *filter.Query) string {
	switch q.Proto {
	case packet.TCP, packet.UDP:
		return fmt.Sprintf("port %d", q.Port)
	}
	return fmt.Sprintf("type %d code %d", q.Type, q.Code)
}

// traffic is what rules are asked about.
func traffic(s *dataplane.TraceStep) string {
	q, preposition := &s.Query, "from"
	if s.Way == flow.Egress {
		preposition = "to"
	}
	switch q.Proto {
	case packet.TCP, packet.UDP, packet.ICMP, packet.ICMPv6:
		return fmt.Sprintf("%s %s %s %s", Protocol(q.Proto), point(q), preposition, q.Peer.IP())
	}
	return fmt.Sprintf("%s %s %s", Protocol(q.Proto), preposition, q.Peer.IP())
}

func (w *writer) rule(s *dataplane.TraceStep) string {
	if int(s.Rule) >= len(w.prog.Rules) {
		return "no rule"
	}
	r := &w.prog.Rules[s.Rule]
	return fmt.Sprintf("%s of %s (%s)", r.Text, r.Label, r.Path)
}

func tuple(t packet.Tuple) string {
	return fmt.Sprintf("%s > %s",
		netip.AddrPortFrom(t.Src.IP(), t.SrcPort), netip.AddrPortFrom(t.Dst.IP(), t.DstPort))
}

// Protocol is a protocol as people write it.
func Protocol(p packet.Proto) string {
	switch p {
	case packet.TCP:
		return "TCP"
	case packet.UDP:
		return "UDP"
	case packet.ICMP:
		return "ICMP"
	case packet.ICMPv6:
		return "ICMPv6"
	default:
		return fmt.Sprintf("protocol %d", p)
	}
}
