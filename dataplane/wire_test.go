package dataplane_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/plsim/plsim/dataplane/packet"
)

// decode reads a frame with a decoder that is not ours, and fails where it finds
// a fault: bytes that it cannot read, a wrong length, a wrong checksum.
func decode(f *packet.Frame) (gopacket.Packet, error) {
	b := complete(f)
	p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.NoCopy)
	if e := p.ErrorLayer(); e != nil && p.TransportLayer() == nil { // a payload may be anything
		return nil, fmt.Errorf("gopacket: %w", e.Error())
	}
	return p, checkSums(b)
}

// complete returns a copy of a frame in which the checksum stands that its sender
// left to the receiving device.
func complete(f *packet.Frame) []byte {
	b := bytes.Clone(f.Ethernet())
	if vnet := f.Vnet(); vnet[0]&1 != 0 {
		start := int(binary.LittleEndian.Uint16(vnet[6:]))
		at := start + int(binary.LittleEndian.Uint16(vnet[8:]))
		binary.BigEndian.PutUint16(b[at:], ^onesSum(b[start:]))
	}
	return b
}

// checkSums verifies the checksums of an Ethernet frame.
func checkSums(b []byte) error {
	at, pseudo := sums(b)
	if b[12] == 8 && b[13] == 0 && onesSum(b[14:14+int(b[14]&15)*4]) != 0xffff {
		return fmt.Errorf("wrong checksum of the IP header: %x", b)
	}
	if at > 0 && onesSum(append(pseudo, transport(b)...)) != 0xffff {
		return fmt.Errorf("wrong checksum of the packet: %x", b)
	}
	return nil
}

// mend puts right checksums into a frame, as far as it is one.
func mend(b []byte) {
	if len(b) >= 34 && b[12] == 8 && b[13] == 0 {
		if n := 14 + int(b[14]&15)*4; n >= 34 && n <= len(b) {
			b[24], b[25] = 0, 0
			binary.BigEndian.PutUint16(b[24:], ^onesSum(b[14:n]))
		}
	}
	if at, pseudo := sums(b); at > 0 {
		field := b[at:]
		field[0], field[1] = 0, 0
		sum := ^onesSum(append(pseudo, transport(b)...))
		if sum == 0 {
			sum = 0xffff // a UDP checksum of 0 would be none
		}
		binary.BigEndian.PutUint16(field, sum)
	}
}

// sums returns where in a frame the transport checksum is, and the pseudo-header
// that it covers too; 0 where there is none.
func sums(b []byte) (at int, pseudo []byte) {
	body := transport(b)
	if body == nil {
		return 0, nil
	}
	var proto byte
	if b[14]>>4 == 4 {
		proto, pseudo = b[23], bytes.Clone(b[26:34])
	} else {
		proto, pseudo = b[20], bytes.Clone(b[22:54])
	}
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(body)))
	pseudo = append(pseudo, 0, 0, 0, proto)
	if b[14]>>4 == 4 && (b[20]&0x3f != 0 || b[21] != 0) {
		return 0, nil // a fragment, which has no sum of its own
	}
	in := map[byte]int{1: 2, 6: 16, 17: 6, 58: 2}[proto]
	if in == 0 || len(body) < in+2 || proto == 17 && b[14]>>4 == 4 && body[6] == 0 && body[7] == 0 {
		return 0, nil
	}
	if proto == 1 {
		pseudo = nil
	}
	if b[14]>>4 == 4 {
		return 14 + int(b[14]&15)*4 + in, pseudo
	}
	return 14 + 40 + in, pseudo
}

// transport returns what an IP packet carries, nil if b is no such.
func transport(b []byte) []byte {
	if len(b) < 34 {
		return nil
	}
	ip, from, to := b[14:], 0, 0
	switch {
	case b[12] == 8 && b[13] == 0 && ip[0]>>4 == 4:
		from, to = int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	case b[12] == 0x86 && b[13] == 0xdd && ip[0]>>4 == 6:
		from, to = 40, 40+int(binary.BigEndian.Uint16(ip[4:]))
	}
	if from < 20 || to < from || to > len(ip) {
		return nil
	}
	return ip[from:to]
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
	switch {
	case proto == 44 && b[0]>>4 == 6: // a fragment; its identification is another beyond a load balancer
		clear(b[44:48])
		l4, proto = 48, b[40]
		if b[42] != 0 || b[43]&0xf8 != 0 {
			return b
		}
	case b[0]>>4 == 4 && (b[6]&0x3f != 0 || b[7] != 0):
		clear(b[4:6])
		if b[6]&0x1f != 0 || b[7] != 0 {
			return b
		}
	}
	switch proto {
	case byte(packet.TCP):
		if len(b) < l4+20 || len(b) < l4+int(b[l4+12]>>4)*4 {
			return b // a fragment that is too short
		}
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
		if kind := b[l4]; proto == byte(packet.ICMP) && kind == 3 || proto == byte(packet.ICMPv6) && kind < 128 {
			blankQuoted(b[l4+8:])
		}
	}
	return b
}

// common returns what the forms of a blank packet in both families have in common:
// an IPv6 header with the traffic class, and the segment. Of an ICMP error that is
// only how it begins.
func common(b []byte) []byte {
	l4, class, proto := 40, b[0]<<4|b[1]>>4, b[6]
	if b[0]>>4 == 4 {
		l4, class, proto = int(b[0]&15)*4, b[1], b[9]
	} else if proto == 44 {
		l4, proto = 48, b[40]
	}
	segment := b[l4:]
	if proto == byte(packet.ICMP) || proto == byte(packet.ICMPv6) {
		proto, segment = 0, nil
	}
	head := make([]byte, 40)
	head[0], head[1], head[6] = 6<<4|class>>4, class<<4, proto
	binary.BigEndian.PutUint16(head[4:], uint16(len(segment)))
	return append(head, segment...)
}

// unsplice removes from a TCP packet without its Ethernet header what a load
// balancer may put into a stream and do to its numbers (F2.42): size bytes before
// the payload, and the sequence numbers with those that count them.
func unsplice(b []byte, size int) []byte {
	l4, length := 40, b[4:6]
	if b[0]>>4 == 4 {
		l4, length = int(b[0]&15)*4, b[2:4]
	}
	if b[6] != byte(packet.TCP) && b[9] != byte(packet.TCP) {
		if quoted := l4 + 8 + l4; len(b) >= quoted+8 {
			clear(b[quoted+4 : quoted+8]) // the sequence number that an error quotes
		}
		return b
	}
	data := l4 + int(b[l4+12]>>4)*4
	clear(b[l4+4 : l4+12])
	if i := bytes.Index(b[l4+20:data], []byte{5, 10}); i >= 0 {
		clear(b[l4+22+i:][:8])
	}
	binary.BigEndian.PutUint16(length, binary.BigEndian.Uint16(length)-uint16(size))
	return slices.Delete(b, data, data+size)
}

// blankQuoted is blank for the packet that an ICMP error quotes, as far as it does.
func blankQuoted(b []byte) {
	var l4 int
	var proto byte
	switch {
	case len(b) >= 28 && b[0]>>4 == 4:
		l4, proto = int(b[0]&15)*4, b[9]
		clear(b[10:20])
	case len(b) >= 48 && b[0]>>4 == 6:
		l4, proto = 40, b[6]
		clear(b[8:40])
	default:
		return
	}
	checksum := l4 + 16
	if proto == byte(packet.UDP) {
		checksum = l4 + 6
	}
	clear(b[l4 : l4+4])
	if len(b) >= checksum+2 {
		clear(b[checksum : checksum+2])
	}
}
