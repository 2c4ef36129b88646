package topology

import (
	"fmt"
)

// How many targets AWS takes (F2.7).
const (
	maxPoolTargets    = 1000 // of a target group
	maxZoneTargets    = 500  // of a load balancer in a zone
	maxTargets        = 3000 // of a load balancer
	maxCrossedTargets = 500  // of a load balancer, where they serve all zones
)

// checkQuotas counts the targets of each target group and load balancer.
func (b *builder) checkQuotas() {
	for _, p := range b.pools {
		if n := len(p.members); n > maxPoolTargets {
			b.problems.add(at(p.path, "targets"), "%d targets: a target group takes %d at most", n, maxPoolTargets)
		}
	}
	for _, lb := range b.Lab.balancers {
		if why := lb.crowded(); why != "" {
			b.problems.add(lb.path, "%s", why)
		}
	}
}

// room tells whether one more target of a group would be too many.
func (l *Lab) room(p *pool, m member) (problems Problems) {
	if len(p.members) >= maxPoolTargets {
		problems.add("", "target group %s has %d targets, and takes no more", p.name, maxPoolTargets)
		return problems
	}
	before := p.members
	defer func() { p.members = before }()
	p.members = append(p.members[:len(before):len(before)], m)
	for _, lb := range l.balancers {
		if why := lb.crowded(); why != "" {
			problems.add("", "%s", why)
		}
	}
	return problems
}

// crowded says of what a load balancer has too many targets, "" if of nothing.
// A target counts in each of its groups.
func (lb *balancer) crowded() string {
	if lb.application() {
		return "" // F2.7 is about network load balancers
	}
	all, crossed := 0, 0
	zones := map[string]int{}
	for p := range lb.pools() {
		all += len(p.members)
		if lb.crosses(p) {
			crossed += len(p.members)
		}
		for _, m := range p.members {
			for _, s := range lb.zones {
				if at := m.place(); at == allZones || at.Num == s.zone.Num {
					zones[s.zone.Name]++
				}
			}
		}
	}
	for _, s := range lb.zones {
		if n := zones[s.zone.Name]; n > maxZoneTargets && crossed == 0 {
			return fmt.Sprintf("load balancer %s has %d targets in %s: it takes %d a zone at most", lb.name, n, s.zone.Name, maxZoneTargets)
		}
	}
	switch {
	case crossed > maxCrossedTargets:
		return fmt.Sprintf("load balancer %s has %d targets that serve all zones: with cross-zone load balancing it takes %d at most", lb.name, crossed, maxCrossedTargets)
	case all > maxTargets:
		return fmt.Sprintf("load balancer %s has %d targets: it takes %d at most", lb.name, all, maxTargets)
	}
	return ""
}
