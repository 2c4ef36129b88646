package topology

import (
	"cmp"
	"slices"
)

// rule sends clients of one address family elsewhere than a listener's default action
// does (F2.12).
type rule struct {
	priority int
	family   *family
	forwarding
}

// maxPriority bounds the priorities of rules.
const maxPriority = 50000

// listenerRules completes, checks and resolves the rules of a listener, in the order
// in which they are asked.
func (b *builder) listenerRules(path string, lb *balancer, l *Listener) (rules []rule) {
	path = at(path, "rules")
	if len(l.Rules) > 0 && lb.application() {
		b.problems.add(path, "are for network load balancers here, and %s is an application one", lb.name)
		return nil
	}
	if len(l.Rules) > 0 && lb.blocks < 2 {
		b.problems.add(path, "tell IPv4 clients from IPv6 ones, and load balancer %s is not dualstack: set its ip_address_type", lb.name)
		return nil
	}
	priorities := map[int]bool{}
	elements(&b.problems, path, l.Rules, func(path string, spec *ListenerRule) {
		switch p := spec.Priority; {
		case p < 1 || p > maxPriority:
			b.problems.add(at(path, "priority"), "%d is out of range: AWS takes 1 to %d", p, maxPriority)
		case priorities[p]:
			b.problems.add(at(path, "priority"), "%d is another rule's of this listener already", p)
		}
		priorities[spec.Priority] = true
		r := rule{priority: spec.Priority, family: b.sourceFamily(at(path, "condition"), spec.Condition)}
		if spec.Action == nil {
			b.problems.add(at(path, "action"), "is missing: write { target_group_arn: NAME }")
			return
		}
		var problems Problems
		r.forwarding, problems = b.forward(lb, l, spec.Action)
		b.problems.under(at(path, "action"), problems)
		rules = append(rules, r)
	})
	slices.SortFunc(rules, func(x, y rule) int { return cmp.Compare(x.priority, y.priority) })
	return rules
}

// sourceFamily returns the family that a condition names.
func (b *builder) sourceFamily(path string, c *RuleCondition) *family {
	path = at(path, "source_ip")
	if c == nil || c.SourceIP == nil || c.SourceIP.IPAddressType == "" {
		b.problems.add(path, "is missing: write { ip_address_type: ipv4 } or { ip_address_type: ipv6 }")
		return nil
	}
	b.choice(at(path, "ip_address_type"), &c.SourceIP.IPAddressType, "an address type of clients", "ipv4", "ipv6")
	if c.SourceIP.IPAddressType == "ipv4" {
		return ipv4
	}
	return ipv6
}

// of returns what a listener does with new flows of clients of a family.
func (f forwarding) of(clients *family) forwarding {
	for _, r := range f.rules {
		if r.family == clients {
			return r.forwarding
		}
	}
	return f
}

// all returns the target groups of a listener, those of its rules after those of its
// default action.
func (f forwarding) all() []share {
	shares := slices.Clip(f.shares)
	for _, r := range f.rules {
		shares = append(shares, r.shares...)
	}
	return shares
}
