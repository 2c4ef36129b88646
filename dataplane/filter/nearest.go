package filter

import (
	"slices"

	"github.com/plsim/plsim/dataplane/packet"
)

// Miss says in what alone a rule differs from traffic that it does not allow. The
// lower, the nearer the rule comes.
type Miss uint8

// The misses.
const (
	NoMiss        Miss = iota // there is no such rule
	OtherGroup                // the peer's group does not count here (F2.67)
	OtherPort                 // a port, or an ICMP type or code
	OtherPeer                 // another address, or one that carries no such group
	OtherProtocol             // of a peer that it is about
)

// Nearest returns the rule that comes nearest to allowing q, which none does: the
// first of the best. It is slow, and for explanations only.
func (s *RuleSet) Nearest(q Query) (RuleID, Miss) {
	best, how := NoRule, NoMiss
	for i := range s.rules {
		if m := s.rules[i].misses(&q); m != NoMiss && (how == NoMiss || m < how) {
			best, how = s.rules[i].ID, m
		}
	}
	return best, how
}

// Nearest returns the number of the allowing entry that comes nearest to matching q,
// which none does.
func (a *ACL) Nearest(q Query) (number int, how Miss) {
	for i := range a.entries {
		e := &a.entries[i]
		if m := e.Traffic.misses(&q); e.Allow && m != NoMiss && (how == NoMiss || m < how) {
			number, how = e.Number, m
		}
	}
	return number, how
}

// Has reports whether there is an entry with a number.
func (a *ACL) Has(number int) bool {
	return slices.ContainsFunc(a.entries, func(e Entry) bool { return e.Number == number })
}

// Path returns where the scenario has the entry with a number, "" if nowhere.
func (a *ACL) Path(number int) string {
	for i := range a.entries {
		if a.entries[i].Number == number {
			return a.entries[i].Path
		}
	}
	return ""
}

// misses tells in what a rule that does not allow q differs from it, NoMiss if in
// more than one thing.
func (r *Rule) misses(q *Query) Miss {
	traffic, peer := r.allowsTraffic(q), r.allowsPeer(q.Peer)
	switch {
	case traffic && peer:
		return OtherGroup
	case peer && r.Proto == int(q.Proto):
		return OtherPort
	case traffic:
		if r.Group == nil && r.Prefix.is4() != q.Peer.Is4() {
			return NoMiss
		}
		return OtherPeer
	case peer && q.Proto != packet.ICMP && q.Proto != packet.ICMPv6 && q.Port != 0 && r.From <= int(q.Port) && int(q.Port) <= r.To:
		return OtherProtocol
	}
	return NoMiss
}
