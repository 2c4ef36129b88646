package dataplane_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// twoConsumers is a lab of two VPCs with the same addresses that use the service
// of a third.
const twoConsumers = `
vpc red 10.0.0.0/16
vpc blue 10.0.0.0/16
vpc provider 10.9.0.0/16
subnet red/a az1 10.0.1.0/24
subnet red/b az2 10.0.2.0/24
subnet blue/a az1 10.0.1.0/24
subnet provider/a az1 10.9.1.0/24
balancer nlb
targets web provider/web-1:8080 provider/web-2:8080
listener nlb tcp 80 web
listener nlb udp 53 web
instance red/app red/a 10.0.1.10 groups=app
instance red/near red/a 10.0.1.11
instance red/far red/b 10.0.2.20
instance blue/app blue/a 10.0.1.10
endpoint red/ep red/a 10.0.1.50 provider/nlb groups=ep
endpoint blue/ep blue/a 10.0.1.50 provider/nlb groups=ep
node provider/nlb provider/a 10.9.1.5 nlb
instance provider/web-1 provider/a 10.9.1.21
instance provider/web-2 provider/a 10.9.1.22
allow app out - - 0.0.0.0/0
allow app in icmp - 10.0.0.0/16
allow ep in - - 10.0.0.0/16
`

// twoFamilies is the same with targets of IPv6 alone, whose clients are still of
// IPv4.
var twoFamilies = strings.NewReplacer(
	"10.9.1.5 ", "10.9.1.5,2001:db8:9::5 ", "10.9.1.21", "2001:db8:9::21", "10.9.1.22", "2001:db8:9::22",
).Replace(twoConsumers)

// chained is the same with one more load balancer, whose target is red's endpoint (F2.28).
const chained = twoConsumers + `
balancer edge
targets behind red/ep:80
targets names red/ep:53
listener edge tcp 80 behind
listener edge udp 53 names
node red/edge red/a 10.0.1.60 edge
`

// garbage is a way to spoil a valid packet from red/app to red/near.
type garbage struct {
	name   string
	family string // "4" or "6"; empty: both
	proto  string
	spoil  func(l *lab, s *packet.Spec)  // before it is built
	bytes  func(b []byte) []byte         // after it
	frame  func(l *lab, f *packet.Frame) // last
	want   drop.Reason
}

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

// set overwrites bytes and puts the checksums right again.
func set(at int, to ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[at:], to)
		mend(b)
		return b
	}
}

// flip spoils a byte and leaves the checksums as they are.
func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 0x55
		return b
	}
}

func dst(addr string) func(*lab, *packet.Spec) {
	return func(l *lab, s *packet.Spec) {
		s.Dst = netip.AddrPortFrom(l.ip(addr), s.Dst.Port())
		s.DstMAC = l.nics["red/app"].RouterMAC
	}
}

func src(addr string) func(*lab, *packet.Spec) {
	return func(l *lab, s *packet.Spec) { s.Src = netip.AddrPortFrom(l.ip(addr), s.Src.Port()) }
}

func macs(from, to string) func(*lab, *packet.Spec) {
	return func(l *lab, s *packet.Spec) { s.SrcMAC, s.DstMAC = l.nics[from].MAC, l.nics[to].MAC }
}

func message(kind uint8) func(*lab, *packet.Spec) {
	return func(_ *lab, s *packet.Spec) { s.Type = kind }
}

func dstMAC(m packet.MAC) func(*lab, *packet.Spec) {
	return func(_ *lab, s *packet.Spec) { s.DstMAC = m }
}

func vnet(flags, gso byte, size uint16) func(*lab, *packet.Frame) {
	return func(_ *lab, f *packet.Frame) {
		f.Vnet()[0], f.Vnet()[1] = flags, gso
		binary.LittleEndian.PutUint16(f.Vnet()[4:], size)
	}
}

func request(spoil func(b []byte) []byte) func(*lab, *packet.Frame) {
	return func(l *lab, f *packet.Frame) {
		nic := l.nics["red/app"]
		solicit(f, nic.MAC, nic.Addrs[0], l.addr("10.0.1.11"))
		f.SetEthernet(spoil(append([]byte{}, f.Ethernet()...)))
	}
}

var allGarbage = []garbage{
	// Truncations.
	{name: "nothing", proto: "tcp", bytes: cut(0), want: drop.TruncatedFrame},
	{name: "half an Ethernet header", proto: "tcp", bytes: cut(13), want: drop.TruncatedFrame},
	{name: "no IP header", proto: "tcp", bytes: cut(14), want: drop.TruncatedIP},
	{name: "half an IP header", proto: "tcp", bytes: cut(33), want: drop.TruncatedIP},
	{name: "half an IPv6 header", family: "6", proto: "tcp", bytes: cut(53), want: drop.TruncatedIP},
	{name: "no payload", proto: "udp", bytes: cut(54), want: drop.BadIPLength},
	{name: "one byte less", family: "4", proto: "udp", bytes: cut(61), want: drop.BadIPLength},
	{name: "one byte less", family: "6", proto: "udp", bytes: cut(81), want: drop.BadIPLength},

	// Ethernet.
	{name: "VLAN tag", proto: "tcp", bytes: set(12, 0x81, 0x00), want: drop.UnknownEtherType},
	{name: "802.3 length", proto: "tcp", bytes: set(12, 0x00, 0x40), want: drop.UnknownEtherType},

	// IP headers.
	{name: "version of another family", family: "4", proto: "tcp", bytes: set(14, 0x65), want: drop.BadIPHeader},
	{name: "version of another family", family: "6", proto: "tcp", bytes: set(14, 0x45), want: drop.BadIPHeader},
	{name: "header length 16", family: "4", proto: "tcp", bytes: set(14, 0x44), want: drop.BadIPHeader},
	{name: "header length beyond the frame", family: "4", proto: "udp", bytes: set(14, 0x4f), want: drop.TruncatedIP},
	{name: "length beyond the frame", family: "4", proto: "tcp", bytes: set(16, 0x05, 0xdc), want: drop.BadIPLength},
	{name: "length within the header", family: "4", proto: "tcp", bytes: set(16, 0, 19), want: drop.BadIPLength},
	{name: "length beyond the frame", family: "6", proto: "tcp", bytes: set(18, 0x05, 0xdc), want: drop.BadIPLength},
	{name: "checksum", family: "4", proto: "tcp", bytes: flip(24), want: drop.BadIPChecksum},
	{name: "TTL changed on the way", family: "4", proto: "tcp", bytes: flip(22), want: drop.BadIPChecksum},
	{name: "first fragment of odd length", family: "4", proto: "udp", bytes: set(20, 0x20, 0), want: drop.BadFragment},
	{name: "last fragment alone", family: "4", proto: "udp", bytes: set(20, 0, 185), want: drop.OrphanFragment},
	{name: "ports for a fragment header", family: "6", proto: "udp", bytes: set(20, 44), want: drop.UnsupportedProtocol},
	{name: "hop-by-hop options", family: "6", proto: "udp", bytes: set(20, 0), want: drop.BadIPHeader},
	{name: "routing header", family: "6", proto: "udp", bytes: set(20, 43), want: drop.BadIPHeader},
	{name: "GRE", family: "4", proto: "udp", bytes: set(23, 47), want: drop.UnsupportedProtocol},
	{name: "GRE", family: "6", proto: "udp", bytes: set(20, 47), want: drop.UnsupportedProtocol},
	{name: "ICMP of the other family", family: "4", proto: "icmp", bytes: set(23, 58), want: drop.UnsupportedProtocol},
	{name: "ICMP of the other family", family: "6", proto: "icmp", bytes: set(20, 1), want: drop.UnsupportedProtocol},

	// Transport headers. Those of IPv4 begin at 34, those of IPv6 at 54.
	{name: "TCP header cut short", family: "4", proto: "tcp", bytes: set(16, 0, 39), want: drop.TruncatedTransport},
	{name: "TCP header cut short", family: "6", proto: "tcp", bytes: set(18, 0, 19), want: drop.TruncatedTransport},
	{name: "UDP header cut short", family: "4", proto: "udp", bytes: set(16, 0, 27), want: drop.TruncatedTransport},
	{name: "ICMP header cut short", family: "4", proto: "icmp", bytes: set(16, 0, 27), want: drop.TruncatedTransport},
	{name: "data offset within the header", family: "4", proto: "tcp", bytes: set(46, 0x40), want: drop.BadTransportLength},
	{name: "data offset beyond the packet", family: "4", proto: "tcp", bytes: set(46, 0xf0), want: drop.BadTransportLength},
	{name: "data offset beyond the packet", family: "6", proto: "tcp", bytes: set(66, 0xf0), want: drop.BadTransportLength},
	{name: "UDP length beyond the packet", family: "4", proto: "udp", bytes: set(38, 0xff), want: drop.BadTransportLength},
	{name: "UDP length below the header", family: "6", proto: "udp", bytes: set(58, 0, 7), want: drop.BadTransportLength},
	{name: "TCP checksum", family: "4", proto: "tcp", bytes: flip(50), want: drop.BadTransportChecksum},
	{name: "TCP checksum", family: "6", proto: "tcp", bytes: flip(70), want: drop.BadTransportChecksum},
	{name: "a bit of the payload", family: "4", proto: "udp", bytes: flip(45), want: drop.BadTransportChecksum},
	{name: "a bit of the payload", family: "6", proto: "icmp", bytes: flip(64), want: drop.BadTransportChecksum},
	{name: "no UDP checksum", family: "6", proto: "udp", want: drop.BadTransportChecksum, bytes: func(b []byte) []byte {
		b[60], b[61] = 0, 0
		return b
	}},

	// What the device is asked to do.
	{name: "unknown flags", proto: "tcp", frame: vnet(8, 0, 0), want: drop.BadOffload},
	{name: "checksum elsewhere", proto: "tcp", frame: vnet(1, 0, 0), want: drop.BadOffload},
	{name: "segments without a checksum", proto: "tcp", frame: vnet(0, 1, 1000), want: drop.BadOffload},
	{name: "unknown segmentation", proto: "tcp", frame: vnet(1, 9, 1000), want: drop.BadOffload},
	{name: "segments of no bytes", proto: "tcp", want: drop.BadOffload, frame: func(_ *lab, f *packet.Frame) {
		binary.LittleEndian.PutUint16(f.Vnet()[4:], 0)
	}, spoil: func(_ *lab, s *packet.Spec) { s.GSOSize = 10 }},
	{name: "segments of the other protocol", proto: "tcp", want: drop.BadOffload, frame: func(_ *lab, f *packet.Frame) {
		f.Vnet()[1] = 5
	}, spoil: func(_ *lab, s *packet.Spec) { s.GSOSize = 10 }},

	// Who speaks, and to whom.
	{name: "another's MAC address", proto: "tcp", spoil: macs("red/near", "red/near"), want: drop.SourceMAC},
	{name: "another VPC's MAC address", proto: "tcp", spoil: macs("blue/app", "red/near"), want: drop.SourceMAC},
	{name: "a MAC address that nobody has", proto: "tcp", spoil: dstMAC(packet.MAC{2, 9, 9, 9, 9, 9}), want: drop.DestinationMAC},
	{name: "to a neighbour in another VPC", proto: "tcp", spoil: macs("red/app", "blue/app"), want: drop.DestinationMAC},
	{name: "to another subnet without the router", proto: "tcp", spoil: func(l *lab, s *packet.Spec) {
		dst("10.0.2.20")(l, s)
		s.DstMAC = l.nics["red/far"].MAC
	}, want: drop.DestinationMAC},
	{name: "one neighbour's MAC, another's IP", proto: "tcp", spoil: macs("red/app", "red/ep"), want: drop.DestinationMAC},
	{name: "a neighbour's address", proto: "tcp", spoil: src("10.0.1.11"), want: drop.SourceDestCheck},
	{name: "the endpoint's address", proto: "tcp", spoil: src("10.0.1.50"), want: drop.SourceDestCheck},
	{name: "the router's address", proto: "tcp", spoil: src("10.0.1.1"), want: drop.SourceDestCheck},
	{name: "the provider's address", proto: "tcp", spoil: src("10.9.1.5"), want: drop.SourceDestCheck},
	{name: "from nowhere", proto: "udp", spoil: src("0.0.0.0"), want: drop.SourceDestCheck},
	{name: "to loopback", family: "4", proto: "udp", spoil: dst("127.0.0.1"), want: drop.BadAddress},
	{name: "to loopback", family: "6", proto: "udp", spoil: dst("::1"), want: drop.BadAddress},
	{name: "to nowhere", proto: "udp", spoil: dst("0.0.0.0"), want: drop.BadAddress},
	{name: "to a group by way of the router", family: "4", proto: "udp", spoil: dst("224.0.0.251"), want: drop.BadAddress},
	{name: "to a group by way of the router", family: "6", proto: "udp", spoil: dst("ff02::fb"), want: drop.BadAddress},
	{name: "to everyone by way of the router", family: "4", proto: "udp", spoil: dst("255.255.255.255"), want: drop.BadAddress},
	{name: "to the metadata service", family: "4", proto: "tcp", spoil: dst("169.254.169.254"), want: drop.BadAddress},
	{name: "to a link-local address", family: "6", proto: "tcp", spoil: dst("fe80::1"), want: drop.BadAddress},
	{name: "multicast", family: "4", proto: "udp", spoil: dstMAC(packet.MAC{1, 0, 0x5e, 0, 0, 0xfb}), want: drop.Multicast},
	{name: "multicast", family: "6", proto: "udp", spoil: dstMAC(packet.MAC{0x33, 0x33, 0, 0, 0, 0xfb}), want: drop.Multicast},
	{name: "broadcast (F1.3)", proto: "udp", spoil: dstMAC(packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), want: drop.Broadcast},
	{name: "to the router", proto: "icmp", spoil: dst("10.0.1.1"), want: drop.RouterOnly},
	{name: "to the provider's node", proto: "tcp", spoil: dst("10.9.1.5"), want: drop.NoRoute},
	{name: "to the provider's target", proto: "tcp", spoil: dst("10.9.1.21"), want: drop.NoRoute},
	{name: "to an address that nobody has", proto: "tcp", spoil: dst("10.0.1.99"), want: drop.NoSuchAddress},
	{name: "to the subnet's last address", proto: "tcp", spoil: dst("10.0.1.255"), want: drop.NoSuchAddress},

	// ARP and neighbour discovery.
	{name: "half a request", family: "4", frame: request(cut(41)), want: drop.BadARP},
	{name: "a reply", family: "4", frame: request(set(20, 0, 2)), want: drop.BadARP},
	{name: "of another hardware", family: "4", frame: request(set(14, 0, 6)), want: drop.BadARP},
	{name: "speaks for another MAC", family: "4", frame: request(flip(24)), want: drop.BadARP},
	{name: "speaks for another MAC", family: "6", frame: request(set(81, 9)), want: drop.BadARP},
	{name: "from afar", family: "6", frame: request(set(21, 64)), want: drop.BadARP},
	{name: "for a group", family: "6", frame: request(set(62, 0xff)), want: drop.BadARP},
	{name: "an answer that nobody asked for", family: "6", proto: "icmp", spoil: message(136), want: drop.BadARP},
	{name: "a router's word", family: "6", proto: "icmp", spoil: message(134), want: drop.BadARP},
	{name: "a redirect", family: "6", proto: "icmp", spoil: message(137), want: drop.BadARP},
	{name: "options of no length", family: "6", frame: request(set(79, 0)), want: drop.BadARP},
	{name: "speaks for another IP", family: "4", frame: request(set(28, 10, 0, 1, 12)), want: drop.Unanswered},
	{name: "speaks for another IP", family: "6", frame: request(set(37, 0x12)), want: drop.Unanswered},
	{name: "of another subnet", family: "4", frame: request(set(38, 10, 0, 2, 20)), want: drop.Unanswered},
}

// TestGarbage wants every frame that is not a packet of its sender to die under
// its own reason, to be counted there once, and to leave nothing behind.
func TestGarbage(t *testing.T) {
	for _, family := range []string{"4", "6"} {
		for _, g := range allGarbage {
			if g.family != "" && g.family != family {
				continue
			}
			t.Run("IPv"+family+"/"+g.proto+"/"+strings.ReplaceAll(g.name, "/", " "), func(t *testing.T) {
				l := newLab(t, family == "6", twoConsumers)
				testGarbage(t, l, &g)
			})
		}
	}
}

func testGarbage(t *testing.T, l *lab, g *garbage) {
	w := dataplane.New(l.prog, dataplane.DefaultSettings())
	f := packet.NewFrame()
	s := packet.Spec{
		SrcMAC: l.nics["red/app"].MAC, DstMAC: l.nics["red/near"].MAC,
		Src: netip.AddrPortFrom(l.ip("10.0.1.10"), 40000), Dst: netip.AddrPortFrom(l.ip("10.0.1.11"), 80),
		Proto: l.proto(g.proto), Flags: packet.SYN, Type: pick[uint8](l.v6, 128, 8), Payload: pattern(20),
	}
	in := l.id("red/app")
	if g.proto != "" {
		s.Build(f)
		if to, why := w.Process(0, in, f); to != l.id("red/near") || why != drop.None {
			t.Fatalf("the packet is not even delivered when it is whole: %v", why)
		}
		w = dataplane.New(l.prog, dataplane.DefaultSettings())
	}
	if g.spoil != nil {
		g.spoil(l, &s)
	}
	s.Build(f)
	if g.bytes != nil {
		f.SetEthernet(g.bytes(append([]byte{}, f.Ethernet()...)))
	}
	if g.frame != nil {
		g.frame(l, f)
	}
	to, why := w.Process(0, in, f)
	if to != dataplane.NoInterface || why != g.want {
		t.Fatalf("it went to %s, %v; want %v", l.name(to), why, g.want)
	}
	for _, id := range l.all() {
		for r, n := range w.Drops(id) {
			if want := pick[uint64](id == in && drop.Reason(r) == g.want, 1, 0); n != want {
				t.Errorf("%s counts %d times %v, want %d", l.name(id), n, drop.Reason(r), want)
			}
		}
	}
	if w.Flows() != 0 {
		t.Errorf("a flow is left behind")
	}
}
