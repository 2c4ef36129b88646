package flowlog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
)

// Type is how a column of a Parquet file holds a field (F4.6).
type Type uint8

// The types. Plain text has strings only.
const (
	String Type = iota
	Int32
	Int64
)

const none = "-"

// field is a column of a flow log.
type field struct {
	name    string
	version int // of the format that brought it; 0: plsim's own
	kind    Type
	// traffic says that a record without traffic has no such field (F4.8).
	traffic bool
	text    func(*Record) string
}

// fields are the fields of versions 2 to 10 in AWS's order (F4.6), and after them
// plsim's own, which tell what the walk knows beside.
var fields = []field{
	{"version", 2, Int32, false, func(*Record) string { return "2" }},
	{"account-id", 2, String, false, func(r *Record) string { return r.Interface.AccountID }},
	{"interface-id", 2, String, false, func(r *Record) string { return r.Interface.ID }},
	{"srcaddr", 2, String, true, func(r *Record) string { return r.Src.String() }},
	{"dstaddr", 2, String, true, func(r *Record) string { return r.Dst.String() }},
	{"srcport", 2, Int32, true, func(r *Record) string { return itoa(r.SrcPort) }},
	{"dstport", 2, Int32, true, func(r *Record) string { return itoa(r.DstPort) }},
	{"protocol", 2, Int32, true, func(r *Record) string { return itoa(r.Proto) }},
	{"packets", 2, Int64, true, func(r *Record) string { return itoa(r.Packets) }},
	{"bytes", 2, Int64, true, func(r *Record) string { return itoa(r.Bytes) }},
	{"start", 2, Int64, false, func(r *Record) string { return strconv.FormatInt(r.Start, 10) }},
	{"end", 2, Int64, false, func(r *Record) string { return strconv.FormatInt(r.End, 10) }},
	{"action", 2, String, true, func(r *Record) string { return r.Action.String() }},
	{"log-status", 2, String, false, func(r *Record) string { return r.Status.String() }},
	{"vpc-id", 3, String, false, func(r *Record) string { return r.Interface.VPCID }},
	{"subnet-id", 3, String, false, func(r *Record) string { return r.Interface.SubnetID }},
	{"instance-id", 3, String, false, func(r *Record) string { return r.Interface.InstanceID }},
	{"tcp-flags", 3, Int32, true, tcpFlags},
	{"type", 3, String, true, family},
	{"pkt-srcaddr", 3, String, true, func(r *Record) string { return r.PktSrc.String() }},
	{"pkt-dstaddr", 3, String, true, func(r *Record) string { return r.PktDst.String() }},
	{"region", 4, String, false, func(r *Record) string { return r.Interface.Region }},
	{"az-id", 4, String, false, func(r *Record) string { return r.Interface.AZID }},
	{"sublocation-type", 4, String, false, notApplicable}, // the lab has no Outposts or Local Zones
	{"sublocation-id", 4, String, false, notApplicable},
	{"pkt-src-aws-service", 5, String, true, notApplicable}, // nor AWS's public addresses
	{"pkt-dst-aws-service", 5, String, true, notApplicable},
	{"flow-direction", 5, String, true, func(r *Record) string { return r.Way.String() }},
	{"traffic-path", 5, Int32, true, trafficPath},
	{"ecs-cluster-arn", 7, String, true, notApplicable}, // nor containers that ECS runs
	{"ecs-cluster-name", 7, String, true, notApplicable},
	{"ecs-container-instance-arn", 7, String, true, notApplicable},
	{"ecs-container-instance-id", 7, String, true, notApplicable},
	{"ecs-container-id", 7, String, true, notApplicable},
	{"ecs-second-container-id", 7, String, true, notApplicable},
	{"ecs-service-name", 7, String, true, notApplicable},
	{"ecs-task-definition-arn", 7, String, true, notApplicable},
	{"ecs-task-arn", 7, String, true, notApplicable},
	{"ecs-task-id", 7, String, true, notApplicable},
	{"reject-reason", 8, String, true, notApplicable},     // it blocks no public access and demands no encryption
	{"resource-id", 9, String, false, notApplicable},      // nor has it regional NAT gateways
	{"encryption-status", 10, Int32, true, notApplicable}, // encryption controls are off

	{"plsim-interface", 0, String, false, func(r *Record) string { return r.Interface.Label }},
	{"plsim-flow", 0, String, true, flowID},
	{"plsim-hop", 0, Int32, true, func(r *Record) string { return itoa(r.Hop) }},
	{"plsim-visible", 0, String, false, func(r *Record) string { return strconv.FormatBool(!r.Hidden) }},
	{"plsim-reason", 0, String, true, reason},
	{"plsim-guard", 0, String, true, guard},
}

func notApplicable(*Record) string { return none }

// tcpFlags is "-" where the combination cannot be (F4.12).
func tcpFlags(r *Record) string {
	if r.Flags&impossible != 0 {
		return none
	}
	return itoa(r.Flags)
}

func family(r *Record) string {
	if r.PktSrc.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// trafficPath is told for egress only (F4.15).
func trafficPath(r *Record) string {
	if r.Way == flow.Egress && r.Path != NoPath {
		return itoa(r.Path)
	}
	return none
}

func flowID(r *Record) string {
	if r.FlowID == 0 {
		return none
	}
	return strconv.FormatUint(r.FlowID, 16)
}

func reason(r *Record) string {
	if r.Why == drop.None {
		return none
	}
	return r.Why.String()
}

// guard names what refused the packets: the network ACL, or the security groups,
// none of which has a rule for them.
func guard(r *Record) string {
	if r.Action == Accept {
		return none
	}
	switch r.Why {
	case drop.SecurityGroupEgress, drop.SecurityGroupIngress, drop.LoadBalancerSecurityGroup:
		return cmp.Or(strings.Join(r.Interface.Groups, ","), none)
	}
	return cmp.Or(r.Guard, none)
}

func itoa[T ~uint8 | ~uint16 | ~uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }

// byName finds fields.
var byName = func() map[string]*field {
	m := make(map[string]*field, len(fields))
	for i := range fields {
		m[fields[i].name] = &fields[i]
	}
	return m
}()

// Fields returns the names of all of AWS's fields in AWS's order.
func Fields() Format {
	var f Format
	for i := range fields {
		if fields[i].version > 0 {
			f = append(f, fields[i].name)
		}
	}
	return f
}

// Known reports whether there is a field of this name, AWS's or plsim's own.
func Known(name string) bool { return byName[name] != nil }

// TypeOf returns how a Parquet file holds a field (F4.6).
func TypeOf(name string) Type {
	if c := byName[name]; c != nil {
		return c.kind
	}
	return String
}

// Field returns the text of one field and whether the name is known. The
// version is that of the default format; in a line it follows the line's format.
func (r *Record) Field(name string) (string, bool) {
	c := byName[name]
	switch {
	case c == nil:
		return "", false
	case c.traffic && r.Status != OK:
		return none, true
	}
	return cmp.Or(c.text(r), none), true
}

// Format is the fields of a line, by AWS's names.
type Format []string

// DefaultFormat is what AWS logs when nobody asks for fields (F4.7).
var DefaultFormat = Format{
	"version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport",
	"protocol", "packets", "bytes", "start", "end", "action", "log-status",
}

// Version returns the version of records in the format: the highest among its
// fields (F4.5), at least 2. Unknown fields do not count.
func (f Format) Version() int {
	v := 2
	for _, name := range f {
		if c := byName[name]; c != nil {
			v = max(v, c.version)
		}
	}
	return v
}

// String returns the format as AWS's API takes it: ${version} ${account-id} and so on.
func (f Format) String() string {
	var b strings.Builder
	for i, name := range f {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("${" + name + "}")
	}
	return b.String()
}

// ParseFormat reads a format as AWS's API takes it; $${…}, as Terraform files write
// it, does as well. wrong are the words that name no field of AWS's, and the fields
// that come twice.
func ParseFormat(text string) (f Format, wrong []string) {
	for _, word := range strings.Fields(text) {
		name, ok := strings.CutPrefix(strings.Replace(word, "$${", "${", 1), "${")
		name, closed := strings.CutSuffix(name, "}")
		if c := byName[name]; !ok || !closed || c == nil || c.version == 0 || slices.Contains(f, name) {
			wrong = append(wrong, word)
			continue
		}
		f = append(f, name)
	}
	return f, wrong
}

// Values returns the record's fields in a format; those that are not known are "-".
func (r *Record) Values(f Format) []string {
	values := make([]string, len(f))
	for i, name := range f {
		v, ok := r.Field(name)
		switch {
		case !ok:
			v = none
		case name == "version":
			v = strconv.Itoa(f.Version())
		}
		values[i] = v
	}
	return values
}

// Text returns the record as a line without its end; an unknown field prints
// as "-".
func (r *Record) Text(f Format) string { return strings.Join(r.Values(f), " ") }
