package dataplane_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/link"
)

// wire adds a link. Its qualities are delay=, queue= and jitter= (durations), loss=,
// duplicate= and reorder= (shares), rate= (bit/s), mtu= and down.
func (l *lab) wire(f []string) error {
	if len(f) < 4 {
		return fmt.Errorf("not a link")
	}
	id := slices.Index(l.wires, f[1])
	if id < 0 {
		id = len(l.wires)
		l.wires = append(l.wires, f[1])
	}
	links := &l.prog.Links
	if links.All == nil {
		links.Zones, links.Peerings = map[[2]dataplane.ZoneID]link.ID{}, map[[2]dataplane.VPCID]link.ID{}
	}
	for len(links.All) <= len(l.wires) {
		links.All = append(links.All, dataplane.Link{})
	}
	id++
	to := &links.All[id]
	to.Label, to.Place = f[1], f[2]+" "+f[3]
	for key, d := range map[string]*time.Duration{"delay": &to.Delay, "jitter": &to.Jitter, "queue": &to.Queue} {
		*d, _ = time.ParseDuration(option(f, key))
	}
	for key, share := range map[string]*float64{"loss": &to.Loss, "duplicate": &to.Duplicate, "reorder": &to.Reorder} {
		_, _ = fmt.Sscan(option(f, key), share)
	}
	to.Rate, to.MTU, to.Down = int64(number(option(f, "rate"))), number(option(f, "mtu")), slices.Contains(f, "down")
	zone := func(name string) dataplane.ZoneID {
		return dataplane.ZoneID(number(strings.TrimPrefix(name, "az")))
	}
	one, other, _ := strings.Cut(f[3], ",")
	switch f[2] {
	case "instance":
		l.prog.Interfaces[l.id(f[3])].Link = link.ID(id)
	case "subnet":
		number := slices.IndexFunc(l.subnets, func(s string) bool { return strings.HasPrefix(s, f[3]+" ") })
		for i := range l.prog.Interfaces {
			if n := &l.prog.Interfaces[i]; n.Kind != dataplane.Absent && int(n.Subnet) == number {
				n.SubnetLink = link.ID(id)
			}
		}
	case "zone":
		links.Zones[[2]dataplane.ZoneID{zone(one)}] = link.ID(id)
	case "zones":
		links.Zones[[2]dataplane.ZoneID{zone(one), zone(other)}] = link.ID(id)
	case "peering":
		links.Peerings[[2]dataplane.VPCID{dataplane.VPCID(l.vpc(one)), dataplane.VPCID(l.vpc(other))}] = link.ID(id)
	default:
		return fmt.Errorf("a link of what?")
	}
	return nil
}

// arrives prints when the packet at hand arrives, unless that is at once.
func (e *env) arrives(out *strings.Builder) {
	fate := e.walk.Fate()
	if fate == nil {
		return
	}
	at, n := fate.Arrivals()
	for i, at := range at[:n] {
		if took := at.Sub(e.now); took != 0 || i > 0 {
			fmt.Fprintf(out, " +%v", took)
		}
	}
}
