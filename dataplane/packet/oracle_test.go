package packet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

var (
	hostMAC   = packet.MAC{0x02, 0, 0, 0, 0, 0x01}
	routerMAC = packet.MAC{0x02, 0, 0, 0, 0, 0x02}
	otherMAC  = packet.MAC{0x02, 0, 0, 0, 0, 0x03}
)

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func addr(s string) packet.Addr { return packet.AddrFrom(netip.MustParseAddr(s)) }

// spec4 and spec6 are the packets that most tests begin with.
func spec4(p packet.Proto) packet.Spec {
	return packet.Spec{
		SrcMAC: hostMAC, DstMAC: routerMAC, Proto: p,
		Src: addrPort("10.0.0.5:49172"), Dst: addrPort("10.0.9.7:443"),
	}
}

func spec6(p packet.Proto) packet.Spec {
	s := spec4(p)
	s.Src, s.Dst = addrPort("[2001:db8::5]:49172"), addrPort("[2001:db8:9::7]:443")
	return s
}

func build(s packet.Spec) *packet.Frame {
	f := packet.NewFrame()
	s.Build(f)
	return f
}

// failer is what testing.TB and rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustDecode(t failer, f *packet.Frame) *packet.View {
	t.Helper()
	v := new(packet.View)
	if why := v.Decode(f); why != drop.None {
		t.Fatalf("decoding gave reason %d, want none; frame % x", why, f.Bytes())
	}
	return v
}

// wordSum is the one's-complement sum, word by word, for comparison with the
// package's own.
func wordSum(parts ...[]byte) uint16 {
	var acc uint32
	for _, b := range parts {
		for i, x := range b {
			if i%2 == 0 {
				acc += uint32(x) << 8
			} else {
				acc += uint32(x)
			}
			acc = acc>>16 + acc&0xffff
		}
	}
	return uint16(acc>>16 + acc&0xffff)
}

// parse decodes a frame with gopacket.
func parse(f *packet.Frame) gopacket.Packet {
	return gopacket.NewPacket(f.Ethernet(), layers.LayerTypeEthernet, gopacket.Default)
}

// intact verifies all checksums of a packet by what gopacket sees in it. A
// partial checksum is first completed, as the receiver's device would.
func intact(f *packet.Frame) error {
	g := parse(f)
	// What a well-known port makes gopacket expect in the payload is no matter.
	if e := g.ErrorLayer(); e != nil && g.TransportLayer() == nil {
		return fmt.Errorf("gopacket: %w", e.Error())
	}
	var proto byte
	if ip, ok := g.NetworkLayer().(*layers.IPv4); ok {
		proto = byte(ip.Protocol)
		if s := wordSum(ip.Contents); s != 0xffff {
			return fmt.Errorf("IPv4 header sums up to %#04x", s)
		}
	} else {
		proto = byte(g.NetworkLayer().(*layers.IPv6).NextHeader)
	}
	segment := bytes.Clone(g.NetworkLayer().LayerPayload())
	if vnet := f.Vnet(); vnet[0]&1 != 0 {
		start := int(binary.LittleEndian.Uint16(vnet[6:]))
		if start != len(f.Ethernet())-len(segment) {
			return fmt.Errorf("checksum starts at %d of a frame of %d, whose segment has %d", start, len(f.Ethernet()), len(segment))
		}
		field := segment[binary.LittleEndian.Uint16(vnet[8:]):]
		checksum := ^wordSum(segment)
		if checksum == 0 && proto == 17 {
			checksum = 0xffff
		}
		binary.BigEndian.PutUint16(field, checksum)
	}
	src, dst := g.NetworkLayer().NetworkFlow().Endpoints()
	pseudo := binary.BigEndian.AppendUint32(nil, uint32(len(segment)))
	pseudo = append(pseudo, 0, proto)
	parts := [][]byte{src.Raw(), dst.Raw(), pseudo, segment}
	switch {
	case proto == 1:
		parts = parts[3:]
	case proto == 17 && len(src.Raw()) == 4 && segment[6] == 0 && segment[7] == 0:
		return nil // the sender computed none
	case proto == 17 && segment[6] == 0 && segment[7] == 0:
		return fmt.Errorf("UDP over IPv6 without a checksum")
	}
	if s := wordSum(parts...); s != 0xffff {
		return fmt.Errorf("segment of protocol %d sums up to %#04x", proto, s)
	}
	return nil
}

// serialize builds a frame with gopacket.
func serialize(t testing.TB, parts ...gopacket.SerializableLayer) *packet.Frame {
	t.Helper()
	out := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(out, opts, parts...); err != nil {
		t.Fatal(err)
	}
	f := packet.NewFrame()
	f.SetEthernet(out.Bytes())
	return f
}

func ethernet(kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: hostMAC[:], DstMAC: routerMAC[:], EthernetType: kind}
}

// arp builds an ARP packet of the host.
func arp(t testing.TB, operation uint16, sender packet.MAC, from, target string) *packet.Frame {
	t.Helper()
	return serialize(t, ethernet(layers.EthernetTypeARP), &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
		HwAddressSize: 6, ProtAddressSize: 4, Operation: operation,
		SourceHwAddress: sender[:], SourceProtAddress: netip.MustParseAddr(from).AsSlice(),
		DstHwAddress: make([]byte, 6), DstProtAddress: netip.MustParseAddr(target).AsSlice(),
	})
}

// neighbor builds a neighbour solicitation of the host.
func neighbor(t testing.TB, hops uint8, from, to, target string, options ...layers.ICMPv6Option) *packet.Frame {
	t.Helper()
	ip := &layers.IPv6{
		Version: 6, HopLimit: hops, NextHeader: layers.IPProtocolICMPv6,
		SrcIP: netip.MustParseAddr(from).AsSlice(), DstIP: netip.MustParseAddr(to).AsSlice(),
	}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborSolicitation, 0)}
	if err := icmp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	return serialize(t, ethernet(layers.EthernetTypeIPv6), ip, icmp, &layers.ICMPv6NeighborSolicitation{
		TargetAddress: netip.MustParseAddr(target).AsSlice(), Options: options,
	})
}

func linkLayer(m packet.MAC) layers.ICMPv6Option {
	return layers.ICMPv6Option{Type: layers.ICMPv6OptSourceAddress, Data: m[:]}
}
