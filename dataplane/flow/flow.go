// Package flow says what a connection is and finds its state. A [Key] names one
// direction of a connection; a [Table] maps keys to values that stay where they
// are. Tables have one owner and no locks.
package flow

import (
	"encoding/binary"
	"math/bits"

	"github.com/plsim/plsim/dataplane/packet"
)

// Scope tells equal addresses of different networks apart: it is the ID of an
// interface. VPCs may overlap, so a 5-tuple alone is not an identity.
type Scope uint32

// Key names one direction of a connection within a scope. It is comparable and
// holds no pointer. Ports are in host byte order and follow [packet.View]: an
// ICMP echo has its identifier in both.
type Key struct {
	Src, Dst         packet.Addr
	Scope            Scope
	SrcPort, DstPort uint16
	Proto            packet.Proto
}

// KeyOf returns the key of the packet v within a scope.
func KeyOf(s Scope, v *packet.View) (k Key) {
	k.Set(s, v)
	return k
}

// Set makes k the key of the packet v within a scope.
func (k *Key) Set(s Scope, v *packet.View) {
	k.Src, k.Dst, k.Scope = v.Src, v.Dst, s
	k.SrcPort, k.DstPort, k.Proto = v.SrcPort, v.DstPort, v.Proto
}

// KeyOfWords returns the key of a packet's words within a scope.
func KeyOfWords(s Scope, w *packet.Words) Key {
	k := Key{Scope: s, SrcPort: uint16(w.Ports >> 16), DstPort: uint16(w.Ports), Proto: w.Proto}
	for half := range 2 {
		binary.LittleEndian.PutUint64(k.Src[8*half:], w.Src[half])
		binary.LittleEndian.PutUint64(k.Dst[8*half:], w.Dst[half])
	}
	return k
}

// Reverse returns the key of the answer to k in the same scope.
func (k Key) Reverse() Key {
	k.Src, k.Dst = k.Dst, k.Src
	k.SrcPort, k.DstPort = k.DstPort, k.SrcPort
	return k
}

// Dir is a direction along a connection.
type Dir uint8

// The directions. The first packet of a connection goes Forward.
const (
	Forward Dir = iota
	Reply
)

// Flip returns the other direction.
func (d Dir) Flip() Dir { return d ^ 1 }

// String returns "forward" or "reply".
func (d Dir) String() string {
	if d == Forward {
		return "forward"
	}
	return "reply"
}

// Way is how a packet crosses an interface, as the interface sees it.
type Way uint8

// The ways, in AWS's words.
const (
	Ingress Way = iota // towards the interface's owner
	Egress             // from the interface's owner
)

// String returns "ingress" or "egress".
func (w Way) String() string {
	if w == Ingress {
		return "ingress"
	}
	return "egress"
}

// Seed makes the hashes of one run unpredictable to those who choose addresses
// and ports. The same seed gives the same hashes on every machine.
type Seed [2]uint64

// Odd constants that tell the lanes of Hash apart: the first digits of the
// fractional parts of pi, e and the square roots of 2 and 3.
const (
	lanePi    = 0x243f6a8885a308d3
	laneE     = 0xb7e151628aed2a6b
	laneRoot2 = 0x6a09e667f3bcc909
	laneRoot3 = 0xbb67ae8584caa73b
)

// lanes are what the parts of a key are mixed with before they are multiplied, and after.
type lanes struct{ src, dst, rest, after [2]uint64 }

// lanes returns the seed's lanes.
func (s Seed) lanes() lanes {
	a, b := s[0], s[1]
	return lanes{
		src: [2]uint64{a ^ lanePi, b ^ laneE}, dst: [2]uint64{b ^ laneRoot2, a ^ laneRoot3}, rest: [2]uint64{a ^ laneE, b ^ laneRoot2},
		after: [2]uint64{b, a ^ lanePi},
	}
}

// Hash returns a keyed hash of k. Every bit of it may be used. The parts of the
// key are multiplied side by side and their products once more, so that it takes
// the time of two multiplications; unlike a CRC it is not linear, so that nobody
// who does not know the seed can aim at one bucket.
func Hash(s Seed, k *Key) uint64 {
	l := s.lanes()
	return l.key(k)
}

// key returns the hash of k.
func (l *lanes) key(k *Key) uint64 {
	src, dst := l.addrs(k)
	return l.hash(src, dst, k.Scope, k.Proto, k.ports())
}

// words returns the hash of the key of a packet's words within a scope.
func (l *lanes) words(scope Scope, w *packet.Words) uint64 {
	src, dst := l.halves(w.Src[0], w.Src[1], w.Dst[0], w.Dst[1])
	return l.hash(src, dst, scope, w.Proto, w.Ports)
}

// both returns the hash of k, and that of k without ports, at little more than the cost
// of one.
func (l *lanes) both(k *Key) (hash, common uint64) {
	src, dst := l.addrs(k)
	return l.hash(src, dst, k.Scope, k.Proto, k.ports()), l.hash(src, dst, k.Scope, k.Proto, 0)
}

// ports returns the ports as [packet.Words] has them.
func (k *Key) ports() uint32 { return uint32(k.SrcPort)<<16 | uint32(k.DstPort) }

func (l *lanes) addrs(k *Key) (src, dst uint64) {
	le := binary.LittleEndian
	return l.halves(le.Uint64(k.Src[:8]), le.Uint64(k.Src[8:]), le.Uint64(k.Dst[:8]), le.Uint64(k.Dst[8:]))
}

func (l *lanes) halves(src0, src1, dst0, dst1 uint64) (src, dst uint64) {
	return fold(src0^l.src[0], src1^l.src[1]) ^ l.after[0], fold(dst0^l.dst[0], dst1^l.dst[1]) ^ l.after[1]
}

func (l *lanes) hash(src, dst uint64, scope Scope, proto packet.Proto, ports uint32) uint64 {
	rest := fold((uint64(scope)<<32|uint64(ports))^l.rest[0], uint64(proto)^l.rest[1])
	return fold(src^rest, dst)
}

// fold mixes a and b: the two halves of their product, one over the other.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
