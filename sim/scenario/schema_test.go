package scenario

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write schema.json and the reference anew")

func TestSchemaIsCurrent(t *testing.T) {
	want, err := generateSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(Schema(), want) {
		t.Error("schema.json is not what the types say; run go generate ./sim/scenario and review the difference")
	}
}

func TestSchemaAcceptsTheScenarios(t *testing.T) {
	s := compiledSchema(t)
	for _, file := range scenarioFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(generic(t, string(data))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// What the schema must tell apart. The accepted ones are also accepted by Parse,
// and none of the refused ones by Load.
func TestSchemaTellsGoodFromBad(t *testing.T) {
	s := compiledSchema(t)
	const lab = "name: x\nvpcs: { v: { cidr_block: 10.0.0.0/16, subnets: { a: }, instances: { i: } } }\n"
	cases := []struct {
		name, text string
		ok         bool
	}{
		{"an empty lab", "name: x\nvpcs:\n", true},
		{"a lab", lab, true},
		{"numbers for text", lab + "requires: [7]\n", true},
		{"a shell line", lab + "steps: [{ exec: { in: i, command: ls } }]\n", true},
		{"a command of words", lab + "steps: [{ exec: { in: i, command: [ls, 1] } }]\n", true},
		{"plain matchers", lab + "steps: [{ exec: { in: i, command: ls }, expect: { exit_code: 0, stdout: { not: { contains: x } } } }]\n", true},
		{"a duration of parts", lab + "steps: [{ wait: 1m30.5s }]\n", true},
		{"a target of two keys", lab + "target_groups: { t: { port: 1, protocol: TCP, targets: [i, { target_id: i, port: 2 }] } }\n", true},

		{"no name", "vpcs:\n", false},
		{"a list", "[]\n", false},
		{"an unknown key", lab + "vpc: {}\n", false},
		{"an unknown inner key", "name: x\nvpcs: { v: { cidr_block: 10.0.0.0/16, subnet: {} } }\n", false},
		{"a missing inner key", "name: x\nvpcs: { v: {} }\n", false},
		{"text for a number", lab + "target_groups: { t: { port: eighty, protocol: TCP } }\n", false},
		{"text for a boolean", lab + "load_balancers: { l: { subnets: [a], internal: maybe } }\n", false},
		{"text for a list", lab + "requires: curl\n", false},
		{"a bare duration", lab + "steps: [{ wait: 2 }]\n", false},
		{"a duration without a unit", lab + "steps: [{ wait: \"2\" }]\n", false},
		{"an empty command", lab + "steps: [{ exec: { in: i, command: [] } }]\n", false},
		{"no action", lab + "steps: [{ name: idle }]\n", false},
		{"two actions", lab + "steps: [{ accept: e, reject: e }]\n", false},
		{"an expectation of another action", lab + "steps: [{ ping: { from: i, to: i }, expect: { status: 200 } }]\n", false},
		{"an expectation of an action without", lab + "steps: [{ wait: 1s, expect: { error: none } }]\n", false},
		{"an unknown condition", lab + "steps: [{ ping: { from: i, to: i }, expect: { error: { equal: none } } }]\n", false},
		{"an empty condition", lab + "steps: [{ ping: { from: i, to: i }, expect: { error: {} } }]\n", false},
		{"a rule edit of both kinds", lab + "steps: [{ revoke: { security_group_id: g, ingress: { protocol: tcp }, egress: { protocol: tcp } } }]\n", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := s.Validate(generic(t, c.text))
			if (err == nil) != c.ok {
				t.Errorf("the schema says %v", err)
			}
			if c.ok {
				_, _, err = Parse("x", []byte(c.text))
			} else {
				_, err = LoadBytes("x", []byte(c.text))
			}
			if (err == nil) != c.ok {
				t.Errorf("plsim says %v", err)
			}
		})
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// generic returns YAML as JSON's types.
func generic(t *testing.T, text string) any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// scenarioFiles are the scenarios that people read and run.
func scenarioFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios found: %v", err)
	}
	return files
}
