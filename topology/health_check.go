package topology

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// Check is a health check that a load balancer's node makes of a target, again
// and again. Two with the same key are
// the same check.
type Check struct {
	Node         *NIC           // who checks, from its primary address of the family
	To           netip.AddrPort // where
	Host         string         // what an HTTP request asks for: the node and its listener's port (F2.51)
	Proxied      bool           // a PROXY protocol header goes first, in its LOCAL form (F2.41)
	*HealthCheck                // how
	health       *health
}

// CheckKey is what makes a check the one that it is: one of a lab that has become another
// goes on where nothing of it has changed.
type CheckKey struct {
	node    dataplane.InterfaceID
	to      netip.AddrPort
	host    string
	proxied bool
	how     HealthCheck
	health  *health
}

// Key returns the check's key.
func (c Check) Key() CheckKey {
	return CheckKey{c.Node.Index, c.To, c.Host, c.Proxied, *c.HealthCheck, c.health}
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

// Checked tells the lab how a check went, and returns whether the target's state
// has changed with it, or what the node takes it for; then names and program may be
// others. A check that the lab no longer makes changes nothing that matters.
func (l *Lab) Checked(c Check, passed bool) (changed bool) {
	before := c.health.now
	changed = c.health.checked(c, passed, l.cut(c.Node))
	if c.health.now != before {
		c.health.since, changed = l.now, true
	}
	return changed
}

// Suspected tells the lab that a target failed passive checks, and returns whether its
// state has changed with it. Groups with stickiness have none (F2.53).
func (l *Lab) Suspected(s dataplane.Suspect) (changed bool) {
	for _, p := range l.pools {
		if p.number != s.Group || p.sticky() != dataplane.NotSticky {
			continue
		}
		for _, m := range p.members {
			if packet.AddrFrom(m.address()) != s.Addr || m.port != s.Port {
				continue
			}
			before := m.health.now
			changed = m.health.suspected(s.Node) || changed
			if m.health.now != before {
				m.health.since = l.now
			}
		}
	}
	return changed
}

// PassiveChecks reports whether the lab's load balancers make passive checks.
func (l *Lab) PassiveChecks() bool { return l.spec.Settings.PassiveChecks > 0 }

// health is what is known of a target's health. AWS does not say how its nodes
// come to agree (F2.51); here each counts its own checks, the first to make up
// its mind decides on a new target, and after that more than half of them must
// agree on a change. A node whose zone is lost reaches nobody, and has no say: else two
// nodes, of which one is lost, could agree on nothing any more.
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
	alone  bool        // the node's zone is lost
}

func (h *health) state() TargetState {
	if h.now == "" {
		return TargetInitial
	}
	return h.now
}

// checked returns whether the node, which may be alone, has changed its mind.
func (h *health) checked(c Check, passed, alone bool) bool {
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
	v.alone = alone
	before := v.mind
	switch {
	case passed && (v.mind == "" || v.streak >= c.HealthyThreshold): // F2.20
		v.mind = TargetHealthy
	case !passed && v.streak >= c.UnhealthyThreshold:
		v.mind = TargetUnhealthy
	}
	h.agree(v)
	return v.mind != before
}

// suspected makes a node change its mind about a target that it holds to be healthy,
// and returns whether it did.
func (h *health) suspected(node dataplane.InterfaceID) bool {
	v := h.views[node]
	if v == nil || v.mind != TargetHealthy {
		return false
	}
	*v = view{mind: TargetUnhealthy, alone: v.alone}
	h.agree(v)
	return true
}

// agree lets the nodes come to agree after one has made up its mind.
func (h *health) agree(after *view) {
	if after.mind == "" || after.alone {
		return
	}
	agree, minds := 0, 0
	for _, other := range h.views {
		if other.mind != "" && !other.alone {
			minds++
			if other.mind == after.mind {
				agree++
			}
		}
	}
	if h.now == "" || 2*agree > minds {
		h.now = after.mind
	}
}
