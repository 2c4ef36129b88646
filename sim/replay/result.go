package replay

import (
	"net/netip"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/topology"
)

// Result is what became of captures. Its JSON form is part of plsim's contract with
// users.
type Result struct {
	SchemaVersion int           `json:"schema_version"`
	Scenario      string        `json:"scenario"`
	File          string        `json:"file"`
	Seed          uint64        `json:"seed"`
	Out           string        `json:"out,omitempty"` // the pcapng file
	Began         time.Time     `json:"began"`         // the first packet
	Duration      time.Duration `json:"duration_ns"`   // from the first packet to the last
	Captures      []*File       `json:"captures"`
	CameOut       []Arrivals    `json:"came_out"`
	Dropped       []Drops       `json:"dropped"`
	DroppedFlows  []*Flow       `json:"dropped_flows"`               // the first maxFlows
	Unlisted      int           `json:"unlisted_drops"`              // packets of others
	Pending       []string      `json:"pending_endpoints,omitempty"` // dropped packets, since nobody has accepted them
	Foreign       []Foreign     `json:"foreign_addresses"`
}

// ResultSchemaVersion is raised when the JSON form of a Result changes its meaning.
const ResultSchemaVersion = 1

// File is what a capture held.
type File struct {
	Capture    string   `json:"capture"`
	Interfaces []string `json:"interfaces"`
	Packets    int      `json:"packets"`
	Fed        int      `json:"fed"`      // what the interfaces sent
	Received   int      `json:"received"` // what they received: not fed, but compared
	// Of those that were received: as many came, and as many did not. Unexpected came
	// and were not captured.
	AsCaptured int `json:"as_captured"`
	Missing    int `json:"missing"`
	Unexpected int `json:"unexpected"`
	// Translated flows have another address or port at their far end than in the
	// capture: a load balancer's node has chosen another source port.
	Translated int            `json:"translated_flows"`
	Offloaded  int            `json:"offloaded"` // packets that the network card had yet to complete
	Backwards  int            `json:"times_backwards"`
	Skipped    map[string]int `json:"skipped"` // by what they were
}

// Arrivals is what came out at an interface.
type Arrivals struct {
	Interface string `json:"interface"`
	Packets   int    `json:"packets"`
	Resets    int    `json:"resets,omitempty"` // of them, made by a load balancer
}

// Drops is what was dropped at an interface for a reason.
type Drops struct {
	Reason      string `json:"reason"`
	Interface   string `json:"interface"`
	Packets     int    `json:"packets"`
	Explanation string `json:"explanation"`
}

// Flow is one of which a packet was dropped.
type Flow struct {
	Interface string         `json:"interface"` // that sent it
	Protocol  packet.Proto   `json:"protocol"`
	Source    netip.AddrPort `json:"source"`
	Target    netip.AddrPort `json:"destination"`
	Reason    string         `json:"reason"`
	Packets   int            `json:"packets"`
	Capture   string         `json:"capture"`
	First     int            `json:"first"` // which packet of the capture it was
	Way       []string       `json:"way"`   // that it took
}

// Foreign is an address that the scenario does not have, or not at the interface whose
// packets are replayed.
type Foreign struct {
	Address   netip.Addr `json:"address"`
	Packets   int        `json:"packets"`
	Interface string     `json:"interface,omitempty"`         // that has it
	Sends     bool       `json:"-"`                           // whether captures can be replayed there
	Nearest   string     `json:"nearest_interface,omitempty"` // where none has
	Subnet    string     `json:"subnet,omitempty"`            // of Nearest, if it holds the address
}

func newResult(seed uint64) *Result {
	return &Result{SchemaVersion: ResultSchemaVersion, Seed: seed, CameOut: []Arrivals{}, Dropped: []Drops{}, DroppedFlows: []*Flow{}, Foreign: []Foreign{}}
}

// Fits reports whether the captures are ones of the scenario: something was fed, and
// all addresses are known.
func (r *Result) Fits() bool {
	fed := 0
	for _, f := range r.Captures {
		fed += f.Fed
	}
	return fed > 0 && len(r.Foreign) == 0
}

// maxFlows is how many dropped flows are told of one by one.
const maxFlows = 1000

// death is a way in which a flow can end.
type death struct {
	key flow.Key
	why drop.Reason
}

// drop notes that a packet was dropped.
func (r *replay) drop(s *site, rec *capture.Record, key flow.Key, at dataplane.InterfaceID, why drop.Reason, told *way) {
	r.result.count(r.lab.NICs[at].Label, why)
	if e := r.lab.NICs[at].Endpoint; e != nil && e.State == topology.PendingAcceptance && !slices.Contains(r.result.Pending, e.Name) {
		r.result.Pending = append(r.result.Pending, e.Name)
	}
	d := death{key, why}
	f := r.died[d]
	if f == nil && len(r.died) < maxFlows {
		f = &Flow{
			Interface: s.nic.Label, Protocol: key.Proto, Reason: why.String(), Capture: s.file.Capture, First: rec.Number,
			Source: netip.AddrPortFrom(key.Src.IP(), key.SrcPort), Target: netip.AddrPortFrom(key.Dst.IP(), key.DstPort),
			Way: r.words(s.nic, why, told),
		}
		r.died[d] = f
		r.result.DroppedFlows = append(r.result.DroppedFlows, f)
	}
	if f == nil {
		r.result.Unlisted++
		return
	}
	f.Packets++
}

func (r *Result) count(at string, why drop.Reason) {
	for i := range r.Dropped {
		if d := &r.Dropped[i]; d.Reason == why.String() && d.Interface == at {
			d.Packets++
			return
		}
	}
	r.Dropped = append(r.Dropped, Drops{why.String(), at, 1, why.Explain()})
}

// way is what the walk would do with a packet.
type way struct {
	trace dataplane.Trace
	why   drop.Reason
}

// foretell keeps the packet at hand as it is before it is fed, and asks for the way of
// a flow's first one: once it has left its traces, another would have another way.
func (r *replay) foretell(nic *topology.NIC, key flow.Key) *way {
	r.before.SetEthernet(r.frame.Ethernet())
	copy(r.before.Vnet(), r.frame.Vnet())
	if r.flows[key] || len(r.died) == maxFlows {
		return nil
	}
	r.flows[key] = true
	return r.ask(nic)
}

func (r *replay) ask(nic *topology.NIC) *way {
	w := new(way)
	_, w.why = r.walk.Probe(r.now, nic.Index, r.before, &w.trace)
	return w
}

// words says how the packet that was just dropped got there.
func (r *replay) words(nic *topology.NIC, why drop.Reason, told *way) []string {
	if told == nil {
		told = r.ask(nic)
	}
	if told.why != why {
		told = new(way) // its death has changed what would become of it now
	}
	return explain.Way(r.walk.Program(), &told.trace, why)
}
