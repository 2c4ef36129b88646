package diagnose

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// present is what has become of a lab that runs, for its copies to become that, too.
type present struct {
	*Running
	now     time.Duration
	settled time.Duration    // how much longer copies take until they are as the lab is
	silent  []scenario.Fault // what is written down, and listens no more; of the first copy
	made    bool             // the first copy
	heard   map[tcpPort]bool // whether somebody listens, as far as that was looked at
}

// tcpPort is a port of an instance of the lab that runs.
type tcpPort struct {
	*topology.Host
	number int
}

// longestPause is how long a copy waits at most where the lab had nothing done to it:
// by then health checks and endpoints have come to rest.
const longestPause = 2 * time.Minute

// listens reports whether somebody listens on a TCP port of an instance of the lab.
func (p *present) listens(h *topology.Host, port int) (bool, error) {
	at := tcpPort{h, port}
	heard, known := p.heard[at]
	if known {
		return heard, nil
	}
	heard, err := p.Listens(h, packet.TCP, netip.AddrPortFrom(h.NIC.Addrs[0].Addr(), uint16(port)))
	if err == nil {
		p.heard[at] = heard
	}
	return heard, err
}

// standIns puts built-in servers in the place of programs that nobody has written down,
// where they listen on a port of a target group or on the one that is asked about.
func (p *present) standIns(spec *topology.Spec, asked uint16) error {
	if p == nil {
		return nil
	}
	ports := []int{int(asked)}
	for _, name := range sortedKeys(spec.TargetGroups) {
		g := spec.TargetGroups[name]
		ports = append(ports, g.Port)
		for _, t := range g.Targets {
			ports = append(ports, t.Port)
		}
	}
	for _, h := range hosts(spec) {
		in, err := p.Loaded.Lab.Instance(h.name)
		if err != nil {
			continue // nobody has it any more
		}
		for _, port := range ports {
			if port == 0 || listens(h.Instance, packet.TCP, uint16(port)) != explain.Refused {
				continue
			}
			heard, err := p.listens(in, port)
			if err != nil {
				return err
			}
			if heard {
				h.Services = append(h.Services, &topology.Service{Type: "http", Port: port})
			}
		}
	}
	return nil
}

// repeat does in a copy what was done to the lab, at the lab's times, and lets fail there
// what does not listen in the lab.
func (p *present) repeat(ctx context.Context, c *copied) error {
	player := story.NewPlayer(c.loaded.Lab, c)
	last := time.Duration(0)
	for _, deed := range p.Deeds {
		if err := c.Wait(ctx, min(deed.At-last, longestPause)); err != nil {
			return err
		}
		last = deed.At
		if _, err := player.Take(ctx, deed.Step); err != nil && ctx.Err() != nil {
			return err
		} // what does not fit the copy shows when its packet fails otherwise
	}
	if !p.made {
		p.made = true
		if err := p.findSilent(c.loaded.Lab); err != nil {
			return err
		}
	}
	for _, f := range p.silent {
		if err := c.Fail(ctx, &f); err != nil {
			return err
		}
	}
	return c.Wait(ctx, min(p.now-last, longestPause)+p.settled)
}

// findSilent finds the servers of a copy that do not listen in the lab.
func (p *present) findSilent(copied *topology.Lab) error {
	for _, h := range copied.Hosts {
		in, err := p.Loaded.Lab.Instance(h.Name)
		if err != nil {
			continue
		}
		for _, s := range h.Services {
			if strings.HasPrefix(s.Type, "udp") {
				continue
			}
			heard, err := p.listens(in, s.Port)
			if err != nil {
				return err
			}
			if !heard {
				p.silent = append(p.silent, scenario.Fault{Instance: h.Name, Port: s.Port, How: scenario.Dies})
			}
		}
	}
	return nil
}
