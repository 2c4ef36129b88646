package topology

import (
	"fmt"
	"slices"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
)

const defaultGroup = "default"

// direction is that of a security group rule.
type direction int

const (
	ingress direction = iota
	egress
)

func (d direction) String() string { return [...]string{"ingress", "egress"}[d] }

// permission is a rule towards one peer, which is what AWS counts, compares and
// revokes.
type permission struct {
	rule filter.Rule // without members
	peer *group      // or list; nil both where rule.Prefix is the peer
	list *prefixList
	text string // tcp 80 from 10.0.0.0/16: the same for equal permissions
}

// addGroups resolves the security groups, then their rules, which may name any
// of them.
func (b *builder) addGroups() {
	var groups []*group
	for _, n := range b.vpcs() {
		if n.SecurityGroups == nil {
			n.SecurityGroups = map[string]*SecurityGroup{}
		}
		if n.SecurityGroups[defaultGroup] == nil {
			n.SecurityGroups[defaultGroup] = &SecurityGroup{Description: "default VPC security group"}
		}
		each(&b.problems, at(n.path, "security_groups"), n.SecurityGroups, func(path, name string, spec *SecurityGroup) {
			g := &group{SecurityGroup: spec, name: name, network: n, path: path}
			groups = append(groups, g)
			b.find.groups.put(n.Name, name, g)
			b.ids.given(&b.problems, "sg", path, &spec.ID)
			g.complete()
		})
	}
	if len(groups) > maxAllGroups {
		b.problems.add("vpcs", "%d security groups: a Region takes %d at most", len(groups), maxAllGroups)
	}
	for _, g := range groups {
		b.addRules(g, ingress, g.Ingress)
		b.addRules(g, egress, g.Egress)
	}
}

// complete adds the rules with which AWS creates a group (F3.3).
func (g *group) complete() {
	if g.Ingress == nil && g.name == defaultGroup {
		g.Ingress = []*Rule{{Protocol: "-1", Self: true}}
	}
	if g.Egress == nil {
		everywhere := &Rule{Protocol: "-1", CIDRBlocks: []string{"0.0.0.0/0"}}
		if g.network.IPv6CIDRBlock != "" {
			everywhere.IPv6CIDRBlocks = []string{"::/0"}
		}
		g.Egress = []*Rule{everywhere}
	}
}

func (b *builder) addRules(g *group, d direction, rules []*Rule) {
	elements(&b.problems, at(g.path, d.String()), rules, func(path string, r *Rule) {
		permissions, problems := b.permissions(g, d, r)
		if len(problems) == 0 {
			problems = b.admit(g, d, permissions, path)
		}
		b.problems.under(path, problems)
	})
}

// admit adds permissions to a group, unless it has one of them already or would
// have too many (F3.8, F3.9).
func (l *Lab) admit(g *group, d direction, permissions []permission, path string) (problems Problems) {
	for _, p := range permissions {
		if slices.ContainsFunc(g.rules[d], func(q permission) bool { return q.text == p.text }) {
			problems.add("", "security group %s already has this rule: %s", g.name, p.text)
		}
	}
	all := slices.Concat(g.rules[d], permissions)
	for _, f := range []*family{ipv4, ipv6} {
		n := 0
		for _, p := range all {
			n += p.weight(f)
		}
		if most := l.spec.Settings.RulesPerGroup; n > most {
			problems.add("", "%d %s rules of %s for %s: a security group takes %d at most%s", n, d, g.name, f.name, most, raise("rules_per_security_group", most, maxRules))
			break
		}
	}
	if len(problems) > 0 {
		return problems
	}
	for _, p := range permissions {
		p.rule.ID = filter.RuleID(len(l.rules))
		l.rules = append(l.rules, dataplane.RuleInfo{Group: g.ID, Label: g.String(), Text: p.text, Path: l.place(path)})
		g.rules[d] = append(g.rules[d], p)
	}
	return nil
}

// weight is how many rules for one family a permission counts as (F3.8).
func (p *permission) weight(f *family) int {
	switch {
	case p.list != nil && p.list.family == f:
		return p.list.weight
	case p.list == nil && (p.peer != nil || p.rule.Prefix.Addr.Is4() == f.is4):
		return 1
	}
	return 0
}

// permissions checks a rule, puts it into canonical form in place and takes it
// apart, one permission for each peer. The problems' paths are relative to the rule.
func (l *Lab) permissions(g *group, d direction, r *Rule) (out []permission, problems Problems) {
	t := traffic{
		protocol: &r.Protocol, from: &r.FromPort, to: &r.ToPort,
		kind: &r.FromPort, code: &r.ToPort, kindKey: "from_port", codeKey: "to_port",
	}
	base, what := t.match(&problems)
	preposition := "from"
	if d == egress {
		preposition = "to"
	}
	add := func(p permission, peer string) {
		p.rule.Proto, p.rule.From, p.rule.To = base.Proto, base.From, base.To
		p.text = fmt.Sprintf("%s %s %s", what, preposition, peer)
		out = append(out, p)
	}
	for _, f := range []*family{ipv4, ipv6} {
		key, blocks := "cidr_blocks", r.CIDRBlocks
		if f == ipv6 {
			key, blocks = "ipv6_cidr_blocks", r.IPv6CIDRBlocks
		}
		for i, s := range blocks {
			p, msg := f.block(s, f.otherKey+"s")
			if msg != "" {
				problems.add(item(key, i), "%s", msg)
				continue
			}
			blocks[i] = p.String()
			add(permission{rule: filter.Rule{Prefix: filter.PrefixFrom(p)}}, p.String())
		}
	}
	for i, name := range r.PrefixLists {
		list, err := find("prefix list", l.find.prefixes, name)
		if err != nil {
			problems.add(item("prefix_list_ids", i), "%v", err)
			continue
		}
		add(permission{list: list}, list.String())
	}
	for i, name := range r.SecurityGroups {
		peer, msg := l.peer(g, name)
		if msg != "" {
			problems.add(item("security_groups", i), "%s", msg)
			continue
		}
		add(permission{peer: peer}, peer.String())
	}
	if r.Self {
		add(permission{peer: g}, g.String())
	}
	if len(r.CIDRBlocks)+len(r.IPv6CIDRBlocks)+len(r.PrefixLists)+len(r.SecurityGroups) == 0 && !r.Self {
		problems.add("", "has no peer: give cidr_blocks, ipv6_cidr_blocks, prefix_list_ids, security_groups or self: true")
	}
	if len(problems) > 0 {
		return nil, problems
	}
	seen := map[string]bool{}
	for _, p := range out {
		if seen[p.text] {
			problems.add("", "names a peer twice: %s", p.text)
		}
		seen[p.text] = true
	}
	return out, problems
}

// peer resolves a group that a rule of g names: one of the same VPC, or of a peered
// one (F3.6). Others are out of reach, over PrivateLink too, where each side only
// ever sees addresses of its own VPC (F3.7).
func (l *Lab) peer(g *group, name string) (*group, string) {
	peer, err := l.find.groups.find(g.network.Name, name)
	vpc := ""
	switch owners := l.find.groups.owners(name); {
	case err == nil && (peer.network == g.network || l.peered(peer.network, g.network)):
		return peer, ""
	case err == nil:
		vpc = peer.network.Name
	case len(owners) > 0:
		vpc = owners[0]
	default:
		return nil, err.Error()
	}
	return nil, fmt.Sprintf("security group %s is in VPC %s: a rule can name groups of its own VPC (%s) and of VPCs peered with it, and PrivateLink shows each side addresses of its own VPC only; use cidr_blocks", name, vpc, g.network.Name)
}
