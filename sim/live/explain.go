package live

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// ProbePort is the source port of a probe: one that no program uses meanwhile
// would be right too, and none leaves a trace.
const ProbePort = 40000

// Way says which way a first packet would take now from an instance to a destination:
// it takes a packet that is never sent along the walk.
func (l *Lab) Way(from *topology.Host, to story.Destination) (story.Way, error) {
	addrs, why := l.Lookup(from, to.Host)
	if why != "" {
		return story.Way{Lines: []string{why}, Why: why}, nil
	}
	proto := packet.TCP
	switch {
	case to.Port == 0:
		proto = packet.ICMP
	case to.UDP:
		proto = packet.UDP
	}
	w, err := l.Probe(from.NIC, proto, ProbePort, netip.AddrPortFrom(addrs[0], to.Port))
	if err != nil {
		return story.Way{}, err
	}
	lines := []string{NoAddressOfFamily(from.NIC, addrs[0])}
	if w != nil {
		lines = w.Lines()
	}
	return story.Way{Lines: lines, Why: lines[len(lines)-1]}, nil
}

// Lookup returns the addresses that a name has for an instance, or that it is, or says
// why there are none.
func (l *Lab) Lookup(from *topology.Host, name string) (addrs []netip.Addr, why string) {
	if addr, ok := Literal(name); ok {
		return []netip.Addr{addr}, ""
	}
	found := l.Names().Lookup(from.Network.Name, name)
	switch {
	case !found.Found:
		return nil, fmt.Sprintf("the resolver of VPC %s does not know %s", from.Network.Name, name)
	case len(found.Addrs) == 0:
		return nil, fmt.Sprintf("%s has no address", name)
	}
	return found.Addrs, ""
}

// NoAddressOfFamily says why an interface cannot speak to an address.
func NoAddressOfFamily(nic *topology.NIC, to netip.Addr) string {
	return fmt.Sprintf("%s has no address of the family of %s", nic.Label, to)
}

// Probe takes the first packet that an instance would send from a port along the walk;
// it is never sent. Proto is TCP, UDP or ICMP, which stands for ICMPv6, too; a ping has
// no ports. The result is nil where the instance has no address of the family.
func (l *Lab) Probe(from *topology.NIC, proto packet.Proto, port uint16, to netip.AddrPort) (*explain.Walked, error) {
	spec := probe(from, proto, port, to)
	if spec == nil {
		return nil, nil
	}
	f := packet.NewFrame()
	spec.Build(f)
	w := &explain.Walked{Packet: packet.Tuple{
		Src: packet.AddrFrom(spec.Src.Addr()), SrcPort: spec.Src.Port(),
		Dst: packet.AddrFrom(spec.Dst.Addr()), DstPort: spec.Dst.Port(),
	}}
	err := l.Do(func(walk *dataplane.Walk, now clock.Time) {
		w.Prog = walk.Program()
		// Neighbours are reached at their own MAC address, all else by the router.
		if mac, ok := walk.Neighbor(from.Index, packet.AddrFrom(to.Addr())); ok {
			copy(f.Ethernet(), mac[:])
		}
		_, w.Why = walk.Probe(now, from.Index, f, &w.Trace)
	})
	return w, err
}

// probe is the first packet that an instance would send: a SYN, a datagram or an echo
// request. It is nil where the instance has no address of the family.
func probe(nic *topology.NIC, proto packet.Proto, port uint16, to netip.AddrPort) *packet.Spec {
	for _, p := range nic.Addrs {
		if p.Addr().Is4() != to.Addr().Is4() {
			continue
		}
		s := &packet.Spec{
			SrcMAC: nic.MAC, DstMAC: nic.RouterMAC, Proto: proto,
			Src: netip.AddrPortFrom(p.Addr(), port), Dst: to,
		}
		switch {
		case proto == packet.TCP:
			s.Flags, s.MSS = packet.SYN, uint16(nic.MTU-40)
		case proto == packet.UDP:
			s.Payload = []byte("plsim")
		case to.Addr().Is6():
			s.Proto, s.Type = packet.ICMPv6, 128
		default:
			s.Type = 8
		}
		return s
	}
	return nil
}

// Literal returns the address that a host name is, if it is one.
func Literal(name string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return a, err == nil
}
