package ppv2

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
)

// maxRead bounds what [Read] takes for a header.
const maxRead = 4096

// Read reads a header from the start of a stream, to its last byte and no
// further. It accepts what any sender may write: TLVs in any order, and such as
// it does not know. A CRC32C must be right if there is one.
func Read(r io.Reader) (Header, error) {
	b := make([]byte, fixedLen, Size)
	if _, err := io.ReadFull(r, b); err != nil {
		return Header{}, fmt.Errorf("no PROXY protocol header: %w", err)
	}
	if string(b[:len(signature)]) != signature {
		return Header{}, errors.New("the stream does not begin with a PROXY protocol version 2 header")
	}
	n := int(be.Uint16(b[14:]))
	if fixedLen+n > maxRead {
		return Header{}, fmt.Errorf("a PROXY protocol header of %d bytes is longer than the %d that are read", fixedLen+n, maxRead)
	}
	b = append(b, make([]byte, n)...)
	if _, err := io.ReadFull(r, b[fixedLen:]); err != nil {
		return Header{}, fmt.Errorf("the PROXY protocol header ends early: %w", err)
	}
	return parse(b)
}

// parse understands a whole header.
func parse(b []byte) (Header, error) {
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
			if sum := crc32.Checksum(b, castagnoli); sum != was {
				return Header{}, fmt.Errorf("the checksum of the PROXY protocol header is %08x, but should be %08x", was, sum)
			}
			be.PutUint32(value, was)
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
