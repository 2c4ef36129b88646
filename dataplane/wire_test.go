package dataplane_test

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/plsim/plsim/dataplane/packet"
)

// decode reads a frame with a decoder that is not ours, and fails where it finds
// a fault: bytes that it cannot read, a wrong length, a wrong checksum. A
// superframe's checksum is first completed, as the receiving device would.
func decode(f *packet.Frame) (gopacket.Packet, error) {
	b := bytes.Clone(f.Ethernet())
	if vnet := f.Vnet(); vnet[0]&1 != 0 {
		start := int(binary.LittleEndian.Uint16(vnet[6:]))
		at := start + int(binary.LittleEndian.Uint16(vnet[8:]))
		if at+2 > len(b) {
			return nil, fmt.Errorf("the device is to put a checksum at %d of %d", at, len(b))
		}
		binary.BigEndian.PutUint16(b[at:], ^onesSum(b[start:]))
	}
	p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.NoCopy)
	if e := p.ErrorLayer(); e != nil && p.TransportLayer() == nil { // a payload may be anything
		return nil, fmt.Errorf("gopacket: %w", e.Error())
	}
	if ip, ok := p.NetworkLayer().(*layers.IPv4); ok && onesSum(ip.Contents) != 0xffff {
		return nil, fmt.Errorf("wrong checksum of the IP header %x", ip.Contents)
	}
	return p, checksum(p)
}

// checksum verifies the transport checksum of a packet, word by word as RFC 1071
// section 1 has it.
func checksum(p gopacket.Packet) error {
	var pseudo []byte
	var body []byte
	var proto layers.IPProtocol
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4:
		proto, body = ip.Protocol, ip.Payload
		pseudo = append(append(pseudo, ip.SrcIP.To4()...), ip.DstIP.To4()...)
	case *layers.IPv6:
		proto, body = ip.NextHeader, ip.Payload
		pseudo = append(append(pseudo, ip.SrcIP.To16()...), ip.DstIP.To16()...)
	default:
		return nil // ARP
	}
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(body)))
	pseudo = append(pseudo, 0, 0, 0, byte(proto))
	switch proto {
	case layers.IPProtocolICMPv4:
		pseudo = nil
	case layers.IPProtocolUDP:
		if len(body) >= 8 && body[6] == 0 && body[7] == 0 && len(pseudo) == 16 {
			return nil // the sender computed none
		}
	}
	if onesSum(append(pseudo, body...)) != 0xffff {
		return fmt.Errorf("wrong checksum of %v", p)
	}
	return nil
}

func onesSum(b []byte) uint16 {
	var sum uint32
	for i, x := range b {
		if i%2 == 0 {
			sum += uint32(x) << 8
		} else {
			sum += uint32(x)
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

// blank returns a copy of an IP packet without what the path may change: the
// addresses, the time to live, the ports, the MSS option and the checksums. All
// the rest must arrive as it was sent (F1.37).
func blank(f *packet.Frame) []byte {
	b := bytes.Clone(f.Ethernet()[14:])
	l4, proto := 40, byte(0)
	if b[0]>>4 == 4 {
		l4, proto = int(b[0]&15)*4, b[9]
		clear(b[8:9])   // time to live
		clear(b[10:20]) // checksum, addresses
	} else {
		proto = b[6]
		clear(b[7:40]) // hop limit, addresses
	}
	switch proto {
	case byte(packet.TCP):
		clear(b[l4 : l4+4])
		clear(b[l4+16 : l4+18])
		options := b[l4+20 : l4+int(b[l4+12]>>4)*4]
		if i := bytes.Index(options, []byte{2, 4}); i >= 0 {
			clear(options[i+2 : i+4])
		}
	case byte(packet.UDP):
		clear(b[l4 : l4+4])
		clear(b[l4+6 : l4+8])
	default:
		clear(b[l4+2 : l4+4])
	}
	return b
}
