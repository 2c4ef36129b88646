package dataplane

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// rules returns the rules of an interface's security groups for one way.
func (n *Interface) rules(way flow.Way) *filter.RuleSet {
	if way == flow.Egress {
		return n.Egress
	}
	return n.Ingress
}

// tracks reports whether an interface tracks what it exchanges with another one
// whatever its rules say: all that has to do with load balancers, endpoints and NAT
// gateways (F3.11).
func (p *Program) tracks(at, peer InterfaceID) bool {
	knows := func(id InterfaceID) bool { return id != NoInterface && p.Interfaces[id].receives() }
	return knows(at) || knows(peer)
}

// untracked lets the packet pass an interface whose security groups remember nothing
// of its flow: each direction has a rule for every address, and that for the answers
// is for all ports (F3.10). Such a flow lives as long as the rules do (F3.12), so each
// of its packets may be the first of a path, the answers too.
//
// Nor is a TCP segment remembered that opens nothing: it may belong to an untracked
// flow whose rule is gone, and must not bring it back. AWS does not say what becomes
// of one whose flow was tracked once.
func (d *decision) untracked(at InterfaceID, way flow.Way) bool {
	if d.v.Proto != packet.TCP && d.v.Proto != packet.UDP {
		return false
	}
	nic := &d.w.prog.Interfaces[at]
	there, back := nic.rules(way), nic.rules(way^1)
	if there == nil || back == nil {
		return false // no groups, no rules
	}
	asked := d.query(way)
	answer := asked
	answer.Port = d.at.SrcPort
	late := d.v.Proto == packet.UDP || d.midway()

	rule, ok := there.MatchOpen(asked)
	if ok = ok && back.OpensAll(answer); !ok && late {
		if _, began := back.MatchOpen(answer); began && there.OpensAll(asked) {
			rule, ok = there.MatchOpen(asked)
		}
	}
	if !ok && d.midway() {
		if rule, ok = there.Match(asked); ok {
			_, answered := back.Match(answer)
			d.oneWay = d.oneWay || !answered
		}
	}
	if ok {
		d.path.loose = true
		d.trace.filtered(at, way, Untracked, rule, drop.None)
	}
	return ok
}
