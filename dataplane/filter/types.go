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
	// The peer: a group, or else a prefix (F3.2).
	Prefix Prefix
	Group  *Group
}

// Group is a security group that rules name: it stands for the private addresses of
// the interfaces that carry it (F3.6).
type Group struct{ Members map[packet.Addr]struct{} }

// RuleSet is all the rules of one direction of an interface.
type RuleSet struct {
	rules []Rule
	index index
}
