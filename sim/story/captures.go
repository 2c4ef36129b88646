package story

import (
	"slices"

	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// capture begins to capture packets.
func (p *player) capture(s *scenario.Capture) (outcome, error) {
	f, err := capture.ParseFilter(s.Filter)
	if err != nil {
		return outcome{}, err
	}
	var nics []*topology.NIC
	for _, ref := range s.Interfaces {
		nic, err := p.lab.NetworkInterface(ref)
		if err != nil {
			return outcome{}, err
		}
		if !slices.Contains(nics, nic) {
			nics = append(nics, nic)
		}
	}
	return outcome{seen: Count(len(nics), "interface")}, p.world.Capture(s.Name, nics, f)
}

// captures reads what a capture has.
func (p *player) captures(s *scenario.Captures, e *scenario.Expect) (outcome, error) {
	packets, missed, err := p.world.Captured(s.Capture)
	if err != nil {
		return outcome{}, err
	}
	values := make([]map[string]string, len(packets))
	for i := range packets {
		values[i] = packets[i].Values()
	}
	c := newComparison(e)
	rows{
		what: "packet", n: len(packets),
		field: func(i int, name string) (string, bool) { v, ok := values[i][name]; return v, ok },
		text:  func(i int) string { return packets[i].String() },
	}.compare(c, e.Packets, e)
	if missed > 0 {
		c.differ("the capture lacks %s: it is full, or all captures together are; give it a narrower filter, or end others before it with stop_capture", Count(int(missed), "more packet"))
	}
	return c.outcome(), nil
}
