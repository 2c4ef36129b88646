package diagnose

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/topology"
)

// sighting is what is foretold of the packet.
type sighting struct {
	why    string // the name has no address, or the sender none of its family
	dns    bool   // why is about the name
	addrs  []netip.Addr
	walked *explain.Walked
	fate   fate
	// others are the fates of more first packets, from other ports, by how many
	// have each; chance chooses among targets anew for each.
	others map[fate]int
	chosen []string // targets that any of them came to
}

// fate is what becomes of a packet.
type fate struct {
	outcome explain.Outcome
	why     drop.Reason
	back    bool   // why is about the answer
	mute    string // the instance that has nothing on the port
	port    uint16 // which port of it
	hairpin bool
}

// good reports whether every packet arrives and is answered, as far as can be known.
func (s *sighting) good() bool {
	if s.walked == nil {
		return false
	}
	for f := range s.others {
		if !f.good() {
			return false
		}
	}
	return true
}

func (f fate) good() bool { return f.outcome == explain.Answered || f.outcome == explain.Arrives }

// drawn is how many first packets are foretold, for chance to show.
const drawn = 16

// look foretells what becomes of the packet. Where chance decides, it is one that fails.
func (d *diagnosis) look(c *place) (*sighting, error) { return d.lookAt(c, d.q.host) }

func (d *diagnosis) lookAt(c *place, host string) (*sighting, error) {
	from, err := c.loaded.Lab.Instance(d.q.from)
	if err != nil {
		return nil, err
	}
	s := &sighting{others: map[fate]int{}}
	if s.addrs, s.why = c.Lookup(from, host); s.why != "" {
		s.dns = true
		return s, nil
	}
	for i := range drawn {
		k, err := c.Probe(from.NIC, d.q.protocol(), live.ProbePort+uint16(i), netip.AddrPortFrom(s.addrs[0], d.q.port))
		switch {
		case err != nil:
			return nil, err
		case k == nil:
			s.why = live.NoAddressOfFamily(from.NIC, s.addrs[0])
			return s, nil
		}
		f, err := d.fate(c, k)
		if err != nil {
			return nil, err
		}
		s.others[f]++
		if i == 0 || s.fate.good() && !f.good() {
			s.fate, s.walked = f, k
		}
		for j := range k.Trace.Steps {
			if t := &k.Trace.Steps[j]; t.Stage == dataplane.StageTarget && t.To != dataplane.NoInterface && !t.Answer {
				if label := k.Prog.Interfaces[t.To].Label; !slices.Contains(s.chosen, label) {
					s.chosen = append(s.chosen, label)
				}
			}
		}
	}
	slices.Sort(s.chosen)
	return s, nil
}

// reset are the reasons for which AWS answers a first segment with a RST.
var reset = []drop.Reason{drop.UnknownFlow, drop.TargetUnhealthy, drop.EndpointRevoked}

// fate says what a walk comes to, with who listens where it ends.
func (d *diagnosis) fate(c *place, k *explain.Walked) (fate, error) {
	why, back := k.Lost()
	f := fate{outcome: explain.Silence, why: why, back: back, hairpin: k.Hairpin()}
	to := k.Delivery()
	switch {
	case slices.Contains(reset, why):
		f.outcome = explain.Refused
		return f, nil
	case why != drop.None || f.hairpin:
		return f, nil
	}
	f.outcome = explain.Answered
	if to == nil || d.q.port == 0 {
		return f, nil // a load balancer's own server, or a host, which answers every ping
	}
	nic := c.loaded.Lab.NICs[to.To]
	if nic.Host == nil {
		return f, nil // an Application Load Balancer, or a resolver
	}
	at := netip.AddrPortFrom(to.Tuple.Dst.IP(), to.Tuple.DstPort)
	heard, err := c.Listens(nic.Host, d.q.protocol(), at)
	if err != nil {
		return f, err
	}
	f.outcome = listens(nic.Host.Instance, d.q.protocol(), at.Port())
	switch program := d.q.udp && len(nic.Host.Command) > 0; {
	case !heard && (c.real || !program):
		f.outcome, f.mute, f.port = explain.Refused, nic.Host.Name, at.Port()
	case f.outcome == explain.Refused && d.q.udp:
		f.outcome = explain.Arrives // a program, of which nobody knows whether it answers
	case f.outcome == explain.Refused:
		f.outcome = explain.Answered
	}
	return f, nil
}

// listens says what an instance does with a first packet to a port.
func listens(i *topology.Instance, proto packet.Proto, port uint16) explain.Outcome {
	for _, s := range i.Services {
		if s.Port != int(port) {
			continue
		}
		udp, tcp := s.Type == "udp_echo" || s.Type == "udp_sink" || s.Type == "dns", !strings.HasPrefix(s.Type, "udp")
		switch {
		case proto == packet.TCP && tcp, proto == packet.UDP && s.Type == "udp_echo":
			return explain.Answered
		case proto == packet.UDP && udp:
			return explain.Arrives // what it is sent decides whether it answers
		}
	}
	if proto == packet.UDP && len(i.Command) > 0 {
		return explain.Arrives
	}
	return explain.Refused
}

// String says in a sentence what becomes of a packet.
func (f fate) String() string {
	switch {
	case f.hairpin:
		return "The target is the client, whose address its target group preserves, and no host takes a packet from its own address (F2.29)."
	case f.back:
		return "The packet arrives, but its answer is dropped: " + f.why.Explain()
	case f.why != drop.None:
		return f.why.Explain()
	case f.mute != "":
		return fmt.Sprintf("The packet arrives, but nothing listens on port %d of %s, which refuses it.", f.port, f.mute)
	case f.outcome == explain.Arrives:
		return "The packet arrives; whether it is answered is up to the program."
	}
	return "The packet arrives and is answered."
}

// patience are the moments, after a change, at which the lab is looked at again: what
// takes its time is set up, checked and known by then.
var patience = []time.Duration{0, time.Second, 30 * time.Second, 5 * time.Minute}

// await looks until all is well, or for as long as changes take at most.
func (d *diagnosis) await(ctx context.Context, c *copied) (best *sighting, err error) {
	for _, wait := range patience {
		if err := c.Wait(ctx, wait); err != nil {
			return nil, err
		}
		s, err := d.lookAt(c.place, d.q.hostIn(c))
		if err != nil || s.good() {
			return s, err
		}
		if best == nil || s.reach() >= best.reach() {
			best = s
		}
	}
	return best, nil
}

// reach is how far the packet comes, for sightings to be compared; more is better.
func (s *sighting) reach() int {
	if s.walked == nil {
		return -1
	}
	good := 0
	for f, n := range s.others {
		if f.good() {
			good += n
		}
	}
	steps := len(s.walked.Trace.Steps)
	if s.fate.hairpin {
		steps--
	}
	return good*1000 + steps
}
