package dataplane

import (
	"slices"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// resolve answers an ARP request or an IPv6 neighbour solicitation. A VPC is no
// Ethernet segment: the fabric knows every interface and answers in its place,
// and a request for an address that nobody has stays unanswered.
func (w *Walk) resolve(now clock.Time, in InterfaceID, v *packet.View) (InterfaceID, drop.Reason) {
	nic := &w.prog.Interfaces[in]
	// An instance that asks for its own address looks for a rival
	// (RFC 5227 section 2.1, RFC 4862 section 5.4); there can be none.
	if slices.Contains(nic.Addrs, v.Target) || !mayAsk(nic, v) {
		return w.turnAway(now, in, v, drop.Unanswered)
	}
	mac, ok := w.neighbor(nic, v.Target)
	if !ok {
		return w.turnAway(now, in, v, drop.Unanswered)
	}
	w.see(now, in, flow.Egress, v, drop.None)
	if v.Kind == packet.KindARP {
		v.AnswerARP(mac)
	} else {
		v.AnswerNeighbor(mac)
	}
	w.see(now, in, flow.Ingress, v, drop.None)
	return in, drop.None
}

// mayAsk reports whether a request comes from an address of the interface. An
// IPv6 host that makes sure of a neighbour that it knows asks from its
// link-local address, which the lab does not know.
func mayAsk(nic *Interface, v *packet.View) bool {
	return slices.Contains(nic.Addrs, v.Src) || v.V6 && v.Src.IP().IsLinkLocalUnicast()
}

// neighbor returns the MAC address under which an interface reaches an address
// of its own subnet.
func (w *Walk) neighbor(nic *Interface, addr packet.Addr) (packet.MAC, bool) {
	if slices.Contains(nic.Routers, addr) {
		return nic.RouterMAC, true
	}
	id, ok := w.prog.VPCs[nic.VPC].Addrs[addr]
	if !ok {
		return packet.MAC{}, false
	}
	peer := &w.prog.Interfaces[id]
	return peer.MAC, peer.Subnet == nic.Subnet
}

// Neighbor returns the MAC address that an interface finds for an address of its
// own subnet, and whether there is one; all else is reached by the router's.
func (w *Walk) Neighbor(at InterfaceID, addr packet.Addr) (packet.MAC, bool) {
	return w.neighbor(&w.prog.Interfaces[at], addr)
}
