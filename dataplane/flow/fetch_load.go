//go:build !amd64 && !arm64

package flow

// fetch loads what p points to.
//
//go:noinline
func fetch(p *uint32) { _ = *p } // a check for nil, which is a load
