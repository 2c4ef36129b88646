package live

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// probePort is the source port of a probe: one that no program uses meanwhile
// would be right too, and none leaves a trace.
const probePort = 40000

// Way says in lines for people which way a first packet would take now from an
// instance to a destination: it takes a packet that is never sent along the walk.
func (l *Lab) Way(from *topology.Host, to story.Destination) ([]string, error) {
	addr, ok := Literal(to.Host)
	if !ok {
		found := l.Names().Lookup(from.Network.Name, to.Host)
		switch {
		case !found.Found:
			return []string{fmt.Sprintf("the resolver of VPC %s does not know %s", from.Network.Name, to.Host)}, nil
		case len(found.Addrs) == 0:
			return []string{fmt.Sprintf("%s has no address", to.Host)}, nil
		}
		addr = found.Addrs[0]
	}
	f := packet.NewFrame()
	spec := probe(from.NIC, netip.AddrPortFrom(addr, to.Port))
	if spec == nil {
		return []string{fmt.Sprintf("%s has no address of the family of %s", from.NIC.Label, addr)}, nil
	}
	spec.Build(f)
	var (
		tr   dataplane.Trace
		why  drop.Reason
		prog *dataplane.Program
	)
	err := l.Do(func(walk *dataplane.Walk, now clock.Time) {
		prog = walk.Program()
		// Neighbours are reached at their own MAC address, all else by the router.
		if mac, ok := walk.Neighbor(from.NIC.Index, packet.AddrFrom(addr)); ok {
			copy(f.Ethernet(), mac[:])
		}
		_, why = walk.Probe(now, from.NIC.Index, f, &tr)
	})
	if err != nil {
		return nil, err
	}
	return explain.Way(prog, &tr, why), nil
}

// probe is the first packet that an instance would send: a SYN, or an echo
// request where there is no port. It is nil where the instance has no address of
// the family.
func probe(nic *topology.NIC, to netip.AddrPort) *packet.Spec {
	for _, p := range nic.Addrs {
		if p.Addr().Is4() != to.Addr().Is4() {
			continue
		}
		s := &packet.Spec{
			SrcMAC: nic.MAC, DstMAC: nic.RouterMAC,
			Src: netip.AddrPortFrom(p.Addr(), probePort), Dst: to,
			Proto: packet.TCP, Flags: packet.SYN, MSS: uint16(nic.MTU - 40),
		}
		if to.Port() == 0 {
			s.Proto, s.Flags, s.MSS = packet.ICMP, 0, 0
			s.Type = 8
			if to.Addr().Is6() {
				s.Proto, s.Type = packet.ICMPv6, 128
			}
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
