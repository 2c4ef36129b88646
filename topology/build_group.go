package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	peer *group      // nil where rule.Prefix is the peer
	text string      // tcp 80 from 10.0.0.0/16: the same for equal permissions
}

// addGroups resolves the security groups, then their rules, which may name any
// of them.
func (b *builder) addGroups() {
	var groups []*group
	for _, n := range b.Networks {
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
			if p.peer != nil || p.rule.Prefix.Addr.Is4() == f.is4 {
				n++
			}
		}
		if n > maxRules {
			problems.add("", "%d %s rules of %s for %s: a security group takes %d at most", n, d, g.name, f.name, maxRules)
			break
		}
	}
	if len(problems) > 0 {
		return problems
	}
	for _, p := range permissions {
		p.rule.ID = filter.RuleID(len(l.rules))
		l.rules = append(l.rules, dataplane.RuleInfo{Group: g.ID, Label: g.String(), Text: p.text, Path: path})
		g.rules[d] = append(g.rules[d], p)
	}
	return nil
}

// permissions checks a rule, puts it into canonical form in place and takes it
// apart, one permission for each peer. The problems' paths are relative to the rule.
func (l *Lab) permissions(g *group, d direction, r *Rule) (out []permission, problems Problems) {
	base, what := r.match(&problems)
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
	if len(r.CIDRBlocks)+len(r.IPv6CIDRBlocks)+len(r.SecurityGroups) == 0 && !r.Self {
		problems.add("", "has no peer: give cidr_blocks, ipv6_cidr_blocks, security_groups or self: true")
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

// peer resolves a group that a rule of g names. Groups of other VPCs are out of
// reach: a reference stands for interfaces of the same VPC, and over PrivateLink
// each side only ever sees addresses of its own VPC (F3.6, F3.7).
func (l *Lab) peer(g *group, name string) (*group, string) {
	peer, err := l.find.groups.find(g.network.Name, name)
	vpc := ""
	switch owners := l.find.groups.owners(name); {
	case err == nil && peer.network == g.network:
		return peer, ""
	case err == nil:
		vpc = peer.network.Name
	case len(owners) > 0:
		vpc = owners[0]
	default:
		return nil, err.Error()
	}
	return nil, fmt.Sprintf("security group %s is in VPC %s: a rule can name groups of its own VPC (%s) only, and PrivateLink shows each side addresses of its own VPC only; use cidr_blocks", name, vpc, g.network.Name)
}

var protocols = map[string]int{"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "-1": filter.AnyProto}

// match reads and completes the rule's protocol and ports; text says them.
func (r *Rule) match(problems *Problems) (rule filter.Rule, text string) {
	proto, ok := r.protocol()
	if !ok {
		if r.Protocol == "" {
			problems.add("protocol", "is missing: write tcp, udp, icmp, icmpv6, a protocol number, or -1 for all")
		} else {
			problems.add("protocol", "%q is not a protocol%s", r.Protocol, hint(r.Protocol, []string{"tcp", "udp", "icmp", "icmpv6", "-1"}))
		}
		return rule, ""
	}
	rule.Proto = proto
	switch r.Protocol {
	case "tcp", "udp":
		text = r.ports(problems, &rule)
		return rule, text
	case "icmp", "icmpv6":
		text = r.icmp(problems, &rule)
		return rule, text
	}
	// All ports: AWS and Terraform take 0 or -1 for both here, and mean nothing by it.
	for key, v := range map[string]*int{"from_port": r.FromPort, "to_port": r.ToPort} {
		if v != nil && *v != 0 && *v != -1 {
			problems.add(key, "protocol %s has no ports: remove from_port and to_port, or name tcp or udp", r.Protocol)
		}
	}
	r.FromPort, r.ToPort = nil, nil
	if proto == filter.AnyProto {
		return rule, "all"
	}
	return rule, "protocol " + r.Protocol
}

// protocol returns the protocol's number and writes it as AWS does: by name
// where it has one.
func (r *Rule) protocol() (int, bool) {
	word := strings.ToLower(r.Protocol)
	if word == "all" {
		word = "-1"
	}
	if n, ok := protocols[word]; ok {
		r.Protocol = word
		return n, true
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 || n > 255 || strconv.Itoa(n) != word {
		return 0, false
	}
	r.Protocol = word
	for name, number := range protocols {
		if number == n {
			r.Protocol = name
		}
	}
	return n, true
}

// ports reads the port range of a TCP or UDP rule.
func (r *Rule) ports(problems *Problems, rule *filter.Rule) string {
	if r.FromPort == nil {
		problems.add("from_port", "is missing: give the first port, and to_port for a range; 0 and 65535 are all of them")
		return ""
	}
	if r.ToPort == nil {
		to := *r.FromPort
		r.ToPort = &to
	}
	for _, v := range []struct {
		key   string
		value int
	}{{"from_port", *r.FromPort}, {"to_port", *r.ToPort}} {
		if v.value < 0 || v.value > 65535 {
			problems.add(v.key, "%d is not a port: give one from 0 to 65535", v.value)
			return ""
		}
	}
	rule.From, rule.To = *r.FromPort, *r.ToPort
	switch {
	case rule.From > rule.To:
		problems.add("to_port", "%d is below from_port %d: write the lower port first", rule.To, rule.From)
	case rule.From == rule.To:
		return fmt.Sprintf("%s %d", r.Protocol, rule.From)
	}
	return fmt.Sprintf("%s %d-%d", r.Protocol, rule.From, rule.To)
}

// icmp reads the type and code of an ICMP rule.
func (r *Rule) icmp(problems *Problems, rule *filter.Rule) string {
	for _, v := range []struct {
		key, what string
		value     **int
	}{{"from_port", "type", &r.FromPort}, {"to_port", "code", &r.ToPort}} {
		if *v.value == nil {
			anything := -1
			*v.value = &anything
		}
		if n := **v.value; n < -1 || n > 255 {
			problems.add(v.key, "%d is not an ICMP %s: give one from 0 to 255, or -1 for any", n, v.what)
			return ""
		}
	}
	rule.From, rule.To = *r.FromPort, *r.ToPort
	switch {
	case rule.From == -1 && rule.To != -1:
		problems.add("to_port", "an ICMP code needs a type: give from_port, or make this -1 for any")
	case rule.From == -1:
		return r.Protocol
	case rule.To == -1:
		return fmt.Sprintf("%s type %d", r.Protocol, rule.From)
	}
	return fmt.Sprintf("%s type %d code %d", r.Protocol, rule.From, rule.To)
}
