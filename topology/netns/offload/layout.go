package offload

import (
	"unsafe"

	"github.com/plsim/plsim/dataplane/packet"
)

// What the programs and the table share. Neither struct may have padding that is not
// named, for the kernel compares keys byte by byte.

// key names one direction of a flow, as its packets arrive.
type key struct {
	in       uint32  // number of the device
	ports    [4]byte // source and destination, in network order
	src, dst packet.Addr
	proto    uint32
	_        uint32
}

// entry is what is to happen to packets of a direction, and what has.
type entry struct {
	term      uint32 // serves while it is that of the table's state
	out       uint32 // number of the device by which they leave
	mtu       uint32 // bytes of IP packet
	ttl       uint32 // subtracted from the time to live
	l4        uint32 // offset of the transport header, by which the families are told apart
	nat       uint32 // 1: addresses and ports change
	src, dst  packet.Addr
	ports     [4]byte
	macs      [2]packet.MAC // destination and source
	sender    packet.MAC    // source of what arrives
	_         uint16
	ipDelta   uint32 // by which checksums change: of the IPv4 header,
	addrDelta uint32 // by the pseudo-header,
	portDelta uint32 // and by the ports
	round     uint32 // in which first was
	idle      uint64 // nanoseconds
	first     uint64 // when the first packet of the round came, by the kernel's clock
	last      uint64 // and the last of all
	packets   uint64
	bytes     uint64 // of IP packets, as on the wire
}

// state is what all entries have in common.
type state struct{ term, round uint32 }

const keySize = int16(unsafe.Sizeof(key{}))

// The offsets of fields.
const (
	keyIn    = int16(unsafe.Offsetof(key{}.in))
	keyPorts = int16(unsafe.Offsetof(key{}.ports))
	keySrc   = int16(unsafe.Offsetof(key{}.src))
	keyDst   = int16(unsafe.Offsetof(key{}.dst))
	keyProto = int16(unsafe.Offsetof(key{}.proto))
	keyPad   = keyProto + 4

	entryTerm      = int16(unsafe.Offsetof(entry{}.term))
	entryOut       = int16(unsafe.Offsetof(entry{}.out))
	entryMTU       = int16(unsafe.Offsetof(entry{}.mtu))
	entryTTL       = int16(unsafe.Offsetof(entry{}.ttl))
	entryL4        = int16(unsafe.Offsetof(entry{}.l4))
	entryNAT       = int16(unsafe.Offsetof(entry{}.nat))
	entrySrc       = int16(unsafe.Offsetof(entry{}.src))
	entryDst       = int16(unsafe.Offsetof(entry{}.dst))
	entryPorts     = int16(unsafe.Offsetof(entry{}.ports))
	entryMACs      = int16(unsafe.Offsetof(entry{}.macs))
	entrySender    = int16(unsafe.Offsetof(entry{}.sender))
	entryIPDelta   = int16(unsafe.Offsetof(entry{}.ipDelta))
	entryAddrDelta = int16(unsafe.Offsetof(entry{}.addrDelta))
	entryPortDelta = int16(unsafe.Offsetof(entry{}.portDelta))
	entryRound     = int16(unsafe.Offsetof(entry{}.round))
	entryIdle      = int16(unsafe.Offsetof(entry{}.idle))
	entryFirst     = int16(unsafe.Offsetof(entry{}.first))
	entryLast      = int16(unsafe.Offsetof(entry{}.last))
	entryPackets   = int16(unsafe.Offsetof(entry{}.packets))
	entryBytes     = int16(unsafe.Offsetof(entry{}.bytes))

	stateTerm  = uint32(unsafe.Offsetof(state{}.term))
	stateRound = uint32(unsafe.Offsetof(state{}.round))
)
