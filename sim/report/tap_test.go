package report_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
)

// tapPoint is a test point as a harness reads it.
type tapPoint struct {
	ok          bool
	description string
	skip        string
	diagnostics map[string]any
	subtest     []tapPoint
}

var tapLine = regexp.MustCompile(`^(not )?ok (\d+) - ((?:[^#\\]|\\.)*?)(?: # (SKIP|TODO) (.*))?$`)

// parseTAP reads the lines of a document or of a subtest, the way the specification of
// version 14 tells harnesses to.
func parseTAP(lines []string) (points []tapPoint, err error) {
	plan := -1
	var inner []string // of a subtest
	for len(lines) > 0 {
		line := lines[0]
		lines = lines[1:]
		m := tapLine.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "    "):
			inner = append(inner, line[4:])
		case line == "  ---":
			var text []string
			for ; len(lines) > 0 && lines[0] != "  ..."; lines = lines[1:] {
				text = append(text, strings.TrimPrefix(lines[0], "  "))
			}
			if len(lines) == 0 || len(points) == 0 {
				return nil, fmt.Errorf("diagnostics without end, or without a point")
			}
			lines = lines[1:]
			if err := yaml.Unmarshal([]byte(strings.Join(text, "\n")), &points[len(points)-1].diagnostics); err != nil {
				return nil, err
			}
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "1.."):
			count, _, _ := strings.Cut(line[3:], " ")
			if plan, err = strconv.Atoi(count); err != nil {
				return nil, err
			}
		case m != nil:
			if m[2] != strconv.Itoa(len(points)+1) {
				return nil, fmt.Errorf("%q is point %d", line, len(points)+1)
			}
			p := tapPoint{ok: m[1] == "", description: regexp.MustCompile(`\\(.)`).ReplaceAllString(m[3], "$1"), skip: m[5]}
			if inner != nil {
				if p.subtest, err = parseTAP(inner); err != nil {
					return nil, err
				}
				inner = nil
			}
			points = append(points, p)
		default:
			return nil, fmt.Errorf("%q is no line of TAP", line)
		}
	}
	if plan != len(points) {
		return nil, fmt.Errorf("%d points, planned were %d", len(points), plan)
	}
	return points, nil
}

func readTAP(t *testing.T, s *story.Summary) []tapPoint {
	t.Helper()
	var b strings.Builder
	if err := report.TAP(&b, s); err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(b.String(), "TAP version 14\n")
	points, err := parseTAP(strings.Split(strings.TrimSuffix(text, "\n"), "\n"))
	if !ok || err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	return points
}

func TestTAP(t *testing.T) {
	points := readTAP(t, several())
	if len(points) != 4 {
		t.Fatalf("%d scenarios", len(points))
	}
	for i, ok := range []bool{false, true, false, true} {
		if points[i].ok != ok {
			t.Errorf("%s: ok is %v", points[i].description, points[i].ok)
		}
	}
	demo := points[0].subtest
	if len(demo) != 4 || !demo[0].ok || demo[1].ok || demo[2].ok || !demo[3].ok || demo[3].skip != "simulated hosts do not speak TLS" {
		t.Errorf("demo: %+v", demo)
	}
	failed := demo[1].diagnostics
	if failed["seen"] != "timeout <&> \x1b[1m # no \\ ]]>" || fmt.Sprint(failed["duration_ms"]) != "501" || failed["action"] != "request" ||
		len(failed["differences"].([]any)) != 2 || failed["explanation"].([]any)[1] != "dropped as no_listener: silence" {
		t.Errorf("diagnostics %v", failed)
	}
	if got := points[1].subtest[0].description; got != `#1 works \ it does` {
		t.Errorf("description %q", got)
	}
	// A scenario that cannot be built fails, though none of its steps does.
	broken := points[2].subtest
	if len(broken) != 2 || broken[0].skip == "" || broken[1].ok || broken[1].diagnostics["error"] != "no such program\nwhat it printed" {
		t.Errorf("broken: %+v", broken)
	}
	if late := points[3]; late.skip == "" || late.subtest[0].skip == "" {
		t.Errorf("late: %+v", late)
	}
}

// One scenario has its steps on the top level; one without steps says why it has no point.
func TestTAPOfOne(t *testing.T) {
	var one, none story.Summary
	one.Add(result())
	if points := readTAP(t, &one); len(points) != 4 || points[0].description != "It works" {
		t.Errorf("%+v", points)
	}
	none.Add(&story.Result{Scenario: "empty", Verdict: story.Pass})
	if points := readTAP(t, &none); len(points) != 0 {
		t.Errorf("%+v", points)
	}
}
