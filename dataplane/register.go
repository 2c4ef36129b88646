package dataplane

import "github.com/plsim/plsim/dataplane/packet"

// register is what has been found by looking through a program's targets, as far as it was
// asked for: so that with a thousand of them no packet takes longer than with one. It ends
// with the program.
type register struct {
	eligible map[outlook][]*Target
	resets   map[*TargetGroup]map[member]bool // of groups that have such targets, whether it is one
	serves   map[*LoadBalancer]map[server]struct{}
}

// outlook is a target group as a node sees it.
type outlook struct {
	group *TargetGroup
	node  InterfaceID
}

// member is a target by its address, as the nodes of its zone see it, or as all others do.
type member struct {
	addr   packet.Addr
	port   uint16
	zone   ZoneID
	others bool
}

// server is what an interface serves at an address and port.
type server struct {
	at   InterfaceID
	addr packet.Addr
	port uint16
}

func newRegister() register {
	return register{make(map[outlook][]*Target), make(map[*TargetGroup]map[member]bool), make(map[*LoadBalancer]map[server]struct{})}
}

// forget forgets everything.
func (r *register) forget() {
	clear(r.eligible)
	clear(r.resets)
	clear(r.serves)
}

// eligible returns the targets of a group that a node sends new flows to.
func (w *Walk) eligible(g *TargetGroup, node InterfaceID) []*Target {
	of := outlook{g, node}
	all, known := w.register.eligible[of]
	if known {
		return all
	}
	from := w.prog.Interfaces[node].reach()
	for i := range g.Targets {
		if t := &g.Targets[i]; g.reaches(t, from) {
			all = append(all, t)
		}
	}
	w.register.eligible[of] = all
	return all
}

// resets reports whether a group ends the flows by way of a zone's nodes to a target. A
// target of all zones is there once for each.
func (w *Walk) resets(g *TargetGroup, addr packet.Addr, port uint16, zone ZoneID) bool {
	all, known := w.register.resets[g]
	if !known {
		all = g.members()
		w.register.resets[g] = all
	}
	if reset, here := all[member{addr: addr, port: port, zone: zone}]; here {
		return reset
	}
	return all[member{addr: addr, port: port, others: true}]
}

// members says of a group's targets whether flows to them end; nil: none do.
func (g *TargetGroup) members() map[member]bool {
	var all map[member]bool
	for i := range g.Targets {
		if g.Targets[i].Reset {
			all = make(map[member]bool, 2*len(g.Targets))
			break
		}
	}
	if all == nil {
		return nil
	}
	for i := range g.Targets {
		t := &g.Targets[i]
		here := member{addr: t.Addr, port: t.Port, zone: t.Zone}
		if _, known := all[here]; !known {
			all[here] = t.Reset
		}
		all[member{addr: t.Addr, port: t.Port, others: true}] = t.Reset
	}
	return all
}

// serves reports whether what an interface sends from an address and port is a load
// balancer's target's, or was.
func (w *Walk) serves(lb *LoadBalancer, at InterfaceID, addr packet.Addr, port uint16) bool {
	all, known := w.register.serves[lb]
	if !known {
		all = lb.servers()
		w.register.serves[lb] = all
	}
	_, serves := all[server{at, addr, port}]
	return serves
}

// servers returns all that a load balancer's targets serve, or have served.
func (lb *LoadBalancer) servers() map[server]struct{} {
	all := make(map[server]struct{})
	for _, l := range lb.Listeners {
		for g := range l.groups {
			for _, list := range [][]Target{g.Targets, g.Former} {
				for i := range list {
					t := &list[i]
					all[server{t.Interface, t.Addr, t.Port}] = struct{}{}
				}
			}
		}
	}
	return all
}
