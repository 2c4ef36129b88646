package scenario

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/plsim/plsim/topology"
)

// field is a key of a mapping: one field of a Go struct. The tags of the structs
// are all there is to know about the language; the decoder, the printer and the
// schema read them.
type field struct {
	key      string
	doc      string
	required bool
	bare     bool  // an empty list is not an absent one
	index    []int // for reflect.Value.FieldByIndex
	typ      reflect.Type
}

// fieldsOf returns the keys of a struct in its order, inlined structs unfolded.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
			continue
		}
		if key != "" {
			fields = append(fields, field{key, f.Tag.Get("doc"), options == "", options == "omitzero", []int{i}, f.Type})
		}
	}
	return fields
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

var facts = regexp.MustCompile(` \(F[0-9][^)]*\)`)

// brief returns the first sentence of the field's documentation, without the
// numbers of facts.
func (f field) brief() string {
	doc, _, _ := strings.Cut(facts.ReplaceAllString(f.doc, ""), ". ")
	return strings.TrimSuffix(doc, ".")
}

// meant returns the known word that was most likely meant by word, or "": one that
// is spelled much the same, or the only one that goes on as word begins.
func meant(word string, known []string) string {
	if near := topology.Suggest(word, known); near != "" {
		return near
	}
	var longer []string
	for _, k := range known {
		if len(word) >= 3 && strings.HasPrefix(k, word) {
			longer = append(longer, k)
		}
	}
	if len(longer) == 1 {
		return longer[0]
	}
	return ""
}

// hint is the end of a message about a word that should have been a known one:
// the word that was meant, or else the choices where they are few.
func hint(word string, known []string) string {
	if near := meant(word, known); near != "" {
		return "; did you mean " + near + "?"
	}
	if len(known) == 0 || len(known) > 32 {
		return ""
	}
	return "; choose from " + strings.Join(known, ", ")
}
