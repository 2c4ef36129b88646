package dataplane

import (
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// listener finds the listener for the packet and judges whether the packet may
// open a flow there. Listeners are at a node's primary addresses: the secondary
// ones are towards its targets (F2.2).
func (d *decision) listener(lb *LoadBalancer, primary bool) (*Listener, drop.Reason) {
	if d.v.Proto != packet.TCP && d.v.Proto != packet.UDP {
		return nil, drop.LoadBalancerICMP
	}
	l := lb.Listeners[ListenerKey{d.v.Proto, d.at.DstPort}]
	switch {
	case l == nil || !primary:
		return nil, drop.NoListener
	case d.midway():
		d.passing = true // a SYN on the same ports is a new matter
		return nil, drop.UnknownFlow
	}
	return l, drop.None
}

// midway reports whether the packet is a TCP segment that opens nothing.
func (d *decision) midway() bool { return !conntrack.Opens(d.v.Proto, d.v.Flags) }

// groups visits the listener's target groups, whichever clients they are for.
func (l *Listener) groups(yield func(*TargetGroup) bool) {
	for ; l != nil; l = l.IPv6 {
		for _, f := range l.Forward {
			if !yield(f.Group) {
				return
			}
		}
	}
}

// target chooses a target group for the flow by the listener's weights, and in it
// a target among those that the node may use.
func (d *decision) target(l *Listener, node InterfaceID, private bool) (*TargetGroup, *Target, drop.Reason) {
	if l.IPv6 != nil && !d.at.Src.Is4() {
		l = l.IPv6
	}
	key := tupleKey(node, d.v.Proto, d.at)
	g, hash := d.group(l, node, nlb.Hash(d.w.salt, &key, d.v.Seq))
	if g == nil {
		return nil, nil, drop.NoTarget
	}
	switch {
	case g.Sticky == StickyEndpoint && private:
		hash = nlb.SourceHash(d.w.salt, d.v.Proto, d.at.Dst)
	case g.Sticky != NotSticky:
		hash = nlb.SourceHash(d.w.salt, d.v.Proto, d.at.Src)
	}
	eligible := d.w.eligible(g, node)
	k, _ := nlb.Select(hash, len(eligible))
	if k < 0 {
		return nil, nil, drop.NoTarget
	}
	return g, eligible[k], drop.None
}

// choose picks the target group of a new flow, each as often as its weight says
// (F2.11); nil where all weights are 0. What is left of the hash is for the target.
func (l *Listener) choose(hash uint64) (*TargetGroup, uint64) {
	total := 0
	for _, f := range l.Forward {
		total += f.Weight
	}
	if total == 0 {
		return nil, 0
	}
	k, rest := nlb.Select(hash, total)
	i := 0
	for ; k >= l.Forward[i].Weight; i++ {
		k -= l.Forward[i].Weight
	}
	return l.Forward[i].Group, rest
}

// reaches reports whether a node sends new flows to a target (F2.19): of clients of
// either family, for the node speaks to the target in the target's own (F1.52).
func (g *TargetGroup) reaches(t *Target, node reach) bool {
	speaks := node.v6
	if t.Addr.Is4() {
		speaks = node.v4
	}
	return !t.Avoid && t.Interface != NoInterface && speaks && (g.CrossZone || t.Zone == node.zone)
}

// reach is what decides which targets a node reaches: its zone, and the families that it
// has addresses of.
type reach struct {
	zone   ZoneID
	v4, v6 bool
}

func (n *Interface) reach() reach {
	r := reach{zone: n.Zone}
	for i := range n.Addrs {
		is4 := n.Addrs[i].Is4()
		r.v4, r.v6 = r.v4 || is4, r.v6 || !is4
	}
	return r
}
