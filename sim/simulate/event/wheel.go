package event

import (
	"math/bits"

	"github.com/plsim/plsim/dataplane/clock"
)

// wheel holds the events that are not near, sorted only as far as need be: each waits
// in a bucket with others of about its time, and the further off that is, the wider is
// the bucket. To put one in, and to take it out again, costs the same whether a dozen
// wait or a million. When the time of a bucket comes near, its events move to narrower
// buckets, and from the narrowest ones to the heap, which has them happen in their order.
//
// Time is counted in ticks, and a tick is a number of digits, the last one changing
// fastest, as on an odometer. Level i of the wheel holds events whose tick is the
// present one down to digit i, counted from the last, where it is higher: its buckets are the values
// of that digit.
type wheel struct {
	tick   uint64     // the present one: what happens in it or before is in the heap
	soon   clock.Time // nothing here happens earlier
	levels [levels]level
	chunks []chunk
	free   uint32 // the first free chunk, plus 1; 0: none
}

const (
	tickBits  = 16 // a tick lasts 2^16 ns
	digitBits = 8
	digits    = 1 << digitBits
	levels    = (63 - tickBits + digitBits - 1) / digitBits
)

// level is a digit's worth of buckets.
type level struct {
	some    [digits / 64]uint64 // a bit for each bucket that is not empty
	buckets [digits]bucket
}

// bucket is a stack of chunks, the uppermost of which alone may have room left.
type bucket struct {
	top uint32 // plus 1; 0: it is empty
	n   uint32 // entries in the uppermost
}

const (
	chunkBits = 5
	chunkLen  = 1 << chunkBits
)

// chunk holds entries of one bucket.
type chunk struct {
	entries [chunkLen]entry
	below   uint32 // the next chunk of the bucket, or the next free one, plus 1; 0: none
	bucket  uint16 // whose it is: level, and value of the digit
}

func tickOf(t clock.Time) uint64 { return uint64(t) >> tickBits }

// place returns the level and the digit of a tick that is not near.
func (w *wheel) place(tick uint64) (i int, digit uint64) {
	i = (bits.Len64(tick^w.tick) - 1) / digitBits
	return i, tick >> (i * digitBits) & (digits - 1)
}

// begins returns when the time of a bucket begins.
func (w *wheel) begins(i int, digit uint64) clock.Time {
	shift := i * digitBits
	tick := (w.tick>>shift&^(digits-1) | digit) << shift
	return clock.Time(tick << tickBits)
}

// store puts an event, which is not near, into the wheel.
func (q *Queue) store(e entry) {
	w := &q.wheel
	i, digit := w.place(tickOf(e.t))
	l := &w.levels[i]
	b := &l.buckets[digit]
	if b.n == chunkLen || b.top == 0 {
		if b.top == 0 {
			l.some[digit/64] |= 1 << (digit % 64)
			w.soon = min(w.soon, w.begins(i, digit))
		}
		c := w.takeChunk()
		w.chunks[c].below, w.chunks[c].bucket = b.top, uint16(i<<digitBits)|uint16(digit)
		b.top, b.n = c+1, 0
	}
	q.slots[e.slot].at = inWheel | (b.top-1)<<chunkBits | b.n
	w.chunks[b.top-1].entries[b.n] = e
	b.n++
}

// discard takes the entry at a place of the wheel out. The last one of its bucket moves
// there.
func (q *Queue) discard(at uint32) {
	w := &q.wheel
	at &^= inWheel
	c := &w.chunks[at>>chunkBits]
	i, digit := c.bucket>>digitBits, c.bucket&(digits-1)
	l := &w.levels[i]
	b := &l.buckets[digit]
	last := w.chunks[b.top-1].entries[b.n-1]
	c.entries[at&(chunkLen-1)] = last
	q.slots[last.slot].at = inWheel | at
	if b.n--; b.n > 0 {
		return
	}
	top := b.top - 1
	b.top, b.n = w.chunks[top].below, chunkLen
	w.freeChunk(top)
	if b.top == 0 {
		l.some[digit/64] &^= 1 << (digit % 64)
	}
}

// draw brings events of the wheel near if none is and some may happen at a moment, or before it.
func (q *Queue) draw(until clock.Time) {
	w := &q.wheel
	for len(q.heap) == 0 && w.soon <= until {
		i, digit, ok := w.next()
		if !ok {
			w.soon = never
			return
		}
		begins := w.begins(i, digit)
		if begins > until {
			w.soon = begins
			return
		}
		w.tick = tickOf(begins)
		q.open(&w.levels[i], digit)
		w.soon = begins // what is left may all happen later
	}
}

// next returns the first bucket that is not empty.
func (w *wheel) next() (i int, digit uint64, ok bool) {
	for i := range w.levels {
		for n, word := range w.levels[i].some {
			if word != 0 {
				return i, uint64(64*n + bits.TrailingZeros64(word)), true
			}
		}
	}
	return 0, 0, false
}

// open empties a bucket whose time has come.
func (q *Queue) open(l *level, digit uint64) {
	w := &q.wheel
	near := len(q.heap)
	b := l.buckets[digit]
	l.buckets[digit] = bucket{}
	l.some[digit/64] &^= 1 << (digit % 64)
	for b.top != 0 {
		top := b.top - 1
		// What is stored may take a new chunk, and so move all of them.
		for i := range b.n {
			if e := w.chunks[top].entries[i]; tickOf(e.t) == w.tick {
				q.heap = append(q.heap, e)
				q.rise(len(q.heap)-1, e)
			} else {
				q.store(e)
			}
		}
		b.top, b.n = w.chunks[top].below, chunkLen
		w.freeChunk(top)
	}
	q.foreseeHeap(q.heap[near:])
}

func (w *wheel) takeChunk() uint32 {
	if w.free != 0 {
		c := w.free - 1
		w.free = w.chunks[c].below
		return c
	}
	w.chunks = append(w.chunks, chunk{})
	return uint32(len(w.chunks) - 1)
}

func (w *wheel) freeChunk(c uint32) {
	w.chunks[c].below = w.free
	w.free = c + 1
}
