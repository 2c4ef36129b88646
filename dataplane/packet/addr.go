package packet

import (
	"encoding/binary"
	"net/netip"
)

// Addr is an IPv4 or IPv6 address in 16 bytes, network byte order; IPv4 is
// held in its IPv4-mapped form (RFC 4291 section 2.5.5.2). It is comparable and
// holds no pointer, so both families share keys and code.
type Addr [16]byte

// AddrFrom returns a as an Addr. The zone of an IPv6 address is dropped.
func AddrFrom(a netip.Addr) Addr { return a.As16() }

// IP returns a as a netip.Addr, IPv4 unmapped.
func (a Addr) IP() netip.Addr { return netip.AddrFrom16(a).Unmap() }

// Is4 reports whether a is an IPv4 address.
func (a *Addr) Is4() bool {
	return binary.BigEndian.Uint64(a[:]) == 0 && binary.BigEndian.Uint32(a[8:]) == 0xffff
}

// String returns the usual text form.
func (a Addr) String() string { return a.IP().String() }

// set4 makes a the IPv4 address of the first four bytes of b.
func (a *Addr) set4(b []byte) {
	binary.LittleEndian.PutUint64(a[:], 0)
	binary.LittleEndian.PutUint64(a[8:], 0xffff<<16|uint64(binary.LittleEndian.Uint32(b))<<32)
}

// MAC is an Ethernet address.
type MAC [6]byte

// IsMulticast reports whether m is a group address; broadcast is one.
func (m MAC) IsMulticast() bool { return m[0]&1 != 0 }

// String returns the colon-separated form.
func (m MAC) String() string {
	const hex = "0123456789abcdef"
	var b [17]byte
	for i, x := range m {
		b[3*i], b[3*i+1] = hex[x>>4], hex[x&15]
		if i < 5 {
			b[3*i+2] = ':'
		}
	}
	return string(b[:])
}
