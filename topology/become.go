package topology

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/metrics"
)

// Become makes the lab the one that [Lab.Renew] has made of it, by changes as
// [Lab.Changes] lists them. What the changes leave alone lives on: interfaces and rules
// keep their numbers, targets their health, endpoints their states. What they change goes
// the way that an edit of its kind would go. Parts of the lab that others hold, such as a
// *NIC, stay what they were; the same parts of the new lab are others.
func (l *Lab) Become(next *Lab, changes []Change) {
	h := &heir{Lab: next, of: l, renewed: map[string]bool{}, changed: map[string]bool{}, stays: map[*NIC]*NIC{}}
	for _, c := range changes {
		h.changed[c.Address] = true
		h.renewed[c.Address] = c.Action != Update
	}
	next.now, next.epoch, next.lost = l.now, l.epoch, l.lost
	next.closures = l.closures
	own := next.Events
	next.Events = slices.Clone(l.Events)
	h.interfaces()
	h.rules()
	h.links()
	h.balancers()
	h.pools()
	h.endings()
	h.services()
	h.endpoints(own)
	h.tracks()
	for _, s := range next.subnets {
		for _, b := range s.blocks {
			b.kept, b.ours = nil, nil
		}
	}
	*l = *next
}

// Snapshot returns the lab as it is now, to which [Lab.Revert] brings it back.
func (l *Lab) Snapshot() *Lab {
	was := *l
	return &was
}

// Revert makes the lab what it was before it became another: as far as that is not for
// packets, which know the numbers of both.
func (l *Lab) Revert(was *Lab) {
	now, epoch, rules, numbers, closures := l.now, l.epoch, l.rules, l.numbers, l.closures
	nics := slices.Clone(was.NICs)
	for _, n := range l.NICs[len(nics):] {
		nics = append(nics, n.gone(was))
	}
	*l = *was
	l.now, l.epoch, l.numbers, l.closures, l.NICs = now, epoch, numbers, closures, nics
	l.rules = append(slices.Clone(was.rules), rules[len(was.rules):]...)
}

// heir is a lab that takes the place of another.
type heir struct {
	*Lab
	of      *Lab
	renewed map[string]bool // by address: it is not what it was before, if it was at all
	changed map[string]bool // by address
	stays   map[*NIC]*NIC   // interfaces before to what they are now
}

// resource returns the address of what an interface belongs to.
func (n *NIC) resource() string {
	switch {
	case n.Host != nil:
		return "instance." + n.Host.Name
	case n.Endpoint != nil:
		return "vpc_endpoint." + n.Endpoint.Name
	case n.balancer != nil:
		return "load_balancer." + n.balancer.name
	case n.Kind == dataplane.Resolver:
		return "vpc." + n.Network.Name
	}
	return n.Label
}

// gone returns a deleted interface, as a lab has it that has none any more.
func (n *NIC) gone(from *Lab) *NIC {
	c := *n
	c.Kind, c.subnet = dataplane.Absent, uint16(len(from.subnets))
	if now := from.find.networks[n.Network.Name]; now != nil && n.Network.outside == 0 {
		c.Network = now
	}
	for _, s := range from.subnets {
		if s.ID == n.SubnetID && s.network.Name == n.Network.Name {
			c.subnet = s.number
		}
	}
	return &c
}

// interfaces gives interfaces the numbers that they had, and others to new ones. Those
// that are gone leave holes.
func (h *heir) interfaces() {
	before := map[string]*NIC{}
	for _, n := range h.of.NICs {
		if n.Kind != dataplane.Absent {
			before[n.path] = n
		}
	}
	for id, path := range h.of.ids.taken {
		if _, ok := h.ids.taken[id]; !ok {
			h.ids.taken[id] = path
		}
	}
	all := make([]*NIC, len(h.of.NICs))
	renamed := map[string]string{}
	for _, n := range h.NICs {
		o, id := before[n.path], n.ID
		if o != nil && h.same(o, n) {
			n.Index, n.ID, n.MAC, n.ready = o.Index, o.ID, o.MAC, o.ready
			all[o.Index], h.stays[o] = n, n
		} else {
			n.Index = dataplane.InterfaceID(len(all))
			all = append(all, n)
			if o != nil || h.of.knew(n.ID) {
				n.ID, n.MAC = h.ids.hex("eni", n.path), h.ids.mac(n.path)
			}
		}
		renamed[id] = n.ID
	}
	for i, o := range h.of.NICs {
		switch {
		case all[i] != nil:
		case o.Kind == dataplane.Absent && h.has(o.Network):
			all[i] = o
		default:
			all[i] = o.gone(h.Lab)
		}
	}
	h.NICs = all
	for _, f := range h.FlowLogs {
		for i, id := range f.scopes {
			f.scopes[i] = cmp.Or(renamed[id], id)
		}
	}
}

// knew reports whether an interface of the lab has, or had, an ID.
func (l *Lab) knew(eni string) bool {
	return slices.ContainsFunc(l.NICs, func(n *NIC) bool { return n.ID == eni })
}

// same reports whether an interface is what it was before, as far as devices know it. A
// node may have got more addresses (F2.2).
func (h *heir) same(o, n *NIC) bool {
	addrs := slices.Equal(o.Addrs, n.Addrs)
	if n.Kind == dataplane.Node {
		addrs = !slices.ContainsFunc(o.Addrs, func(a netip.Prefix) bool { return !slices.Contains(n.Addrs, a) })
	}
	return o.Kind == n.Kind && addrs && slices.Equal(o.Routers, n.Routers) && o.MTU == n.MTU && o.SubnetID == n.SubnetID &&
		o.Zone == n.Zone && !h.renewed[n.resource()] && !h.renewed["vpc."+n.Network.Name]
}

// rules gives the rules of security groups the numbers that they had.
func (h *heir) rules() {
	fresh := h.Lab.rules
	h.Lab.rules = slices.Clone(h.of.rules)
	for _, vpc := range slices.Sorted(maps.Keys(h.find.groups.vpcs)) {
		for _, name := range slices.Sorted(maps.Keys(h.find.groups.vpcs[vpc])) {
			g := h.find.groups.vpcs[vpc][name]
			o := h.of.find.groups.vpcs[vpc][name]
			for d := range g.rules {
				for i := range g.rules[d] {
					p := &g.rules[d][i]
					info, had := fresh[p.rule.ID], -1
					if o != nil && !h.renewed["security_group."+g.String()] {
						had = slices.IndexFunc(o.rules[d], func(q permission) bool { return q.text == p.text })
					}
					if had >= 0 {
						p.rule.ID = o.rules[d][had].rule.ID
						h.Lab.rules[p.rule.ID] = info
						continue
					}
					p.rule.ID = filter.RuleID(len(h.Lab.rules))
					h.Lab.rules = append(h.Lab.rules, info)
				}
			}
		}
	}
}

func (h *heir) links() {
	h.numbers.links = h.of.numbers.links
	for _, w := range h.wires {
		if o := h.of.find.wires[w.name]; o != nil {
			w.id = o.id
		} else {
			w.id = h.numbers.link()
		}
	}
}

// balancers gives load balancers their numbers. What nodes that are gone thought of
// targets goes with them, and their connections.
func (h *heir) balancers() {
	h.numbers.balancers = h.of.numbers.balancers
	for _, lb := range h.Lab.balancers {
		if o := h.of.find.balancers[lb.name]; o != nil && !h.renewed["load_balancer."+lb.name] {
			lb.number = o.number
		} else {
			lb.number = h.numbers.balancer()
		}
	}
	for _, lb := range h.of.balancers {
		for _, n := range lb.nodes {
			if h.stays[n] == nil {
				h.closures = append(h.closures, dataplane.Closure{Balancer: lb.number, Zone: n.Zone.Num})
				for _, p := range h.of.pools {
					p.overlook(n)
				}
			}
		}
	}
}

// pools hands on the targets: those that stay keep their health, the others come and go
// as by an edit.
func (h *heir) pools() {
	h.numbers.pools = h.of.numbers.pools
	kept := map[string]bool{}
	for _, p := range h.Lab.pools {
		wanted := p.members
		p.members = nil
		o := h.of.find.pools[p.name]
		if kept[p.name] = o != nil && !h.renewed["target_group."+p.name]; !kept[p.name] {
			p.number, o = h.numbers.pool(), nil
		} else {
			p.number = o.number
			h.inherit(p, o)
		}
		order := func(m member) int { return slices.IndexFunc(wanted, m.same) }
		for i := len(p.members) - 1; i >= 0; i-- {
			j := order(p.members[i])
			if j < 0 {
				h.deregister(p, i)
				continue
			}
			p.members[i].zone = wanted[j].zone
		}
		for _, m := range wanted {
			if p.index(m) < 0 {
				_ = h.register(p, m) // the document has been checked
			}
		}
		slices.SortFunc(p.members, func(a, b member) int { return order(a) - order(b) })
	}
	for _, o := range h.of.pools {
		if !kept[o.name] {
			h.closures = append(h.closures, dataplane.Closure{Group: o.number})
		}
	}
}

// inherit gives a target group the targets that it had, but for those that are gone
// themselves, with their flows.
func (h *heir) inherit(p, o *pool) {
	for _, m := range o.members {
		if now, ok := h.now(m); ok {
			p.members = append(p.members, now)
		} else {
			h.closures = append(h.closures, (&leaver{member: m}).closure(o))
		}
	}
	for _, l := range o.leavers {
		if now, ok := h.now(l.member); ok {
			l.member = now
			p.leavers = append(p.leavers, l)
		}
	}
}

// now returns what a target is in the lab that takes the place of its own; ok is false if
// it is nothing any more.
func (h *heir) now(m member) (now member, ok bool) {
	switch {
	case m.host != nil:
		nic := h.stays[m.host.NIC]
		if nic == nil {
			return m, false
		}
		m.host = nic.Host
	case m.node != nil:
		if m.node = h.stays[m.node]; m.node == nil {
			return m, false
		}
	}
	return m, true
}

// endings hands on when flows of listeners are closed, and closes those to groups that
// have lost their weight.
func (h *heir) endings() {
	for _, lb := range h.Lab.balancers {
		o := h.of.find.balancers[lb.name]
		if o == nil || o.number != lb.number {
			continue
		}
		lb.endings = slices.Clone(o.endings)
		for i, l := range lb.Listeners {
			j := slices.IndexFunc(o.Listeners, func(was *Listener) bool { return was.Port == l.Port })
			if j >= 0 {
				h.reweigh(lb, l.Port, o.forwards[j].shares, lb.forwards[i].shares)
			}
		}
	}
}

// services keeps what AWS has found of the proof of a private name, unless the author now
// says otherwise.
func (h *heir) services() {
	for _, o := range h.offers {
		was := h.of.find.offers[o.name]
		if was == nil || was.PrivateDNSName != o.PrivateDNSName || was.PrivateDNSProof == nil || o.PrivateDNSProof == nil {
			continue
		}
		if said := h.of.spec.EndpointServices[o.name].PrivateDNSProof; said != nil && said.State == o.PrivateDNSProof.State {
			state := was.PrivateDNSProof.State
			o.change(func(s *EndpointService) {
				s.PrivateDNSProof = clone(s.PrivateDNSProof)
				s.PrivateDNSProof.State = state
			})
		}
	}
}

// endpoints hands on the states of endpoints. Those that are new are set up, and so are
// those that are changed, with their new interfaces. connects are the events of all.
func (h *heir) endpoints(connects []Event) {
	for _, o := range h.of.Endpoints {
		if at := "vpc_endpoint." + o.Name; o.State != Deleted && (h.renewed[at] || h.find.endpoints[o.Name] == nil) {
			h.record(EventDelete, o)
		}
	}
	for _, e := range h.Endpoints {
		at, o := "vpc_endpoint."+e.Name, h.of.find.endpoints[e.Name]
		if o == nil || h.renewed[at] || o.State == Deleted {
			i := slices.IndexFunc(connects, func(v Event) bool { return v.Endpoint == e.Name })
			connects[i].At = h.Lab.now
			h.Events = append(h.Events, connects[i])
			if e.State == Available {
				h.setUp(e, e.NICs)
			}
			continue
		}
		e.State, e.settles = o.State, o.settles
		var come []*NIC
		for _, n := range e.NICs {
			if int(n.Index) >= len(h.of.NICs) {
				come = append(come, n)
			}
		}
		switch {
		case e.State == PendingAcceptance && e.AutoAccept:
			h.record(EventAccept, e)
			h.setUp(e, e.NICs)
		case h.changed[at] && (e.State == Available || e.State == Pending):
			h.setUp(e, come)
		}
	}
}

// tracks hands on what metrics know of the past.
func (h *heir) tracks() {
	h.Lab.tracks = map[tracked]*metrics.Track{}
	for t, track := range h.of.tracks {
		known := true
		if t.lb != nil {
			o := t.lb
			t.lb = h.find.balancers[o.name]
			known = known && t.lb != nil && t.lb.number == o.number
		}
		if t.pool != nil {
			o := t.pool
			t.pool = h.find.pools[o.name]
			known = known && t.pool != nil && t.pool.number == o.number
		}
		if t.offer != nil {
			t.offer = h.find.offers[t.offer.name]
			known = known && t.offer != nil
		}
		if known {
			h.Lab.tracks[t] = track
		}
	}
}
