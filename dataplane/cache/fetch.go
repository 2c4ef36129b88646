//go:build amd64 || arm64

package cache

// Line asks the processor for the 64 bytes of memory around p, and does not wait for
// them. Go has no word for that, and a load instead holds up what follows it.
//
//go:noescape
func Line(p *uint32)

// Lines asks the processor for the 256 bytes from p on.
//
//go:noescape
func Lines(p *uint32)

// Pairs asks the processor for 128 bytes from each of some places on. A nil is left out.
func Pairs(at []*uint32) {
	if len(at) > 0 {
		pairs(&at[0], len(at))
	}
}

//go:noescape
func pairs(first **uint32, n int)

// Cells asks the processor for the lines with some cells of a table: cells of 8 bytes, as
// many as a power of two, numbered by what is below that in a hash. table is the first one,
// and mask the number of the last.
func Cells(table *uint32, mask uint32, hashes []uint32) {
	if len(hashes) > 0 {
		cells(table, mask, &hashes[0], len(hashes))
	}
}

//go:noescape
func cells(table *uint32, mask uint32, first *uint32, n int)
