package topology

import (
	"cmp"
	"crypto/sha256"
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// read takes in the attributes of a struct, in the words of the document; what is not
// said is left out. Those of a struct within have its name before theirs.
func (r *resource) read(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		key, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		f := v.Field(i)
		if options == "inline" {
			r.read(prefix, f)
			continue
		}
		for f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		if key == "" || f.Kind() == reflect.Pointer || f.IsZero() && v.Field(i).Kind() != reflect.Pointer {
			continue
		}
		key = join(prefix, key)
		_, text := f.Interface().(encoding.TextMarshaler)
		command, isCommand := f.Interface().(Command)
		switch {
		case isCommand:
			if len(command) == 3 && command[0] == "/bin/sh" && command[1] == "-c" {
				command = command[2:] // one line, as most people write it
			}
			r.say(key, brief(strings.Join(command, " ")))
		case key == "private_key":
			r.say(key, digestOf(f.String()))
		case f.Kind() == reflect.Struct && !text:
			r.read(key, f)
		case f.Kind() == reflect.Map:
			for _, k := range f.MapKeys() {
				r.say(join(key, k.String()), inline(f.MapIndex(k)))
			}
		case f.Kind() == reflect.Slice:
			var values []string
			for i := range f.Len() {
				values = append(values, inline(f.Index(i)))
			}
			r.sayAll(key, values)
		default:
			r.say(key, inline(f))
		}
	}
}

// inline writes a value on one line.
func inline(v reflect.Value) string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "none"
		}
		v = v.Elem()
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, _ := m.MarshalText() // of types of this module, which have no error
		return string(text)
	}
	switch v.Kind() {
	case reflect.Struct:
		r := resource{attributes: map[string]attribute{}}
		r.read("", v)
		var words []string
		for _, key := range slices.SortedFunc(maps.Keys(r.attributes), cmp.Compare[string]) {
			a := r.attributes[key]
			text := strings.Join(a.values, ", ")
			if a.set {
				text = "[" + text + "]"
			}
			words = append(words, key+": "+text)
		}
		return "{ " + strings.Join(words, ", ") + " }"
	case reflect.String:
		return brief(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// longest is how long a text may be that is shown whole.
const longest = 72

// brief returns a text as it is, or what tells a long one from others.
func brief(text string) string {
	if len(text) > longest || strings.Contains(text, "\n") {
		return digestOf(text)
	}
	if text == "" || strings.ContainsAny(text, " \t\"{}[],") {
		return strconv.Quote(text)
	}
	return text
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("(%d bytes, sha256 %x…)", len(text), sum[:4])
}
