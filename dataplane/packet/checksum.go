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
	var carry, rest uint64
	if n := uint(len(b)); n >= 8 { // the last bytes, 8 at most, of which those before have their turn
		rest = le.Uint64(b[n-8:]) >> (8 * (-n & 7))
	} else {
		for i := len(b) - 1; i >= 0; i-- {
			rest = rest<<8 | uint64(b[i])
		}
	}
	acc, carry = bits.Add64(acc, rest, 0)
	acc += carry
	for len(b) > 32 {
		acc, carry = bits.Add64(acc, le.Uint64(b), 0)
		acc, carry = bits.Add64(acc, le.Uint64(b[8:]), carry)
		acc, carry = bits.Add64(acc, le.Uint64(b[16:]), carry)
		acc, carry = bits.Add64(acc, le.Uint64(b[24:]), carry)
		acc += carry
		b = b[32:]
	}
	if len(b) > 16 {
		acc, carry = bits.Add64(acc, le.Uint64(b), 0)
		acc, carry = bits.Add64(acc, le.Uint64(b[8:]), carry)
		acc += carry
		b = b[16:]
	}
	if len(b) > 8 {
		acc, carry = bits.Add64(acc, le.Uint64(b), 0)
		acc += carry
	}
	return acc
}

// fold brings a sum to 16 bits. It is 0 only if all that was added was 0.
//
// The halves of a number are added by adding it to itself with its halves swapped: then
// the upper half is their sum, with the carry out of the lower one, which is the same.
func fold(acc uint64) uint16 { return foldFew(uint32((acc + bits.RotateLeft64(acc, 32)) >> 32)) }

// foldFew is fold of a sum of few words.
func foldFew(acc uint32) uint16 { return uint16((acc + bits.RotateLeft32(acc, 16)) >> 16) }

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
// sum of the new words and of the complements of the old: RFC 1624 equation 3. A sum of
// more than a thousand words must be folded.
func adjust(checksum uint16, delta uint32) uint16 {
	return ^foldFew(uint32(^checksum) + delta)
}
