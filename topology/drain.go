package topology

import (
	"cmp"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// leaver is a target that was deregistered. It is draining until unused (F2.59);
// after that it is remembered for what it may still send.
type leaver struct {
	member
	told   clock.Time // from when on load balancers give it no new flows
	unused clock.Time // the end of the deregistration delay
	closed clock.Time // when its flows are closed; never where they may live on
}

// never is a time that does not come.
const never clock.Time = 1<<63 - 1

// deregister takes a registered target out of its group.
func (l *Lab) deregister(p *pool, i int) {
	leaves := leaver{
		member: p.members[i], told: l.now.Add(l.propagation()),
		unused: l.now.Add(seconds(*p.DeregistrationDelay)), closed: never,
	}
	if *p.ConnectionTermination {
		leaves.closed = max(leaves.told, leaves.unused).Add(seconds(*l.spec.Settings.TerminationDelay)) // F2.60
	}
	if leaves.closed <= l.now {
		l.closures = append(l.closures, leaves.closure(p))
	}
	p.leavers = append(p.leavers, leaves)
	p.members = slices.Delete(slices.Clone(p.members), i, i+1)
}

// register adds a target to its group, a draining one again with its flows.
func (l *Lab) register(p *pool, m member) Problems {
	m.known = l.now.Add(l.propagation())
	back := slices.IndexFunc(p.leavers, func(o leaver) bool { return o.same(m) })
	if back >= 0 && l.now < p.leavers[back].told {
		m.known = p.leavers[back].known // nobody has noticed
	}
	problems := p.register(m)
	if len(problems) > 0 || back < 0 {
		return problems
	}
	if o := p.leavers[back]; l.now >= o.unused && l.now < o.closed && o.closed != never {
		l.closures = append(l.closures, o.closure(p)) // what is left is of the old registration
	}
	p.leavers = slices.Delete(slices.Clone(p.leavers), back, back+1)
	return nil
}

// closure names the flows to the target.
func (o *leaver) closure(p *pool) dataplane.Closure {
	return dataplane.Closure{Group: p.number, Addr: packet.AddrFrom(o.address()), Port: o.port}
}

// moments lists the times at which what load balancers do changes by itself.
func (l *Lab) moments(yield func(at clock.Time, closes *dataplane.Closure) bool) {
	for _, p := range l.pools {
		for _, m := range p.members {
			if !yield(m.known, nil) {
				return
			}
		}
		for _, o := range p.leavers {
			closes := o.closure(p)
			if !yield(o.told, nil) || !yield(o.closed, &closes) {
				return
			}
		}
	}
	for _, lb := range l.balancers {
		for _, e := range lb.endings {
			if !yield(e.at, &e.closure) {
				return
			}
		}
	}
	for _, e := range l.Endpoints {
		if e.State == Pending && !yield(e.settles, nil) {
			return
		}
	}
}

// Advance tells the lab what time it is, and reports whether its program has
// changed by that alone. Time never runs backwards.
func (l *Lab) Advance(now clock.Time) (changed bool) {
	for at, closes := range l.moments {
		if at <= l.now || at > now {
			continue
		}
		changed = true
		if closes != nil {
			l.closures = append(l.closures, *closes)
		}
	}
	l.now = max(l.now, now)
	l.settle()
	return changed
}

// Next returns when Advance will have something to do; ok is false where it will
// not, unless the lab is edited.
func (l *Lab) Next() (at clock.Time, ok bool) {
	at = never
	for t := range l.moments {
		if t > l.now {
			at = min(at, t)
		}
	}
	return at, at != never
}

// propagation is how long load balancers take to learn of a change.
func (l *Lab) propagation() time.Duration { return seconds(l.spec.Settings.PropagationDelay) }

// draining completes and checks what becomes of the targets that leave a group.
func (b *builder) draining(path string, g *TargetGroup) {
	delay := 300
	g.DeregistrationDelay = cmp.Or(g.DeregistrationDelay, &delay)
	if d := *g.DeregistrationDelay; d < 0 || d > 3600 {
		b.problems.add(at(path, "deregistration_delay"), "%d is out of range: AWS takes 0 to 3600 seconds", d)
	}
	udp := g.udp() // F2.60
	g.ConnectionTermination = cmp.Or(g.ConnectionTermination, &udp)
}
