package bench_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/packet"
)

// A shape is what a benchmark's packets have in common.
type shape struct {
	family int
	proto  packet.Proto
	proxy  bool // the targets get PROXY protocol headers
}

func (s shape) String() string {
	proto, proxy := "tcp", "none"
	if s.proto == packet.UDP {
		proto = "udp"
	}
	if s.proxy {
		proxy = "v2"
	}
	return fmt.Sprintf("family=%d/proto=%s/proxy=%s", s.family, proto, proxy)
}

var shapes = []shape{
	{family: 4, proto: packet.TCP}, {family: 4, proto: packet.UDP}, {family: 4, proto: packet.TCP, proxy: true},
	{family: 6, proto: packet.TCP}, {family: 6, proto: packet.UDP}, {family: 6, proto: packet.TCP, proxy: true},
}

// A memoryLab is the lab of the benchmarks: clients in one VPC, endpoints, a node in another
// VPC and targets behind it, each interface with rules to ask; and instances beside, which
// nobody talks to.
type memoryLab struct {
	shape
	flows                       int // that shall stand in it
	clients, endpoints, targets int
	rules                       int // of each group, beside the one that applies
	beside                      int
}

// lab returns the lab for so many flows. Many need many clients and targets, for each has
// only so many ports.
func (s shape) lab(flows int) memoryLab {
	if flows > 1_000_000 {
		return memoryLab{shape: s, flows: flows, clients: 200, endpoints: 1, targets: 250}
	}
	return memoryLab{shape: s, flows: flows, clients: 20, endpoints: 1, targets: 32}
}

// Interfaces, in the order of their IDs: the clients, the endpoints, the node, the targets,
// and those beside.
func (l *memoryLab) endpoint(n int) dataplane.InterfaceID {
	return dataplane.InterfaceID(l.clients + n%l.endpoints)
}
func (l *memoryLab) node() dataplane.InterfaceID {
	return dataplane.InterfaceID(l.clients + l.endpoints)
}
func (l *memoryLab) total() int { return l.clients + l.endpoints + 1 + l.targets + l.beside }

func mac(id dataplane.InterfaceID) packet.MAC {
	return packet.MAC{2, 0, 0, byte(id >> 16), byte(id >> 8), byte(id)}
}

// routerMAC is the router's in every subnet.
var routerMAC = packet.MAC{2, 0xff}

// address returns the address of an interface.
func (s shape) address(id dataplane.InterfaceID) netip.Addr {
	if s.family == 4 {
		return netip.AddrFrom4([4]byte{10, byte(id >> 16), byte(id >> 8), byte(id)})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 13: byte(id >> 16), 14: byte(id >> 8), 15: byte(id)})
}

// groups returns the rules of every interface's groups.
func (l *memoryLab) groups() (ingress, egress *filter.RuleSet) {
	everyone := netip.PrefixFrom(l.address(0), 0)
	service := []filter.Rule{
		{Proto: int(packet.ICMP), From: -1, To: -1, Prefix: filter.PrefixFrom(everyone)},
		{Proto: int(l.proto), From: 80, To: 80, Prefix: filter.PrefixFrom(everyone)},
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	for range l.rules {
		service = append(service, filter.Rule{
			Proto: int(l.proto), From: 1000 + rnd.IntN(1000), To: 2000 + rnd.IntN(1000),
			Prefix: filter.PrefixFrom(netip.PrefixFrom(l.address(dataplane.InterfaceID(rnd.IntN(1<<24))), l.address(0).BitLen())),
		})
	}
	return filter.NewRuleSet(service), filter.NewRuleSet([]filter.Rule{{Proto: filter.AnyProto, Prefix: filter.PrefixFrom(everyone)}})
}

// program returns the lab as the walk follows it.
func (l *memoryLab) program() *dataplane.Program {
	service, anything := l.groups()
	group := &dataplane.TargetGroup{}
	if l.proxy {
		group.Proxy = dataplane.ProxyProtocol{Enabled: true, IPv6Size: 124} // F2.43
	}
	p := &dataplane.Program{
		Epoch: 1,
		VPCs: []dataplane.VPC{
			{Addrs: map[packet.Addr]dataplane.InterfaceID{}}, {Addrs: map[packet.Addr]dataplane.InterfaceID{}},
		},
		Balancers: []dataplane.LoadBalancer{{Listeners: map[dataplane.ListenerKey]*dataplane.Listener{
			{Proto: l.proto, Port: 80}: {IdleTimeout: 350 * time.Second, Forward: []dataplane.Forward{{Group: group, Weight: 1}}},
		}}},
		Rules: make([]dataplane.RuleInfo, 1),
	}
	for id := range dataplane.InterfaceID(l.total()) {
		addr := packet.AddrFrom(l.address(id))
		nic := dataplane.Interface{
			Kind: dataplane.Instance, MAC: mac(id), RouterMAC: routerMAC, Subnet: uint16(id),
			MTU: 9001, Addrs: []packet.Addr{addr}, Ingress: service, Egress: anything,
		}
		switch last := l.node() + dataplane.InterfaceID(l.targets); {
		case id >= l.endpoint(0) && id < l.node():
			nic.Kind, nic.MTU = dataplane.Endpoint, 8500
			nic.Endpoint = dataplane.EndpointInterface{
				EndpointID: fmt.Sprintf("vpce-%017x", id), Available: true, Nodes: []dataplane.InterfaceID{l.node()},
			}
		case id == l.node():
			nic.Kind = dataplane.Node
		case id > l.node() && id <= last:
			group.Targets = append(group.Targets, dataplane.Target{Interface: id, Addr: addr, Port: 80})
		}
		if id >= l.node() {
			nic.VPC = 1
		}
		p.VPCs[nic.VPC].Addrs[addr] = id
		p.Interfaces = append(p.Interfaces, nic)
	}
	return p
}

// newWalk returns a new walk along the lab.
func (l *memoryLab) newWalk() *dataplane.Walk {
	return dataplane.New(l.program(), dataplane.DefaultSettings())
}

// pairs is how many clients and endpoints talk to each other: flow n belongs to pair n modulo
// that.
func (l *memoryLab) pairs() int {
	n := l.clients
	for n%l.endpoints != 0 {
		n += l.clients
	}
	return n
}

const firstPort = 1024

// first describes the first packet of flow n to a port of its endpoint, with ten bytes, so
// that the smallest frame has 64.
func (l *memoryLab) first(n int, port uint16) (dataplane.InterfaceID, packet.Spec) {
	in := dataplane.InterfaceID(n % l.clients)
	return in, packet.Spec{
		SrcMAC: mac(in), DstMAC: routerMAC, Proto: l.proto, Flags: packet.SYN, Seq: 1000,
		Src:     netip.AddrPortFrom(l.address(in), uint16(firstPort+n/l.pairs())),
		Dst:     netip.AddrPortFrom(l.address(l.endpoint(n)), port),
		Payload: make([]byte, 10),
	}
}

// unchanged leaves a flow's first packet as it is.
func unchanged(*packet.Spec) {}

// later makes of a flow's first packet one that comes after its first bytes.
func later(s *packet.Spec) { s.Flags, s.Seq = packet.ACK, 1000+1+uint32(len(s.Payload)) }

// answer describes what a target answers to the first packet of a flow, which it got.
func (s shape) answer(target dataplane.InterfaceID, got *packet.View) packet.Spec {
	return packet.Spec{
		SrcMAC: mac(target), DstMAC: routerMAC, Proto: s.proto, Flags: packet.SYN | packet.ACK,
		Src: netip.AddrPortFrom(got.Dst.IP(), got.DstPort), Dst: netip.AddrPortFrom(got.Src.IP(), got.SrcPort),
	}
}
