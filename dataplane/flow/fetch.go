//go:build amd64 || arm64

package flow

// fetch asks the processor for the 256 bytes from p on, and does not wait for them. Go
// has no word for that, and a load instead holds up what follows it.
//
//go:noescape
func fetch(p *uint32)
