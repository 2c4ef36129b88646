package packet

import "encoding/binary"

// Everything in the frame is in network byte order, but for the virtio-net header.
var (
	be = binary.BigEndian
	le = binary.LittleEndian
)

// Ethernet types.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

// What stands in the IPv4 header's word of flags and fragment offset.
const (
	dontFragment  = 0x4000
	moreFragments = 0x2000
)

// fragmentHeader announces the extension header of IPv6 fragments (RFC 8200 section
// 4.5).
const fragmentHeader = 44

// Lengths of headers without options, in bytes.
const (
	ethLen  = 14
	arpLen  = 28 // for Ethernet and IPv4
	ipv4Len = 20
	ipv6Len = 40

	fragmentLen = 8 // the extension header of IPv6
	tcpLen      = 20
	udpLen      = 8
	icmpLen     = 8
)

// Message types of ICMP and ICMPv6.
const (
	echoReply     = 0
	echoRequest   = 8
	echoRequestV6 = 128
	echoReplyV6   = 129
	solicitation  = 135 // RFC 4861 section 4.3
	advertisement = 136 // RFC 4861 section 4.4
)

// Kinds of TCP options: the maximum segment size, and blocks that are acknowledged
// selectively.
const (
	optMSS  = 2
	optSACK = 5
)

// checksumAt returns where in its header a protocol has its checksum.
func (p Proto) checksumAt() int {
	switch p {
	case TCP:
		return 16
	case UDP:
		return 6
	}
	return 2 // ICMP and ICMPv6
}
