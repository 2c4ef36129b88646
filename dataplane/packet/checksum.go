package packet

import "math/bits"

// The Internet checksum (RFC 1071) is the one's complement of the
// one's-complement sum of big-endian 16-bit words. Because 2^16, 2^32 and 2^64
// all leave 1 when divided by 2^16-1, wider words may be added as they are and
// folded at the end.

// sum adds the words of b to acc. A last odd byte counts as if a zero followed.
func sum(b []byte, acc uint64) uint64 {
	acc, carry := bits.Add64(acc, uint64(bits.ReverseBytes16(fold(sumLE(b, 0)))), 0)
	return acc + carry
}

// sumLE is sum with words in little-endian order, which is that of processors. It comes to
// the same, with the bytes swapped (RFC 1071 section 2 B).
func sumLE(b []byte, acc uint64) uint64 {
	var carry uint64
	for len(b) >= 32 {
		acc, carry = bits.Add64(acc, le.Uint64(b), carry)
		acc, carry = bits.Add64(acc, le.Uint64(b[8:]), carry)
		acc, carry = bits.Add64(acc, le.Uint64(b[16:]), carry)
		acc, carry = bits.Add64(acc, le.Uint64(b[24:]), carry)
		b = b[32:]
	}
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, le.Uint64(b), carry)
		b = b[8:]
	}
	// The rest fits in one word: at most 7 bytes, and a zero after an odd one.
	var rest uint64
	if len(b) >= 4 {
		rest = uint64(le.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		rest += uint64(le.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		rest += uint64(b[0])
	}
	acc, carry = bits.Add64(acc, rest, carry)
	return acc + carry // after a carry acc is small, for rest is
}

// fold brings a sum to 16 bits. It is 0 only if all that was added was 0.
//
// The halves of a number are added by adding it to itself with its halves swapped: then
// the upper half is their sum, with the carry out of the lower one, which is the same.
func fold(acc uint64) uint16 {
	half := uint32((acc + bits.RotateLeft64(acc, 32)) >> 32)
	return uint16((half + bits.RotateLeft32(half, 16)) >> 16)
}

// pseudoSum adds up the pseudo-header of a segment of n bytes (RFC 9293 section
// 3.1, RFC 8200 section 8.1). It serves both families: the prefix of two
// IPv4-mapped addresses adds twice 0xffff, which is zero in one's complement.
func pseudoSum(src, dst *Addr, p Proto, n int) uint64 {
	return addrSum(src) + addrSum(dst) + uint64(p) + uint64(n)
}

// addrSum adds up the words of an address. Several sums fit into 64 bits.
func addrSum(a *Addr) uint64 {
	acc, carry := bits.Add64(be.Uint64(a[:]), be.Uint64(a[8:]), 0)
	return acc&0xffffffff + acc>>32 + carry
}

// adjust returns a checksum after the words that it covers changed by delta, the
// sum of the new words and of the complements of the old: RFC 1624 equation 3.
func adjust(checksum uint16, delta uint64) uint16 {
	return ^fold(uint64(^checksum) + delta)
}
