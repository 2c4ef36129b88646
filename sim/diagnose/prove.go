package diagnose

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

const (
	// proofs is the name of the capture, and of the connections.
	proofs = "plsim explain --prove"
	// proofLimit is how long an answer is waited for, in the lab's time.
	proofLimit = 3 * time.Second
	// said is what a datagram says, so that it is known wherever it is seen.
	said = "plsim explain"
)

// prove sends what the question is about with the built-in client, and compares what
// is seen with what was foretold: once, or where chance decides as often as was foretold.
func (d *diagnosis) prove(ctx context.Context, c *place, s *sighting) (*explain.Proof, error) {
	if s.walked != nil && s.speaksTLS() && !c.real {
		return nil, &UsageError{errors.New("--prove: the packet's way ends at a TLS listener, and the simulation has no server of TLS: play a request with plsim run")}
	}
	p := &explain.Proof{Sent: 1, Seen: []string{}, Drops: []string{}, Agrees: true}
	if s.dns {
		return p, d.proveName(ctx, c, p)
	}
	if s.walked == nil {
		return nil, &UsageError{fmt.Errorf("--prove: there is no packet to send: %s", s.why)}
	}
	if len(s.others) > 1 {
		p.Sent = drawn
	}
	before, err := c.Drops(c.loaded.Lab.NICs)
	if err != nil {
		return nil, err
	}
	seen := map[explain.Outcome]bool{}
	for i := range p.Sent {
		o, err := d.send(ctx, c, s, i)
		if err != nil {
			return nil, err
		}
		seen[o] = true
	}
	after, err := c.Drops(c.loaded.Lab.NICs)
	if err != nil {
		return nil, err
	}
	counted := map[drop.Reason]bool{}
	for r := range after {
		if counted[drop.Reason(r)] = after[r] > before[r]; counted[drop.Reason(r)] {
			p.Drops = append(p.Drops, drop.Reason(r).String())
		}
	}
	for _, o := range sortedKeys(seen) {
		p.Seen = append(p.Seen, string(o))
	}
	p.Disagrees = compare(s, seen, counted)
	p.Agrees = p.Disagrees == ""
	return p, nil
}

// compare says in what the packets differ from the prediction, "" if in nothing.
func compare(s *sighting, seen map[explain.Outcome]bool, counted map[drop.Reason]bool) string {
	var foretold []explain.Outcome
	for f := range s.others {
		foretold = append(foretold, f.outcome)
	}
	slices.Sort(foretold)
	foretold = slices.Compact(foretold)
	for o := range seen {
		if !slices.Contains(foretold, o) && !(o == explain.Answered && slices.Contains(foretold, explain.Arrives)) {
			return fmt.Sprintf("foretold was %s, and seen was %s", words(foretold), o)
		}
	}
	// Where nobody in the subnet has the address, the sender's question for its MAC address
	// stays unanswered, and the packet itself is never sent.
	if why := s.fate.why; len(s.others) == 1 && why != drop.None && !counted[why] && !counted[drop.Unanswered] {
		return fmt.Sprintf("no packet was dropped as %s", why)
	}
	return ""
}

func words(all []explain.Outcome) string {
	text := ""
	for i, o := range all {
		if i > 0 {
			text += " or "
		}
		text += string(o)
	}
	return text
}

// proveName asks the resolver for a name that it should not know.
func (d *diagnosis) proveName(ctx context.Context, c *place, p *explain.Proof) error {
	a, err := c.Resolve(ctx, &scenario.Resolve{From: d.q.from, Host: d.q.host, Type: "A", Timeout: scenario.Duration(proofLimit)})
	if err != nil {
		return err
	}
	p.Seen = []string{string(explain.NoName)}
	if a.Kind != story.DNS {
		p.Seen, p.Agrees = []string{"an address"}, false
		p.Disagrees = "foretold was that the name has no address, and the resolver answered with one"
	}
	return nil
}

// send sends one packet and returns what came of it, by the packets at interfaces.
func (d *diagnosis) send(ctx context.Context, c *place, s *sighting, turn int) (seen explain.Outcome, err error) {
	name := proofs + " " + strconv.Itoa(turn)
	filter, err := capture.ParseFilter("")
	if err != nil {
		return "", err
	}
	var at []*topology.NIC
	for _, nic := range c.loaded.Lab.NICs {
		if nic.Host != nil {
			at = append(at, nic)
		}
	}
	if err := c.Capture(name, at, filter); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.DropCapture(name)) }()
	limit := scenario.Duration(proofLimit)
	host := s.addrs[0].String()
	if d.q.port == 0 {
		f, err := c.Ping(ctx, &scenario.Ping{From: d.q.from, To: host, Timeout: limit})
		switch {
		case err != nil:
			return "", err
		case f.Kind == "":
			return explain.Answered, nil
		}
		return explain.Silence, nil
	}
	x := &scenario.Exchange{From: d.q.from, To: net.JoinHostPort(host, strconv.Itoa(int(d.q.port))), Protocol: d.q.word(), Timeout: limit}
	if d.q.udp {
		x.Send = said
	}
	look := func() (explain.Outcome, error) {
		packets, _, err := c.Captured(name)
		return d.outcome(packets, host), err
	}
	if err := exchange(ctx, c, x, look); err != nil {
		return "", err
	}
	return look()
}

// glance is how often packets of real hosts are looked at for an answer.
const glance = 10 * time.Millisecond

// exchange opens a connection, or sends a datagram, and waits for what comes. What programs
// of real hosts have to say is not awaited, once their host has answered.
func exchange(ctx context.Context, c *place, x *scenario.Exchange, look func() (explain.Outcome, error)) error {
	if !c.real {
		_, err := c.Exchange(ctx, x)
		return err
	}
	within, enough := context.WithCancel(ctx)
	defer enough()
	done := make(chan error, 1)
	go func() {
		_, err := c.Exchange(within, x)
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if within.Err() != nil && ctx.Err() == nil {
				return nil // it was ended here
			}
			return err
		case <-time.After(glance):
		}
		if seen, err := look(); err != nil || seen == explain.Answered || seen == explain.Refused {
			enough()
		}
	}
}

// outcome reads from the packets at interfaces what came of the first that went to a
// host. What the story has left behind may still be under way.
func (d *diagnosis) outcome(packets []capture.Packet, host string) explain.Outcome {
	out, own := explain.Silence, ""
	to := strconv.Itoa(int(d.q.port))
	for i := range packets {
		v := packets[i].Values()
		here := v["interface"] == d.q.from
		if packets[i].Out {
			if here && own == "" && v["protocol"] == d.q.word() && v["dstaddr"] == host && v["dstport"] == to && (d.q.udp || v["flags"] == "S") {
				own = v["srcport"]
			}
			continue
		}
		if v["drop"] != "" {
			continue
		}
		answer := here && own != "" && v["protocol"] == d.q.word() && v["srcaddr"] == host && v["srcport"] == to && v["dstport"] == own
		switch {
		case answer && (d.q.udp || v["flags"] == "S."):
			return explain.Answered
		case answer && (v["flags"] == "R." || v["flags"] == "R"):
			return explain.Refused
		case here && d.q.udp && (v["protocol"] == "icmp" && v["type"] == "3" || v["protocol"] == "icmpv6" && v["type"] == "1"):
			return explain.Refused
		case !here && d.q.udp && v["protocol"] == "udp" && v["payload"] == said:
			out = explain.Arrives
		}
	}
	return out
}
