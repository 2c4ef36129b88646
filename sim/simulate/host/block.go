package host

import (
	"encoding/binary"
	"math/bits"

	"github.com/plsim/plsim/dataplane/packet"
)

// block is the control block of a connection: what an idle one needs. The rest is an
// [active], which only those have that are doing something. It holds no pointer, for
// there may be millions.
type block struct {
	slot    uint32 // its own
	gen     uint32 // odd while in use
	host    uint32 // whose it is; while free: the next free slot, plus 1
	handler uint32 // in Stack.handlers; 0: none
	active  uint32 // in Stack.actives, plus 1; 0: none

	remote packet.Addr

	una, nxt uint32 // the first byte sent and not acknowledged; the next to send
	wnd      uint32 // the peer's window, from una on
	rcv      uint32 // the next byte to receive
	edge     uint32 // the end of what was offered to the peer
	window   uint32 // the size of the receive window at present

	cwnd, ssthresh uint32
	srtt, rttvar   uint32 // in microseconds; srtt 0: no round trip was measured yet

	tsRecent uint32 // the peer's timestamp, to be echoed
	heard    uint32 // when something came from the peer, in milliseconds

	lport, rport uint16
	mss          uint16 // the most payload of a segment, in bytes
	id           uint16 // of the next IPv4 packet
	flags        flags
	local        uint8 // in Host.addrs
	state        State
	sndScale     uint8
	rcvScale     uint8

	rebuked uint32 // when a segment that cannot be right was answered, in milliseconds
	user    uint64
}

// flags of a control block.
type flags uint16

const (
	timestamps flags = 1 << iota // both sides send them
	sackOK                       // both sides know selective acknowledgements
	passive                      // from a listener
	waiting                      // to be accepted
	paused                       // nobody reads
	finQueued                    // the stream ends after what was written
	finSent
	finReceived
	finTold    // the handler knows
	orphan     // the process has closed it
	wantsRoom  // the handler is to be told Writable
	closesLate // all is over but for bytes that were not read yet
)

func (b *block) has(f flags) bool { return b.flags&f != 0 }

// key is what a connection is found by.
type key struct {
	remote       packet.Addr
	host         uint32
	lport, rport uint16
	local        uint8
}

func (b *block) key() key { return key{b.remote, b.host, b.lport, b.rport, b.local} }

// hash mixes a key. Nobody here aims at one bucket, so it needs no secret.
func (k *key) hash() uint32 {
	le := binary.LittleEndian
	rest := uint64(k.host)<<40 ^ uint64(k.local)<<32 ^ uint64(k.lport)<<16 ^ uint64(k.rport)
	hi, lo := bits.Mul64(le.Uint64(k.remote[:8])^0x243f6a8885a308d3, le.Uint64(k.remote[8:])^0xb7e151628aed2a6b)
	hi, lo = bits.Mul64(hi^lo^rest, 0x9e3779b97f4a7c15)
	return uint32((hi ^ lo) >> 16)
}

const (
	chunkBits = 9
	chunkLen  = 1 << chunkBits
)

// blocks holds all control blocks of a stack: a slab, in which they never move, and an
// index of eight bytes a cell, probed linearly.
type blocks struct {
	index  []cell // its length is a power of two
	used   int
	chunks []*[chunkLen]block
	slots  uint32
	free   uint32
}

// cell leads to a block. The zero cell is empty.
type cell struct{ hash, slot uint32 } // slot plus 1

func (t *blocks) at(slot uint32) *block { return &t.chunks[slot>>chunkBits][slot&(chunkLen-1)] }

// find returns the block with a key, or nil.
func (t *blocks) find(k *key) *block {
	if t.used == 0 {
		return nil
	}
	h := k.hash()
	mask := uint32(len(t.index) - 1)
	for i := h & mask; t.index[i].slot != 0; i = (i + 1) & mask {
		if t.index[i].hash != h {
			continue
		}
		if b := t.at(t.index[i].slot - 1); b.key() == *k {
			return b
		}
	}
	return nil
}

// add returns a new block with a key that no other has.
func (t *blocks) add(k key) *block {
	slot := t.slots
	if t.free != 0 {
		slot = t.free - 1
		t.free = t.at(slot).host
	} else {
		if slot == uint32(len(t.chunks))*chunkLen {
			t.chunks = append(t.chunks, new([chunkLen]block))
		}
		t.slots++
	}
	b := t.at(slot)
	*b = block{
		slot: slot, gen: b.gen + 1,
		remote: k.remote, host: k.host, lport: k.lport, rport: k.rport, local: k.local,
	}
	if t.used+1 > len(t.index)/4*3 {
		t.grow()
	}
	t.used++
	t.put(cell{k.hash(), slot + 1})
	return b
}

// hide makes a block unfindable.
func (t *blocks) hide(b *block) {
	k := b.key()
	mask := uint32(len(t.index) - 1)
	gap := k.hash() & mask
	for t.index[gap].slot != b.slot+1 {
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; t.index[i].slot != 0; i = (i + 1) & mask {
		// A cell may move back into the gap unless its home lies behind it.
		if home := t.index[i].hash & mask; (i-home)&mask >= (i-gap)&mask {
			t.index[gap] = t.index[i]
			gap = i
		}
	}
	t.index[gap] = cell{}
	t.used--
}

// release gives back the memory of a block that was hidden.
func (t *blocks) release(b *block) {
	b.gen++
	b.host = t.free
	t.free = b.slot + 1
}

func (t *blocks) put(c cell) {
	mask := uint32(len(t.index) - 1)
	i := c.hash & mask
	for t.index[i].slot != 0 {
		i = (i + 1) & mask
	}
	t.index[i] = c
}

func (t *blocks) grow() {
	old := t.index
	t.index = make([]cell, max(16, 2*len(old)))
	for _, c := range old {
		if c.slot != 0 {
			t.put(c)
		}
	}
}
