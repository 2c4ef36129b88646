package topology

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
)

// application reports whether it is an Application Load Balancer: a reverse proxy,
// whose nodes are devices to the packets and no part of their way.
func (lb *balancer) application() bool { return lb.LoadBalancerType == "application" }

// networkBalancers visits the Network Load Balancers.
func (l *Lab) networkBalancers() iter.Seq[*balancer] {
	return func(yield func(*balancer) bool) {
		for _, lb := range l.balancers {
			if !lb.application() && !yield(lb) {
				return
			}
		}
	}
}

// networkBalancer finds a load balancer for what only network ones can do.
func (l *Lab) networkBalancer(name string) (*balancer, error) {
	lb, err := find("load balancer", l.find.balancers, name)
	if err == nil && lb.application() {
		return nil, fmt.Errorf("load balancer %s is an application one, and this is for network load balancers", name)
	}
	return lb, err
}

// front returns the Application Load Balancer that a target group has as its
// target; nil if it has none.
func (p *pool) front() *balancer {
	if len(p.members) == 0 || p.members[0].node == nil {
		return nil
	}
	return p.members[0].node.balancer
}

// entrances returns the load balancers through which clients come to a load
// balancer: itself, and those whose target it is.
func (l *Lab) entrances(lb *balancer) []*balancer {
	all := []*balancer{lb}
	for _, o := range l.balancers {
		for p := range o.pools() {
			if p.front() == lb && !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	return all
}

// HTTPListener is a listener of an Application Load Balancer, at one of its nodes.
type HTTPListener struct {
	Balancer string // its name
	Node     *NIC
	Port     uint16
	TLS      *TLSListener // what its handshakes follow; nil: it speaks HTTP in clear
}

// HTTPListeners returns the listeners of every node of the Application Load
// Balancers. They never change.
func (l *Lab) HTTPListeners() []HTTPListener {
	var all []HTTPListener
	for _, lb := range l.balancers {
		if !lb.application() {
			continue
		}
		for _, of := range lb.Listeners {
			for _, n := range lb.nodes {
				h := HTTPListener{Balancer: lb.name, Node: n, Port: uint16(of.Port)}
				if of.endsTLS() {
					ends := l.tlsListenerOf(lb, of, n)
					h.TLS = &ends
				}
				all = append(all, h)
			}
		}
	}
	return all
}

// Backends are the targets to which the listeners of Application Load Balancers
// forward at one moment. They never change.
type Backends struct {
	by map[backendsOf][]netip.AddrPort
}

type backendsOf struct {
	balancer string
	port     uint16
}

// Of returns the targets of a listener: its healthy ones, or if none is, all.
func (b *Backends) Of(h HTTPListener) []netip.AddrPort {
	return b.by[backendsOf{h.Balancer, h.Port}]
}

// Backends returns the targets behind Application Load Balancers as they are now.
func (l *Lab) Backends() *Backends {
	all := &Backends{by: map[backendsOf][]netip.AddrPort{}}
	for _, lb := range l.balancers {
		if !lb.application() {
			continue
		}
		for i, of := range lb.Listeners {
			for _, s := range lb.forwards[i].shares {
				all.by[backendsOf{lb.name, uint16(of.Port)}] = l.backends(lb, s.pool)
			}
		}
	}
	return all
}

func (l *Lab) backends(lb *balancer, p *pool) (to []netip.AddrPort) {
	for _, m := range p.members {
		open := lb.failsOpen(p, m.place()) // F2.56
		if m.known <= l.now && lb.uses(p, m, m.place()) && (open || m.health.now == TargetHealthy) {
			to = append(to, netip.AddrPortFrom(m.address(), m.port))
		}
	}
	for _, o := range p.leavers {
		if l.now < o.told {
			to = append(to, netip.AddrPortFrom(o.address(), o.port))
		}
	}
	return to
}
