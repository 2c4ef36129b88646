package story

import (
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
	v.rows().compare(c, e.Records, e)
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
		if nic, err = p.lab.NetworkInterface(f.Interface); err != nil {
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

// rows returns the records as a step looks through them.
func (v *view) rows() rows {
	format := v.format
	if format == nil {
		format = flowlog.DefaultFormat
	}
	return rows{
		what: "record", n: len(v.records), head: strings.Join(format, " "),
		field: func(i int, name string) (string, bool) { return v.field(&v.records[i], name) },
		text:  func(i int) string { return v.text(&v.records[i]) },
	}
}

func (v *view) text(r *flowlog.Record) string {
	if v.format == nil {
		return r.Text(flowlog.DefaultFormat)
	}
	return r.Text(v.format)
}
