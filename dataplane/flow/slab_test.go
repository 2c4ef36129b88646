package flow

import "testing"

// TestPlaces: slots follow each other through the chunks, without a gap. Each chunk is as long
// as reach makes it, and no longer than an eighth of what there is before it, once there is much.
func TestPlaces(t *testing.T) {
	var chunk, at, length uint32 = 0, 0, 1 << firstBits
	for slot := range uint32(1 << 24) {
		if at == length {
			chunk, at, length = chunk+1, 0, chunkLen(chunk+1)
			if length > max(1<<firstBits, slot>>(shareBits-1)) {
				t.Fatalf("chunk %d has %d slots, after %d", chunk, length, slot)
			}
		}
		if c, i := place(slot); c != chunk || i != at {
			t.Fatalf("slot %d is %d of chunk %d, want %d of chunk %d", slot, i, c, at, chunk)
		}
		at++
	}
	if chunk > 256 {
		t.Errorf("%d chunks", chunk)
	}
}
