package scenario

import "reflect"

// ExpectKey is a key of expect and the actions that it is for.
type ExpectKey struct {
	Key, Doc string
	Actions  []string
}

// ExpectKeys lists the keys of expect.
func ExpectKeys() (keys []ExpectKey) {
	for _, f := range fieldsOf(reflect.TypeFor[Expect]()) {
		keys = append(keys, ExpectKey{f.key, f.doc, actionsWith(f.key)})
	}
	return keys
}

// IsEdit reports whether an action changes the lab.
func IsEdit(action string) bool { return edits[action] != nil }
