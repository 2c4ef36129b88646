package report

import (
	_ "embed"
)

//go:embed result.schema.json
var resultSchema []byte

// ResultSchema returns the JSON Schema (draft 2020-12) of the documents that JSON prints of
// a [story.Result] and a [story.Summary]. A test keeps it in step with the types.
func ResultSchema() []byte { return append([]byte(nil), resultSchema...) }
