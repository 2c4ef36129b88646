package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// documentScript is the script that plays the scenarios of the documents.
const documentScript = "testdata/script/docs.txtar"

// TestDocumentedScenarios wants every whole scenario of the documents to be
// valid, and to be played by documentScript, as it stands in the document.
func TestDocumentedScenarios(t *testing.T) {
	script, err := txtar.ParseFile(documentScript)
	if err != nil {
		t.Fatal(err)
	}
	var files []txtar.File
	for _, doc := range documents(t) {
		for _, s := range scenariosOf(t, doc) {
			name := s.loaded.Scenario.Name + ".yaml"
			files = append(files, txtar.File{Name: name, Data: []byte(s.text)})
			if !strings.Contains(string(script.Comment), "exec plsim run "+name+"\n") {
				t.Errorf("%s: no line of %s plays %s", doc, documentScript, name)
			}
		}
	}
	if len(files) == 0 {
		t.Fatal("the documents have no scenario")
	}
	written := txtar.Format(&txtar.Archive{Comment: script.Comment, Files: files})
	if *update {
		if err := os.WriteFile(documentScript, written, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(written) != string(txtar.Format(script)) {
		t.Errorf("%s has other scenarios than the documents; run go test ./cmd/plsim -run TestDocumentedScenarios -update", documentScript)
	}
}

func documents(t *testing.T) []string {
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("no documents found: %v", err)
	}
	return append(docs, "../../README.md")
}

type documented struct {
	text   string
	loaded *scenario.Loaded
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(name: .*?)^```$")

// scenariosOf returns the whole scenarios of a document.
func scenariosOf(t *testing.T, doc string) (all []documented) {
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		loaded, err := scenario.LoadBytes(filepath.Base(doc), []byte(m[1]))
		if err != nil {
			t.Errorf("%v\nin the scenario of %s that begins with\n%.200s", err, doc, m[1])
			continue
		}
		all = append(all, documented{m[1], loaded})
	}
	return all
}

// The guide names every field of a result's JSON form, every action and all that
// each can expect.
func TestGuideIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../docs/scenario.md")
	if err != nil {
		t.Fatal(err)
	}
	full := story.Result{Events: []topology.Event{{}}, Steps: []story.StepResult{{Attempts: 1, Seen: "x", Traffic: new(story.TrafficResult), Differences: []string{"x"}, Explanation: []string{"x"}, Why: "x", Changes: []string{"x"}}}}
	b, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(b), -1) {
		words = append(words, m[1])
	}
	var schema struct {
		Defs map[string]struct {
			Properties map[string]any
		} `json:"$defs"`
	}
	if err := json.Unmarshal(scenario.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	for _, def := range []string{"Step", "Expect", "Matcher"} {
		for key := range schema.Defs[def].Properties {
			words = append(words, key)
		}
	}
	slices.Sort(words)
	for _, word := range slices.Compact(words) {
		if !regexp.MustCompile("`" + word + "[`:]").Match(text) {
			t.Errorf("docs/scenario.md does not explain `%s`", word)
		}
	}
}

// referenceLab has whatever a reference of the guide can mean.
const referenceLab = `
name: references
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:1::/56
    instances: { web: {} }
  consumer:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:2::/56
    instances: { app: { associate_public_ip_address: true } }
target_groups:
  web: { port: 80, protocol: TCP, targets: [web] }
load_balancers:
  api:
    subnets: [provider/default]
    ip_address_type: dualstack
    listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }]
endpoint_services:
  api:
    network_load_balancer_arns: [api]
    allowed_principals: ["*"]
    private_dns_name: api.example.com
    supported_ip_address_types: [ipv4, ipv6]
vpc_endpoints:
  api: { vpc_id: consumer, service_name: api, subnet_ids: [default] }
on_premises:
  office: { cidr_block: 192.168.0.0/24 }
internet_gateways: { igw: { vpc_id: consumer } }
eips: { out: {} }
nat_gateways: { out: { subnet_id: consumer/default, allocation_id: out } }
transit_gateways: { hub: {} }
transit_gateway_vpc_attachments: { consumer: { transit_gateway_id: hub, vpc_id: consumer, subnet_ids: [default] } }
`

// Every reference in the guide's table stands for something, and the table has
// every attribute that there is.
func TestDocumentedReferences(t *testing.T) {
	loaded, err := scenario.LoadBytes("references", []byte(referenceLab))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/scenario.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `\\$\\{(\\w+)\\.([\\w/]+)\\.(\\w+(?:\\.(?:name|value)\\b)?)[^`]*}` ").FindAllStringSubmatch(string(text), -1)
	described := map[string][]string{} // attributes, by kind and name
	for _, m := range rows {
		ref := strings.Trim(m[0], "| `")
		if got, err := scenario.Expand(loaded.Lab, ref); err != nil || got == "" {
			t.Errorf("%s is %q, %v", ref, got, err)
		}
		described[m[1]+"."+m[2]] = append(described[m[1]+"."+m[2]], m[3])
	}
	if len(described) != 10 {
		t.Fatalf("the table has references of %d kinds, want 10", len(described))
	}
	for part, attributes := range described {
		_, err := loaded.Lab.Variable(part + ".?")
		if err == nil {
			t.Fatalf("%s has an attribute ?", part)
		}
		_, known, _ := strings.Cut(err.Error(), "choose from ")
		for attribute := range strings.SplitSeq(strings.ReplaceAll(known, ".ZONE", ""), ", ") {
			if !slices.Contains(attributes, attribute) {
				t.Errorf("docs/scenario.md has no row for ${%s.%s}", part, attribute)
			}
		}
	}
}
