package topology

import (
	"net/netip"
	"slices"
)

// prefixList is a prefix list of the lab.
type prefixList struct {
	*ManagedPrefixList
	name    string
	family  *family
	weight  int // its max_entries; 0 where they are a mistake
	entries []netip.Prefix
}

func (p *prefixList) String() string { return "prefix list " + p.name }

// addPrefixLists resolves the prefix lists.
func (b *builder) addPrefixLists() {
	b.find.prefixes = map[string]*prefixList{}
	each(&b.problems, "managed_prefix_lists", b.spec.PrefixLists, func(path, name string, spec *ManagedPrefixList) {
		list := &prefixList{ManagedPrefixList: spec, name: name, family: ipv4}
		b.find.prefixes[name] = list
		b.ids.given(&b.problems, "pl", path, &spec.ID)
		if !b.choice(at(path, "address_family"), &spec.AddressFamily, "an address family", "IPv4", "IPv6") {
			return
		}
		if spec.AddressFamily == ipv6.name {
			list.family = ipv6
		}
		switch n := spec.MaxEntries; {
		case n == 0:
			b.problems.add(at(path, "max_entries"), "is missing: give 1 to %d", maxPrefixes)
		case n < 1 || n > maxPrefixes:
			b.problems.add(at(path, "max_entries"), "%d is out of range: give 1 to %d", n, maxPrefixes)
		case len(spec.Entries) > n:
			b.problems.add(at(path, "entry"), "%d entries: max_entries lets %s have %d", len(spec.Entries), list, n)
		default:
			list.weight = n
		}
		elements(&b.problems, at(path, "entry"), spec.Entries, func(path string, e *PrefixListEntry) {
			p, msg := list.family.block(e.CIDR, "another list, whose address_family is "+other(list.family).name)
			switch {
			case msg != "":
				b.problems.add(at(path, "cidr"), "%s", msg)
			case slices.Contains(list.entries, p):
				b.problems.add(at(path, "cidr"), "%s is in the list already", p)
			default:
				e.CIDR = p.String()
				list.entries = append(list.entries, p)
			}
		})
	})
}

func other(f *family) *family {
	if f.is4 {
		return ipv6
	}
	return ipv4
}

// around returns the block of the network that holds all of p.
func (n *Network) around(p netip.Prefix) (netip.Prefix, bool) {
	for _, own := range n.CIDRs {
		if own.Bits() <= p.Bits() && own.Contains(p.Addr()) {
			return own, true
		}
	}
	return netip.Prefix{}, false
}

// checkRoutes counts the routes of a table, each prefix list as its max_entries.
func (b *builder) checkRoutes(path string, t *table) {
	more := t.size() - len(t.routes)
	if c := len(t.Routes) + more; c > maxRoutes {
		why := ""
		if more > 0 {
			why = ", with each prefix list as its max_entries"
		}
		b.problems.add(at(path, "route"), "%d routes%s: a route table takes %d at most", c, why, maxRoutes)
	}
}
