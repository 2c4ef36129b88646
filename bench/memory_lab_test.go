package bench_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/packet"
)

// The lab of the benchmarks: clients in one VPC, an endpoint, a node in another
// VPC and targets behind it, each interface with both families and rules to ask.
// A million flows need as many clients and targets, for each has only so many
// ports.
const (
	clients  = 20
	targets  = 32
	endpoint = dataplane.InterfaceID(clients)
	node     = endpoint + 1
	total    = clients + 2 + targets
)

// A shape is what a benchmark's packets have in common.
type shape struct {
	family int
	proto  packet.Proto
}

func (s shape) String() string {
	return fmt.Sprintf("family=%d/proto=%s", s.family, map[packet.Proto]string{packet.TCP: "tcp", packet.UDP: "udp"}[s.proto])
}

var shapes = []shape{{4, packet.TCP}, {4, packet.UDP}, {6, packet.TCP}, {6, packet.UDP}}

func mac(id dataplane.InterfaceID) packet.MAC { return packet.MAC{2, 0, 0, 0, 0, byte(id)} }

// routerMAC is the router's in every subnet.
var routerMAC = packet.MAC{2, 0xff}

// address returns the address of an interface.
func (s shape) address(id dataplane.InterfaceID) netip.Addr {
	if s.family == 4 {
		return netip.AddrFrom4([4]byte{10, 0, 1, byte(id)})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(id)})
}

// program returns the lab in one family.
func (s shape) program() *dataplane.Program {
	everyone := netip.PrefixFrom(s.address(0), 0)
	anything := filter.NewRuleSet([]filter.Rule{{Proto: filter.AnyProto, Prefix: filter.PrefixFrom(everyone)}})
	service := filter.NewRuleSet([]filter.Rule{
		{Proto: int(packet.ICMP), From: -1, To: -1, Prefix: filter.PrefixFrom(everyone)},
		{Proto: int(s.proto), From: 80, To: 80, Prefix: filter.PrefixFrom(everyone)},
	})
	group := &dataplane.TargetGroup{}
	p := &dataplane.Program{
		Epoch: 1,
		VPCs: []dataplane.VPC{
			{Addrs: map[packet.Addr]dataplane.InterfaceID{}}, {Addrs: map[packet.Addr]dataplane.InterfaceID{}},
		},
		Balancers: []dataplane.LoadBalancer{{Listeners: map[dataplane.ListenerKey]*dataplane.Listener{
			{Proto: s.proto, Port: 80}: {IdleTimeout: 350 * time.Second, Forward: []dataplane.Forward{{Group: group, Weight: 1}}},
		}}},
		Rules: make([]dataplane.RuleInfo, 1),
	}
	for id := range dataplane.InterfaceID(total) {
		addr := packet.AddrFrom(s.address(id))
		nic := dataplane.Interface{
			Kind: dataplane.Instance, MAC: mac(id), RouterMAC: routerMAC, Subnet: uint16(id),
			MTU: 9001, Addrs: []packet.Addr{addr}, Ingress: service, Egress: anything,
		}
		switch {
		case id == endpoint:
			nic.Kind, nic.MTU = dataplane.Endpoint, 8500
			nic.Endpoint = dataplane.EndpointInterface{Available: true, Nodes: []dataplane.InterfaceID{node}}
		case id == node:
			nic.Kind = dataplane.Node
		case id > node:
			group.Targets = append(group.Targets, dataplane.Target{Interface: id, Addr: addr, Port: 80})
		}
		if id >= node {
			nic.VPC = 1
		}
		p.VPCs[nic.VPC].Addrs[addr] = id
		p.Interfaces = append(p.Interfaces, nic)
	}
	return p
}

// A sent is a packet and the interface that sends it.
type sent struct {
	in    dataplane.InterfaceID
	frame []byte
}

// frameSize is room for any of the frames, and sentSize what one of them costs.
const (
	frameSize = 100
	sentSize  = frameSize + 32
)

// first describes the first packet of flow n to a port of the endpoint.
func (s shape) first(n int, port uint16) (dataplane.InterfaceID, packet.Spec) {
	in := dataplane.InterfaceID(n % clients)
	return in, packet.Spec{
		SrcMAC: mac(in), DstMAC: routerMAC, Proto: s.proto, Flags: packet.SYN, Seq: 1000,
		Src:     netip.AddrPortFrom(s.address(in), uint16(1024+n/clients)),
		Dst:     netip.AddrPortFrom(s.address(endpoint), port),
		Payload: make([]byte, 10), // 64 bytes of frame in the smallest case
	}
}

// answer describes what a target answers to the first packet of a flow, which it got.
func (s shape) answer(target dataplane.InterfaceID, got *packet.View) packet.Spec {
	return packet.Spec{
		SrcMAC: mac(target), DstMAC: routerMAC, Proto: s.proto, Flags: packet.SYN | packet.ACK,
		Src: netip.AddrPortFrom(got.Dst.IP(), got.DstPort), Dst: netip.AddrPortFrom(got.Src.IP(), got.SrcPort),
	}
}

// firsts returns the first packets of n flows.
func (s shape) firsts(n int, port uint16) []sent {
	f := packet.NewFrame()
	all := make([]sent, n)
	for i := range all {
		in, spec := s.first(i, port)
		spec.Build(f)
		all[i] = sent{in, bytes.Clone(f.Ethernet())}
	}
	return all
}

// walk returns a new walk along the lab.
func (s shape) walk() *dataplane.Walk {
	return dataplane.New(s.program(), dataplane.DefaultSettings())
}

// establish opens n flows in w, as client and target would, and returns a packet
// of each on its way to the target, in random order, so that none finds in a
// cache what the one before it left there.
func (s shape) establish(b *testing.B, w *dataplane.Walk, n int) []sent {
	b.Helper()
	f := packet.NewFrame()
	pass := func(in dataplane.InterfaceID, spec *packet.Spec) dataplane.InterfaceID {
		spec.Build(f)
		out, why := w.Process(clock.Time(0), in, f)
		if why != drop.None {
			b.Fatalf("a packet of interface %d is lost: %v", in, why)
		}
		return out
	}
	var v packet.View
	all := make([]sent, n)
	memory := make([]byte, 0, n*frameSize) // side by side, as a generator would have them
	for at, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		in, there := s.first(i, 80)
		out := pass(in, &there)
		v.Decode(f)
		back := s.answer(out, &v)
		pass(out, &back)
		pass(out, &back) // twice, so that a datagram's flow is a stream
		there.Flags, there.Seq = packet.ACK, 1001
		pass(in, &there)
		pass(in, &there)
		there.Build(f)
		begin := len(memory)
		memory = append(memory, f.Ethernet()...)
		all[at] = sent{in, memory[begin:len(memory):len(memory)]}
	}
	rand.New(rand.NewPCG(3, 4)).Shuffle(n, func(i, j int) {
		// The bytes move, not what refers to them: they stay side by side.
		var x [frameSize]byte
		k := copy(x[:], all[i].frame)
		copy(all[i].frame, all[j].frame)
		copy(all[j].frame, x[:k])
		all[i].in, all[j].in = all[j].in, all[i].in
	})
	return all
}
