package capture

import "fmt"

// Filter decides which packets a capture keeps. It is the commonly used part of
// tcpdump's language (pcap-filter(7)), and means the same here:
//
//	[ip|ip6|arp|tcp|udp] [src|dst|src or dst|src and dst] host|net|port|portrange VALUE
//	ip  ip6  arp  tcp  udp  icmp  icmp6   proto N   less N   greater N
//	NUMBER or PROTOCOL[OFFSET:SIZE] or len, with + - * / % & | ^ << >>, compared by = == != < <= > >=
//	not (!)  and (&&)  or (||)  and parentheses
//
// and and or have the same precedence, from left to right; not binds closest. A value
// without words before it takes those of the value before: port 80 or 443. As in
// tcpdump tcp[…] and udp[…] are about IPv4 only. The zero Filter, and nil, match
// everything.
type Filter struct {
	text string
	test test
}

// FilterError says what is wrong with a filter.
type FilterError struct {
	At   int    // offset of Near in the filter, in bytes
	Near string // the word that is wrong; "" at the end
	Msg  string
}

func (e *FilterError) Error() string { return fmt.Sprintf("%s (at character %d)", e.Msg, e.At+1) }

// String returns the filter as it was written.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	return f.text
}

// Match reports whether an Ethernet frame is one that the filter asks for.
func (f *Filter) Match(frame []byte) bool {
	if f == nil || f.test == nil {
		return true
	}
	p := probe{frame: frame}
	return f.test(&p) && !p.short
}

// probe is a frame that is looked at. Whoever reads beyond its end makes it short;
// then no more is asked, and the filter does not match, as in tcpdump.
type probe struct {
	frame []byte
	short bool
}

// test and value are parts of a filter.
type (
	test  func(p *probe) bool
	value func(p *probe) uint32
)

// number returns size bytes at an offset as a number, most significant first.
func (p *probe) number(at uint64, size int) uint32 {
	if at+uint64(size) > uint64(len(p.frame)) {
		p.short = true
	}
	if p.short {
		return 0
	}
	var n uint32
	for _, b := range p.frame[at : at+uint64(size)] {
		n = n<<8 | uint32(b)
	}
	return n
}

// both is true where a and b are; b is not asked where a is not.
func both(a, b test) test {
	return func(p *probe) bool { return a(p) && !p.short && b(p) }
}

// either is true where a or b is; b is not asked where a is.
func either(a, b test) test {
	return func(p *probe) bool {
		is := a(p)
		return !p.short && (is || b(p))
	}
}

func negate(a test) test { return func(p *probe) bool { return !a(p) } }

// anyOf is true where one of the tests is.
func anyOf(tests ...test) test {
	t := tests[0]
	for _, next := range tests[1:] {
		t = either(t, next)
	}
	return t
}

// Where things are in an Ethernet frame.
const (
	ethLen  = 14
	ipv6Len = 40

	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	etherARP  = 0x0806
	etherRARP = 0x8035

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132

	fragmentHeader = 44
)

func etherType(n uint32) test { return equal(12, 2, n) }

// equal compares bytes of the frame with a number.
func equal(at uint64, size int, n uint32) test {
	return func(p *probe) bool { return p.number(at, size) == n }
}

// ipProto and ip6Proto are true for packets of a protocol; in IPv6 also behind the
// header of fragments.
func ipProto(n uint32) test { return both(etherType(etherIPv4), equal(ethLen+9, 1, n)) }

func ip6Proto(n uint32) test {
	behind := both(equal(ethLen+6, 1, fragmentHeader), equal(ethLen+ipv6Len, 1, n))
	return both(etherType(etherIPv6), either(equal(ethLen+6, 1, n), behind))
}

// unfragmented is true of IPv4 packets that have a transport header.
func unfragmented(p *probe) bool { return p.number(ethLen+6, 2)&0x1fff == 0 }

// transport returns where the transport header of an IPv4 packet begins.
func (p *probe) transport() uint64 { return ethLen + uint64(p.number(ethLen, 1)&15)*4 }
