package report_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// The published schema names every field that is written, and no other: those that may
// be left out, and those that may not.
func TestResultSchemaIsCurrent(t *testing.T) {
	schema := unmarshal(t, report.ResultSchema()).(map[string]any)
	for name, typ := range map[string]reflect.Type{
		"Summary": reflect.TypeFor[story.Summary](), "Result": reflect.TypeFor[story.Result](), "StepResult": reflect.TypeFor[story.StepResult](),
		"TrafficResult": reflect.TypeFor[story.TrafficResult](), "Event": reflect.TypeFor[topology.Event](),
	} {
		def := schema["$defs"].(map[string]any)[name].(map[string]any)
		var described, required []string
		for key := range def["properties"].(map[string]any) {
			described = append(described, key)
		}
		for _, key := range def["required"].([]any) {
			required = append(required, key.(string))
		}
		var fields, always []string
		for i := range typ.NumField() {
			key, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields = append(fields, key)
			if options != "omitempty" {
				always = append(always, key)
			}
		}
		for _, list := range [][]string{described, required, fields, always} {
			slices.Sort(list)
		}
		if !slices.Equal(described, fields) {
			t.Errorf("%s: the schema has %v, the type %v", name, described, fields)
		}
		if !slices.Equal(required, always) {
			t.Errorf("%s: the schema requires %v, always written are %v", name, required, always)
		}
	}
}

// What is written is what the schema says, with every field that there is.
func TestResultSchemaFits(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("result.json", unmarshal(t, report.ResultSchema())); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("result.json")
	if err != nil {
		t.Fatal(err)
	}
	full := result()
	full.TimeScale, full.Error = 1, "the disk is full"
	full.Events = []topology.Event{{At: 1, Event: "Connect", Endpoint: "api", ID: "vpce-1", Service: "vpce-svc-1"}}
	full.Steps[0].Attempts = 2
	full.Steps[0].Traffic = &story.TrafficResult{
		Duplicates: 1, Errors: map[string]int{"timeout": 1}, Targets: map[string]int{"shop/web": 1}, Latency: map[string]int64{"p50": 1},
	}
	unplayed := &story.Result{SchemaVersion: story.ResultSchemaVersion, Scenario: "late", Mode: "simulate", TimeScale: 1, Verdict: story.Skipped, Steps: []story.StepResult{}}
	var one, several bytes.Buffer
	if err := report.JSON(&one, full); err != nil {
		t.Fatal(err)
	}
	var summary story.Summary
	summary.Add(full)
	summary.Add(unplayed)
	if err := report.JSON(&several, &summary); err != nil {
		t.Fatal(err)
	}
	for _, document := range [][]byte{one.Bytes(), several.Bytes()} {
		if err := schema.Validate(unmarshal(t, document)); err != nil {
			t.Errorf("%v\n%s", err, document)
		}
	}
	for _, wrong := range []string{`{}`, strings.Replace(one.String(), `"pass"`, `"passed"`, 1), strings.Replace(one.String(), `"seed"`, `"sead"`, 1)} {
		if schema.Validate(unmarshal(t, []byte(wrong))) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}

func unmarshal(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
