package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/plsim/plsim/sim/story"
)

// JUnit prints what became of scenarios as the XML that CI systems read: a test suite a
// scenario, and a test case a step. Elements and attributes are those of the xUnit
// plugin's junit-10.xsd, in an order that the older schemas accept, too. Times are of
// the lab, in seconds.
func JUnit(w io.Writer, s *story.Summary) error {
	doc := testSuites{Name: "plsim", Time: seconds(s.Duration)}
	for _, r := range s.Scenarios {
		suite := suiteOf(r)
		doc.Tests += suite.Tests
		doc.Failures += suite.Failures
		doc.Errors += suite.Errors
		doc.Suites = append(doc.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

type testSuites struct {
	XMLName  xml.Name    `xml:"testsuites"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	Suites   []testSuite `xml:"testsuite"`
}

type testSuite struct {
	Name       string     `xml:"name,attr"`
	Tests      int        `xml:"tests,attr"`
	Failures   int        `xml:"failures,attr"`
	Errors     int        `xml:"errors,attr"`
	Skipped    int        `xml:"skipped,attr"`
	Time       string     `xml:"time,attr"`
	File       string     `xml:"file,attr,omitempty"`
	Properties []property `xml:"properties>property"`
	Cases      []testCase `xml:"testcase"`
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type testCase struct {
	Name      string  `xml:"name,attr"`
	Classname string  `xml:"classname,attr"`
	Time      string  `xml:"time,attr"`
	Skipped   *remark `xml:"skipped"`
	Error     *remark `xml:"error"`
	Failure   *remark `xml:"failure"`
	SystemOut string  `xml:"system-out,omitempty"`
}

// remark says why a case did not pass.
type remark struct {
	Message string `xml:"message,attr,omitempty"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func suiteOf(r *story.Result) testSuite {
	suite := testSuite{
		Name: r.Scenario, Time: seconds(r.Duration), File: r.File,
		Properties: []property{
			{"mode", r.Mode}, {"seed", strconv.FormatUint(r.Seed, 10)}, {"time_scale", strconv.Itoa(r.TimeScale)},
		},
	}
	for _, s := range r.Steps {
		c := testCase{Name: fmt.Sprintf("%d %s", s.Number, s.Name), Classname: r.Scenario, Time: seconds(s.Duration)}
		switch s.Verdict {
		case story.Skipped:
			c.Skipped = &remark{Message: whySkipped(s)}
		case story.Fail:
			c.Failure = &remark{Message: firstLine(s.Differences), Type: s.Action, Text: strings.Join(s.Differences, "\n")}
			fallthrough
		default:
			c.SystemOut = output(s)
		}
		suite.add(c)
	}
	switch {
	case r.Error != "":
		suite.add(testCase{Name: wholeRun, Classname: r.Scenario, Time: seconds(0), Error: &remark{Message: firstLine([]string{r.Error}), Type: "error", Text: r.Error}})
	case r.Verdict == story.Skipped:
		suite.add(testCase{Name: wholeRun, Classname: r.Scenario, Time: seconds(0), Skipped: &remark{Message: notBegun}})
	}
	return suite
}

// A run that does not get to its end is a test of its own, so that a scenario without
// any step played is not taken for one without fault.
const (
	wholeRun = "The run gets to its end"
	notBegun = "the run was over before its turn came"
)

// add appends a case and counts it.
func (s *testSuite) add(c testCase) {
	s.Tests++
	switch {
	case c.Skipped != nil:
		s.Skipped++
	case c.Error != nil:
		s.Errors++
	case c.Failure != nil:
		s.Failures++
	}
	s.Cases = append(s.Cases, c)
}

// whySkipped says why a step was not played.
func whySkipped(s story.StepResult) string {
	if s.Seen == "" { // and is not left out on purpose
		return "the run ended before it"
	}
	return s.Seen
}

// output is what a step has to say: what it saw and, where it failed, its packet's way.
func output(s story.StepResult) string {
	var lines []string
	if s.Seen != "" {
		lines = append(lines, "seen: "+s.Seen)
	}
	if len(s.Explanation) > 0 {
		lines = append(lines, "the way of a packet, as the lab stood:")
	}
	for _, l := range s.Explanation {
		lines = append(lines, "  "+l)
	}
	return strings.Join(lines, "\n")
}

// firstLine returns the first line of the first text.
func firstLine(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	line, _, _ := strings.Cut(texts[0], "\n")
	return line
}

// seconds is a duration as schemas want it: no exponent, no sign.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
