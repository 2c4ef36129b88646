package packet

import "github.com/plsim/plsim/dataplane/drop"

// Offload undoes what capturing on a host did to a frame that the host left to its
// network card: what is captured on the way to the card has the sum of the
// pseudo-header where the checksum will be, and may be larger than any packet on the
// wire. Such a frame gets the virtio-net header that it had; what is larger than mss, the
// maximum segment size of its TCP connection, is to be cut into segments of that size.
// Any other frame stays as it is. It reports what was left: the checksum, the
// segmentation.
func (f *Frame) Offload(mss int) (checksum, segmentation bool) {
	var v View
	why := v.Decode(f)
	if v.data == 0 || v.Fragment || v.Proto != TCP && v.Proto != UDP || why != drop.None && why != drop.BadTransportChecksum {
		return false, false
	}
	l4 := ethLen + int(v.eth[ethLen]&15)*4
	if v.V6 {
		l4 = ethLen + ipv6Len
		if Proto(v.eth[ethLen+6]) != v.Proto {
			return false, false // no card looks behind extension headers
		}
	}
	segment := v.eth[l4 : ethLen+v.Len]
	field := segment[v.Proto.checksumAt():]
	partial := fold(pseudoSum(&v.Src, &v.Dst, v.Proto, len(segment)))
	checksum = why != drop.None && be.Uint16(field) == partial
	size := mss - (v.data - l4 - tcpLen) // options take their part (RFC 6691)
	large := size > 0 && ethLen+v.Len-v.data > size && ethLen+v.Len == len(v.eth)
	segmentation = v.Proto == TCP && large && (checksum || why == drop.None)
	if !checksum && !segmentation {
		return false, false
	}
	be.PutUint16(field, partial)
	s := Spec{Proto: v.Proto}
	if segmentation {
		s.GSOSize = uint16(min(size, 1<<16-1))
	}
	s.putVnet(f.Vnet(), !v.V6, l4, v.data-l4)
	return checksum, segmentation
}
