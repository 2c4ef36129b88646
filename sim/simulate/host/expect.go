package host

import (
	"unsafe"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
)

// With a million connections, most of a packet's time is spent waiting for memory: for
// the index, for the block that it leads to, for the active part behind that. What is known to
// come soon is therefore fetched early, and for many connections at once: each step is taken for
// all of them before the next, so that the processor waits for many lines of memory at the
// same time. Nothing else comes of it.

// Arrival is a frame that a host will receive.
type Arrival struct {
	To       *Host
	Ethernet []byte
}

// batch is how many connections are looked for at once.
const batch = 32

// many is how many connections do not all fit in a processor's cache anyway.
const many = 1024

// Expect says which frames hosts will soon receive.
func (s *Stack) Expect(soon []Arrival) {
	if s.blocks.used < many {
		return
	}
	for len(soon) > 0 {
		n := min(len(soon), batch)
		s.expect(soon[:n])
		soon = soon[n:]
	}
}

func (s *Stack) expect(soon []Arrival) {
	var hashes, slots [batch]uint32
	n, mask, seen := 0, uint32(len(s.blocks.index)-1), uint32(0)
	for i := range soon {
		h := soon[i].To
		t, proto, ok := packet.Glance(soon[i].Ethernet)
		local := h.number(t.Dst)
		if !ok || proto != packet.TCP || local < 0 {
			continue
		}
		k := key{t.Src, h.index, t.DstPort, t.SrcPort, uint8(local)}
		hashes[n] = k.hash()
		seen ^= s.blocks.index[hashes[n]&mask].hash
		n++
	}
	found := 0
	for _, hash := range hashes[:n] {
		if slot, ok := s.blocks.likely(hash); ok {
			slots[found] = slot
			found++
		}
	}
	s.seen ^= seen
	s.fetch(slots[:found])
}

// likely returns the first slot whose block may have a key with a hash.
func (t *blocks) likely(hash uint32) (slot uint32, ok bool) {
	mask := uint32(len(t.index) - 1)
	for i := hash & mask; t.index[i].slot != 0; i = (i + 1) & mask {
		if t.index[i].hash == hash {
			return t.index[i].slot - 1, true
		}
	}
	return 0, false
}

// fetch fetches the blocks of some slots, and their active parts.
func (s *Stack) fetch(slots []uint32) {
	seen := uint32(0)
	for _, slot := range slots {
		b := s.blocks.at(slot)
		seen ^= uint32(b.user) ^ b.nxt ^ uint32(b.rcvScale)
	}
	for _, slot := range slots {
		if i := s.blocks.at(slot).active; i != 0 {
			if a := s.actives[i-1]; a == nil {
				seen++
			}
		}
	}
	for _, slot := range slots {
		if a := s.activeOf(s.blocks.at(slot)); a != nil {
			seen ^= uint32(a.wakeAt) ^ a.rttSeq ^ a.last ^ uint32(a.out.head)
		}
	}
	s.seen ^= seen
}

var _ = unsafe.Sizeof(block{})

// Foresee implements [event.Seer].
func (m *alarms) Foresee(soon []event.Event) {
	s := (*Stack)(m)
	if s.blocks.used < many {
		return
	}
	var slots [batch]uint32
	for len(soon) > 0 {
		n := min(len(soon), batch)
		for i := range n {
			slots[i] = uint32(soon[i].Arg)
		}
		s.fetch(slots[:n])
		soon = soon[n:]
	}
}
