package packet_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// What a device would have finished is what a host without one would have sent.
func TestCompleteIsBuilding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		left := build(s)
		v := mustDecode(t, left)
		superframe := s.GSOSize != 0
		before := bytes.Clone(left.Bytes())
		v.Complete()
		if superframe {
			if !bytes.Equal(left.Bytes(), before) {
				t.Fatal("a superframe was changed")
			}
			return
		}
		s.Partial = false
		if want := build(s).Bytes(); !bytes.Equal(left.Bytes(), want) {
			t.Fatalf("got  %x\nwant %x", left.Bytes(), want)
		}
		mustDecode(t, left)
	})
}
