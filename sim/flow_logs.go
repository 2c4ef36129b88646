package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// view is what a step sees of flow logs.
type view struct {
	records []flowlog.Record
	format  flowlog.Format // of the flow log; nil: every field
}

// flowLogs reads the records of an interface, of a flow log, or of an interface in a
// flow log.
func (p *player) flowLogs(f *scenario.FlowLogs, e *scenario.Expect) (outcome, error) {
	v, err := p.view(f)
	if err != nil {
		return outcome{}, err
	}
	c := newComparison(e)
	c.note("%s", Count(len(v.records), "record"))
	for _, want := range e.Records {
		if v.find(want) < 0 {
			c.differ("expected a record with %s, saw none%s", describeRecord(want), v.nearest(want))
		}
	}
	for _, unwanted := range e.Absent {
		if i := v.find(unwanted); i >= 0 {
			c.differ("expected no record with %s, saw %s", describeRecord(unwanted), v.text(&v.records[i]))
		}
	}
	c.match("count of records", e.Count, fmt.Sprint(len(v.records)))
	return c.outcome(), nil
}

// view collects what a step asks for. Records of silence (F4.8) are in those of a flow
// log only.
func (p *player) view(f *scenario.FlowLogs) (view, error) {
	var v view
	var log *topology.FlowLog
	var nic *topology.NIC
	var err error
	if f.FlowLog != "" {
		if log, err = p.lab.FlowLog(f.FlowLog); err != nil {
			return v, err
		}
		v.format = log.Format
	}
	if f.Interface != "" {
		if nic, err = p.lab.Interface(f.Interface); err != nil {
			return v, err
		}
	}
	all, err := p.world.Records(log)
	for i := range all {
		r := &all[i]
		if (nic == nil || nic.ID == r.Interface.ID) && p.logged(log, r) {
			v.records = append(v.records, *r)
		}
	}
	return v, err
}

// logged reports whether a flow log has a record; where none is asked for, whether
// any has it.
func (p *player) logged(log *topology.FlowLog, r *flowlog.Record) bool {
	if log != nil {
		return log.Logs(r)
	}
	any := func(f *topology.FlowLog) bool { return f.Logs(r) }
	return r.Status != flowlog.NoData && slices.ContainsFunc(p.lab.EveryLog(), any)
}

// field returns a field of a record, if the flow log has it.
func (v *view) field(r *flowlog.Record, name string) (string, bool) {
	if v.format == nil {
		return r.Field(name)
	}
	i := slices.Index(v.format, name)
	if i < 0 {
		return "", false
	}
	return r.Values(v.format)[i], true
}

// find returns the index of the first record that has all the fields, or -1.
func (v *view) find(want map[string]*scenario.Matcher) int {
	return slices.IndexFunc(v.records, func(r flowlog.Record) bool { return v.held(&r, want) == len(want) })
}

// held counts the fields of a record that are as wanted.
func (v *view) held(r *flowlog.Record, want map[string]*scenario.Matcher) int {
	n := 0
	for name, m := range want {
		if value, ok := v.field(r, name); ok {
			if held, _ := m.Match(value); held {
				n++
			}
		}
	}
	return n
}

// nearest shows the record that has most of the wanted fields.
func (v *view) nearest(want map[string]*scenario.Matcher) string {
	if len(v.records) == 0 {
		return ": the log is empty"
	}
	best := slices.MaxFunc(v.records, func(a, b flowlog.Record) int {
		return cmp.Compare(v.held(&a, want), v.held(&b, want))
	})
	return "; the nearest is: " + v.text(&best)
}

func (v *view) text(r *flowlog.Record) string {
	if v.format == nil {
		return r.Text(flowlog.DefaultFormat)
	}
	return r.Text(v.format)
}

func describeRecord(want map[string]*scenario.Matcher) string {
	var words []string
	for _, name := range sortedKeys(want) {
		words = append(words, name+" "+want[name].String())
	}
	return strings.Join(words, ", ")
}
