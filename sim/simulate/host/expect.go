package host

import (
	"github.com/plsim/plsim/dataplane/cache"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
)

// With a million connections, a packet mostly waits for memory: for the index, for the
// block that it leads to, for the active part behind that. What is known to come soon is
// therefore fetched early, into the processor's cache, and for dozens of connections at a
// time: each step is taken for all of them before the next is for any, so that they wait
// together. Nothing else comes of it.

// Arrival is a frame that a host will receive.
type Arrival struct {
	To       *Host
	Ethernet []byte // read, and not kept
}

// Sending is a packet of TCP that a host may send.
type Sending struct {
	From  *Host
	Tuple packet.Tuple
}

const (
	// batch is how many connections are looked for at once: no processor waits for
	// more memory at a time.
	batch = 32
	// many is how many connections there are when it may pay.
	many = 1024
)

// ExpectFrames tells the stack which frames its hosts will soon receive, a few dozen at a
// time at best. They need not come, and others may.
func (s *Stack) ExpectFrames(soon []Arrival) {
	if s.blocks.used < many {
		return
	}
	for len(soon) > 0 {
		n := min(len(soon), batch)
		s.expectFrames(soon[:n])
		soon = soon[n:]
	}
}

func (s *Stack) expectFrames(soon []Arrival) {
	var hashes, found [batch]uint32
	n, mask := 0, uint32(len(s.blocks.index)-1)
	for i := range soon {
		h := soon[i].To
		var src, dst packet.Addr
		srcPort, dstPort, proto, ok := packet.Glance(soon[i].Ethernet, &src, &dst)
		local := h.number(dst)
		if !ok || proto != packet.TCP || local < 0 {
			continue
		}
		k := key{src, h.index, dstPort, srcPort, uint8(local)}
		hashes[n] = k.hash()
		cache.Line(&s.blocks.index[hashes[n]&mask].hash)
		n++
	}
	slots := found[:0]
	for _, hash := range hashes[:n] {
		if slot, ok := s.blocks.likely(hash); ok {
			slots = append(slots, slot)
		}
	}
	s.fetch(slots, true)
}

// ExpectWrites tells a stack which of its connections will soon be written to, a few dozen at
// a time at best.
func ExpectWrites(soon []Conn) {
	var slots [batch]uint32
	for len(soon) > 0 {
		s := soon[0].h.stack
		if s.blocks.used < many {
			return
		}
		n := min(len(soon), batch)
		for i, c := range soon[:n] {
			slots[i] = c.slot
		}
		s.fetch(slots[:n], true)
		soon = soon[n:]
	}
}

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
		s.fetch(slots[:n], false)
		soon = soon[n:]
	}
}

// fetch fetches some blocks and their active parts, and tells the network of what those
// connections will send that have something to send, or of all.
func (s *Stack) fetch(slots []uint32, all bool) {
	for _, slot := range slots {
		b := s.blocks.at(slot)
		cache.Line(&b.slot) // the first line of its memory,
		cache.Line(&b.rcv)
		cache.Line(&b.rebuked) // and the last one
	}
	for _, slot := range slots {
		if a := s.activeOf(s.blocks.at(slot)); a != nil {
			cache.Lines(&a.rttSeq)
		}
	}
	sendings := s.sendings[:0]
	for _, slot := range slots {
		b := s.blocks.at(slot)
		if a := s.activeOf(b); b.gen&1 == 0 || !all && (a == nil || a.delackAt == 0 && a.rtoAt == 0) {
			continue
		}
		h := s.hosts[b.host]
		sendings = append(sendings, Sending{h, h.tuple(b)})
	}
	s.net.Expect(sendings)
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
