package capture

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Line describes the packet in a line as tcpdump -n -S does: when and where it was seen,
// between whom, and the header of its transport. Of what is in it, only DNS is shown.
func (p *Packet) Line(at time.Time) string {
	way := "In "
	if p.Out {
		way = "Out"
	}
	line := fmt.Sprintf("%s %s %s %s", at.Format("15:04:05.000000"), p.Interface, way, dissect(p.Frame))
	if p.Drop != "" {
		line += " (" + droppedAs + p.Drop + ")"
	}
	return line
}

// dissect describes an Ethernet frame.
func dissect(frame []byte) string {
	if len(frame) < ethLen {
		return fmt.Sprintf("truncated, length %d", len(frame))
	}
	rest := frame[ethLen:]
	switch kind := be.Uint16(frame[12:]); {
	case kind == etherARP && len(rest) >= 28:
		return dissectARP(rest)
	case kind == etherIPv4 && len(rest) >= 20:
		proto, b, first := transport4(rest)
		return "IP " + dissectIP(rest[12:16], rest[16:20], proto, b, first)
	case kind == etherIPv6 && len(rest) >= ipv6Len:
		proto, b, first := transport6(rest)
		return "IP6 " + dissectIP(rest[8:24], rest[24:40], proto, b, first)
	default:
		return fmt.Sprintf("ethertype 0x%04x, length %d", kind, len(frame))
	}
}

func dissectARP(b []byte) string {
	sender, target := ipText(b[14:18]), ipText(b[24:28])
	switch be.Uint16(b[6:]) {
	case 1:
		return fmt.Sprintf("ARP, Request who-has %s tell %s, length %d", target, sender, len(b))
	case 2:
		return fmt.Sprintf("ARP, Reply %s is-at %s, length %d", sender, net.HardwareAddr(b[8:14]), len(b))
	}
	return fmt.Sprintf("ARP, length %d", len(b))
}

// dissectIP describes an IP packet by its addresses and what follows its header.
func dissectIP(src, dst []byte, proto byte, b []byte, first bool) string {
	from, to := ipText(src), ipText(dst)
	switch {
	case b == nil:
		return fmt.Sprintf("%s > %s: truncated", from, to)
	case !first:
		return fmt.Sprintf("%s > %s: fragment of %s, length %d", from, to, protocolName(proto), len(b))
	case proto == protoTCP && len(b) >= 20:
		return fmt.Sprintf("%s.%d > %s.%d: %s", from, be.Uint16(b), to, be.Uint16(b[2:]), dissectTCP(b))
	case proto == protoUDP && len(b) >= 8:
		sport, dport := be.Uint16(b), be.Uint16(b[2:])
		text := fmt.Sprintf("UDP, length %d", len(b)-8)
		if sport == 53 || dport == 53 {
			text = dissectDNS(b[8:], text)
		}
		return fmt.Sprintf("%s.%d > %s.%d: %s", from, sport, to, dport, text)
	case proto == protoICMP && len(b) >= 8:
		return fmt.Sprintf("%s > %s: ICMP %s, length %d", from, to, icmpText(b, echo4), len(b))
	case proto == protoICMPv6 && len(b) >= 8:
		return fmt.Sprintf("%s > %s: ICMP6, %s, length %d", from, to, icmpText(b, echo6), len(b))
	}
	return fmt.Sprintf("%s > %s: %s, length %d", from, to, protocolName(proto), len(b))
}

func dissectTCP(b []byte) string {
	header, flags := int(b[12]>>4)*4, b[13]
	if header < 20 || header > len(b) {
		return fmt.Sprintf("Flags [%s], bad header length %d", flagLetters(flags), header)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "Flags [%s]", flagLetters(flags))
	const fin, syn, rst, ack = 1, 2, 4, 16
	seq, length := be.Uint32(b[4:]), len(b)-header
	switch {
	case length > 0:
		fmt.Fprintf(&s, ", seq %d:%d", seq, seq+uint32(length))
	case flags&(syn|fin|rst) != 0:
		fmt.Fprintf(&s, ", seq %d", seq)
	}
	if flags&ack != 0 {
		fmt.Fprintf(&s, ", ack %d", be.Uint32(b[8:]))
	}
	fmt.Fprintf(&s, ", win %d", be.Uint16(b[14:]))
	if options := tcpOptions(b[20:header]); len(options) > 0 {
		fmt.Fprintf(&s, ", options [%s]", strings.Join(options, ","))
	}
	fmt.Fprintf(&s, ", length %d", length)
	return s.String()
}

// tcpOptions names the options of a segment, up to the first that is broken.
func tcpOptions(b []byte) (names []string) {
	for len(b) > 0 {
		switch {
		case b[0] == 0:
			return append(names, "eol")
		case b[0] == 1:
			names, b = append(names, "nop"), b[1:]
			continue
		case len(b) < 2 || b[1] < 2 || int(b[1]) > len(b):
			return append(names, "bad opt")
		}
		names, b = append(names, tcpOption(b[0], b[2:b[1]])), b[b[1]:]
	}
	return names
}

func tcpOption(kind byte, value []byte) string {
	switch n := len(value); {
	case kind == 2 && n == 2:
		return fmt.Sprintf("mss %d", be.Uint16(value))
	case kind == 3 && n == 1:
		return fmt.Sprintf("wscale %d", value[0])
	case kind == 4 && n == 0:
		return "sackOK"
	case kind == 5 && n > 0 && n%8 == 0:
		text := fmt.Sprintf("sack %d ", n/8)
		for ; len(value) > 0; value = value[8:] {
			text += fmt.Sprintf("{%d:%d}", be.Uint32(value), be.Uint32(value[4:]))
		}
		return text
	case kind == 8 && n == 8:
		return fmt.Sprintf("TS val %d ecr %d", be.Uint32(value), be.Uint32(value[4:]))
	}
	return fmt.Sprintf("unknown-%d", kind)
}

// The types of an echo request and its reply.
var (
	echo4 = [2]byte{8, 0}
	echo6 = [2]byte{128, 129}
)

func icmpText(b []byte, echo [2]byte) string {
	switch b[0] {
	case echo[0], echo[1]:
		word := "request"
		if b[0] == echo[1] {
			word = "reply"
		}
		return fmt.Sprintf("echo %s, id %d, seq %d", word, be.Uint16(b[4:]), be.Uint16(b[6:]))
	}
	if echo == echo6 && len(b) >= 24 {
		switch target := ipText(b[8:24]); b[0] {
		case 135:
			return "neighbor solicitation, who has " + target
		case 136:
			return "neighbor advertisement, tgt is " + target
		}
	}
	return fmt.Sprintf("type %d code %d", b[0], b[1])
}

// dissectDNS describes a DNS message; what is none is described by other words.
func dissectDNS(b []byte, other string) string {
	var m dns.Msg
	if m.Unpack(b) != nil {
		return other
	}
	text := fmt.Sprint(m.Id)
	if m.Response {
		if text += fmt.Sprintf(" %d/%d/%d", len(m.Answer), len(m.Ns), len(m.Extra)); m.Rcode != dns.RcodeSuccess {
			text += " " + dns.RcodeToString[m.Rcode]
		}
		for _, a := range m.Answer {
			data := strings.TrimPrefix(a.String(), a.Header().String())
			text += fmt.Sprintf(" %s %s", dns.TypeToString[a.Header().Rrtype], data)
		}
	} else {
		for _, q := range m.Question {
			text += fmt.Sprintf(" %s? %s", dns.TypeToString[q.Qtype], q.Name)
		}
	}
	return fmt.Sprintf("%s (%d)", text, len(b))
}

func ipText(b []byte) string {
	a, _ := netip.AddrFromSlice(b) // it has the length of one
	return a.String()
}
