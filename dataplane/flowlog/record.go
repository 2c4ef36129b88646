package flowlog

import (
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

// Status says how complete a record is.
type Status uint8

// The statuses (F4.8).
const (
	OK       Status = iota
	NoData          // nothing passed the interface
	SkipData        // something did, and there was no room for it
)

// String returns AWS's word.
func (s Status) String() string { return [...]string{"OK", "NODATA", "SKIPDATA"}[s] }

// Path is how egress traffic leaves its VPC: the traffic-path field (F4.15).
type Path uint8

// The paths, by AWS's numbers.
const (
	NoPath               Path = 0 // it does not
	WithinVPC            Path = 1 // to a resource in the VPC, or an interface that AWS made there
	InternetGateway      Path = 2 // through an internet gateway, from what is no Nitro instance
	PrivateGateway       Path = 3 // through a virtual private gateway
	Peering              Path = 4 // over a VPC peering connection within the Region
	InternetGatewayNitro Path = 8 // through an internet gateway
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

	// Label and Groups are no field of AWS's: what users call the interface, and its
	// security groups.
	Label  string
	Groups []string
}

// Record is one direction of a connection on one interface in one window (F4.1);
// or, where Status is not OK, an interface in one window.
type Record struct {
	Interface        Interface
	Status           Status
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
	Hidden           bool         // AWS has no such record
	Note
}
