package packet_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"reflect"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestDecodeOfGopacket decodes what another implementation built.
func TestDecodeOfGopacket(t *testing.T) {
	ip4 := func(p layers.IPProtocol, options ...layers.IPv4Option) *layers.IPv4 {
		return &layers.IPv4{
			Version: 4, TTL: 127, Id: 7, Flags: layers.IPv4DontFragment, Protocol: p,
			SrcIP: net.IP{10, 0, 0, 5}, DstIP: net.IP{10, 0, 9, 7}, Options: options,
		}
	}
	ip6 := func(p layers.IPProtocol) *layers.IPv6 {
		return &layers.IPv6{
			Version: 6, HopLimit: 127, NextHeader: p, TrafficClass: 3, FlowLabel: 77,
			SrcIP: net.ParseIP("2001:db8::5"), DstIP: net.ParseIP("2001:db8:9::7"),
		}
	}
	syn := &layers.TCP{
		SrcPort: 49172, DstPort: 443, Seq: 0xfffffff0, SYN: true, ECE: true, CWR: true, Window: 64240,
		Options: []layers.TCPOption{
			{OptionType: layers.TCPOptionKindNop},
			{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{0x23, 0x01}},
			{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{7}},
		},
	}
	data := &layers.TCP{SrcPort: 49172, DstPort: 443, Seq: 9, Ack: 5, ACK: true, PSH: true, FIN: true}
	udp := &layers.UDP{SrcPort: 49172, DstPort: 443}
	tests := []struct {
		name    string
		ip      gopacket.NetworkLayer
		above   []gopacket.SerializableLayer
		payload string
		want    packet.View
	}{
		{"syn", ip4(6), []gopacket.SerializableLayer{syn}, "",
			packet.View{Proto: packet.TCP, SrcPort: 49172, DstPort: 443, Flags: packet.SYN, Seq: 0xfffffff0, MSS: 8961, Len: 48}},
		{"syn", ip6(6), []gopacket.SerializableLayer{syn}, "",
			packet.View{Proto: packet.TCP, SrcPort: 49172, DstPort: 443, Flags: packet.SYN, Seq: 0xfffffff0, MSS: 8961, Len: 68}},
		{"data behind IP options", ip4(6, layers.IPv4Option{OptionType: 1}), []gopacket.SerializableLayer{data}, "odd",
			packet.View{Proto: packet.TCP, SrcPort: 49172, DstPort: 443, Flags: packet.ACK | packet.PSH | packet.FIN, Seq: 9, Len: 47}},
		{"udp", ip4(17), []gopacket.SerializableLayer{udp}, "even",
			packet.View{Proto: packet.UDP, SrcPort: 49172, DstPort: 443, Len: 32}},
		{"udp", ip6(17), []gopacket.SerializableLayer{udp}, "odd",
			packet.View{Proto: packet.UDP, SrcPort: 49172, DstPort: 443, Len: 51}},
		{"echo", ip4(1), []gopacket.SerializableLayer{&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 99, Seq: 3}}, "ping",
			packet.View{Proto: packet.ICMP, SrcPort: 99, DstPort: 99, Type: 8, Len: 32}},
		{"unreachable", ip4(1), []gopacket.SerializableLayer{&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 4), Id: 99}}, "quoted",
			packet.View{Proto: packet.ICMP, Type: 3, Code: 4, Len: 34}},
		{"echo reply", ip6(58), []gopacket.SerializableLayer{
			&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(129, 0)}, &layers.ICMPv6Echo{Identifier: 99, SeqNumber: 3}}, "pong",
			packet.View{Proto: packet.ICMPv6, SrcPort: 99, DstPort: 99, Type: 129, Len: 52}},
	}
	for _, test := range tests {
		kind := layers.EthernetTypeIPv4
		test.want.Src, test.want.Dst = addr("10.0.0.5"), addr("10.0.9.7")
		if _, v6 := test.ip.(*layers.IPv6); v6 {
			kind = layers.EthernetTypeIPv6
			test.want.V6 = true
			test.want.Src, test.want.Dst = addr("2001:db8::5"), addr("2001:db8:9::7")
		}
		test.want.SrcMAC, test.want.DstMAC = hostMAC, routerMAC
		test.want.TTL, test.want.Segments = 127, 1
		test.want.MaxLen, test.want.WireLen = test.want.Len, test.want.Len
		t.Run(test.name+" "+kind.String(), func(t *testing.T) {
			parts := []gopacket.SerializableLayer{ethernet(kind), test.ip.(gopacket.SerializableLayer)}
			for _, l := range test.above {
				if c, ok := l.(interface {
					SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
				}); ok {
					if err := c.SetNetworkLayerForChecksum(test.ip); err != nil {
						t.Fatal(err)
					}
				}
				parts = append(parts, l)
			}
			f := serialize(t, append(parts, gopacket.Payload(test.payload))...)
			f.SetEthernet(append(bytes.Clone(f.Ethernet()), "padding"...))
			v := mustDecode(t, f)
			if got := string(v.Payload()); got != test.payload {
				t.Errorf("payload is %q, want %q", got, test.payload)
			}
			if got := packet.Public(v); !reflect.DeepEqual(got, test.want) {
				t.Errorf("decoded\n%+v, want\n%+v", got, test.want)
			}
		})
	}
}

func TestDecodeARP(t *testing.T) {
	v := mustDecode(t, arp(t, 1, hostMAC, "10.0.0.5", "10.0.0.1"))
	want := packet.View{
		Kind: packet.KindARP, SrcMAC: hostMAC, DstMAC: routerMAC,
		Src: addr("10.0.0.5"), Dst: addr("10.0.0.1"), Target: addr("10.0.0.1"), Segments: 1,
	}
	if got := packet.Public(v); !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v, want %+v", got, want)
	}
	if v.Transport() != nil || v.Payload() != nil {
		t.Error("ARP has a transport header or payload")
	}
}

// A host asks for its neighbours by multicast, and later confirms them by unicast.
func TestDecodeNeighbor(t *testing.T) {
	tests := []struct {
		name, from, to, target string
		options                []layers.ICMPv6Option
	}{
		{"multicast", "2001:db8::5", "ff02::1:ff00:1", "2001:db8::1", []layers.ICMPv6Option{linkLayer(hostMAC)}},
		{"unicast", "2001:db8::5", "2001:db8::1", "2001:db8::1", nil},
		{"other options", "fe80::5", "ff02::1:ff00:1", "fe80::1", []layers.ICMPv6Option{{Type: 14, Data: make([]byte, 6)}, linkLayer(hostMAC)}},
		{"duplicate detection", "::", "ff02::1:ff00:5", "2001:db8::5", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := mustDecode(t, neighbor(t, 255, test.from, test.to, test.target, test.options...))
			if v.Kind != packet.KindNeighbor || v.Target != addr(test.target) || v.Src != addr(test.from) || v.Dst != addr(test.to) {
				t.Errorf("kind %d, %v asks %v for %v", v.Kind, v.Src, v.Dst, v.Target)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	tcp4, tcp6 := spec4(packet.TCP), spec6(packet.TCP)
	udp4, udp6 := spec4(packet.UDP), spec6(packet.UDP)
	tcp4.Payload, tcp6.Payload, udp4.Payload, udp6.Payload = []byte("four"), []byte("four"), []byte("four"), []byte("four")
	ping4, ping6 := spec4(packet.ICMP), spec6(packet.ICMPv6)
	ping4.Type, ping6.Type = 8, 128
	group6 := tcp6
	group6.Dst = addrPort("[ff02::16]:0")
	super := tcp4
	super.GSOSize, super.Payload = 1000, make([]byte, 3000)
	superUDP := udp6
	superUDP.GSOSize, superUDP.Payload = 1000, make([]byte, 3000)
	partial := tcp4
	partial.Partial = true

	// set overwrites bytes of the Ethernet frame, fix4 those of an IPv4 header,
	// whose checksum it mends; vnet those of the virtio-net header.
	type change func(f *packet.Frame)
	set := func(at int, b ...byte) change {
		return func(f *packet.Frame) { copy(f.Ethernet()[at:], b) }
	}
	fix4 := func(at int, b ...byte) change {
		return func(f *packet.Frame) {
			ip := f.Ethernet()[14:34]
			copy(ip[at:], b)
			copy(ip[10:12], []byte{0, 0})
			binary.BigEndian.PutUint16(ip[10:], ^wordSum(ip))
		}
	}
	vnet := func(at int, b ...byte) change {
		return func(f *packet.Frame) { copy(f.Vnet()[at:], b) }
	}
	cut := func(n int) change {
		return func(f *packet.Frame) { f.SetEthernet(bytes.Clone(f.Ethernet()[:n])) }
	}
	both := func(a, b change) change {
		return func(f *packet.Frame) { a(f); b(f) }
	}
	proto := func(s packet.Spec, p packet.Proto) packet.Spec { s.Proto = p; return s }
	long := func(s packet.Spec) packet.Spec { s.Payload = make([]byte, 64); return s }
	long4, long6, longUDP4, longUDP6 := long(tcp4), long(tcp6), long(spec4(packet.UDP)), long(spec6(packet.UDP))
	options4 := long(tcp4)
	options4.Options = []byte{1, 1, 1, 1, 1, 1, 1, 1}
	from := func(s packet.Spec, src, dst string) packet.Spec {
		s.Src, s.Dst = addrPort(src), addrPort(dst)
		return s
	}
	solicit := func(options ...layers.ICMPv6Option) *packet.Frame {
		return neighbor(t, 255, "2001:db8::5", "ff02::1:ff00:1", "2001:db8::1", options...)
	}

	tests := []struct {
		name   string
		frame  *packet.Frame
		change change
		want   drop.Reason
	}{
		{"empty", build(tcp4), cut(0), drop.TruncatedFrame},
		{"half an Ethernet header", build(tcp4), cut(13), drop.TruncatedFrame},
		{"VLAN tag", build(tcp4), set(12, 0x81, 0), drop.UnknownEtherType},
		{"802.3 length", build(tcp4), set(12, 0, 46), drop.UnknownEtherType},

		{"ARP reply", arp(t, 2, hostMAC, "10.0.0.5", "10.0.0.1"), nil, drop.BadARP},
		{"ARP for another", arp(t, 1, otherMAC, "10.0.0.5", "10.0.0.1"), nil, drop.BadARP},
		{"ARP cut", arp(t, 1, hostMAC, "10.0.0.5", "10.0.0.1"), cut(41), drop.BadARP},
		{"ARP of another hardware", arp(t, 1, hostMAC, "10.0.0.5", "10.0.0.1"), set(15, 6), drop.BadARP},
		{"ARP of another protocol", arp(t, 1, hostMAC, "10.0.0.5", "10.0.0.1"), set(16, 0x86), drop.BadARP},
		{"ARP of another address length", arp(t, 1, hostMAC, "10.0.0.5", "10.0.0.1"), set(19, 16), drop.BadARP},
		{"ARP with offload", arp(t, 1, hostMAC, "10.0.0.5", "10.0.0.1"), vnet(0, 1), drop.BadOffload},

		{"IPv4 cut", build(tcp4), cut(14 + 19), drop.TruncatedIP},
		{"IPv4 options cut", build(tcp4), both(set(14, 0x4f), cut(14+40)), drop.TruncatedIP},
		{"IPv6 cut", build(tcp6), cut(14 + 39), drop.TruncatedIP},
		{"IPv4 version", build(tcp4), fix4(0, 0x65), drop.BadIPHeader},
		{"IPv4 header length", build(tcp4), fix4(0, 0x44), drop.BadIPHeader},
		{"IPv6 version", build(tcp6), set(14, 0x40), drop.BadIPHeader},
		{"IPv6 hop-by-hop", build(proto(tcp6, 0)), nil, drop.BadIPHeader},
		{"IPv6 hop-by-hop to a group", build(proto(group6, 0)), nil, drop.Multicast},
		{"IPv6 routing", build(proto(tcp6, 43)), nil, drop.BadIPHeader},
		{"IPv6 destination options", build(proto(tcp6, 60)), nil, drop.BadIPHeader},
		{"IPv4 length beyond frame", build(tcp4), fix4(2, 0, 45), drop.BadIPLength},
		{"IPv4 length below header", build(tcp4), fix4(2, 0, 19), drop.BadIPLength},
		{"IPv4 length 0 of BIG TCP", build(tcp4), fix4(2, 0, 0), drop.BadIPLength},
		{"IPv6 length beyond frame", build(tcp6), set(18, 0, 25), drop.BadIPLength},
		{"IPv4 checksum", build(tcp4), set(24, 0xab, 0xcd), drop.BadIPChecksum},
		// What a fragment can be (F1.41); the first one holds all that is judged.
		{"first fragment of TCP without ports", piece(tcp4, 0, 0), fix4(6, 0x20, 0), drop.BadFragment},
		{"first fragment of TCP that is cut", piece(tcp4, 0, 16), nil, drop.TinyFragment},
		{"first fragment of TCP that is cut", piece(tcp6, 0, 16), nil, drop.TinyFragment},
		{"first fragment of TCP that cuts options", piece(options4, 0, 24), nil, drop.TinyFragment},
		{"first fragment of 23 bytes", piece(long4, 0, 23), nil, drop.BadFragment},
		{"first fragment of 23 bytes", piece(long6, 0, 23), nil, drop.BadFragment},
		{"fragment beyond the longest packet", piece(long4, 8, 32), fix4(6, 0x3f, 0xfe), drop.BadFragment},
		{"fragment beyond the longest packet", piece(long6, 8, 32), set(14+42, 0xff, 0xf9), drop.BadFragment},
		{"last fragment of nothing", piece(long4, 8, 8), fix4(6, 0, 1), drop.BadFragment},
		{"fragment of SCTP", piece(proto(long4, 132), 8, 16), nil, drop.UnsupportedProtocol},
		{"fragment of a fragment", piece(proto(long6, 44), 8, 16), nil, drop.BadIPHeader},
		{"half a fragment header", build(proto(tcp6, 44)), nil, drop.TruncatedIP},
		{"first datagram's fragment longer than all", piece(longUDP4, 0, 16), set(14+20+4, 0, 16), drop.BadTransportLength},
		{"fragment over IPv6 without checksum", piece(longUDP6, 0, 16), set(14+48+6, 0, 0), drop.BadTransportChecksum},
		{"fragment with a partial checksum", piece(longUDP4, 0, 16), both(vnet(0, 1), vnet(6, 34, 0, 6, 0)), drop.BadOffload},
		{"later fragment with a partial checksum", piece(longUDP4, 16, 32), both(vnet(0, 1), vnet(6, 0, 0, 6, 0)), drop.BadOffload},
		{"IPv4-mapped source in IPv6", build(tcp6), set(22, addrBytes("10.0.0.5")...), drop.BadAddress},
		{"IPv4-mapped destination in IPv6", build(tcp6), set(38, addrBytes("10.0.9.7")...), drop.BadAddress},

		{"TCP cut", build(tcp4), fix4(2, 0, 39), drop.TruncatedTransport},
		{"TCP cut", build(tcp6), set(18, 0, 19), drop.TruncatedTransport},
		{"UDP cut", build(udp4), fix4(2, 0, 27), drop.TruncatedTransport},
		{"ICMP cut", build(ping4), fix4(2, 0, 27), drop.TruncatedTransport},
		{"ICMPv6 cut", build(ping6), set(18, 0, 7), drop.TruncatedTransport},
		{"TCP data offset below header", build(tcp4), set(14+20+12, 0x40), drop.BadTransportLength},
		{"TCP data offset beyond packet", build(tcp4), set(14+20+12, 0x70), drop.BadTransportLength},
		{"UDP length beyond packet", build(udp4), set(14+20+4, 0, 13), drop.BadTransportLength},
		{"UDP length below packet", build(udp6), set(14+40+4, 0, 11), drop.BadTransportLength},
		{"UDP length below header", build(udp4), set(14+20+4, 0, 7), drop.BadTransportLength},
		{"TCP checksum", build(tcp4), set(14+20+20, 'F'), drop.BadTransportChecksum},
		{"TCP checksum", build(tcp6), set(14+40+20, 'F'), drop.BadTransportChecksum},
		{"UDP checksum", build(udp4), set(14+20+8, 'F'), drop.BadTransportChecksum},
		{"UDP checksum 0 over IPv6", build(udp6), set(14+40+6, 0, 0), drop.BadTransportChecksum},
		{"UDP checksum 0 over IPv6, vouched for", build(udp6), both(set(14+40+6, 0, 0), vnet(0, 2)), drop.BadTransportChecksum},
		{"ICMP checksum", build(ping4), set(14+20+7, 1), drop.BadTransportChecksum},
		{"ICMPv6 checksum", build(ping6), set(14+40+7, 1), drop.BadTransportChecksum},
		{"SCTP", build(proto(tcp4, 132)), nil, drop.UnsupportedProtocol},
		{"ICMPv6 over IPv4", build(proto(tcp4, packet.ICMPv6)), nil, drop.UnsupportedProtocol},
		{"ICMP over IPv6", build(proto(tcp6, packet.ICMP)), nil, drop.UnsupportedProtocol},
		{"no next header", build(proto(tcp6, 59)), nil, drop.UnsupportedProtocol},

		{"unknown vnet flag", build(tcp4), vnet(0, 4), drop.BadOffload},
		{"checksum start", build(partial), vnet(6, 30), drop.BadOffload},
		{"checksum offset", build(partial), vnet(8, 6), drop.BadOffload},
		{"partial ICMP checksum", build(ping4), both(vnet(0, 1), vnet(6, 34, 0, 2, 0)), drop.BadOffload},
		{"segmentation without checksum", build(super), vnet(0, 0), drop.BadOffload},
		{"segmentation of size 0", build(super), vnet(4, 0, 0), drop.BadOffload},
		{"segmentation of the other family", build(super), vnet(1, 4), drop.BadOffload},
		{"segmentation of the other protocol", build(super), vnet(1, 5), drop.BadOffload},
		{"segmentation of UDP as TCP", build(superUDP), vnet(1, 4), drop.BadOffload},
		{"segmentation of UDP with ECN", build(superUDP), vnet(1, 0x85), drop.BadOffload},
		{"UDP fragmentation offload", build(superUDP), vnet(1, 3), drop.BadOffload},
		{"ECN without segmentation", build(partial), vnet(1, 0x80), drop.BadOffload},
		{"superframe with padding", build(super), fix4(2, 0, 200), drop.BadOffload},

		// RFC 4861 section 7.1.1.
		{"solicitation from afar", neighbor(t, 254, "2001:db8::5", "ff02::1:ff00:1", "2001:db8::1"), nil, drop.BadARP},
		{"solicitation for a group", neighbor(t, 255, "2001:db8::5", "ff02::1:ff00:1", "ff02::1"), nil, drop.BadARP},
		{"solicitation for an IPv4-mapped address", solicit(), both(set(14+40+8, addrBytes("10.0.0.1")...), mend6), drop.BadARP},
		{"solicitation for another", solicit(linkLayer(otherMAC)), nil, drop.BadARP},
		{"solicitation with option cut", solicit(layers.ICMPv6Option{Type: 14, Data: make([]byte, 6)}), both(set(14+40+25, 2), mend6), drop.BadARP},
		{"solicitation with empty option", solicit(layers.ICMPv6Option{Type: 14, Data: make([]byte, 6)}), both(set(14+40+25, 0), mend6), drop.BadARP},
		{"solicitation with code", solicit(), both(set(14+40+1, 1), mend6), drop.BadARP},
		{"solicitation cut", build(from(packet.Spec{Proto: packet.ICMPv6, Type: 135, TTL: 255, Payload: make([]byte, 15)},
			"[2001:db8::5]:0", "[2001:db8::1]:0")), nil, drop.TruncatedTransport},
		{"solicitation checksum", solicit(), set(14+40+23, 9), drop.BadTransportChecksum},
		{"duplicate detection by unicast", neighbor(t, 255, "::", "2001:db8::1", "2001:db8::1"), nil, drop.BadARP},
		{"duplicate detection with address", neighbor(t, 255, "::", "ff02::1:ff00:1", "2001:db8::1", linkLayer(hostMAC)), nil, drop.BadARP},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.change != nil {
				test.change(test.frame)
			}
			var v packet.View
			if got := v.Decode(test.frame); got != test.want {
				t.Errorf("reason %d, want %d; frame % x", got, test.want, test.frame.Bytes())
			}
		})
	}
}

func addrBytes(s string) []byte {
	a := addr(s)
	return a[:]
}

// mend6 puts the right checksum into an ICMPv6 message.
func mend6(f *packet.Frame) {
	ip := f.Ethernet()[14:]
	message := ip[40:]
	copy(message[2:4], []byte{0, 0})
	pseudo := binary.BigEndian.AppendUint32(nil, uint32(len(message)))
	binary.BigEndian.PutUint16(message[2:], ^wordSum(ip[8:40], pseudo, []byte{0, 58}, message))
}

// Checksums that a device vouches for or will complete are not looked at, and
// UDP over IPv4 may go without.
func TestDecodeTrusts(t *testing.T) {
	partial := spec4(packet.TCP)
	partial.Partial = true
	tests := []struct {
		name   string
		frame  *packet.Frame
		vnet   byte
		at     int
		change []byte
	}{
		{"partial", build(partial), 1, 14 + 20 + 16, []byte{1, 2}},
		{"vouched for", build(spec6(packet.TCP)), 2, 14 + 40 + 16, []byte{1, 2}},
		{"none", build(spec4(packet.UDP)), 0, 14 + 20 + 6, []byte{0, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			copy(test.frame.Ethernet()[test.at:], test.change)
			test.frame.Vnet()[0] = test.vnet
			mustDecode(t, test.frame)
		})
	}
}

func TestDecodeSuperframe(t *testing.T) {
	tests := []struct {
		name                       string
		spec                       packet.Spec
		size                       uint16
		payload                    int
		len, maxLen, wireLen, segs int
	}{
		{"tcp", spec4(packet.TCP), 1448, 1448*3 + 1, 4385, 1488, 4345 + 4*40, 4},
		{"tcp exactly", spec4(packet.TCP), 1448, 1448 * 3, 4384, 1488, 4344 + 3*40, 3},
		{"tcp small", spec4(packet.TCP), 1448, 100, 140, 140, 140, 1},
		{"tcp empty", spec4(packet.TCP), 1448, 0, 40, 40, 40, 1},
		{"tcp longest", spec4(packet.TCP), 8405, 65495, 65535, 8445, 65495 + 8*40, 8},
		{"tcp", spec6(packet.TCP), 1440, 4000, 4060, 1500, 4000 + 3*60, 3},
		{"udp", spec4(packet.UDP), 1200, 3600, 3628, 1228, 3600 + 3*28, 3},
		{"udp", spec6(packet.UDP), 1, 3, 51, 49, 3 + 3*48, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.spec.GSOSize, test.spec.Payload = test.size, make([]byte, test.payload)
			v := mustDecode(t, build(test.spec))
			if v.Len != test.len || v.MaxLen != test.maxLen || v.WireLen != test.wireLen || v.Segments != test.segs {
				t.Errorf("len %d, max %d, wire %d, segments %d, want %d, %d, %d, %d",
					v.Len, v.MaxLen, v.WireLen, v.Segments, test.len, test.maxLen, test.wireLen, test.segs)
			}
		})
	}
}

func TestDecodeECNSuperframe(t *testing.T) {
	for _, s := range []packet.Spec{spec4(packet.TCP), spec6(packet.TCP)} {
		s.GSOSize, s.Payload = 1000, make([]byte, 3000)
		f := build(s)
		f.Vnet()[1] |= 0x80
		if v := mustDecode(t, f); v.Segments != 3 {
			t.Errorf("%v: %d segments, want 3", s.Src, v.Segments)
		}
	}
}

func TestDecodeMSS(t *testing.T) {
	tests := []struct {
		name    string
		flags   packet.Flags
		options []byte
		want    uint16
	}{
		{"first", packet.SYN, []byte{2, 4, 0x23, 0x01}, 8961},
		{"after padding", packet.SYN | packet.ACK, []byte{1, 2, 4, 0x23, 0x01}, 8961},
		{"last of several", packet.SYN, []byte{2, 4, 0x23, 0x01, 2, 4, 0x05, 0xb4}, 1460},
		{"after the end", packet.SYN, []byte{0, 2, 4, 0x23, 0x01}, 0},
		{"wrong length", packet.SYN, []byte{2, 3, 0x23, 1}, 0},
		{"cut", packet.SYN, []byte{1, 1, 2, 4}, 0},
		{"behind an endless option", packet.SYN, []byte{8, 0, 2, 4, 0x23, 0x01}, 0},
		{"behind an option of length 1", packet.SYN, []byte{8, 1, 2, 4, 0x23, 0x01}, 0},
		{"length missing", packet.SYN, []byte{1, 1, 1, 2}, 0},
		{"no SYN", packet.ACK, []byte{2, 4, 0x23, 0x01}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := spec4(packet.TCP)
			s.Flags, s.Options = test.flags, test.options
			if v := mustDecode(t, build(s)); v.MSS != test.want {
				t.Errorf("MSS %d, want %d", v.MSS, test.want)
			}
		})
	}
}

// A view tells nothing of the frame that it was of before.
func TestDecodeForgets(t *testing.T) {
	v := mustDecode(t, neighbor(t, 255, "2001:db8::5", "ff02::1:ff00:1", "2001:db8::1"))
	s := spec4(packet.TCP)
	s.Flags, s.MSS, s.Partial = packet.SYN, 1460, true
	if why := v.Decode(build(s)); why != drop.None {
		t.Fatal(why)
	}
	if got, want := packet.Public(v), packet.Public(mustDecode(t, build(s))); !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v, want %+v", got, want)
	}
	f := packet.NewFrame()
	if why := v.Decode(f); why != drop.TruncatedFrame {
		t.Fatal(why)
	}
	if got := packet.Public(v); !reflect.DeepEqual(got, packet.View{Segments: 1}) || v.Transport() != nil {
		t.Errorf("an empty frame decoded as %+v", got)
	}
}
