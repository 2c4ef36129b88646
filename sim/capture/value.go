package capture

import (
	"net/netip"
	"strconv"
	"strings"
)

// value reads an address, a prefix, a port, a range of them or a protocol.
func (p *parser) value(q qualifiers) test {
	if p.peek() == "" {
		p.fail("the filter ends where a %s is missing", q.kind)
	}
	at := p.next
	var t test
	var err error
	switch q.kind {
	case "port":
		n := p.port(p.peek())
		p.next++
		t, err = q.ports(n, n)
	case "portrange":
		first, last, ok := strings.Cut(p.peek(), "-")
		if !ok {
			p.fail("%q is no range of ports: write FIRST-LAST", p.peek())
		}
		a, b := p.port(first), p.port(last)
		p.next++
		t, err = q.ports(min(a, b), max(a, b))
	case "proto":
		t = p.protocol(q)
	case "net":
		t, err = q.prefix(p.net())
	default:
		a, bad := netip.ParseAddr(p.peek())
		if bad != nil || a.Zone() != "" {
			p.fail("%q is no address: names are not looked up here", p.peek())
		}
		p.next++
		t, err = q.prefix(netip.PrefixFrom(a, a.BitLen()))
	}
	if err != nil {
		p.next = at
		p.fail("%v", err)
	}
	return t
}

func (p *parser) port(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		p.fail("%q is no port: write a number from 0 to 65535", text)
	}
	return uint32(n)
}

// protocol reads the number of a protocol, or its name behind a backslash.
func (p *parser) protocol(q qualifiers) test {
	named := map[string]uint32{`\icmp`: protoICMP, `\tcp`: protoTCP, `\udp`: protoUDP, `\icmp6`: protoICMPv6}
	n, ok := named[p.peek()]
	if ok {
		p.next++
	} else {
		n = p.literal()
	}
	switch {
	case q.dir != "" || q.proto != "" && q.proto != "ip" && q.proto != "ip6":
		p.next--
		p.fail("write proto, ip proto or ip6 proto before the number of a protocol")
	case q.proto == "ip":
		return ipProto(n)
	case q.proto == "ip6":
		return ip6Proto(n)
	}
	return either(ipProto(n), ip6Proto(n))
}

// net reads ADDRESS/LENGTH, ADDRESS mask MASK, or the first bytes of an address.
func (p *parser) net() netip.Prefix {
	text := p.peek()
	at := p.next
	p.next++
	octets := strings.Split(text, ".")
	bits := 8 * len(octets)
	for len(octets) < 4 && !strings.Contains(text, ":") {
		octets = append(octets, "0")
	}
	a, err := netip.ParseAddr(strings.Join(octets, "."))
	if err != nil || a.Zone() != "" {
		p.next = at
		p.fail("%q is no network: write one such as 10.0.0.0/16 or 2001:db8::/32", text)
	}
	if a.Is6() {
		bits = 128
	}
	switch {
	case p.take("/"):
		if n := p.literal(); n > uint32(a.BitLen()) {
			p.next--
			p.fail("a network of %s has a length of 0 to %d", a, a.BitLen())
		} else {
			bits = int(n)
		}
	case p.take("mask"):
		bits = p.mask()
	}
	net := netip.PrefixFrom(a, bits)
	if net.Masked() != net {
		p.next = at
		p.fail("%s has bits beyond its length: did you mean %s?", net, net.Masked())
	}
	return net
}

func (p *parser) mask() int {
	m, err := netip.ParseAddr(p.peek())
	for bits := range 33 {
		if full := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), bits); err == nil && full.Masked().Addr() == m {
			p.next++
			return bits
		}
	}
	p.fail("%q is no mask of a network, such as 255.255.0.0", p.peek())
	return 0
}
