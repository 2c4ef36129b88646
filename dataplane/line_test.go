package dataplane

import (
	"testing"
	"unsafe"
)

// TestTripFillsLines: with generation and keys, which take 24 bytes before it, a trip
// fills two lines of 64 bytes, and the counts, which every packet changes, the second one.
func TestTripFillsLines(t *testing.T) {
	const line, before = 64, 24
	if size := unsafe.Sizeof(trip{}); before+size != 2*line {
		t.Errorf("a trip has %d bytes, want %d", size, 2*line-before)
	}
	if at := unsafe.Offsetof(trip{}.counts); before+at != line {
		t.Errorf("counts begin at %d, want %d", at, line-before)
	}
}
