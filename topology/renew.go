package topology

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/link"
)

// Renew makes the lab that another document describes, of the same name. Where the
// document leaves it open, everything of the same name keeps its address and ID, and a
// link what has been done to it. Nothing of the lab that runs is changed: [Lab.Become]
// does that. The error is of type [Problems]: mistakes of the document, and what cannot
// be changed of a lab that runs.
func (l *Lab) Renew(spec *Spec) (*Lab, error) {
	next, err := construct(l.Name, spec, l)
	if err != nil {
		return nil, err
	}
	for _, w := range next.wires {
		if o := l.find.wires[w.name]; o != nil {
			w.inherit(o, next.spec.Links[w.name].LinkQualities, l.spec.Links[w.name].LinkQualities)
		}
	}
	problems := l.fixed(next)
	problems.sort()
	return next, problems.err()
}

// fixed says what the document changes that holds from the start of a lab to its end.
func (l *Lab) fixed(next *Lab) (problems Problems) {
	const cure = ": plsim down and plsim up make it so"
	if l.Region != next.Region {
		problems.add("region", "the lab is in %s, and cannot move to %s%s", l.Region, next.Region, cure)
	}
	var before, after dataplane.Settings
	l.Configure(&before)
	next.Configure(&after)
	if before != after {
		was, is := reflect.ValueOf(*l.spec.Settings), reflect.ValueOf(*next.spec.Settings)
		for _, key := range []string{"endpoint_idle_timeout", "half_closed_timeout", "closed_timeout", "passive_checks", "source_port_rest", "source_ports", "conntrack_allowance"} {
			for i := range was.NumField() {
				name, _, _ := strings.Cut(was.Type().Field(i).Tag.Get("yaml"), ",")
				if a, b := reflect.Indirect(was.Field(i)), reflect.Indirect(is.Field(i)); name == key && !a.Equal(b) {
					problems.add(at("settings", key), "is %v for as long as the lab is up, and cannot become %v%s", a, b, cure)
				}
			}
		}
	}
	if l.HasLinks() != next.HasLinks() {
		how := "has no links, and packets that travel several at a time"
		if l.HasLinks() {
			how = "has links, and packets that travel one by one"
		}
		problems.add("links", "the lab %s, for as long as it is up%s", how, cure)
	}
	for _, lb := range next.balancers {
		o := l.find.balancers[lb.name]
		if o != nil && !lb.application() && !o.application() && *lb.SecondaryIPs < *o.SecondaryIPs {
			problems.add(at(lb.path, secondaryIPs), "%d is fewer than the %d that load balancer %s has: AWS never takes one back", *lb.SecondaryIPs, *o.SecondaryIPs, lb.name)
		}
	}
	return problems
}

// inherit keeps what has been done to a link, where neither the old document nor the new
// one says anything of it: that it is down, say.
func (w *wire) inherit(o *wire, now, before LinkQualities) {
	says, said := reflect.ValueOf(now), reflect.ValueOf(before)
	own, live := reflect.ValueOf(&w.qualities).Elem(), reflect.ValueOf(o.qualities)
	for i := range says.NumField() {
		if says.Field(i).IsNil() && said.Field(i).IsNil() {
			own.Field(i).Set(live.Field(i))
		}
	}
}

// numbers are those that parts of the lab have for packets: they are never given twice.
type numbers struct{ pools, balancers, links uint16 }

func (n *numbers) pool() uint16 { n.pools++; return n.pools - 1 }

func (n *numbers) balancer() uint16 { n.balancers++; return n.balancers - 1 }

func (n *numbers) link() link.ID { n.links++; return link.ID(n.links) }

// keepIDs has the identifiers of the lab that runs kept.
func (b *builder) keepIDs() {
	if b.running == nil {
		return
	}
	b.ids.kept = map[kindPath]string{}
	for id, path := range b.running.ids.taken {
		b.ids.kept[kindPath{id[:max(strings.LastIndexByte(id, '-'), 0)], strings.TrimSuffix(path, ".id")}] = id
	}
	for _, e := range b.running.Endpoints { // which may have had another in their place before
		of := kindPath{"vpce", e.path}
		b.ids.kept[of] = e.ID
		if e.State == Deleted {
			delete(b.ids.kept, of)
			b.ids.taken[e.ID] = e.path
		}
	}
}

// ran returns the endpoint of a name in the lab that runs, nil if it has none.
func (b *builder) ran(name string) *Endpoint {
	if b.running == nil || b.running.find.endpoints[name] == nil || b.running.find.endpoints[name].State == Deleted {
		return nil
	}
	return b.running.find.endpoints[name]
}

// hadSubnet returns a subnet of the lab that runs, nil if it has none of that name.
func (b *builder) hadSubnet(s *subnet) *subnet {
	if b.running == nil {
		return nil
	}
	for _, o := range b.running.subnets {
		if o.String() == s.String() && o.network.outside == s.network.outside {
			return o
		}
	}
	return nil
}

// hadBlock returns the block of a subnet in the lab that runs.
func (b *builder) hadBlock(s *subnet, f *family) (netip.Prefix, bool) {
	if o := b.hadSubnet(s); o != nil {
		for _, block := range o.blocks {
			if block.family == f {
				return block.prefix, true
			}
		}
	}
	return netip.Prefix{}, false
}

// vacant reports whether a block lies within a VPC's, and overlaps none that is taken.
func vacant(vpc, p netip.Prefix, taken []netip.Prefix) bool {
	return vpc.Bits() <= p.Bits() && vpc.Contains(p.Addr()) && !slices.ContainsFunc(taken, p.Overlaps)
}

// newBlock makes a block of a subnet, whose addresses are kept by those who have them.
func (b *builder) newBlock(s *subnet, f *family, p netip.Prefix) *block {
	block := newBlock(f, p)
	if had, ok := b.hadBlock(s, f); !ok || had != p {
		return block
	}
	o := b.hadSubnet(s)
	for _, n := range b.running.NICs {
		if n.Kind == dataplane.Absent || n.Kind == dataplane.Resolver || n.subnet != o.number {
			continue
		}
		for _, a := range n.Addrs {
			if f.holds(a.Addr()) {
				block.keep(n.Label, a.Addr())
			}
		}
	}
	return block
}

// keptPublic returns the public addresses of the lab that runs, by owner.
func (b *builder) keptPublic() map[string]netip.Addr {
	kept := map[string]netip.Addr{}
	if b.running == nil {
		return kept
	}
	for name, a := range b.running.eips {
		kept["elastic IP address "+name] = a
	}
	for _, h := range b.running.Hosts {
		if h.NIC.Public.IsValid() {
			kept[h.Name] = h.NIC.Public
		}
	}
	return kept
}

// has reports whether a network is one of the lab's, and not one that it had.
func (l *Lab) has(n *Network) bool {
	return int(n.number) < len(l.Networks) && l.Networks[n.number] == n
}
