//go:build !amd64 && !arm64

package cache

// Line loads what p points to.
//
//go:noinline
func Line(p *uint32) { _ = *p } // a check for nil, which is a load

// Lines loads what p points to.
func Lines(p *uint32) { Line(p) }

// Pairs loads what the pointers point to that are not nil.
func Pairs(at []*uint32) {
	for _, p := range at {
		if p != nil {
			Line(p)
		}
	}
}

// Cells would load some cells of a table, which takes arithmetic with pointers.
func Cells(*uint32, uint32, []uint32) {}
