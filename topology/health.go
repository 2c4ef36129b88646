package topology

import (
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
)

// TargetState is what AWS's DescribeTargetHealth says of a target (F2.54).
type TargetState string

// The states.
const (
	TargetInitial   TargetState = "initial"   // registered, not yet checked
	TargetHealthy   TargetState = "healthy"   // gets new flows
	TargetUnhealthy TargetState = "unhealthy" // gets none, unless its group fails open
	// Unhealthy, for so long after it became so that its group's draining interval
	// has not passed; its flows live on (F2.55).
	TargetUnhealthyDraining TargetState = "unhealthy.draining"
	TargetDraining          TargetState = "draining" // deregistered: no new flows, those that it has go on (F2.59)
	TargetUnused            TargetState = "unused"   // nobody checks it, since nobody would use it
)

// TargetHealth is the health of a target, in the API's words.
type TargetHealth struct {
	Target string // its target_id, with :PORT where that is not the group's
	State  TargetState
	Reason string // a reason code, "" of a healthy target
}

// TargetHealth returns the health of all targets of a group, in the order of
// their registration.
func (l *Lab) TargetHealth(targetGroup string) ([]TargetHealth, error) {
	p, err := find("target group", l.find.pools, targetGroup)
	if err != nil {
		return nil, err
	}
	var all []TargetHealth
	for _, m := range p.members {
		all = append(all, l.healthOf(p, m))
	}
	for _, o := range p.leavers {
		if l.now < o.unused {
			all = append(all, p.drained(o.member, TargetDraining))
		}
	}
	return p.whole(all), nil
}

// whole makes one target of an Application Load Balancer's nodes, of which each
// has health of its own: the best that any of them has is that of the whole.
func (p *pool) whole(nodes []TargetHealth) []TargetHealth {
	if p.TargetType != "alb" || len(nodes) == 0 {
		return nodes
	}
	rank := []TargetState{TargetHealthy, TargetInitial, TargetUnhealthyDraining, TargetUnhealthy, TargetDraining, TargetUnused}
	return []TargetHealth{slices.MinFunc(nodes, func(a, b TargetHealth) int {
		return slices.Index(rank, a.State) - slices.Index(rank, b.State)
	})}
}

// HealthOf returns the health of one target, which need not be registered.
func (l *Lab) HealthOf(targetGroup string, t *Target) (TargetHealth, error) {
	p, members, err := l.target(targetGroup, t)
	if err != nil {
		return TargetHealth{}, err
	}
	var all []TargetHealth
	for _, m := range members {
		i := p.index(m)
		switch {
		case i >= 0:
			all = append(all, l.healthOf(p, p.members[i]))
		case slices.ContainsFunc(p.leavers, func(o leaver) bool { return o.same(m) && l.now < o.unused }):
			all = append(all, p.drained(m, TargetDraining))
		default:
			all = append(all, p.drained(m, TargetUnused))
		}
	}
	return p.whole(all)[0], nil
}

// drained is the health of a target that is not registered.
func (p *pool) drained(m member, state TargetState) TargetHealth {
	reason := "Target.NotRegistered"
	if state == TargetDraining {
		reason = "Target.DeregistrationInProgress"
	}
	return TargetHealth{p.nameOf(m), state, reason}
}

func (l *Lab) healthOf(p *pool, m member) TargetHealth {
	h := TargetHealth{Target: p.nameOf(m), State: m.health.state()}
	switch {
	case !slices.ContainsFunc(l.Checks(), func(c Check) bool { return c.health == m.health }):
		h.State, h.Reason = TargetUnused, "Target.NotInUse" // F2.19
	case h.State == TargetInitial:
		h.Reason = "Elb.InitialHealthChecking"
	case h.State == TargetUnhealthy:
		h.Reason = "Target.FailedHealthChecks"
		if l.now < m.health.since.Add(seconds(p.HealthState.DrainingInterval)) {
			h.State = TargetUnhealthyDraining
		}
	}
	return h
}

// nameOf returns how a story names a target of the group.
func (p *pool) nameOf(m member) string {
	name := m.addr.String()
	switch {
	case m.host != nil:
		name = m.host.name
	case m.node != nil:
		name = m.node.balancer.name
	}
	switch {
	case int(m.port) == p.Port:
		return name
	case m.host != nil || m.node != nil:
		return name + ":" + strconv.Itoa(int(m.port))
	}
	return netip.AddrPortFrom(m.addr, m.port).String()
}

// ParseTarget reads the name of a target: its target_id, or target_id:PORT.
func ParseTarget(name string) (*Target, error) {
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ":") {
		return &Target{TargetID: name}, nil
	}
	host, port, err := net.SplitHostPort(name)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || n == 0 || host == "" {
		return &Target{}, fmt.Errorf("%q is no target: write its target_id, or target_id:PORT", name)
	}
	return &Target{TargetID: host, Port: int(n)}, nil
}

// Check is a health check that a load balancer's node makes of a target, again
// and again. Two Checks are equal if they are the same check.
type Check struct {
	Node         *NIC           // who checks, from its primary address of the family
	To           netip.AddrPort // where
	Host         string         // what an HTTP request asks for: the node and its listener's port (F2.51)
	Proxied      bool           // a PROXY protocol header goes first, in its LOCAL form (F2.41)
	*HealthCheck                // how
	health       *health
}

// Every and Patience are the check's interval and timeout.
func (c Check) Every() time.Duration { return time.Duration(c.Interval) * time.Second }

// Patience returns the check's timeout.
func (c Check) Patience() time.Duration { return time.Duration(c.Timeout) * time.Second }

// Passes reports whether a status code is one that the target should answer.
func (c Check) Passes(status int) bool {
	set, _ := parseCodes(c.Matcher) // the lab has seen it
	return slices.ContainsFunc(set, func(r [2]int) bool { return r[0] <= status && status <= r[1] })
}

// Checks returns the health checks that the lab's load balancers make now: each
// node checks the targets that it could use (F2.19).
func (l *Lab) Checks() []Check {
	var all []Check
	for _, lb := range l.balancers {
		for p, port := range lb.pools() {
			for _, m := range p.members {
				for _, n := range lb.nodes {
					if !lb.uses(p, m, n.Zone) {
						continue
					}
					to := netip.AddrPortFrom(m.address(), p.checkPort(m))
					from := n.addr(ipv6)
					if ipv4.holds(to.Addr()) {
						from = n.addr(ipv4)
					}
					if from.IsValid() {
						all = append(all, Check{n, to, net.JoinHostPort(from.String(), port), *p.ProxyProtocolV2, p.HealthCheck, m.health})
					}
				}
			}
		}
	}
	return all
}

func (p *pool) checkPort(m member) uint16 {
	if n, err := strconv.Atoi(p.HealthCheck.Port); err == nil {
		return uint16(n)
	}
	return m.port
}

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

// Checked tells the lab how a check went, and returns whether the target's state
// has changed with it; then names and program may be others. A check that the lab
// no longer makes changes nothing that matters.
func (l *Lab) Checked(c Check, passed bool) (changed bool) {
	before := c.health.now
	c.health.checked(c, passed)
	if c.health.now == before {
		return false
	}
	c.health.since = l.now
	return true
}

// health is what is known of a target's health. AWS does not say how its nodes
// come to agree (F2.51); here each counts its own checks, the first to make up
// its mind decides on a new target, and after that more than half of them must
// agree on a change.
type health struct {
	now   TargetState // "" until the first node has made up its mind
	since clock.Time  // when it became so
	views map[dataplane.InterfaceID]*view
}

// view is how one node sees a target.
type view struct {
	mind   TargetState // "" until it is made up
	passed bool        // the last checks,
	streak int         // so many in a row
}

func (h *health) state() TargetState {
	if h.now == "" {
		return TargetInitial
	}
	return h.now
}

func (h *health) checked(c Check, passed bool) {
	if h.views == nil {
		h.views = map[dataplane.InterfaceID]*view{}
	}
	v := h.views[c.Node.Index]
	if v == nil {
		v = new(view)
		h.views[c.Node.Index] = v
	}
	if v.passed != passed {
		v.passed, v.streak = passed, 0
	}
	v.streak++
	switch {
	case passed && (v.mind == "" || v.streak >= c.HealthyThreshold): // F2.20
		v.mind = TargetHealthy
	case !passed && v.streak >= c.UnhealthyThreshold:
		v.mind = TargetUnhealthy
	}
	if v.mind == "" {
		return
	}
	agree, minds := 0, 0
	for _, other := range h.views {
		if other.mind != "" {
			minds++
		}
		if other.mind == v.mind {
			agree++
		}
	}
	if h.now == "" || 2*agree > minds {
		h.now = v.mind
	}
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

// healthyIn reports whether a zone belongs in the load balancer's DNS name: each
// of its groups has healthy targets enough there (F2.57, F2.58).
func (lb *balancer) healthyIn(zone Zone) bool {
	for p := range lb.pools() {
		if !p.GroupHealth.DNS.minimum().met(lb.tally(p, zone)) {
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

// healthyNodes returns the nodes whose zones are healthy; if none is, all (F2.58).
func (lb *balancer) healthyNodes() []*NIC {
	return orAll(lb.nodes, func(n *NIC) bool { return lb.healthyIn(n.Zone) })
}

// healthyNICs returns the endpoint's interfaces that lead to a healthy zone of a
// load balancer (F1.25); if none does, all.
func (e *Endpoint) healthyNICs() []*NIC {
	return orAll(e.NICs, func(n *NIC) bool {
		return slices.ContainsFunc(e.offer.balancers, func(lb *balancer) bool {
			return lb.serves(n.Zone) && lb.enabled(n.Zone) && lb.healthyIn(n.Zone)
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
