package topology

import (
	"fmt"
	"net/netip"
)

// block is one family's addresses of a subnet, and who has them.
type block struct {
	family *family
	prefix netip.Prefix
	owners map[netip.Addr]string   // labels of the interfaces
	kept   map[string][]netip.Addr // what interfaces have in the lab that runs, by label
	ours   map[netip.Addr]bool     // all of kept
	next   netip.Addr              // where the search for a free address goes on
	freed  int                     // addresses that were given back since the search began
	full   bool                    // there was none left, and that has been said
}

func newBlock(f *family, p netip.Prefix) *block {
	return &block{family: f, prefix: p, owners: map[netip.Addr]string{}, next: nth(p, 4)}
}

// router returns the VPC router's address: the first after the network's own.
// AWS reserves it in IPv4 and leaves it unused in IPv6, where its router speaks
// from a link-local address only.
func (b *block) router() netip.Addr { return nth(b.prefix, 1) }

// reserved says what AWS keeps an address for, "" if it does not (F1.3).
func (b *block) reserved(a netip.Addr) string {
	for i, what := range []string{"the network itself", "the VPC router", "DNS", "future use"} {
		if a == nth(b.prefix, i) {
			return what
		}
	}
	if a == lastAddr(b.prefix) {
		return "broadcast"
	}
	return ""
}

// take gives a designated address to an owner. The message is empty if all is well.
func (b *block) take(s, subnet, owner string) (a netip.Addr, msg string) {
	a, err := netip.ParseAddr(s)
	if err != nil || !b.family.holds(a) || a.Zone() != "" {
		return netip.Addr{}, fmt.Sprintf("%q is not an %s address", s, b.family.name)
	}
	if !b.prefix.Contains(a) {
		return netip.Addr{}, fmt.Sprintf("%s is outside subnet %s (%s)", a, subnet, b.prefix)
	}
	if what := b.reserved(a); what != "" {
		return netip.Addr{}, fmt.Sprintf("%s is reserved by AWS for %s: the first four addresses of a subnet and the last are never handed out", a, what)
	}
	if other, ok := b.owners[a]; ok {
		return netip.Addr{}, fmt.Sprintf("%s is already taken by %s", a, other)
	}
	b.owners[a] = owner
	return a, ""
}

// allot gives the next free address to an owner; ok is false if there is none.
// Addresses that became free are given out again when all others are taken.
func (b *block) allot(owner string) (a netip.Addr, ok bool) {
	for _, a := range b.kept[owner] {
		if _, taken := b.owners[a]; !taken {
			b.owners[a] = owner
			return a, true
		}
	}
	for range 2 {
		for last := lastAddr(b.prefix); b.next.Less(last); {
			a, b.next = b.next, b.next.Next()
			if _, taken := b.owners[a]; !taken && !b.ours[a] {
				b.owners[a] = owner
				return a, true
			}
		}
		if b.freed == 0 && b.ours == nil {
			break
		}
		b.next, b.freed, b.ours = nth(b.prefix, 4), 0, nil
	}
	return netip.Addr{}, false
}

// keep notes an address that the owner of a label has, for when the label asks for one.
func (b *block) keep(label string, a netip.Addr) {
	if b.kept == nil {
		b.kept, b.ours = map[string][]netip.Addr{}, map[netip.Addr]bool{}
	}
	b.kept[label], b.ours[a] = append(b.kept[label], a), true
}

// free takes an address back.
func (b *block) free(a netip.Addr) {
	if _, taken := b.owners[a]; taken {
		delete(b.owners, a)
		b.freed++
		b.full = false
	}
}
