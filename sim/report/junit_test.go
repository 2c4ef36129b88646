package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
)

// several is what became of four scenarios: one that failed, one that passed, one that
// could not be built and one whose turn did not come.
func several() *story.Summary {
	var s story.Summary
	failed := result()
	failed.Steps[3].Seen = "simulated hosts do not speak TLS"
	failed.Steps[1].Seen = "timeout <&> \x1b[1m # no \\ ]]>"
	s.Add(failed)
	s.Add(&story.Result{
		Scenario: "fine", File: "fine.yaml", Mode: "simulate", Verdict: story.Pass,
		Steps: []story.StepResult{{Number: 1, Name: "#1 works \\ it\ndoes", Action: "wait", Verdict: story.Pass}},
	})
	s.Add(&story.Result{
		Scenario: "broken", File: "broken.yaml", Mode: "emulate", Verdict: story.Fail, Error: "no such program\nwhat it printed",
		Steps: []story.StepResult{{Number: 1, Name: "It never ran", Action: "ping", Verdict: story.Skipped}},
	})
	s.Add(&story.Result{Scenario: "late", File: "late.yaml", Mode: "emulate", Verdict: story.Skipped})
	return &s
}

const goldenJUnit = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="plsim" tests="8" failures="2" errors="1" time="1.234000">
  <testsuite name="demo" tests="4" failures="2" errors="0" skipped="1" time="1.234000" file="demo.yaml">
    <properties>
      <property name="mode" value="emulate"></property>
      <property name="seed" value="7"></property>
      <property name="time_scale" value="0"></property>
    </properties>
    <testcase name="1 It works" classname="demo" time="0.000300">
      <system-out>seen: 200</system-out>
    </testcase>
    <testcase name="2 It fails" classname="demo" time="0.501000">
      <failure message="expected an answer, saw timeout" type="request">expected an answer, saw timeout&#xA;it printed on stdout:&#xA;a&#xA;b</failure>
      <system-out>seen: timeout &lt;&amp;&gt; ` + "\uFFFD" + `[1m # no \ ]]&gt;&#xA;the way of a packet, as the lab stood:&#xA;  consumer/app: egress allowed&#xA;  dropped as no_listener: silence</system-out>
    </testcase>
    <testcase name="3 It fails again" classname="demo" time="1.000000">
      <failure type="request"></failure>
      <system-out>the way of a packet, as the lab stood:&#xA;  consumer/app: egress allowed&#xA;  dropped as no_listener: silence</system-out>
    </testcase>
    <testcase name="4 It never ran" classname="demo" time="0.000000">
      <skipped message="simulated hosts do not speak TLS"></skipped>
    </testcase>
  </testsuite>
`

func TestJUnit(t *testing.T) {
	var b strings.Builder
	if err := report.JUnit(&b, several()); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.HasPrefix(got, goldenJUnit) {
		t.Errorf("got\n%s\nwant it to begin with\n%s", got, goldenJUnit)
	}
}

// The document keeps to the schema that CI systems share (junit-10.xsd of the xUnit
// plugin, and the older ones in what they order): which element stands where, which
// attributes it may and must have, and that the counts are those of the cases.
func TestJUnitSchema(t *testing.T) {
	type rule struct{ parent, attributes, required string }
	rules := map[string]rule{
		"testsuites": {"", "name time tests failures errors", ""},
		"testsuite":  {"testsuites", "name tests failures errors group time skipped timestamp hostname id package file log url", "name tests failures errors"},
		"properties": {"testsuite", "", ""},
		"property":   {"properties", "name value", "name value"},
		"testcase":   {"testsuite", "name time classname group", "name"},
		"skipped":    {"testcase", "type message", ""},
		"error":      {"testcase", "type message", ""},
		"failure":    {"testcase", "type message", ""},
		"system-out": {"testcase", "", ""},
	}
	order := []string{"properties", "testcase", "skipped", "error", "failure", "system-out"}
	var b bytes.Buffer
	if err := report.JUnit(&b, several()); err != nil {
		t.Fatal(err)
	}
	dec := xml.NewDecoder(&b)
	dec.Strict = true
	stack, last := []string{""}, []string{""}
	counts := map[string]int{} // of elements, in the suite that is open
	total := map[string]int{}
	var claimed map[string]string // by the suite that is open
	var document map[string]string
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			r, known := rules[name]
			if parent := stack[len(stack)-1]; !known || parent != r.parent {
				t.Fatalf("<%s> stands in <%s>", name, parent)
			}
			attributes := map[string]string{}
			for _, a := range e.Attr {
				attributes[a.Name.Local] = a.Value
				if !slices.Contains(strings.Fields(r.attributes), a.Name.Local) {
					t.Errorf("<%s> has no attribute %s", name, a.Name.Local)
				}
			}
			for _, must := range strings.Fields(r.required) {
				if attributes[must] == "" {
					t.Errorf("<%s> lacks %s", name, must)
				}
			}
			if slices.Index(order, name) < slices.Index(order, last[len(last)-1]) {
				t.Errorf("<%s> stands behind <%s>", name, last[len(last)-1])
			}
			last[len(last)-1] = name
			stack, last = append(stack, name), append(last, "")
			switch name {
			case "testsuites":
				document = attributes
			case "testsuite":
				counts, claimed = map[string]int{}, attributes
			}
			counts[name]++
			total[name]++
		case xml.EndElement:
			stack, last = stack[:len(stack)-1], last[:len(last)-1]
			if e.Name.Local != "testsuite" {
				continue
			}
			for attribute, element := range map[string]string{"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"} {
				if claimed[attribute] != strconv.Itoa(counts[element]) {
					t.Errorf("suite %s: %s=%s with %d <%s>", claimed["name"], attribute, claimed[attribute], counts[element], element)
				}
			}
		}
	}
	for attribute, element := range map[string]string{"tests": "testcase", "failures": "failure", "errors": "error"} {
		if document[attribute] != strconv.Itoa(total[element]) {
			t.Errorf("document: %s=%s with %d <%s>", attribute, document[attribute], total[element], element)
		}
	}
	if total["testsuite"] != 4 || total["error"] != 1 || total["skipped"] != 3 {
		t.Errorf("elements %v", total)
	}
}
