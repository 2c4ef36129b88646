package cache_test

import (
	"testing"

	"github.com/plsim/plsim/dataplane/cache"
)

// TestLarge: what is large is shown, as it is returned, and nothing else is.
func TestLarge(t *testing.T) {
	var shown [][]uint64
	cache.Large = func(slice any) { shown = append(shown, slice.([]uint64)) }
	defer func() { cache.Large = nil }()
	cache.Make[uint64](512<<10 - 1)
	s := cache.Make[uint64](512 << 10)
	if len(shown) != 1 || len(shown[0]) != 512<<10 || &shown[0][0] != &s[0] {
		t.Errorf("%d pieces of memory were shown", len(shown))
	}
}
