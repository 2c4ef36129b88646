package flow

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSharedOnce holds what is shared against a count of who uses it: equal values have
// one number, as long as somebody uses them, and none stays that nobody uses.
func TestSharedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Shared[string]
		numbers, users := map[string]uint32{}, map[string]int{}
		values := rapid.SampledFrom([]string{"a", "b", "c", "dd", "ee", "ff", "ggg"})
		hash := func(v string) uint64 { return uint64(len(v)) << 32 } // they meet
		t.Repeat(map[string]func(*rapid.T){
			"use": func(t *rapid.T) {
				v := values.Draw(t, "value")
				n := s.Use(&v, hash(v))
				if users[v] > 0 && n != numbers[v] {
					t.Fatalf("%q has the numbers %d and %d", v, numbers[v], n)
				}
				numbers[v] = n
				users[v]++
			},
			"release": func(t *rapid.T) {
				v := values.Draw(t, "value")
				if users[v] == 0 {
					t.Skip("nobody uses it")
				}
				s.Release(numbers[v])
				users[v]--
			},
			"": func(t *rapid.T) {
				used := 0
				for v, n := range users {
					if n == 0 {
						continue
					}
					used++
					if got := *s.At(numbers[v]); got != v {
						t.Fatalf("%q is %q", v, got)
					}
				}
				if s.Len() != used || max(s.slab.Len()-1, 0) != used {
					t.Fatalf("%d values in %d slots, want %d", s.Len(), s.slab.Len(), used)
				}
			},
		})
	})
}
