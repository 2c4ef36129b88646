//go:build !amd64 && !arm64

package cache

// Line loads what p points to.
//
//go:noinline
func Line(p *uint32) { _ = *p } // a check for nil, which is a load

// Pair loads what p points to.
func Pair(p *uint32) { Line(p) }

// Lines loads what p points to.
func Lines(p *uint32) { Line(p) }
