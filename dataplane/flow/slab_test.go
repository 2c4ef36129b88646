package flow

import "testing"

// TestSlots: slots follow each other through the chunks, and none is left out that a chunk has
// room for. Each chunk is as long as reach makes it, and no longer than an eighth of what there
// is before it, once there is much.
func TestSlots(t *testing.T) {
	var chunk, at, length uint32 = 0, 0, 1 << firstBits
	for n := range uint32(1 << 26) {
		if at == length {
			chunk, at, length = chunk+1, 0, chunkLen(chunk+1)
			if length > max(1<<firstBits, n>>(shareBits-1)) {
				t.Fatalf("chunk %d has %d slots, after %d", chunk, length, n)
			}
		}
		if got := slotOf(int(n)); got != chunk<<placeBits|at {
			t.Fatalf("slot %d is %#x, want place %d of chunk %d", n, got, at, chunk)
		}
		at++
	}
	if chunk > 256 || length != 1<<placeBits {
		t.Errorf("%d chunks, the last one of %d slots", chunk, length)
	}
}
