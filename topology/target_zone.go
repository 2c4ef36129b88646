package topology

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// allZones stands for the zone of a target that the nodes in every zone use, whether
// the group crosses zones or not: it is outside the VPC, at home in none (F2.22a).
var allZones = Zone{Name: "all"}

// sharedSpace is for carriers' networks (RFC 6598), and for targets (F2.22a).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// beyond says what is wrong with an address as a target of a group in another
// network, "" if nothing is.
func (l *Lab) beyond(p *pool, a netip.Addr) string {
	switch {
	case a.Is4() && !a.IsPrivate() && !sharedSpace.Contains(a):
		return fmt.Sprintf("%s is a public address, which cannot be a target: AWS takes those of the VPC, and of 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12 and 192.168.0.0/16", a)
	case !a.Is4() && p.network.settled:
		return fmt.Sprintf("%s is in no subnet of VPC %s: an IPv6 target is one of the group's own VPC", a, p.network.Name)
	}
	for _, n := range l.Networks {
		if n != p.network && (!n.settled || n.holds(a)) {
			return ""
		}
	}
	return fmt.Sprintf("%s is in no subnet of VPC %s, and in no other network of the lab", a, p.network.Name)
}

// holds reports whether an address lies in the network's blocks.
func (n *Network) holds(a netip.Addr) bool {
	return slices.ContainsFunc(n.CIDRs, func(c netip.Prefix) bool { return c.Contains(a) })
}

// zoned gives a target the zone that is asked for, where it has none of its own. The
// problems' paths are relative to the target.
func (l *Lab) zoned(p *pool, m *member, zone string) (problems Problems) {
	refuse := func(aws, format string, args ...any) {
		problems = append(problems, Problem{"availability_zone", fmt.Sprintf(format, args...), "ValidationError: " + aws})
	}
	inside := m.zone.Num != 0
	switch {
	case zone == "" && (inside || p.TargetType != "ip"):
	case p.TargetType != "ip":
		problems.add("availability_zone", "is for addresses: the zone of an %s is its own", p.TargetType)
	case inside && zone != m.zone.Name:
		refuse(fmt.Sprintf("The IP address '%s' is within the VPC, and cannot have its Availability Zone overridden to '%s' from '%s'", m.addr, zone, m.zone.Name),
			"%s is in VPC %s, where its subnet is in %s: leave it out", m.addr, p.network.Name, m.zone.Name)
	case inside:
	case zone == "":
		refuse(fmt.Sprintf("The Availability Zone is required for IP address '%s' because it is not in the VPC", m.addr),
			"is missing: %s is outside VPC %s; write all for the nodes in every zone, or name the zone whose nodes use it", m.addr, p.network.Name)
	case zone == allZones.Name:
		m.zone = allZones
	default:
		i := slices.IndexFunc(l.subnets, func(s *subnet) bool { return s.network == p.network && s.zone.Name == zone })
		if i < 0 {
			refuse(fmt.Sprintf("You must specify a valid Availability Zone or select 'all' for all enabled Availability zones, since the IP address '%s' is outside the VPC", m.addr),
				"%q is no zone in which VPC %s has a subnet: write all, or one of those", zone, p.network.Name)
			return problems
		}
		m.zone = l.subnets[i].zone
	}
	return problems
}

// placed returns the zones that the load balancer has a node in.
func (lb *balancer) placed() (zones []Zone) {
	for _, s := range lb.zones {
		zones = append(zones, s.zone)
	}
	return zones
}

// uses reports whether the node in a zone uses a target, if it is healthy (F2.19).
func (lb *balancer) uses(p *pool, m member, zone Zone) bool {
	at := m.place()
	return at == allZones || lb.enabled(at) && (lb.crosses(p) || at.Num == zone.Num)
}

// targets compiles a target: none where its zone is none of the balancer's, and one
// for each node that uses a target of all zones, since the targets beside which it
// stands differ from zone to zone, and with them whether the node fails open.
func (c *compiler) targets(lb *balancer, p *pool, m member) (all []dataplane.Target) {
	at := m.place()
	if at != allZones && !lb.enabled(at) {
		return nil
	}
	t := dataplane.Target{Addr: packet.AddrFrom(m.address()), Port: m.port, Zone: at.Num}
	t.Interface = c.holder(p.network, t.Addr)
	if at != allZones || lb.crosses(p) {
		return []dataplane.Target{t}
	}
	for _, s := range lb.zones {
		t.Zone = s.zone.Num
		all = append(all, t)
	}
	return all
}

// holder finds the interface that has an address: one in a VPC, or else one that the
// nodes there may have routes to (the walk asks each of them).
func (c *compiler) holder(n *Network, a packet.Addr) dataplane.InterfaceID {
	if id, ok := c.program.VPCs[n.number].Addrs[a]; ok {
		return id
	}
	for _, near := range []bool{true, false} { // of two with the address, the one in reach
		for _, other := range c.Networks {
			id, ok := c.program.VPCs[other.number].Addrs[a]
			if ok && other != n && !n.holds(a.IP()) && near == c.joined(n, other) {
				return id
			}
		}
	}
	return dataplane.NoInterface
}

// joined reports whether a VPC is peered with another, is attached to a transit gateway
// with it, or has a VPN connection to a network on premises.
func (l *Lab) joined(n, other *Network) bool {
	for _, t := range l.find.transits {
		if t.of(n) != nil && t.of(other) != nil {
			return true
		}
	}
	return l.peered(n, other) || slices.ContainsFunc(l.tunnels, func(t *tunnel) bool {
		return t.site == other && t.gateway.network == n
	})
}
