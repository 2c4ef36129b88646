package topology

import (
	"fmt"
	"slices"

	"github.com/plsim/plsim/dataplane/filter"
)

const defaultACL = "default"

// acl is a network ACL of the lab.
type acl struct {
	*NetworkACL
	name    string
	network *Network
	path    string
	most    int               // entries in a direction
	entries [2][]filter.Entry // by direction, lowest number first
}

func (a *acl) String() string { return a.network.Name + "/" + a.name }

// addACLs resolves the network ACLs, and says which subnet has which (F3.20).
func (b *builder) addACLs() {
	for _, n := range b.vpcs() {
		b.find.acls.open(n.Name)
		if n.NetworkACLs == nil {
			n.NetworkACLs = map[string]*NetworkACL{}
		}
		if n.NetworkACLs[defaultACL] == nil {
			n.NetworkACLs[defaultACL] = &NetworkACL{}
		}
		path := at(n.path, "network_acls")
		if c := len(n.NetworkACLs); c > maxACLs {
			b.problems.add(path, "%d network ACLs: a VPC takes %d at most", c, maxACLs)
		}
		owners := map[*subnet]string{}
		each(&b.problems, path, n.NetworkACLs, func(path, name string, spec *NetworkACL) {
			a := &acl{NetworkACL: spec, name: name, network: n, path: path, most: b.spec.Settings.RulesPerACL}
			b.find.acls.put(n.Name, name, a)
			b.ids.given(&b.problems, "acl", path, &spec.ID)
			if name == defaultACL {
				a.complete()
			}
			b.addEntries(a, ingress, spec.Ingress)
			b.addEntries(a, egress, spec.Egress)
			for _, s := range b.associate(path, n, spec.SubnetIDs, name, "network ACL", owners) {
				s.acl = a
			}
		})
		fallback := b.find.acls.vpcs[n.Name][defaultACL]
		for _, s := range b.leftover(n, owners) {
			s.acl = fallback
			fallback.SubnetIDs = append(fallback.SubnetIDs, s.name)
		}
	}
}

// associate resolves the subnets of a network ACL or a route table, of which each
// subnet has one.
func (b *builder) associate(path string, n *Network, names []string, owner, kind string, owners map[*subnet]string) (subnets []*subnet) {
	for i, name := range names {
		p := item(at(path, "subnet_ids"), i)
		s, err := b.find.subnets.find(n.Name, name)
		switch {
		case err != nil:
			b.problems.add(p, "%v", err)
		case s.network != n:
			b.problems.add(p, "subnet %s is in VPC %s, not in %s", name, s.network.Name, n.Name)
		case owners[s] == owner:
			b.problems.add(p, "subnet %s is listed twice", name)
		case owners[s] != "":
			b.problems.add(p, "subnet %s has %s %s already: a subnet has one", name, kind, owners[s])
		default:
			owners[s] = owner
			subnets = append(subnets, s)
		}
	}
	return subnets
}

// leftover returns the subnets of a VPC that nobody owns.
func (b *builder) leftover(n *Network, owners map[*subnet]string) (subnets []*subnet) {
	for _, s := range b.subnets {
		if s.network == n && owners[s] == "" {
			subnets = append(subnets, s)
		}
	}
	return subnets
}

// complete adds the entries with which AWS creates a VPC's default ACL (F3.18).
func (a *acl) complete() {
	for _, entries := range []*[]*NetworkACLEntry{&a.Ingress, &a.Egress} {
		if *entries != nil {
			continue
		}
		*entries = []*NetworkACLEntry{{RuleNo: 100, Action: "allow", Protocol: "-1", CIDRBlock: "0.0.0.0/0"}}
		if a.network.IPv6CIDRBlock != "" {
			*entries = append(*entries, &NetworkACLEntry{RuleNo: 101, Action: "allow", Protocol: "-1", IPv6CIDRBlock: "::/0"})
		}
	}
}

func (b *builder) addEntries(a *acl, d direction, entries []*NetworkACLEntry) {
	elements(&b.problems, at(a.path, d.String()), entries, func(path string, e *NetworkACLEntry) {
		entry, problems := e.compile()
		if len(problems) == 0 {
			entry.Path = path
			problems = a.create(d, entry)
		}
		b.problems.under(path, problems)
	})
}

// find returns the index of the entry with a number, or where it would stand.
func (a *acl) find(d direction, number int) (i int, found bool) {
	return slices.BinarySearchFunc(a.entries[d], number, func(e filter.Entry, n int) int { return e.Number - n })
}

// create adds an entry. The problems' paths are relative to it.
func (a *acl) create(d direction, e filter.Entry) (problems Problems) {
	i, taken := a.find(d, e.Number)
	switch {
	case taken:
		problems.add("rule_no", "network ACL %s already has an %s rule %d", a, d, e.Number)
	case len(a.entries[d]) >= a.most:
		problems.add("", "network ACL %s has %d %s rules already, which is as many as it takes%s", a, len(a.entries[d]), d, raise("rules_per_network_acl", a.most, maxEntries))
	default:
		a.entries[d] = slices.Insert(slices.Clone(a.entries[d]), i, e)
	}
	return problems
}

// compile checks an entry and puts it into canonical form in place. The problems'
// paths are relative to it.
func (e *NetworkACLEntry) compile() (out filter.Entry, problems Problems) {
	e.checkNumber(&problems)
	switch e.Action {
	case "allow", "deny":
	case "":
		problems.add("action", "is missing: write allow or deny")
	default:
		problems.add("action", "%q is not an action%s", e.Action, hint(e.Action, []string{"allow", "deny"}))
	}
	t := traffic{
		protocol: &e.Protocol, from: &e.FromPort, to: &e.ToPort,
		kind: &e.ICMPType, code: &e.ICMPCode, kindKey: "icmp_type", codeKey: "icmp_code",
	}
	rule, _ := t.match(&problems)
	switch {
	case e.CIDRBlock == "" && e.IPv6CIDRBlock == "":
		problems.add("cidr_block", "is missing: give cidr_block or ipv6_cidr_block")
	case e.CIDRBlock != "" && e.IPv6CIDRBlock != "":
		problems.add("ipv6_cidr_block", "an entry has one peer: make two entries, one with cidr_block and one with ipv6_cidr_block")
	default:
		rule.Prefix = peerBlock(&problems, &e.CIDRBlock, &e.IPv6CIDRBlock)
	}
	return filter.Entry{Number: e.RuleNo, Allow: e.Action == "allow", Traffic: rule}, problems
}

func (e *NetworkACLEntry) checkNumber(problems *Problems) {
	switch {
	case e.RuleNo == 0:
		problems.add("rule_no", "is missing: give a number from 1 to %d", filter.LastNumber-1)
	case e.RuleNo < 1 || e.RuleNo >= filter.LastNumber:
		problems.add("rule_no", "%d is out of range: give a number from 1 to %d", e.RuleNo, filter.LastNumber-1)
	}
}

// peerBlock reads the one of two blocks that is given, and puts it into canonical
// form.
func peerBlock(problems *Problems, four, six *string) filter.Prefix {
	f, key, value := ipv4, "cidr_block", four
	if *six != "" {
		f, key, value = ipv6, "ipv6_cidr_block", six
	}
	p, msg := f.block(*value, f.otherKey)
	if msg != "" {
		problems.add(key, "%s", msg)
		return filter.Prefix{}
	}
	*value = p.String()
	return filter.PrefixFrom(p)
}

// opens reports whether the ACL lets everything pass in one direction: then nothing
// need ask it.
func (a *acl) opens(d direction) bool {
	families := map[bool]bool{true: a.network.CIDRBlock == "", false: a.network.IPv6CIDRBlock == ""}
	for _, e := range a.entries[d] {
		four := e.Traffic.Prefix.Addr.Is4()
		everything := e.Allow && e.Traffic.Proto == filter.AnyProto && (e.Traffic.Prefix.Bits == 0 || four && e.Traffic.Prefix.Bits == 96)
		switch {
		case families[four]:
		case everything:
			families[four] = true
		default:
			return false
		}
	}
	return families[true] && families[false]
}

// CreateNetworkACLEntry adds an entry to a network ACL. The error is of type
// [Problems], with paths relative to the entry, where the entry is at fault, and a
// *[Refusal] where there is one with its number.
func (l *Lab) CreateNetworkACLEntry(name string, outbound bool, e *NetworkACLEntry) error {
	a, entry, err := l.entry(name, e)
	if err != nil {
		return err
	}
	d := directionOf(outbound)
	if _, taken := a.find(d, entry.Number); taken {
		return &Refusal{
			"NetworkAclEntryAlreadyExists: The specified rule number already exists in this network ACL",
			fmt.Sprintf("network ACL %s has an %s rule %d; replace_network_acl_entry changes it", a, d, entry.Number),
		}
	}
	return a.create(d, entry).err()
}

// ReplaceNetworkACLEntry puts an entry in the place of the one with its number. The
// error is a *[Refusal] where there is none.
func (l *Lab) ReplaceNetworkACLEntry(name string, outbound bool, e *NetworkACLEntry) error {
	a, entry, err := l.entry(name, e)
	if err != nil {
		return err
	}
	d := directionOf(outbound)
	i, found := a.find(d, entry.Number)
	if !found {
		return a.lacks(d, entry.Number)
	}
	a.entries[d] = slices.Clone(a.entries[d])
	a.entries[d][i] = entry
	return nil
}

// DeleteNetworkACLEntry removes the entry with a number. The error is a *[Refusal]
// where there is none.
func (l *Lab) DeleteNetworkACLEntry(name string, outbound bool, number int) error {
	a, err := l.find.acls.find("", name)
	if err != nil {
		return err
	}
	d := directionOf(outbound)
	i, found := a.find(d, number)
	if !found {
		return a.lacks(d, number)
	}
	a.entries[d] = slices.Delete(slices.Clone(a.entries[d]), i, i+1)
	return nil
}

// CheckNetworkACLEntry tells whether an entry could stand in a network ACL at all,
// without changing anything. Problems have paths relative to the entry.
func (l *Lab) CheckNetworkACLEntry(name string, e *NetworkACLEntry) error {
	_, _, err := l.entry(name, e)
	return err
}

// entry resolves a network ACL and an entry for it.
func (l *Lab) entry(name string, e *NetworkACLEntry) (*acl, filter.Entry, error) {
	a, err := l.find.acls.find("", name)
	if err != nil {
		return nil, filter.Entry{}, err
	}
	if e == nil {
		return nil, filter.Entry{}, fmt.Errorf("no rule is given for network ACL %s", name)
	}
	own := *e // Its canonical form is ours alone.
	entry, problems := own.compile()
	problems.sort()
	entry.Path = l.place("")
	return a, entry, problems.err()
}

func directionOf(outbound bool) direction {
	if outbound {
		return egress
	}
	return ingress
}

// lacks says that there is no entry with a number, and which there are.
func (a *acl) lacks(d direction, number int) error {
	var has []string
	for _, e := range a.entries[d] {
		has = append(has, fmt.Sprint(e.Number))
	}
	why := fmt.Sprintf("network ACL %s has no %s rule %d", a, d, number)
	if len(has) == 0 {
		why += ", nor any other"
	} else {
		why += "; it has " + list(has)
	}
	return &Refusal{"InvalidNetworkAclEntry.NotFound: The specified network ACL entry does not exist", why}
}
