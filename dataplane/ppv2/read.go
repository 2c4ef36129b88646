package ppv2

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
)

// Prefix is how many bytes of a header say how long it is.
const Prefix = fixedLen

// maxLength bounds the headers that are accepted.
const maxLength = 4096

// Length returns how long the header is that begins with the given [Prefix]
// bytes of a stream.
func Length(b []byte) (int, error) {
	if len(b) < Prefix || string(b[:len(signature)]) != signature {
		return 0, errors.New("the stream does not begin with a PROXY protocol version 2 header")
	}
	n := Prefix + int(be.Uint16(b[14:]))
	if n > maxLength {
		return 0, fmt.Errorf("a PROXY protocol header of %d bytes is longer than the %d that are accepted", n, maxLength)
	}
	return n, nil
}

// Parse understands a whole header, and no more than one. It accepts what any
// sender may write: TLVs in any order, and such as it does not know. A CRC32C must
// be right if there is one. The bytes of b are as they were when it returns.
func Parse(b []byte) (Header, error) {
	if n, err := Length(b); err != nil || n != len(b) {
		return Header{}, cmp.Or(err, errors.New("the PROXY protocol header ends early"))
	}
	h := Header{Local: b[12] == commandLocal}
	if !h.Local && b[12] != commandProxy {
		return Header{}, fmt.Errorf("PROXY protocol version and command %#02x are not known", b[12])
	}
	at := fixedLen + addressLen(b[13])
	switch {
	case at == fixedLen && h.Local:
		return h, nil // whatever follows is to be skipped
	case at == fixedLen:
		return Header{}, fmt.Errorf("PROXY protocol family %#02x is not known: only TCP over IPv4 and IPv6 is", b[13])
	case at > len(b):
		return Header{}, errors.New("the PROXY protocol header is too short for its addresses")
	}
	h.addresses(b[fixedLen:at])
	for at < len(b) {
		if len(b)-at < tlvLen || len(b)-at-tlvLen < int(be.Uint16(b[at+1:])) {
			return Header{}, errors.New("a TLV of the PROXY protocol header is longer than the header")
		}
		value := b[at+tlvLen:][:be.Uint16(b[at+1:])]
		switch {
		case b[at] == typeCRC && len(value) != crcLen:
			return Header{}, errors.New("the checksum of the PROXY protocol header does not have 4 bytes")
		case b[at] == typeCRC:
			was := be.Uint32(value)
			clear(value)
			sum := crc32.Checksum(b, castagnoli)
			be.PutUint32(value, was)
			if sum != was {
				return Header{}, fmt.Errorf("the checksum of the PROXY protocol header is %08x, but should be %08x", was, sum)
			}
		case b[at] == typeAWS && len(value) > 1 && value[0] == awsVPCEID:
			h.EndpointID = string(value[1:])
		}
		at += tlvLen + len(value)
	}
	return h, nil
}

func (h *Header) addresses(b []byte) {
	n := (len(b) - 4) / 2
	src, _ := netip.AddrFromSlice(b[:n])
	dst, _ := netip.AddrFromSlice(b[n : 2*n])
	h.Source = netip.AddrPortFrom(src, be.Uint16(b[2*n:]))
	h.Destination = netip.AddrPortFrom(dst, be.Uint16(b[2*n+2:]))
}
