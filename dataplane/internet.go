package dataplane

import (
	"github.com/plsim/plsim/dataplane/packet"
)

// The internet is a network of its own, and an internet gateway no interface: it
// exchanges the private address of an interface for the public one that it has, where
// packets leave for the internet, and back where they come from there. Nothing in the VPC
// sees the public address.

// inPublic returns what packets between an interface and one on the internet look like
// there.
func (p *Program) inPublic(at, beside InterfaceID, t packet.Tuple) packet.Tuple {
	nic := &p.Interfaces[at]
	if !p.meet(at, beside) {
		return t
	}
	return exchange(t, nic.Addrs[0], nic.Public)
}

// inPrivate returns what they look like at the interface.
func (p *Program) inPrivate(at, beside InterfaceID, t packet.Tuple) packet.Tuple {
	nic := &p.Interfaces[at]
	if !p.meet(at, beside) {
		return t
	}
	return exchange(t, nic.Public, nic.Addrs[0])
}

// meet reports whether there is an internet gateway between an interface that has a
// public address and another one, which is on the internet.
func (p *Program) meet(at, beside InterfaceID) bool {
	return p.Interfaces[beside].Kind == Internet && p.Interfaces[at].Public != (packet.Addr{})
}

func exchange(t packet.Tuple, was, is packet.Addr) packet.Tuple {
	if t.Src == was {
		t.Src = is
	}
	if t.Dst == was {
		t.Dst = is
	}
	return t
}

// tuple is what Forward packets look like at hop i: of two between which there is an
// internet gateway, the one on the internet sees the public address.
func (w *Walk) tuple(p *path, i int) packet.Tuple {
	t := p.seen(i / 2)
	j := i ^ 1
	if max(i, j) >= int(p.hopCount) {
		return t
	}
	at, beside := p.hop(i), p.hop(j)
	if w.prog.meet(at, beside) || w.prog.meet(beside, at) {
		return w.prog.inPrivate(at, beside, w.prog.inPublic(beside, at, t))
	}
	return t
}

// exposed returns what a packet from one interface to another looks like at the other,
// with an internet gateway between them or not.
func (p *Program) exposed(from, to InterfaceID, t packet.Tuple, tr *Trace) packet.Tuple {
	seen := p.inPrivate(to, from, p.inPublic(from, to, t))
	if seen != t {
		tr.exposed(from, to, seen)
	}
	return seen
}

// expose takes the packet through the internet gateway, if there is one on its way. What
// an ICMP error quotes is exchanged as well: its receiver knows no other address.
func (d *decision) expose(from, to InterfaceID) {
	d.at = d.w.prog.exposed(from, to, d.at, d.trace)
	if d.quoteProto == 0 {
		return
	}
	if quote := d.w.prog.exposed(from, to, d.quote, nil); quote != d.quote {
		d.quote = quote
		if d.commit {
			d.v.TranslateQuoted(quote)
		}
	}
}
