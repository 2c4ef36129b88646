package topology

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
)

// FlowLogSpec is an aws_flow_log of a VPC, a subnet or a network interface.
type FlowLogSpec struct {
	ID                     string              `yaml:"id,omitempty" doc:"fl-…"`
	VPCID                  string              `yaml:"vpc_id,omitempty" doc:"VPC, by name; or subnet_id, or eni_id."`
	SubnetID               string              `yaml:"subnet_id,omitempty" doc:"Subnet, by name."`
	ENIID                  string              `yaml:"eni_id,omitempty" doc:"Network interface: an instance's name, vpc_endpoint.NAME.ZONE, load_balancer.NAME.ZONE, or its eni-…"`
	TrafficType            string              `yaml:"traffic_type,omitempty" doc:"ACCEPT, REJECT or ALL (default) (F4.3)."`
	MaxAggregationInterval int                 `yaml:"max_aggregation_interval,omitempty" doc:"600 (default) or 60 seconds. Interfaces of Nitro instances never aggregate for more than 60 (F4.2)."`
	LogFormat              string              `yaml:"log_format,omitempty" doc:"Fields of a record, such as ${interface-id} ${srcaddr} ${action}. Default: AWS's fourteen (F4.7)."`
	DestinationOptions     *DestinationOptions `yaml:"destination_options,omitempty" doc:"How the files are written that plsim run --out keeps."`
}

// DestinationOptions are the destination_options of an aws_flow_log in S3.
type DestinationOptions struct {
	FileFormat     string `yaml:"file_format,omitempty" doc:"plain-text (default) or parquet (F4.22)."`
	HivePartitions bool   `yaml:"hive_compatible_partitions,omitempty" doc:"Whether folders are named key=value (F4.22). Default false."`
	PerHour        bool   `yaml:"per_hour_partition,omitempty" doc:"Whether each hour has a folder (F4.22). Default false."`
}

// maxFlowLogs is how many flow logs one VPC, subnet or interface can have (F4.3).
const maxFlowLogs = 250

// FlowLog is a flow log of the lab.
type FlowLog struct {
	*FlowLogSpec
	Name    string
	Format  flowlog.Format
	Window  time.Duration // over which it sums
	Account string        // that owns what is logged

	scopes []string // the IDs of what is logged
}

// Logs reports whether the flow log has a record, by what the record is about.
func (f *FlowLog) Logs(r *flowlog.Record) bool {
	about := &r.Interface
	within := func(id string) bool { return id == about.ID || id == about.SubnetID || id == about.VPCID }
	if r.Hidden || !slices.ContainsFunc(f.scopes, within) {
		return false
	}
	return r.Status != flowlog.OK || f.TrafficType == "ALL" || f.TrafficType == r.Action.String()
}

// Hours reports whether each hour of the log has a folder of its own.
func (f *FlowLog) Hours() bool { return f.DestinationOptions != nil && f.DestinationOptions.PerHour }

// Hive reports whether folders are named as Apache Hive does.
func (f *FlowLog) Hive() bool {
	return f.DestinationOptions != nil && f.DestinationOptions.HivePartitions
}

// Parquet reports whether the log's files are Apache Parquet.
func (f *FlowLog) Parquet() bool {
	return f.DestinationOptions != nil && f.DestinationOptions.FileFormat == "parquet"
}

// FlowLog finds a flow log by name.
func (l *Lab) FlowLog(name string) (*FlowLog, error) {
	known := map[string]*FlowLog{}
	for _, f := range l.FlowLogs {
		known[f.Name] = f
	}
	return find("flow log", known, name)
}

// EveryLog returns the lab's flow logs; where it has none, one of everything for each
// account.
func (l *Lab) EveryLog() []*FlowLog {
	if len(l.FlowLogs) > 0 {
		return l.FlowLogs
	}
	var logs []*FlowLog
	for _, n := range l.Networks {
		i := slices.IndexFunc(logs, func(f *FlowLog) bool { return f.Account == n.OwnerID })
		if i < 0 {
			i = len(logs)
			id := newIDs(l.Name).hex("fl", n.OwnerID)
			logs = append(logs, &FlowLog{
				FlowLogSpec: &FlowLogSpec{ID: id, TrafficType: "ALL"}, Name: n.OwnerID,
				Format: flowlog.DefaultFormat, Window: flowlog.ShortWindow, Account: n.OwnerID,
			})
		}
		logs[i].scopes = append(logs[i].scopes, n.ID)
	}
	return logs
}

// LogWindows returns the lengths of the windows over which the lab's flow logs sum,
// the shortest first. There always is that of AWS's current instances.
func (l *Lab) LogWindows() []time.Duration {
	windows := []time.Duration{flowlog.ShortWindow}
	for _, f := range l.FlowLogs {
		if !slices.Contains(windows, f.Window) {
			windows = append(windows, f.Window)
		}
	}
	return windows
}

// Logged returns what flow logs say of every interface that there is or was, by its
// index; and those of which there are records even where nothing passed (F4.8).
func (l *Lab) Logged() (about map[flow.Scope]flowlog.Interface, all []flow.Scope) {
	about = make(map[flow.Scope]flowlog.Interface, len(l.NICs))
	for _, n := range l.NICs {
		at := flow.Scope(n.Index)
		about[at] = n.FlowLog()
		switch n.Kind {
		case dataplane.Absent, dataplane.Resolver, dataplane.OnPremises, dataplane.Internet:
		default:
			all = append(all, at)
		}
	}
	return about, all
}

// addFlowLogs resolves the flow logs.
func (b *builder) addFlowLogs() {
	counts := map[string]int{}
	each(&b.problems, "flow_logs", b.spec.FlowLogs, func(path, name string, spec *FlowLogSpec) {
		f := &FlowLog{FlowLogSpec: spec, Name: name}
		b.ids.given(&b.problems, "fl", path, &spec.ID)
		b.choice(at(path, "traffic_type"), &spec.TrafficType, "a type of traffic", "ALL", "ACCEPT", "REJECT")
		b.logWindow(path, f)
		b.logFormat(at(path, "log_format"), f)
		if o := spec.DestinationOptions; o != nil {
			b.choice(join(at(path, "destination_options"), "file_format"), &o.FileFormat, "a file format", "plain-text", "parquet")
		}
		if !b.logScope(path, f) {
			return
		}
		if counts[f.scopes[0]]++; counts[f.scopes[0]] == maxFlowLogs+1 {
			b.problems.add(path, "what it logs has %d flow logs already, and takes no more", maxFlowLogs)
		}
		b.FlowLogs = append(b.FlowLogs, f)
	})
}

func (b *builder) logWindow(path string, f *FlowLog) {
	switch f.MaxAggregationInterval {
	case 0:
		f.MaxAggregationInterval = 600
	case 60, 600:
	default:
		b.problems.add(at(path, "max_aggregation_interval"), "%d is not an interval: AWS takes 60 or 600 seconds", f.MaxAggregationInterval)
	}
	f.Window = time.Duration(f.MaxAggregationInterval) * time.Second
	if *b.spec.Settings.Nitro {
		f.Window = min(f.Window, flowlog.ShortWindow) // F4.2
	}
}

func (b *builder) logFormat(path string, f *FlowLog) {
	if f.LogFormat == "" {
		f.LogFormat = flowlog.DefaultFormat.String()
	}
	format, wrong := flowlog.ParseFormat(f.LogFormat)
	for _, word := range wrong {
		name := strings.TrimSuffix(strings.TrimLeft(word, "${"), "}")
		switch {
		case slices.Contains(format, name):
			b.problems.add(path, "%s comes twice, or without ${}", name)
		case slices.Contains(flowlog.Fields(), name):
			b.problems.add(path, "%q is not a field: write ${%s}", word, name)
		default:
			b.problems.add(path, "%q is not a field of flow logs%s", word, near(name, flowlog.Fields()))
		}
	}
	f.Format = format
	f.LogFormat = format.String()
}

// logScope finds out what is logged. ok is false where it is not known.
func (b *builder) logScope(path string, f *FlowLog) (ok bool) {
	given := 0
	for _, s := range []string{f.VPCID, f.SubnetID, f.ENIID} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		b.problems.add(path, "names %d things to log: give one of vpc_id, subnet_id and eni_id", given)
		return false
	}
	var err error
	var network *Network
	switch {
	case f.VPCID != "":
		if network, err = find("VPC", b.find.networks, f.VPCID); err != nil {
			b.problems.add(at(path, "vpc_id"), "%v", err)
			return false
		}
		f.scopes = []string{network.ID}
	case f.SubnetID != "":
		s, err := b.find.subnets.find("", f.SubnetID)
		if err != nil {
			b.problems.add(at(path, "subnet_id"), "%v", err)
			return false
		}
		f.scopes, network = []string{s.ID}, s.network
	default:
		n, err := b.NetworkInterface(f.ENIID)
		if err == nil && (n.Kind == dataplane.Resolver || !n.Logged()) {
			err = fmt.Errorf("%s has no flow logs", n.Label)
		}
		if err != nil {
			b.problems.add(at(path, "eni_id"), "%v", err)
			return false
		}
		f.scopes, network = []string{n.ID}, n.Network
	}
	f.Account = network.OwnerID
	return true
}
