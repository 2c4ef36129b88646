// Package scenarios holds the scenarios that come with plsim, for reading, for
// running and as tests. They are part of the binary: plsim run quickstart works
// wherever it is.
package scenarios

import "embed"

// FS holds the scenario files; those in templates are for plsim init and plsim lab new to
// begin others from, and the folders in labs are what plsim lab start copies out.
//
//go:embed *.yaml conformance/*.yaml problems/*.yaml templates/*.yaml templates/lab labs
var FS embed.FS
