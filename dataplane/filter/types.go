package filter

import (
	"github.com/plsim/plsim/dataplane/packet"
)

// RuleID is the index of a rule's description in the program.
type RuleID uint32

// NoRule is no rule.
const NoRule RuleID = ^RuleID(0)

// AnyProto matches every protocol; AWS writes it -1.
const AnyProto = -1

// Prefix is an address range in 16-byte form: Bits counts from the front of
// the IPv4-mapped or IPv6 address.
type Prefix struct {
	Addr packet.Addr
	Bits uint8
}

// Rule allows traffic; there are no deny rules in a security group (F3.1).
type Rule struct {
	ID    RuleID
	Proto int // an IP protocol number, or AnyProto
	// From and To bound the port at the receiving end, inclusive. For ICMP
	// they are type and code, -1 for any. AnyProto ignores them.
	From, To int
	// The peer: a prefix, or the addresses of the interfaces that carry a
	// referenced group or stand in a prefix list (F3.2, F3.6).
	Prefix  Prefix
	Members map[packet.Addr]struct{} // not nil: the peer is a group
}

// RuleSet is all the rules of one direction of an interface.
type RuleSet struct{ rules []Rule }
