package topology

import (
	"fmt"
	"slices"
	"strings"
)

// AuthorizeIngress adds an inbound rule to a security group. The error is of
// type [Problems], with paths relative to the rule, where the rule is at fault.
func (l *Lab) AuthorizeIngress(group string, r *Rule) error { return l.authorize(group, ingress, r) }

// AuthorizeEgress is AuthorizeIngress for an outbound rule.
func (l *Lab) AuthorizeEgress(group string, r *Rule) error { return l.authorize(group, egress, r) }

// RevokeIngress removes an inbound rule from a security group, for each of the
// peers that it names. AWS refuses if the group has it not. Tracked flows live
// on (F3.12).
func (l *Lab) RevokeIngress(group string, r *Rule) error { return l.revoke(group, ingress, r) }

// RevokeEgress is RevokeIngress for an outbound rule.
func (l *Lab) RevokeEgress(group string, r *Rule) error { return l.revoke(group, egress, r) }

// CheckRule tells whether a rule could stand in a security group at all, without
// changing anything. Problems have paths relative to the rule.
func (l *Lab) CheckRule(group string, r *Rule) error {
	_, _, err := l.edit(group, ingress, r)
	return err
}

// edit resolves a group and a rule towards or from it.
func (l *Lab) edit(name string, d direction, r *Rule) (*group, []permission, error) {
	g, err := l.find.groups.find("", name)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		return nil, nil, fmt.Errorf("no %s rule is given for security group %s", d, name)
	}
	own := *r // Its canonical form is ours alone.
	own.CIDRBlocks, own.IPv6CIDRBlocks = slices.Clone(r.CIDRBlocks), slices.Clone(r.IPv6CIDRBlocks)
	permissions, problems := l.permissions(g, d, &own)
	problems.sort()
	return g, permissions, problems.err()
}

func (l *Lab) authorize(name string, d direction, r *Rule) error {
	g, permissions, err := l.edit(name, d, r)
	if err != nil {
		return err
	}
	return l.admit(g, d, permissions, "").err()
}

func (l *Lab) revoke(name string, d direction, r *Rule) error {
	g, permissions, err := l.edit(name, d, r)
	if err != nil {
		return err
	}
	rest := slices.Clone(g.rules[d])
	for _, p := range permissions {
		i := slices.IndexFunc(rest, func(q permission) bool { return q.text == p.text })
		if i < 0 {
			return fmt.Errorf("security group %s has no %s rule %s%s", g, d, p.text, g.has(d))
		}
		rest = slices.Delete(rest, i, i+1)
	}
	g.rules[d] = rest
	return nil
}

// has lists the rules of a direction, for a message.
func (g *group) has(d direction) string {
	var texts []string
	for _, p := range g.rules[d] {
		texts = append(texts, p.text)
	}
	switch n := len(texts); {
	case n == 0:
		return ", nor any other"
	case n <= 8:
		return "; it has " + list(texts)
	default:
		return fmt.Sprintf("; it has %d others", n)
	}
}

// RegisterTarget adds a target to a target group. Registering it again changes
// nothing; one that is draining takes new flows again and keeps its own. The error is a *[Refusal] where AWS says no,
// and of type [Problems], with paths relative to the target, where the target is at fault.
func (l *Lab) RegisterTarget(targetGroup string, t *Target) error {
	p, members, err := l.target(targetGroup, t)
	if err != nil {
		return err
	}
	for _, m := range members {
		if p.index(m) >= 0 {
			continue
		}
		if problems := l.zoned(p, &m, t.AvailabilityZone); len(problems) > 0 {
			return problems.verdict("")
		}
		if problems := l.room(p, m); len(problems) > 0 {
			return problems
		}
		if problems := l.register(p, m); len(problems) > 0 {
			return problems
		}
	}
	return nil
}

// DeregisterTarget removes a target from a target group: it drains. Like AWS it is
// content if the target was not registered. Established flows live on (F2.59),
// unless the group's connection_termination ends them after the delay (F2.60).
func (l *Lab) DeregisterTarget(targetGroup string, t *Target) error {
	p, members, err := l.target(targetGroup, t)
	if err != nil {
		return err
	}
	for _, m := range members {
		if i := p.index(m); i >= 0 {
			l.deregister(p, i)
		}
	}
	return nil
}

func (l *Lab) target(targetGroup string, t *Target) (*pool, []member, error) {
	p, err := find("target group", l.find.pools, targetGroup)
	if err != nil {
		return nil, nil, err
	}
	members, problems := l.membersOf(p, t)
	problems.sort()
	return p, members, problems.err()
}

// orList joins words for people: a, b or c.
func orList(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return list(words)
}
