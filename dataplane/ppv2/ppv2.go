// Package ppv2 writes and reads the PROXY protocol version 2 header as a Network
// Load Balancer puts it before a client's first bytes: not just any valid
// header, but AWS's, byte by byte (F2.36–F2.38). Everything is in network byte
// order. The protocol is that of HAProxy's proxy-protocol.txt, section 2.2.
package ppv2

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

var (
	be         = binary.BigEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// Version and command, and family and transport: bytes 12 and 13.
const (
	commandLocal = 0x20
	commandProxy = 0x21
	streamV4     = 0x11
	streamV6     = 0x21
)

// Types of type-length-value triples, and the sub-type of AWS's own (F2.36).
const (
	typeCRC   = 0x03
	typeNoop  = 0x04
	typeAWS   = 0xea
	awsVPCEID = 0x01
)

const (
	fixedLen = 16 // signature, command, family, length
	tlvLen   = 3  // type and length
	crcLen   = 4
)

// Lengths of whole headers.
const (
	// Size is what AWS's header for IPv4 measures, with an endpoint's ID or
	// without: NOOP padding makes up the difference (F2.37).
	Size = 100
	// WideSize is that of a header for IPv6 with as much padding as one for IPv4
	// has. Which of the two AWS sends over IPv6 is unpublished (F2.43).
	WideSize = 124
	// MaxSize bounds every header here.
	MaxSize = WideSize
)

// Header is what a header says. Addresses of one family.
type Header struct {
	// Local marks a connection of the load balancer's own, a health check (F2.41):
	// whoever reads the header must not take its addresses for a client's.
	Local bool
	// Source is the client; Destination is what it connected to: over
	// PrivateLink the endpoint's interface, with the service's port (F2.39).
	Source, Destination netip.AddrPort
	// EndpointID is vpce-…; "" where the client came by no endpoint (F2.36).
	EndpointID string
}

// Put writes the header to the start of b, filled up with padding to size bytes,
// and returns size. It returns 0, and b is void, where that cannot be done: b is
// too short, or size is not one of a header with this content.
func (h *Header) Put(b []byte, size int) int {
	if len(b) < size || size > MaxSize || size < fixedLen {
		return 0
	}
	b = b[:size]
	clear(b)
	copy(b, signature)
	b[12], b[13] = commandProxy, streamV4
	if h.Local {
		b[12] = commandLocal
	}
	if h.Source.Addr().Is6() {
		b[13] = streamV6
	}
	be.PutUint16(b[14:], uint16(size-fixedLen))

	at := fixedLen + addressLen(b[13])
	crc := at + tlvLen
	end := crc + crcLen
	if h.EndpointID != "" {
		end += tlvLen + 1 + len(h.EndpointID)
	}
	// The padding has a head of its own, or is not there.
	if padding := size - end; padding != 0 && padding < tlvLen {
		return 0
	}
	h.putAddresses(b[fixedLen:])
	putTLV(b[at:], typeCRC, crcLen)
	at = crc + crcLen
	if h.EndpointID != "" {
		putTLV(b[at:], typeAWS, 1+len(h.EndpointID))
		b[at+tlvLen] = awsVPCEID
		copy(b[at+tlvLen+1:], h.EndpointID)
	}
	if end < size {
		putTLV(b[end:], typeNoop, size-end-tlvLen)
	}
	// Over all of the header, with zeros where it will stand itself (F2.38).
	be.PutUint32(b[crc:], crc32.Checksum(b, castagnoli))
	return size
}

// putAddresses writes the addresses and ports. An address that is not valid, as
// in a header that speaks of no client, is left zero.
func (h *Header) putAddresses(b []byte) {
	n := 4
	for i, end := range [2]netip.AddrPort{h.Source, h.Destination} {
		switch a := end.Addr(); {
		case h.Source.Addr().Is6():
			n = 16
			ip := a.As16()
			copy(b[n*i:], ip[:])
		case a.Is4():
			ip := a.As4()
			copy(b[n*i:], ip[:])
		}
		be.PutUint16(b[2*n+2*i:], end.Port())
	}
}

func putTLV(b []byte, kind byte, n int) {
	b[0] = kind
	be.PutUint16(b[1:], uint16(n))
}

// addressLen returns how long the addresses and ports of a family are; 0 of one
// that is not known here.
func addressLen(family byte) int {
	switch family {
	case streamV4:
		return 2*4 + 2*2
	case streamV6:
		return 2*16 + 2*2
	}
	return 0
}

// Local returns the header of a health check, which no client stands behind:
// command LOCAL, and the family with empty addresses (F2.41). Receivers skip it
// by its length.
func Local() []byte {
	var b [Size]byte
	h := Header{Local: true}
	return b[:h.Put(b[:], Size)]
}
