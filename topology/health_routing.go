package topology

import (
	"iter"
	"slices"
	"strconv"

	"github.com/plsim/plsim/dataplane"
)

// place returns a target's zone.
func (m member) place() Zone {
	switch {
	case m.host != nil:
		return m.host.NIC.Zone
	case m.node != nil:
		return m.node.Zone
	}
	return m.zone
}

// crosses reports whether the nodes use a group's targets in all zones: the
// group's word wins (F2.19).
func (lb *balancer) crosses(p *pool) bool {
	return p.TargetGroup.CrossZone == "true" || p.TargetGroup.CrossZone != "false" && *lb.CrossZone
}

// enabled reports whether the load balancer has a node in a zone.
func (lb *balancer) enabled(z Zone) bool {
	return slices.ContainsFunc(lb.zones, func(s *subnet) bool { return s.zone.Num == z.Num })
}

// tally counts a group's healthy targets among those that a load balancer uses,
// in one zone or, where the group crosses zones, in all.
func (lb *balancer) tally(p *pool, zone Zone) (healthy, all int) {
	for _, m := range p.members {
		if !lb.uses(p, m, zone) {
			continue
		}
		all++
		if m.health.now == TargetHealthy {
			healthy++
		}
	}
	return healthy, all
}

// failsOpen reports whether the nodes in a zone use a group's targets whatever
// their health (F2.56, F2.57).
func (lb *balancer) failsOpen(p *pool, zone Zone) bool {
	return !p.GroupHealth.Routing.minimum().met(lb.tally(p, zone))
}

// cutOff reports whether a zone's node finds none of those targets of a group healthy
// that the load balancer's nodes agree on: then it is not the targets that fail.
func (lb *balancer) cutOff(p *pool, zone Zone) bool {
	i := slices.IndexFunc(lb.nodes, func(n *NIC) bool { return n.Zone.Num == zone.Num })
	healthy, reached := 0, 0
	for _, m := range p.members {
		if i < 0 || m.health.now != TargetHealthy || !lb.uses(p, m, zone) {
			continue
		}
		healthy++
		if v := m.health.views[lb.nodes[i].Index]; v == nil || v.mind != TargetUnhealthy {
			reached++
		}
	}
	return healthy > 0 && reached == 0
}

// healthyIn reports whether a zone belongs in the load balancer's DNS name: each
// of its groups has healthy targets enough there (F2.57, F2.58), and the zone's node
// reaches some.
func (lb *balancer) healthyIn(zone Zone) bool {
	for p := range lb.pools() {
		if lb.cutOff(p, zone) || !p.GroupHealth.DNS.minimum().met(lb.tally(p, zone)) {
			return false
		}
	}
	return true
}

// pools visits the target groups behind the load balancer, each once, with the
// port of its first listener.
func (lb *balancer) pools() iter.Seq2[*pool, string] {
	return func(yield func(*pool, string) bool) {
		seen := map[*pool]bool{}
		for i, f := range lb.forwards {
			for _, s := range f.all() {
				if !seen[s.pool] && !yield(s.pool, strconv.Itoa(lb.Listeners[i].Port)) {
					return
				}
				seen[s.pool] = true
			}
		}
	}
}

// zoneHealth remembers which zones of load balancers are healthy, while nothing changes:
// ten thousand endpoints ask about the same few.
type zoneHealth map[zoneOf]bool

type zoneOf struct {
	lb   *balancer
	zone dataplane.ZoneID
}

func (h zoneHealth) healthy(lb *balancer, zone Zone) bool {
	of := zoneOf{lb, zone.Num}
	good, known := h[of]
	if !known {
		good = lb.healthyIn(zone)
		h[of] = good
	}
	return good
}

// nodes returns the nodes of a load balancer whose zones are healthy; if none is, all
// (F2.58).
func (h zoneHealth) nodes(lb *balancer) []*NIC {
	return orAll(lb.nodes, func(n *NIC) bool { return h.healthy(lb, n.Zone) })
}

// nics returns the endpoint's interfaces that lead to a healthy zone of a load balancer
// (F1.25); if none does, all.
func (h zoneHealth) nics(e *Endpoint) []*NIC {
	return orAll(e.NICs, func(n *NIC) bool {
		return slices.ContainsFunc(e.offer.balancers, func(lb *balancer) bool {
			return lb.serves(n.Zone) && lb.enabled(n.Zone) && h.healthy(lb, n.Zone)
		})
	})
}

func orAll(nics []*NIC, good func(*NIC) bool) []*NIC {
	var some []*NIC
	for _, n := range nics {
		if good(n) {
			some = append(some, n)
		}
	}
	if len(some) == 0 {
		return nics
	}
	return some
}
