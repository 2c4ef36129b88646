//go:build amd64 || arm64

package cache

// Line asks the processor for the 64 bytes of memory around p, and does not wait for
// them. Go has no word for that, and a load instead holds up what follows it.
//
//go:noescape
func Line(p *uint32)

// Pair asks the processor for the 128 bytes from p on.
//
//go:noescape
func Pair(p *uint32)

// Lines asks the processor for the 256 bytes from p on.
//
//go:noescape
func Lines(p *uint32)
