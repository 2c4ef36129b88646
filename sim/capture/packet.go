// Package capture is what captures are about: packets as they were seen at
// interfaces, the filters that choose them, and the files that keep them.
package capture

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane/clock"
)

// Packet is a packet as it was seen at an interface.
type Packet struct {
	Time      clock.Time
	Interface string // its label, such as consumer/app
	Out       bool   // of the interface, towards the network
	Drop      string // why the interface dropped it; "" if it went on
	Frame     []byte // Ethernet
}

// A Field is what a packet can be asked for.
type Field struct{ Name, Doc string }

// fields are in the order in which they are printed.
var fields = []Field{
	{"interface", "Where it was seen: an instance's VPC/NAME, vpc_endpoint.NAME.ZONE, load_balancer.NAME.ZONE, vpc.NAME.resolver."},
	{"direction", "ingress or egress, as the interface sees it: a packet that leaves an instance is egress at the instance and ingress at the endpoint."},
	{"protocol", "tcp, udp, icmp, icmpv6 or arp; else the number of the IP protocol."},
	{"srcaddr", "Source address."},
	{"srcport", "Source port of TCP or UDP."},
	{"dstaddr", "Destination address."},
	{"dstport", "Destination port."},
	{"flags", "TCP flags in tcpdump's letters: S for SYN, S. for SYN-ACK, . for ACK, P. with data, F. for FIN, R for RST; none."},
	{"seq", "TCP sequence number, as on the wire."},
	{"ack", "TCP acknowledgement number, where there is one."},
	{"window", "TCP window, not scaled."},
	{"mss", "Maximum segment size, where the packet has that option."},
	{"type", "ICMP type."},
	{"code", "ICMP code."},
	{"ttl", "Time to live, or hop limit."},
	{"length", "Bytes of the IP packet; one that its sender leaves to the network card to segment is one packet here."},
	{"payload", "What follows the TCP, UDP or ICMP header."},
	{"drop", "The drop reason, at the interface that dropped it; else empty."},
}

// Fields returns what a packet can be asked for.
func Fields() []Field { return fields }

// FieldNames returns the names of that.
func FieldNames() []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// Values returns what a packet is, by field. A field that it does not have is
// missing, but for drop, which is empty where it was not dropped.
func (p *Packet) Values() map[string]string {
	v := map[string]string{"interface": p.Interface, "direction": "ingress", "drop": p.Drop}
	if p.Out {
		v["direction"] = "egress"
	}
	if len(p.Frame) < ethLen {
		return v
	}
	switch ip := p.Frame[ethLen:]; be.Uint16(p.Frame[12:]) {
	case etherARP:
		v["protocol"] = "arp"
	case etherIPv4:
		describe4(v, ip)
	case etherIPv6:
		describe6(v, ip)
	}
	return v
}

var be = binary.BigEndian

func describe4(v map[string]string, ip []byte) {
	if len(ip) < 20 {
		return
	}
	addresses(v, ip[12:16], ip[16:20])
	v["ttl"], v["length"] = strconv.Itoa(int(ip[8])), strconv.Itoa(int(be.Uint16(ip[2:])))
	if proto, b, first := transport4(ip); b != nil {
		describeTransport(v, proto, b, first)
	}
}

func describe6(v map[string]string, ip []byte) {
	if len(ip) < ipv6Len {
		return
	}
	addresses(v, ip[8:24], ip[24:40])
	v["ttl"], v["length"] = strconv.Itoa(int(ip[7])), strconv.Itoa(ipv6Len+int(be.Uint16(ip[4:])))
	if proto, b, first := transport6(ip); b != nil {
		describeTransport(v, proto, b, first)
	}
}

// transport4 returns the protocol of an IPv4 packet that has a header, and what follows
// that: nil where the packet is not whole. first is false of a fragment that is not the
// first.
func transport4(ip []byte) (proto byte, b []byte, first bool) {
	header, length := int(ip[0]&15)*4, int(be.Uint16(ip[2:]))
	if header < 20 || header > length || length > len(ip) {
		return 0, nil, false
	}
	return ip[9], ip[header:length], be.Uint16(ip[6:])&0x1fff == 0
}

// transport6 is transport4 for IPv6.
func transport6(ip []byte) (proto byte, b []byte, first bool) {
	length := ipv6Len + int(be.Uint16(ip[4:]))
	if length > len(ip) {
		return 0, nil, false
	}
	proto, b, first = ip[6], ip[ipv6Len:length], true
	if proto == fragmentHeader && len(b) >= 8 {
		proto, first, b = b[0], be.Uint16(b[2:])&^7 == 0, b[8:]
	}
	return proto, b, first
}

func addresses(v map[string]string, src, dst []byte) {
	for name, b := range map[string][]byte{"srcaddr": src, "dstaddr": dst} {
		if a, ok := netip.AddrFromSlice(b); ok {
			v[name] = a.String()
		}
	}
}

// describeTransport describes a transport header, which only the first fragment of a
// packet has.
func describeTransport(v map[string]string, proto byte, b []byte, first bool) {
	v["protocol"] = protocolName(proto)
	switch {
	case !first:
		v["payload"] = string(b)
	case proto == protoTCP && len(b) >= 20:
		ports(v, b)
		describeTCP(v, b)
	case proto == protoUDP && len(b) >= 8:
		ports(v, b)
		v["payload"] = string(b[8:])
	case (proto == protoICMP || proto == protoICMPv6) && len(b) >= 8:
		v["type"], v["code"] = strconv.Itoa(int(b[0])), strconv.Itoa(int(b[1]))
		v["payload"] = string(b[8:])
	}
}

// protocolName is what people call a protocol: its number where that is none of these.
func protocolName(proto byte) string {
	switch proto {
	case protoICMP:
		return "icmp"
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	case protoICMPv6:
		return "icmpv6"
	}
	return strconv.Itoa(int(proto))
}

func ports(v map[string]string, b []byte) {
	v["srcport"], v["dstport"] = strconv.Itoa(int(be.Uint16(b))), strconv.Itoa(int(be.Uint16(b[2:])))
}

func describeTCP(v map[string]string, b []byte) {
	unsigned := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	v["flags"] = flagLetters(b[13])
	v["seq"], v["window"] = unsigned(be.Uint32(b[4:])), unsigned(uint32(be.Uint16(b[14:])))
	if b[13]&16 != 0 {
		v["ack"] = unsigned(be.Uint32(b[8:]))
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > len(b) {
		return
	}
	v["payload"] = string(b[header:])
	for options := b[20:header]; len(options) > 0 && options[0] != 0; {
		if options[0] == 1 {
			options = options[1:]
			continue
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return
		}
		if options[0] == 2 && options[1] == 4 {
			v["mss"] = unsigned(uint32(be.Uint16(options[2:])))
		}
		options = options[options[1]:]
	}
}

// flagLetters writes TCP flags as tcpdump does: S, S., ., P., F., R.
func flagLetters(flags byte) string {
	var s strings.Builder
	for _, f := range []struct {
		bit    byte
		letter byte
	}{{1, 'F'}, {2, 'S'}, {4, 'R'}, {8, 'P'}, {16, '.'}, {32, 'U'}, {64, 'E'}, {128, 'W'}} {
		if flags&f.bit != 0 {
			s.WriteByte(f.letter)
		}
	}
	if s.Len() == 0 {
		return "none"
	}
	return s.String()
}

// String describes the packet for people, in a line.
func (p *Packet) String() string {
	v := p.Values()
	var words []string
	for _, name := range FieldNames() {
		value, ok := v[name]
		switch {
		case !ok, name == "drop" && value == "":
		case name == "payload":
			words = append(words, strconv.Itoa(len(value))+" bytes of payload")
		default:
			words = append(words, name+" "+value)
		}
	}
	return strings.Join(words, ", ")
}
