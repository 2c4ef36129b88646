package flowlog

import (
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Action is what became of the packets of a record.
type Action uint8

// The actions.
const (
	Accept Action = iota
	Reject
)

// String returns AWS's word.
func (a Action) String() string {
	if a == Accept {
		return "ACCEPT"
	}
	return "REJECT"
}

// Path is how egress traffic leaves its VPC: the traffic-path field (F4.15).
type Path uint8

// The paths, by AWS's numbers.
const (
	NoPath         Path = 0 // it does not
	WithinVPC      Path = 1 // to a resource in the VPC, or an interface that AWS made there
	PrivateGateway Path = 3 // through a virtual private gateway
	Peering        Path = 4 // over a VPC peering connection within the Region
)

// Interface is what records say of an interface beside its traffic. What is
// empty prints as "-" (F4.4).
type Interface struct {
	AccountID  string // "unknown" for one that AWS made for a customer
	ID         string // eni-…
	VPCID      string
	SubnetID   string
	InstanceID string // empty for the interfaces of endpoints and load balancers
	Region     string
	AZID       string
	// Addrs are the interface's addresses, the primary of each family first.
	Addrs []packet.Addr
}

// Record is one direction of a connection on one interface in one window (F4.1).
type Record struct {
	Interface        Interface
	Way              flow.Way
	Src, Dst         packet.Addr // the interface's own side is its primary address
	PktSrc, PktDst   packet.Addr // as in the packets (F4.16, F4.17)
	SrcPort, DstPort uint16      // 0 for ICMP
	Proto            packet.Proto
	Packets, Bytes   uint64
	Start, End       int64 // Unix seconds of the first and the last packet
	Action           Action
	Path             Path         // of egress
	Flags            packet.Flags // the tcp-flags field (F4.12)
}

// Format is the fields of a line, by AWS's names.
type Format []string

const none = "-"

// field is a column of a flow log.
type field struct {
	name    string
	version int // the version of the format that brought it
	text    func(*Record) string
}

// fields are the fields of versions 2 to 5 in AWS's order (F4.6).
var fields = []field{
	{"version", 2, func(*Record) string { return "2" }},
	{"account-id", 2, func(r *Record) string { return r.Interface.AccountID }},
	{"interface-id", 2, func(r *Record) string { return r.Interface.ID }},
	{"srcaddr", 2, func(r *Record) string { return r.Src.String() }},
	{"dstaddr", 2, func(r *Record) string { return r.Dst.String() }},
	{"srcport", 2, func(r *Record) string { return itoa(r.SrcPort) }},
	{"dstport", 2, func(r *Record) string { return itoa(r.DstPort) }},
	{"protocol", 2, func(r *Record) string { return itoa(r.Proto) }},
	{"packets", 2, func(r *Record) string { return itoa(r.Packets) }},
	{"bytes", 2, func(r *Record) string { return itoa(r.Bytes) }},
	{"start", 2, func(r *Record) string { return strconv.FormatInt(r.Start, 10) }},
	{"end", 2, func(r *Record) string { return strconv.FormatInt(r.End, 10) }},
	{"action", 2, func(r *Record) string { return r.Action.String() }},
	{"log-status", 2, func(*Record) string { return "OK" }},
	{"vpc-id", 3, func(r *Record) string { return r.Interface.VPCID }},
	{"subnet-id", 3, func(r *Record) string { return r.Interface.SubnetID }},
	{"instance-id", 3, func(r *Record) string { return r.Interface.InstanceID }},
	{"tcp-flags", 3, func(r *Record) string { return itoa(r.Flags) }},
	{"type", 3, family},
	{"pkt-srcaddr", 3, func(r *Record) string { return r.PktSrc.String() }},
	{"pkt-dstaddr", 3, func(r *Record) string { return r.PktDst.String() }},
	{"region", 4, func(r *Record) string { return r.Interface.Region }},
	{"az-id", 4, func(r *Record) string { return r.Interface.AZID }},
	{"sublocation-type", 4, notApplicable},    // the lab has no Outposts or Local Zones
	{"sublocation-id", 4, notApplicable},      //
	{"pkt-src-aws-service", 5, notApplicable}, // nor AWS's public addresses
	{"pkt-dst-aws-service", 5, notApplicable}, //
	{"flow-direction", 5, func(r *Record) string { return r.Way.String() }},
	{"traffic-path", 5, trafficPath},
}

// DefaultFormat is what AWS logs when nobody asks for fields (F4.7).
var DefaultFormat = Format{
	"version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport",
	"protocol", "packets", "bytes", "start", "end", "action", "log-status",
}

// Fields returns the names of all known fields in AWS's order.
func Fields() Format {
	f := make(Format, len(fields))
	for i := range fields {
		f[i] = fields[i].name
	}
	return f
}

// Version returns the version of records in the format: the highest among its
// fields (F4.5), at least 2. Unknown fields do not count.
func (f Format) Version() int {
	v := 2
	for _, name := range f {
		if c := find(name); c != nil {
			v = max(v, c.version)
		}
	}
	return v
}

// Field returns the text of one field and whether the name is known. The
// version is that of the default format; in a line it follows the line's format.
func (r *Record) Field(name string) (string, bool) {
	c := find(name)
	if c == nil {
		return "", false
	}
	if s := c.text(r); s != "" {
		return s, true
	}
	return none, true
}

// Text returns the record as a line without its end; an unknown field prints
// as "-".
func (r *Record) Text(f Format) string {
	var b strings.Builder
	for i, name := range f {
		if i > 0 {
			b.WriteByte(' ')
		}
		s, ok := r.Field(name)
		switch {
		case !ok:
			s = none
		case name == "version":
			s = strconv.Itoa(f.Version())
		}
		b.WriteString(s)
	}
	return b.String()
}

func find(name string) *field {
	i := slices.IndexFunc(fields, func(c field) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return &fields[i]
}

func notApplicable(*Record) string { return none }

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

func itoa[T ~uint8 | ~uint16 | ~uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }
