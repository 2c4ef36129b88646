package scenario

import (
	"errors"
	"regexp"
	"slices"

	"github.com/plsim/plsim/sim/capture"
)

var captureForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// capture checks what a step captures.
func (c *checker) capture(path string, s *Capture) {
	switch p := join(path, "name"); {
	case !captureForm.MatchString(s.Name):
		c.wrong(p, "%q cannot be the name of a capture, nor of its file: write letters, digits, - and _, at most 64", s.Name)
	case slices.Contains(c.captured, s.Name):
		c.wrong(p, "an earlier step has begun capture %s: give this one another name", s.Name)
	default:
		c.captured = append(c.captured, s.Name)
	}
	if len(s.Interfaces) == 0 && !c.brokenBelow(path) {
		c.wrong(join(path, "interfaces"), "there is no interface to look at: name one, such as an instance or vpc_endpoint.NAME.ZONE")
	}
	for i, ref := range s.Interfaces {
		c.networkInterface(item(join(path, "interfaces"), i), ref)
	}
	text, known := c.expanded(s.Filter)
	if !known {
		return
	}
	p := join(path, "filter")
	var wrong *capture.FilterError
	if _, err := capture.ParseFilter(text); errors.As(err, &wrong) && !c.broken[p] {
		c.mistakes = append(c.mistakes, c.src.MistakeIn(p, wrong.Near, label(p)+wrong.Msg))
	}
}

// stopCapture checks that a step ends a capture that goes on.
func (c *checker) stopCapture(path, name string) {
	c.reference(path, "capture", name, c.captured)
	if slices.Contains(c.stopped, name) {
		c.wrong(path, "an earlier step has ended capture %s", name)
	}
	c.stopped = append(c.stopped, name)
}
