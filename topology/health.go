package topology

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
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
	used := l.used()
	for _, m := range p.members {
		all = append(all, l.healthOf(p, m, used))
	}
	for _, o := range p.leavers {
		if l.now < o.unused {
			all = append(all, p.drained(o.member, TargetDraining))
		}
	}
	return p.whole(all), nil
}

// RegisteredTarget is a target of a target group, as people and as packets know it.
type RegisteredTarget struct {
	TargetGroup string
	ID          dataplane.TargetID
	TargetHealth
}

// Targets returns the targets of all groups that are registered, or draining, with their
// health. Of an Application Load Balancer each node is one.
func (l *Lab) Targets() []RegisteredTarget {
	var all []RegisteredTarget
	used := l.used()
	add := func(p *pool, m member, h TargetHealth) {
		all = append(all, RegisteredTarget{p.name, dataplane.TargetID{Group: p.number, Addr: packet.AddrFrom(m.address()), Port: m.port}, h})
	}
	for _, p := range l.pools {
		for _, m := range p.members {
			add(p, m, l.healthOf(p, m, used))
		}
		for _, o := range p.leavers {
			if l.now < o.unused {
				add(p, o.member, p.drained(o.member, TargetDraining))
			}
		}
	}
	return all
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
			all = append(all, l.healthOf(p, p.members[i], l.used()))
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

// used returns the health of all targets that somebody checks.
func (l *Lab) used() map[*health]bool {
	used := map[*health]bool{}
	for _, c := range l.Checks() {
		used[c.health] = true
	}
	return used
}

func (l *Lab) healthOf(p *pool, m member, used map[*health]bool) TargetHealth {
	h := TargetHealth{Target: p.nameOf(m), State: m.health.state()}
	switch {
	case !used[m.health]:
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
