package snat

import (
	"math/bits"

	"github.com/plsim/plsim/dataplane/clock"
)

const (
	blockWords = 8 // a line of the processor's cache
	blockPorts = blockWords * 64
	numBlocks  = total / blockPorts // 124, without rest
	areaBlocks = 8
	areaPorts  = areaBlocks * blockPorts
	numAreas   = (numBlocks + areaBlocks - 1) / areaBlocks // 16, of which the last is half as large
)

// portSet is the state of one pair: a bit for each port that is in use or rests,
// and how many there are in each block of bits and each area of blocks, so that the search
// for another one is short, however many there are.
type portSet struct {
	pair    Pair
	inUse   int
	resting []rest // in the order in which they came to rest
	listed  bool   // in Pool.resting
	area    [numAreas]uint16
	count   [numBlocks]uint16
	words   [numBlocks][blockWords]uint64
}

// rest is a port that nobody uses, and until when it rests.
type rest struct {
	until clock.Time
	index uint16 // of the port, from FirstPort
}

// take takes the port that was chosen.
func (u *portSet) take(now clock.Time, i int) {
	if w, bit := u.word(i); *w&bit != 0 {
		u.resting = u.resting[1:] // it was the first
	} else {
		*w |= bit
		u.count[i/blockPorts]++
		u.area[i/areaPorts]++
	}
	u.inUse++
	// Two at a time: more than one taker adds, so that what rests does not pile up.
	for range 2 {
		u.wake(now)
	}
}

// word returns where the bit of a port is.
func (u *portSet) word(i int) (w *uint64, bit uint64) {
	return &u.words[i/blockPorts][i%blockPorts/64], 1 << (i % 64)
}

// free clears the bit of a port.
func (u *portSet) free(i int) {
	w, bit := u.word(i)
	*w &^= bit
	u.count[i/blockPorts]--
	u.area[i/areaPorts]--
}

// wake frees the port that has rested longest, if it has rested long enough.
func (u *portSet) wake(now clock.Time) bool {
	if len(u.resting) == 0 || now < u.resting[0].until {
		return false
	}
	u.free(int(u.resting[0].index))
	u.resting = u.resting[1:]
	return true
}

// choose returns the port to use next; false if the limit is reached.
func (u *portSet) choose(limit int, rnd uint64) (int, bool) {
	if u.inUse >= limit {
		return 0, false
	}
	free := total - u.inUse - len(u.resting)
	if free == 0 {
		return int(u.resting[0].index), true
	}
	nth, _ := bits.Mul64(rnd, uint64(free))
	return u.nth(int(nth)), true
}

// nth returns the index of the nth free port, from 0. There must be more than nth
// of them. It takes at most 16+8+8+6 steps.
func (u *portSet) nth(nth int) int {
	a := 0
	for ; nth >= areaPorts-int(u.area[a]); a++ {
		nth -= areaPorts - int(u.area[a])
	}
	b := a * areaBlocks
	for ; nth >= blockPorts-int(u.count[b]); b++ {
		nth -= blockPorts - int(u.count[b])
	}
	w := 0
	for ; nth >= bits.OnesCount64(^u.words[b][w]); w++ {
		nth -= bits.OnesCount64(^u.words[b][w])
	}
	return b*blockPorts + w*64 + nthBit(^u.words[b][w], nth)
}

// nthBit returns which bit of a word is the nth that is set, from 0. There must be more than
// nth of them.
func nthBit(word uint64, nth int) (at int) {
	for half := 32; half > 0; half /= 2 {
		if n := bits.OnesCount64(word & (1<<half - 1)); nth >= n {
			nth -= n
			word >>= half
			at += half
		}
	}
	return at
}
