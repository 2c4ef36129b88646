package capture

import (
	"fmt"
	"net/netip"
)

// qualifiers are the words before a value: which header it stands in, on which side,
// and what it is.
type qualifiers struct{ proto, dir, kind string }

// sides combines what is asked of the source and of the destination.
func (q qualifiers) sides(src, dst test) test {
	switch q.dir {
	case "src":
		return src
	case "dst":
		return dst
	case "src and dst":
		return both(src, dst)
	default:
		return either(src, dst)
	}
}

// prefix is true for packets from or to a prefix, of which a host is one. Like
// tcpdump, it also finds the addresses that ARP speaks of.
func (q qualifiers) prefix(net netip.Prefix) (test, error) {
	is4 := net.Addr().Is4()
	switch {
	case q.proto == "tcp" || q.proto == "udp" || q.proto == "icmp" || q.proto == "icmp6":
		return nil, fmt.Errorf("%s goes with ports, not with a %s: write %s and %s", q.proto, q.kind, q.proto, q.kind)
	case is4 && q.proto == "ip6", !is4 && q.proto != "ip6" && q.proto != "":
		return nil, fmt.Errorf("%s is no address of %s", net.Addr(), q.proto)
	}
	at := func(src, dst uint64) test { return q.sides(within(src, net), within(dst, net)) }
	if !is4 {
		return both(etherType(etherIPv6), at(ethLen+8, ethLen+24)), nil
	}
	ip, arp := both(etherType(etherIPv4), at(ethLen+12, ethLen+16)), at(ethLen+14, ethLen+24)
	switch q.proto {
	case "ip":
		return ip, nil
	case "arp":
		return both(etherType(etherARP), arp), nil
	default:
		return anyOf(ip, both(etherType(etherARP), arp), both(etherType(etherRARP), arp)), nil
	}
}

// within is true where an address in the frame is one of the prefix.
func within(at uint64, net netip.Prefix) test {
	bytes, t := net.Addr().AsSlice(), test(func(*probe) bool { return true })
	for i, bits := 0, net.Bits(); bits > 0; i, bits = i+4, bits-32 {
		mask, want := ^uint32(0)<<max(32-bits, 0), be.Uint32(bytes[i:])
		t = both(t, func(p *probe) bool { return p.number(at+uint64(i), 4)&mask == want&mask })
	}
	return t
}

// ports is true for packets from or to the ports from first to last.
func (q qualifiers) ports(first, last uint32) (test, error) {
	protos := []uint32{protoTCP, protoUDP, protoSCTP}
	switch q.proto {
	case "":
	case "tcp":
		protos = protos[:1]
	case "udp":
		protos = protos[1:2]
	default:
		return nil, fmt.Errorf("%s has no ports: write tcp, udp or nothing before %s", q.proto, q.kind)
	}
	between := func(n uint32) bool { return first <= n && n <= last }
	ip := both(unfragmented, q.sides(
		func(p *probe) bool { return between(p.number(p.transport(), 2)) },
		func(p *probe) bool { return between(p.number(p.transport()+2, 2)) }))
	ip6 := q.sides(
		func(p *probe) bool { return between(p.number(ethLen+ipv6Len, 2)) },
		func(p *probe) bool { return between(p.number(ethLen+ipv6Len+2, 2)) })
	of := func(at uint64) test {
		var tests []test
		for _, n := range protos {
			tests = append(tests, equal(at, 1, n))
		}
		return anyOf(tests...)
	}
	return either(
		both(etherType(etherIPv4), both(of(ethLen+9), ip)),
		both(etherType(etherIPv6), both(of(ethLen+6), ip6))), nil
}

// protocols are the words that are tests by themselves.
var protocols = map[string]test{
	"ip":    etherType(etherIPv4),
	"ip6":   etherType(etherIPv6),
	"arp":   etherType(etherARP),
	"tcp":   either(ipProto(protoTCP), ip6Proto(protoTCP)),
	"udp":   either(ipProto(protoUDP), ip6Proto(protoUDP)),
	"icmp":  ipProto(protoICMP),
	"icmp6": ip6Proto(protoICMPv6),
}

// header is a protocol whose bytes can be asked for.
type header struct {
	is test // the frame has it
	at func(p *probe) uint64
}

var headers = map[string]header{
	"ether": {nil, func(*probe) uint64 { return 0 }},
	"ip":    {etherType(etherIPv4), afterEthernet},
	"ip6":   {etherType(etherIPv6), afterEthernet},
	"arp":   {etherType(etherARP), afterEthernet},
	"tcp":   {both(ipProto(protoTCP), unfragmented), (*probe).transport},
	"udp":   {both(ipProto(protoUDP), unfragmented), (*probe).transport},
	"icmp":  {both(ipProto(protoICMP), unfragmented), (*probe).transport},
	"icmp6": {both(etherType(etherIPv6), equal(ethLen+6, 1, protoICMPv6)), func(*probe) uint64 { return ethLen + ipv6Len }},
}

func afterEthernet(*probe) uint64 { return ethLen }

// constants are names of numbers.
var constants = map[string]uint32{
	"tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128,
	"icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1,
	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-echo": 8, "icmp-timxceed": 11,
	"icmp6-destinationrunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-echo": 128, "icmp6-echoreply": 129,
	"icmp6-neighborsolicit": 135, "icmp6-neighboradvert": 136,
}
