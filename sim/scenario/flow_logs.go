package scenario

import (
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane/flowlog"
)

// flowLogs checks what a step reads of flow logs.
func (c *checker) flowLogs(path string, s *Step) {
	f := s.FlowLogs
	if p := join(path, "interface"); c.src.Has(p) {
		c.logged(p, f.Interface)
	}
	switch {
	case f.FlowLog != "":
		c.reference(join(path, "flow_log"), "flow log", f.FlowLog, c.names.flowLogs)
		c.logFields(below(parent(path), "expect"), f.FlowLog, s.Expect)
	case !c.src.Has(join(path, "interface")):
		c.wrong(path, "says not what to read: give an interface, or a flow_log")
	}
}

// logFields checks that the fields which are expected of a flow log are in its format.
func (c *checker) logFields(path, name string, e *Expect) {
	if c.lab == nil || e == nil {
		return
	}
	log, err := c.lab.FlowLog(name)
	if err != nil {
		return // that there is none has been said
	}
	for key, records := range map[string][]map[string]*Matcher{"records": e.Records, "absent": e.Absent} {
		for i, r := range records {
			for field := range r {
				if slices.Contains(flowlog.Fields(), field) && !slices.Contains(log.Format, field) {
					c.wrong(join(item(join(path, key), i), field), "flow log %s has no %s: its log_format is %s", name, field, strings.Join(log.Format, " "))
				}
			}
		}
	}
}
