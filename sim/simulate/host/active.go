package host

import (
	"math/bits"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/simulate/event"
)

// active is what a connection needs beside its block while it has something to do:
// bytes that wait, timers, losses to repair.
type active struct {
	rttSeq   uint32
	unacked  uint32      // bytes received and not acknowledged
	timer    event.Timer // wakes the connection: no later than the first of the following
	wakeAt   clock.Time  // when it does; 0: there is no timer. Nobody has to ask the queue
	rtoAt    clock.Time  // when to send again, to probe a closed window, or to give up FIN-WAIT-2; 0: never
	delackAt clock.Time  // when to acknowledge; 0: never
	rttAt    clock.Time  // when the byte before rttSeq was sent, if its round trip is timed
	sentAt   clock.Time  // when new bytes were sent last
	timed    bool
	ackNow   bool

	phase   phase
	backoff uint8 // how often the timer ran out in a row
	tries   uint8 // and how often without any answer
	dupAcks int
	recover uint32 // where the recovery ends
	rexmit  uint32 // what is lost was sent again up to here
	lost    uint32 // what is not selectively acknowledged up to here is lost
	sacked  []span // what is, in order

	out   buffer  // from una on
	in    buffer  // in order, and not read yet
	early []piece // what came too early, in order
	last  uint32  // where the last such piece begins
	soft  *Unreachable
}

// phase says whether losses are being repaired.
type phase uint8

const (
	open phase = iota
	fast       // after duplicate acknowledgements
	slow       // after a timeout
)

// span is a part of the stream, from one sequence number to another.
type span struct{ from, to uint32 }

// piece is a part of the stream that came before its time.
type piece struct {
	seq  uint32
	data []byte
	fin  bool // which ends the stream
}

// before reports whether a comes before b on the circle of sequence numbers.
func before(a, b uint32) bool { return int32(a-b) < 0 }

func later(a, b uint32) uint32 {
	if before(a, b) {
		return b
	}
	return a
}

func earlier(a, b uint32) uint32 {
	if before(a, b) {
		return a
	}
	return b
}

// buffer is a queue of bytes. Its memory comes from a pool, and goes back when it is empty.
type buffer struct {
	b    []byte
	head int
}

func (q *buffer) len() int      { return len(q.b) - q.head }
func (q *buffer) bytes() []byte { return q.b[q.head:] }

// append adds p.
func (q *buffer) append(m *memory, p []byte) {
	if len(q.b)+len(p) > cap(q.b) {
		n := q.len()
		if b := q.b; q.head < len(b)/2 || n+len(p) > cap(b) {
			q.b = m.get(n + max(len(p), n/2))
			copy(q.b[:n], b[q.head:])
			m.put(b)
		} else {
			copy(b, b[q.head:])
		}
		q.b, q.head = q.b[:n], 0
	}
	q.b = append(q.b, p...)
}

// drop takes the first n bytes away.
func (q *buffer) drop(m *memory, n int) {
	if q.head += n; q.head == len(q.b) {
		q.free(m)
	}
}

func (q *buffer) free(m *memory) {
	m.put(q.b)
	*q = buffer{}
}

const leastBits = 8 // of the shortest piece of memory

// memory keeps pieces of memory for buffers, by their size, a power of two.
type memory [24][][]byte

// get returns an empty slice with room for n bytes.
func (m *memory) get(n int) []byte {
	class := max(bits.Len(uint(n-1)), leastBits)
	if class >= len(m) {
		return make([]byte, 0, n)
	}
	if free := m[class]; len(free) > 0 {
		b := free[len(free)-1]
		m[class] = free[:len(free)-1]
		return b[:0]
	}
	return make([]byte, 0, 1<<class)
}

// keep bounds what is kept of one size, in bytes.
const keep = 16 << 20

func (m *memory) put(b []byte) {
	if cap(b) == 0 {
		return
	}
	class := bits.Len(uint(cap(b) - 1))
	if class < len(m) && cap(b) == 1<<class && len(m[class])<<class < keep {
		m[class] = append(m[class], b)
	}
}

// spares is how many active parts are kept at least for whoever needs one next. When
// more are in use, as many as those are kept beside them.
const spares = 1024

// activate returns the active part of a connection, which is made if there is none.
func (s *Stack) activate(b *block) *active {
	if b.active != 0 {
		return s.actives[b.active-1]
	}
	var i uint32
	switch {
	case len(s.idle) > 0:
		i = s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
	case len(s.empty) > 0:
		i = s.empty[len(s.empty)-1]
		s.empty = s.empty[:len(s.empty)-1]
		s.actives[i] = new(active)
	default:
		i = uint32(len(s.actives))
		s.actives = append(s.actives, new(active))
	}
	b.active = i + 1
	return s.actives[i]
}

// activeOf returns the active part of a connection, or nil.
func (s *Stack) activeOf(b *block) *active {
	if b.active == 0 {
		return nil
	}
	return s.actives[b.active-1]
}

// deactivate gives the active part back.
func (s *Stack) deactivate(b *block) {
	a := s.activeOf(b)
	if a == nil {
		return
	}
	s.queue.Cancel(a.timer)
	a.out.free(&s.memory)
	a.in.free(&s.memory)
	for i := range a.early {
		s.memory.put(a.early[i].data)
		a.early[i] = piece{}
	}
	*a = active{sacked: a.sacked[:0], early: a.early[:0]}
	s.idle = append(s.idle, b.active-1)
	b.active = 0
	// Two may go for one that comes: so the spare ones get fewer, too.
	for range 2 {
		n := len(s.idle) - 1
		if n < max(spares, s.inUse()) {
			break
		}
		s.actives[s.idle[n]] = nil
		s.empty = append(s.empty, s.idle[n])
		s.idle = s.idle[:n]
	}
}

// inUse returns how many connections are active.
func (s *Stack) inUse() int { return len(s.actives) - len(s.idle) - len(s.empty) }

// resting reports whether nothing is left to do.
func (a *active) resting() bool {
	return a.rtoAt == 0 && a.delackAt == 0 && a.out.len() == 0 && a.in.len() == 0 && len(a.early) == 0 && a.phase == open
}
