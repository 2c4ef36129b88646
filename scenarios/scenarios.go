// Package scenarios holds the scenarios that come with plsim, for reading, for
// running and as tests. They are part of the binary: plsim run quickstart works
// wherever it is.
package scenarios

import "embed"

// FS holds the scenario files; those in templates are for plsim init to begin others from.
//
//go:embed *.yaml conformance/*.yaml problems/*.yaml templates/*.yaml
var FS embed.FS
