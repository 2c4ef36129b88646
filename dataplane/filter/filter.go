// Package filter decides what security groups and network ACLs allow.
package filter

import (
	"net/netip"
	"slices"

	"github.com/plsim/plsim/dataplane/packet"
)

// PrefixFrom returns p in 16-byte form. An invalid p gives a prefix that
// contains nothing.
func PrefixFrom(p netip.Prefix) Prefix {
	if !p.IsValid() {
		return Prefix{Bits: 255}
	}
	p = p.Masked()
	n := p.Bits()
	if p.Addr().Is4() {
		n += 96
	}
	return Prefix{Addr: packet.AddrFrom(p.Addr()), Bits: uint8(n)}
}

// Contains reports whether a is in p. The families never meet: 0.0.0.0/0 is
// ::ffff:0:0/96 here and holds no IPv6 address, and ::/0 holds no IPv4 address.
func (p Prefix) Contains(a packet.Addr) bool {
	if p.Bits > 128 || p.is4() != a.Is4() {
		return false
	}
	n := p.Bits / 8
	if string(p.Addr[:n]) != string(a[:n]) {
		return false
	}
	rest := p.Bits % 8
	return rest == 0 || (p.Addr[n]^a[n])>>(8-rest) == 0
}

func (p *Prefix) is4() bool { return p.Bits >= 96 && p.Addr.Is4() }

// masked returns p without the bits behind its length.
func (p Prefix) masked() Prefix {
	for i := range p.Addr {
		if keep := int(p.Bits) - 8*i; keep < 8 {
			p.Addr[i] &= ^byte(0xff >> max(keep, 0))
		}
	}
	return p
}

// next returns the address after the last one of p, which is masked; ok is false if
// there is none.
func (p Prefix) next() (a packet.Addr, ok bool) {
	a = p.Addr
	if p.Bits == 0 {
		return a, false
	}
	i := int(p.Bits-1) / 8
	step := byte(1) << (7 - (p.Bits-1)%8)
	for {
		a[i] += step
		if a[i] >= step {
			return a, true
		}
		if i--; i < 0 {
			return a, false
		}
		step = 1
	}
}

// Query is what a rule set is asked about.
type Query struct {
	Proto      packet.Proto
	Port       uint16 // TCP and UDP: the port at the receiving end
	Type, Code uint8  // ICMP and ICMPv6
	Peer       packet.Addr
	// NoGroups leaves out the rules whose peer is a group: Peer is not known to
	// carry one (F2.67).
	NoGroups bool
}

// NewRuleSet returns the set of the given rules. It keeps their groups, which
// must not change any more.
func NewRuleSet(rules []Rule) *RuleSet {
	rules = slices.Clone(rules)
	return &RuleSet{rules: rules, index: newIndex(rules)}
}

// Match reports whether a rule allows q, and which: the first in the order in
// which they were given. A nil set allows everything, by no rule; an empty set
// allows nothing. The set may be shared between goroutines.
func (s *RuleSet) Match(q Query) (RuleID, bool) {
	if s == nil {
		return NoRule, true
	}
	return s.rule(s.index.first(&q))
}

// MatchOpen is Match for the rules alone whose peer is every address of a family,
// 0.0.0.0/0 or ::/0. They decide what is tracked (F3.10). A nil set has none.
func (s *RuleSet) MatchOpen(q Query) (RuleID, bool) {
	if s == nil {
		return NoRule, false
	}
	everyone := s.index.tree(q.Peer).all
	if everyone == nil {
		return NoRule, false
	}
	return s.rule(everyone.first(q.Proto, q.span()))
}

// OpensAll reports whether a rule allows all ports of q's protocol to every address
// of the family of its peer (F3.10).
func (s *RuleSet) OpensAll(q Query) bool {
	if s == nil {
		return false
	}
	everyone := s.index.tree(q.Peer).all
	return everyone != nil && everyone.whole(q.Proto) != never
}

// rule returns the rule at a place.
func (s *RuleSet) rule(at int32) (RuleID, bool) {
	if at == never {
		return NoRule, false
	}
	return s.rules[at].ID, true
}

// allowsTraffic reports whether protocol and ports of q, or type and code, are the rule's.
func (r *Rule) allowsTraffic(q *Query) bool {
	if r.Proto == AnyProto {
		return true
	}
	if r.Proto != int(q.Proto) {
		return false
	}
	switch q.Proto {
	case packet.TCP, packet.UDP:
		return r.From <= int(q.Port) && int(q.Port) <= r.To
	case packet.ICMP, packet.ICMPv6:
		return (r.From == -1 || r.From == int(q.Type)) && (r.To == -1 || r.To == int(q.Code))
	}
	return true // a protocol without ports
}

func (r *Rule) allowsPeer(a packet.Addr) bool {
	if r.Group != nil {
		_, ok := r.Group.Members[a]
		return ok
	}
	return r.Prefix.Contains(a)
}
