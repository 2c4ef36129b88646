package scenario

import (
	_ "embed"
	"encoding/json"
	"reflect"

	"github.com/plsim/plsim/topology"
)

//go:generate go test -run IsCurrent -update .

//go:embed schema.json
var schema []byte

// Schema returns the JSON schema (draft 2020-12) of scenario files, for editors.
// It is made from the types and their documentation, and refuses nothing that
// plsim accepts.
func Schema() []byte { return append([]byte(nil), schema...) }

// object is a JSON object; encoding/json writes its keys in sorted order, so the
// schema is the same each time.
type object = map[string]any

// generateSchema makes what Schema returns.
func generateSchema() ([]byte, error) {
	g := &schemaWriter{defs: object{}}
	root := g.structure(reflect.TypeFor[Scenario]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "plsim scenario"
	root["$defs"] = g.defs
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

type schemaWriter struct{ defs object }

// value returns the schema of a type. Structs become definitions of their own.
func (g *schemaWriter) value(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[topology.Command](), reflect.TypeFor[Senders]():
		return object{"oneOf": []object{text(), {"type": "array", "items": text(), "minItems": 1}}}
	case reflect.TypeFor[topology.Target](), reflect.TypeFor[Matcher]():
		return object{"oneOf": []object{text(), g.definition(t)}}
	case reflect.TypeFor[topology.Span](), reflect.TypeFor[topology.Share](), reflect.TypeFor[topology.BitRate]():
		return text()
	case reflect.TypeFor[Duration]():
		return object{"type": "string", "pattern": `^\+?([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h)|[0-9]+\.(ns|us|µs|ms|s|m|h))+$`}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.value(t.Elem())
	case reflect.Struct:
		return g.definition(t)
	case reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": g.value(t.Elem())}
	case reflect.Slice:
		return object{"type": "array", "items": g.value(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	}
	return text()
}

// text is the schema of a text, which may look like something else to YAML:
// plsim keeps 200 and true as they are written.
func text() object { return object{"type": []string{"string", "number", "boolean"}} }

// definition returns a reference to the schema of a struct.
func (g *schemaWriter) definition(t reflect.Type) object {
	if _, done := g.defs[t.Name()]; !done {
		g.defs[t.Name()] = nil // a Matcher contains a Matcher
		g.defs[t.Name()] = g.structure(t)
	}
	return object{"$ref": "#/$defs/" + t.Name()}
}

func (g *schemaWriter) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range fieldsOf(t) {
		property := g.value(f.typ)
		property["description"] = f.doc
		properties[f.key] = property
		if f.required {
			required = append(required, f.key)
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	} else {
		s["type"] = []string{"object", "null"} // "name:" with nothing behind it
	}
	switch t {
	case reflect.TypeFor[Step]():
		s["oneOf"], s["allOf"] = oneAction(), ownExpectations()
		s["type"] = "object"
	case reflect.TypeFor[Matcher]():
		s["type"], s["minProperties"] = "object", 1
	case reflect.TypeFor[RuleEdit](), reflect.TypeFor[EntryEdit]():
		s["oneOf"] = []object{{"required": []string{"ingress"}}, {"required": []string{"egress"}}}
	}
	return s
}

// oneAction says that a step has exactly one action.
func oneAction() (choices []object) {
	for _, a := range actions {
		choices = append(choices, object{"required": []string{a.key}})
	}
	return choices
}

// ownExpectations says what each action can expect.
func ownExpectations() (rules []object) {
	for _, a := range actions {
		keys := append([]string{}, expectable[a.key]...)
		rules = append(rules, object{
			"if":   object{"required": []string{a.key}},
			"then": object{"properties": object{"expect": object{"propertyNames": object{"enum": keys}}}},
		})
	}
	return rules
}
