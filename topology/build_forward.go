package topology

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
)

// fits are the target group protocols that a listener's protocol can forward to (F2.9).
var fits = map[string][]string{
	"TCP":     {"TCP", "TCP_UDP"},
	"UDP":     {"UDP", "TCP_UDP"},
	"TCP_UDP": {"TCP_UDP"},
	"TLS":     {"TCP", "TLS"},
	"HTTP":    {"HTTP"},
	"HTTPS":   {"HTTP"},
}

// maxWeight bounds the weights of target groups (F2.11).
const maxWeight = 999

// forwarding is what a listener does with new flows.
type forwarding struct {
	shares []share
	sticky time.Duration // how long a client keeps its target group; 0: not at all
	rules  []rule        // of a listener, by priority
}

// share is a target group of a listener with its weight (F2.11).
type share struct {
	*pool
	weight int
}

// ending is when a listener's flows to a target group are closed.
type ending struct {
	at      clock.Time
	closure dataplane.Closure
}

// forward completes and resolves an action of a listener. The problems' paths are
// relative to it.
func (l *Lab) forward(lb *balancer, listener *Listener, a *Action) (f forwarding, problems Problems) {
	if a.Type == "" {
		a.Type = "forward"
	}
	if a.Type != "forward" {
		problems.add("type", "%q is not an action of a load balancer here%s", a.Type, hint(a.Type, []string{"forward"}))
	}
	switch {
	case a.Forward == nil && a.TargetGroup == "":
		problems.add("target_group_arn", "is missing: name a target group")
	case a.Forward == nil:
		if p := l.forwardTo(&problems, "target_group_arn", lb, listener, a.TargetGroup); p != nil {
			f.shares = append(f.shares, share{p, 1})
		}
	case lb.application():
		problems.add("forward", "is for network load balancers here, and %s is an application one: name its target group with target_group_arn", lb.name)
	case a.TargetGroup != "":
		problems.add("forward", "cannot stand beside target_group_arn: name all target groups here")
	case len(a.Forward.TargetGroups) == 0:
		problems.add("forward.target_group", "is missing: name at least one target group")
	default:
		elements(&problems, "forward.target_group", a.Forward.TargetGroups, func(path string, g *WeightedGroup) {
			weight := 1
			if g.Weight != nil {
				weight = *g.Weight
			}
			if weight < 0 || weight > maxWeight {
				problems.add(at(path, "weight"), "%d is out of range: AWS takes 0 to %d", weight, maxWeight)
			}
			p := l.forwardTo(&problems, at(path, "arn"), lb, listener, g.ARN)
			if p == nil {
				return
			}
			if slices.ContainsFunc(f.shares, func(s share) bool { return s.pool == p }) {
				problems.add(at(path, "arn"), "target group %s is listed twice", p.name)
			}
			if len(f.shares) > 0 && f.shares[0].family != p.family { // F2.12
				problems.add(at(path, "arn"), "target groups %s and %s have different ip_address_types: those of one action have the same", f.shares[0].name, p.name)
			}
			f.shares = append(f.shares, share{p, weight})
		})
		f.sticky = a.Forward.Stickiness.check(&problems, listener)
	}
	return f, problems
}

// check completes and checks the stickiness of a listener's target groups (F2.11),
// and returns how long a client keeps its group; 0: not at all.
func (s *GroupStickiness) check(problems *Problems, listener *Listener) time.Duration {
	if s == nil {
		return 0
	}
	const path = "forward.stickiness"
	switch d := s.Duration; {
	case d < 0 || d > maxGroupStickiness:
		problems.add(path+".duration", "%d is out of range: AWS takes 1 to %d seconds", d, maxGroupStickiness)
	case !s.Enabled:
		return 0
	case listener.Protocol == "TLS":
		problems.add(path, "is not for TLS listeners: remove it")
	case d == 0:
		problems.add(path+".duration", "is missing: how many seconds a client keeps its target group, 1 to %d", maxGroupStickiness)
	}
	return seconds(s.Duration)
}

// maxGroupStickiness bounds the duration of stickiness, in seconds: seven days.
const maxGroupStickiness = 604800

// forwardTo resolves the name of a target group that a listener forwards to.
func (l *Lab) forwardTo(problems *Problems, path string, lb *balancer, listener *Listener, name string) *pool {
	p, err := find("target group", l.find.pools, name)
	needs := fits[listener.Protocol]
	if slices.Contains(applicationProtocols, listener.Protocol) != lb.application() || err == nil && p.TargetType == "alb" && p.Protocol != "TCP" {
		needs = nil // the listener or the group itself is the mistake
	}
	switch {
	case err != nil:
		problems.add(path, "%v", err)
		return nil
	case needs != nil && slices.Contains(poolProtocols, p.Protocol) && !slices.Contains(needs, p.Protocol):
		problems.add(path, "%s listener cannot forward to target group %s, whose protocol is %s; it needs %s", withArticle(listener.Protocol), p.name, p.Protocol, strings.Join(needs, " or "))
	case needs != nil && p.TargetType == "alb" && listener.Protocol != "TCP":
		problems.add(path, "a %s listener cannot forward to target group %s, whose target_type is alb; it needs a TCP listener", listener.Protocol, p.name)
	case listener.Protocol == "TLS" && p.Stickiness != nil && p.Stickiness.Enabled: // F2.18
		problems.add(path, "target group %s has stickiness, which TLS listeners do not know: remove it, or use another target group", p.name)
	case lb.network != nil && p.network != nil && p.network != lb.network:
		problems.add(path, "target group %s is in VPC %s, but load balancer %s is in VPC %s", p.name, p.network.Name, lb.name, lb.network.Name)
	case p.family == ipv6 && lb.blocks < 2:
		problems.add(path, "target group %s has ip_address_type ipv6, and load balancer %s is not dualstack: set its ip_address_type", p.name, lb.name)
	}
	return p
}

// stickiness completes and checks a target group's stickiness (F2.18).
func (b *builder) stickiness(path string, s *Stickiness) {
	if s == nil {
		return
	}
	b.choice(at(path, "type"), &s.Type, "a type of stickiness of a network load balancer", "source_ip")
	b.choice(at(path, "source"), &s.Source, "a source", "client", "endpoint")
}

// sticky returns what the choice among the group's targets depends on.
func (p *pool) sticky() dataplane.Stickiness {
	switch {
	case p.Stickiness == nil || !p.Stickiness.Enabled:
		return dataplane.NotSticky
	case p.Stickiness.Source == "endpoint":
		return dataplane.StickyEndpoint
	default:
		return dataplane.StickyClient
	}
}

// CheckListener tells whether an action could be a listener's at all, without
// changing anything. Problems have paths relative to the action.
func (l *Lab) CheckListener(name string, port int, a *Action) error {
	_, _, _, err := l.listener(name, port, a)
	return err
}

// ModifyListener gives a listener another default action: new flows follow the new
// weights, those that exist stay. Flows to a group whose weight becomes 0 are
// closed a little later, unless it gets another by then (F2.11).
func (l *Lab) ModifyListener(name string, port int, a *Action) error {
	lb, i, f, err := l.listener(name, port, a)
	if err != nil {
		return err
	}
	f.rules = lb.forwards[i].rules
	before := lb.forwards[i].shares
	grown := *lb
	grown.forwards = slices.Clone(lb.forwards)
	grown.forwards[i] = f
	if why := grown.crowded(); why != "" {
		return Problems{{Msg: why}}
	}
	lb.forwards = grown.forwards
	l.reweigh(lb, port, before, f.shares)
	return nil
}

// reweigh closes the flows of a listener to groups whose weight has become 0.
func (l *Lab) reweigh(lb *balancer, port int, before, now []share) {
	for _, s := range now {
		c := dataplane.Closure{Group: s.number, Balancer: lb.number, Listener: uint16(port)}
		pending := slices.IndexFunc(lb.endings, func(e ending) bool { return e.closure == c && e.at > l.now })
		had := slices.ContainsFunc(before, func(b share) bool { return b.number == s.number && b.weight > 0 })
		switch {
		case s.weight > 0 && pending >= 0:
			lb.endings = slices.Delete(slices.Clone(lb.endings), pending, pending+1)
		case s.weight == 0 && had:
			l.end(lb, c)
		}
	}
}

// end closes flows of a listener, a little later.
func (l *Lab) end(lb *balancer, c dataplane.Closure) {
	e := ending{l.now.Add(seconds(*l.spec.Settings.TerminationDelay)), c}
	if e.at <= l.now {
		l.closures = append(l.closures, c)
		return
	}
	lb.endings = append(lb.endings, e)
}

// listener finds a listener, and resolves an action for it.
func (l *Lab) listener(name string, port int, a *Action) (*balancer, int, forwarding, error) {
	lb, err := find("load balancer", l.find.balancers, name)
	if err != nil {
		return nil, 0, forwarding{}, err
	}
	i := slices.IndexFunc(lb.Listeners, func(o *Listener) bool { return o.Port == port })
	switch {
	case i < 0:
		return nil, 0, forwarding{}, fmt.Errorf("load balancer %s has no listener on port %d", name, port)
	case a == nil:
		return nil, 0, forwarding{}, fmt.Errorf("no default_action is given for the listener on port %d", port)
	}
	own := *a // what is filled in is ours alone
	f, problems := l.forward(lb, lb.Listeners[i], &own)
	problems.sort()
	return lb, i, f, problems.err()
}
