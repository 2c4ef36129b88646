package topology

import (
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/link"
)

// wire is a link of the lab. An edit replaces its qualities, of which the spec keeps
// those that the file has.
type wire struct {
	name      string
	id        link.ID
	place     string // what it is the link of, for people
	qualities LinkQualities

	// One of these, sorted.
	host    *Host
	subnet  *subnet
	zones   []Zone
	peering *peering
}

// addLinks resolves the links.
func (b *builder) addLinks() {
	b.find.wires = map[string]*wire{}
	places := map[string]string{}
	each(&b.problems, "links", b.spec.Links, func(path, name string, spec *Link) {
		if spec.Bandwidth != nil && *spec.Bandwidth > 0 && spec.Queue == nil {
			queue := defaultQueue
			spec.Queue = &queue
		}
		w := &wire{name: name, id: b.numbers.link(), qualities: spec.LinkQualities}
		b.find.wires[name] = w
		w.qualities.check(&b.problems, path)
		if !b.placeLink(path, spec, w) {
			return
		}
		if other := places[w.place]; other != "" {
			b.problems.add(path, "link %s is that of %s already: there can be one", other, w.place)
			return
		}
		places[w.place] = name
		b.wires = append(b.wires, w)
	})
}

// placeLink finds what a link is the link of.
func (b *builder) placeLink(path string, spec *Link, w *wire) bool {
	given := 0
	for _, is := range []bool{spec.Instance != "", spec.Subnet != "", spec.AvailabilityZones != nil, spec.PeeringConnection != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		b.problems.add(path, "is the link of %d things: give one of instance, subnet, availability_zones and vpc_peering_connection", given)
		return false
	}
	key, err := "", error(nil)
	switch {
	case spec.Instance != "":
		key = "instance"
		if w.host, err = b.find.hosts.find("", spec.Instance); err == nil {
			w.place = "instance " + w.host.Name
		}
	case spec.Subnet != "":
		key = "subnet"
		if w.subnet, err = b.find.subnets.find("", spec.Subnet); err == nil {
			w.place = "subnet " + w.subnet.String()
		}
	case spec.PeeringConnection != "":
		key = "vpc_peering_connection"
		if w.peering, err = find("VPC peering connection", b.find.peerings, spec.PeeringConnection); err == nil {
			w.place = "peering connection " + w.peering.name
		}
	default:
		return b.placeZones(at(path, "availability_zones"), spec.AvailabilityZones, w)
	}
	if err != nil {
		b.problems.add(at(path, key), "%v", err)
	}
	return err == nil
}

// placeZones finds the zones of a link, and sorts them.
func (b *builder) placeZones(path string, refs []string, w *wire) bool {
	if len(refs) < 1 || len(refs) > 2 {
		b.problems.add(path, "are %d zones: give two for the link between them, or one for that between it and everything else", len(refs))
		return false
	}
	for i, ref := range refs {
		z, err := b.FindZone(ref)
		if err != nil {
			b.problems.add(item(path, i), "%v", err)
			continue
		}
		if slices.ContainsFunc(w.zones, func(o Zone) bool { return o.ID == z.ID }) {
			b.problems.add(item(path, i), "is the same zone: within one there is no link")
			continue
		}
		w.zones = append(w.zones, z)
	}
	if len(w.zones) < len(refs) {
		return false
	}
	slices.SortFunc(w.zones, func(a, b Zone) int { return int(a.Num) - int(b.Num) })
	w.place = "zone " + w.zones[0].ID
	if len(w.zones) == 2 {
		w.place = "zones " + w.zones[0].ID + " and " + w.zones[1].ID
	}
	return true
}

// HasLinks reports whether the lab declares links: then frames are to be single
// packets, so that each has a fate of its own.
func (l *Lab) HasLinks() bool { return len(l.wires) > 0 }

func (l *Lab) findLink(name string) (*wire, error) { return find("link", l.find.wires, name) }

// ModifyLink gives a link other qualities; what waits at it goes on to wait. The error
// is of type [Problems], with paths relative to the change.
func (l *Lab) ModifyLink(c *LinkChange) error {
	w, err := l.findLink(c.Link)
	if err != nil {
		return Problems{{Path: "link", Msg: err.Error()}}
	}
	if c.LinkQualities == (LinkQualities{}) {
		return Problems{{Msg: errNoQuality.Error()}}
	}
	own := w.qualities
	if c.Bandwidth != nil && *c.Bandwidth == 0 {
		own.Queue = nil // nothing waits any more
	}
	q := own.with(c.LinkQualities)
	var problems Problems
	q.check(&problems, "")
	problems.sort()
	if err := problems.err(); err != nil {
		return err
	}
	w.qualities = q
	return nil
}

// down reports whether nothing crosses the link.
func (w *wire) down() bool { return value(w.qualities.Down) }

// spec is what the link does to packets.
func (w *wire) spec() link.Spec {
	q := w.qualities
	s := link.Spec{
		Down: w.down(), Delay: time.Duration(value(q.Delay)), Jitter: time.Duration(value(q.Jitter)),
		Loss: float64(value(q.Loss)), Duplicate: float64(value(q.Duplicate)), Reorder: float64(value(q.Reorder)),
		Rate: int64(value(q.Bandwidth)), Queue: time.Duration(defaultQueue), MTU: value(q.MTU),
	}
	if q.Queue != nil {
		s.Queue = time.Duration(*q.Queue)
	}
	return s
}

// links compiles the links, and says of the interfaces which are theirs.
func (c *compiler) links() {
	if len(c.wires) == 0 {
		return
	}
	out := dataplane.Links{All: make([]dataplane.Link, c.numbers.links+1), Zones: map[[2]dataplane.ZoneID]link.ID{}, Peerings: map[[2]dataplane.VPCID]link.ID{}}
	subnets := map[uint16]link.ID{}
	for _, w := range c.wires {
		id := w.id
		out.All[id] = dataplane.Link{Label: w.name, Place: w.place, Spec: w.spec()}
		switch {
		case w.host != nil:
			c.program.Interfaces[w.host.NIC.Index].Link = id
		case w.subnet != nil:
			subnets[w.subnet.number] = id
		case w.peering != nil:
			a, z := w.peering.ends[0].number, w.peering.ends[1].number
			out.Peerings[[2]dataplane.VPCID{min(a, z), max(a, z)}] = id
		case len(w.zones) == 2:
			out.Zones[[2]dataplane.ZoneID{w.zones[0].Num, w.zones[1].Num}] = id
		default:
			out.Zones[[2]dataplane.ZoneID{w.zones[0].Num}] = id
		}
	}
	for i := range c.program.Interfaces {
		if n := &c.program.Interfaces[i]; n.Kind != dataplane.Absent {
			n.SubnetLink = subnets[n.Subnet]
		}
	}
	c.program.Links = out
}
